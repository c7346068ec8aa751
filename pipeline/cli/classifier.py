"""`tokenmill classifier`: a fastText classifier out of labelled texts, for the filter `toxicity` and for one's own use."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.classifying import NEGATIVE, POSITIVE, excerpts, lines
from pipeline.cli.labelled_files import Labelled, read_labelled
from pipeline.cli.output import console, print_json, print_table, size
from pipeline.errors import TokenmillError
from pipeline.registry import bind
from pipeline.scoring.judging import PERCENTILES
from pipeline.scoring.labelled import Trained, train_and_judge
from pipeline.storage import Folder

#: What `--set` may change: the keys of the stage `quality_model` that are about training, with its defaults, by fastText's names.
SETTINGS = {"dim": "dim", "epochs": "epoch", "lr": "lr", "word_ngrams": "wordNgrams", "min_count": "minCount", "buckets": "bucket"}


class Files(NamedTuple):
    """What to train on: files of texts of either label, files of both with a column of labels, and their columns' names."""

    positive: Sequence[str] = ()
    negative: Sequence[str] = ()
    labelled: Sequence[str] = ()
    label_column: str = "label"
    text: str = "text"


def train_classifier(files: Files, out: str, seed: int, settings: Mapping[str, str], as_json: bool) -> None:
    """Train, write the model file `out` and its card `out`.json, and print how well it tells held-out texts apart."""
    args = _bound(settings)
    if not any((files.positive, files.negative, files.labelled)):
        raise TokenmillError("classifier: no texts are given: name files by --positive and --negative, or by --labelled")
    examples = _shown(list(_read(files)), args["excerpt_chars"])
    trained = train_and_judge(examples, {**{theirs: args[ours] for ours, theirs in SETTINGS.items()}, "seed": seed})
    trained.card["settings"]["excerpt_chars"] = args["excerpt_chars"]
    _write(out, trained)
    if as_json:
        print_json(trained.card)
    else:
        _print(out, trained)


def _bound(given: Mapping[str, str]) -> dict[str, Any]:
    """The settings with the defaults of `quality_model`, each coerced to its type; TokenmillError names every mistake."""
    step, mistakes = bind("stage", "quality_model", {"positive": [], "negative": [], **given})
    known = [*SETTINGS, "excerpt_chars"]
    wrong = [f"{key}: unknown, there are {', '.join(known)}" for key in given if key not in known]
    wrong += [f"{key}: {message}" for key, message in mistakes if key in known]
    if wrong:
        raise TokenmillError("classifier: --set " + "; ".join(wrong))
    return {key: step.args[key] for key in known}


def _read(files: Files) -> Iterator[Labelled]:
    yield from read_labelled(files.positive, files.text, label=POSITIVE)
    yield from read_labelled(files.negative, files.text, label=NEGATIVE)
    yield from read_labelled(files.labelled, files.text, label_column=files.label_column)


def _shown(found: Sequence[Labelled], chars: int) -> list[tuple[str, str]]:
    """(label, line) of each text, in the form in which a classifier is asked too."""
    read = pa.array([item.text for item in found], pa.large_string())
    return [(item.label, line) for item, line in zip(found, lines(excerpts(read, chars)), strict=True)]


def _write(out: str, trained: Trained) -> None:
    folder, name = os.path.split(out)
    if not name:
        raise TokenmillError(f"classifier: --out {out} names a folder: name the model file in it")
    where = Folder(folder or ".")
    where.write(name, trained.model)
    where.write(f"{name}.json", (json.dumps(trained.card, indent=1, sort_keys=True) + "\n").encode())


def _print(out: str, trained: Trained) -> None:
    card, held_out = trained.card, trained.card["held_out"]
    rows = [(row["threshold"], row["precision"], row["recall"]) for row in card["thresholds"]]
    print_table("held-out texts: what scores so much or more is positive", ("score", "precision", "recall"), rows)
    scored = card["percentiles"]
    print_table(
        "percentiles of held-out scores", ("label", *map(str, PERCENTILES)), [(label, *values.values()) for label, values in scored.items()]
    )
    told = "" if held_out["auc"] is None else f"; accuracy {held_out['accuracy']:.1%}, AUC {held_out['auc']:.4f}"
    counts = ", ".join(f"{number:,} {label}" for label, number in card["trained_on"].items())
    console().print(f"trained on {counts}; judged by {held_out['documents']:,} held out{told}", soft_wrap=True)
    console().print(f"{out}: {size(len(trained.model))}, sha256 {card['sha256']}", soft_wrap=True)
