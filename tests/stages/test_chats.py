"""Conversations from documents to shards: never cut, learnt where somebody answers, in the shares that are asked for."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from chat_kit import Messages, said, tokenizer_json
from kit import prose, sentence
from tokenizer_kit import committed, parts

from pipeline.conversations import Message, joined
from pipeline.errors import PartsFailed, ShardError, StorageError
from pipeline.job import Committed, Inputs, TaskResult
from pipeline.registry import bind
from pipeline.report import Report
from pipeline.schema import document_id
from pipeline.shards.inspect import pieces, shares
from pipeline.shards.read import open_dataset
from pipeline.shards.text import speller_of
from pipeline.shards.verify import verify
from pipeline.storage import Folder
from pipeline.tokens import read_token_range
from pipeline.worker import LocalStage
from tokenizer.special import Specials, config
from tokenizer.vocabulary import Vocabulary

Row = dict[str, Any]
END = "<|im_end|>"


def chat(source: str, number: int) -> Messages:
    """A conversation of one to four answers of very different lengths."""
    draw = random.Random(f"{source} {number}")
    turns = [(sentence(draw), " ".join(sentence(draw) for _ in range(draw.randint(1, 4)))) for _ in range(draw.randint(1, 4))]
    return said(*[turn for asked, answer in turns for turn in (("user", asked), ("assistant", answer))])


def row(source: str, name: str, messages: Messages) -> Row:
    text, turns = joined([Message(m["role"], m["content"]) for m in messages])
    return {"id": document_id(source, name), "text": text, "source": source, "turns": turns, "licence": "CC0-1.0"}


def rows(source: str, count: int) -> list[Row]:
    return [row(source, str(number), chat(source, number)) for number in range(count)]


def answers(messages: Messages) -> str:
    return "".join(message["content"] + END for message in messages if message["role"] == "assistant")


class Chats:
    """A run from filtered conversations to shards, in a folder."""

    def __init__(self, path: Path, sources: Mapping[str, Sequence[Row]], count: int = 2, **how: Any) -> None:
        self.out = Folder(str(path))
        self.stages = LocalStage(self.out)
        settings = config(Specials(chat="chatml"), Vocabulary.parse(tokenizer_json()))
        files = (("tokenizer.json", tokenizer_json()), ("tokenizer_config.json", settings))
        written = tuple(self.out.sub("tokenizer").write(name, data) for name, data in files)
        result = TaskResult("tokenizer", written, Report()).to_json()
        self.tokenizer = Committed(self.out.sub("tokenizer"), {"stage": "tokenizer", "fingerprint": "t", "tasks": [result]})
        docs = committed(self.out.sub("filter"), "filter", parts(sources, count))
        self.tokenized = self.stages.run("tokenize", {"filter": docs, "tokenizer": self.tokenizer}, **how)

    def mix(self, shares: Mapping[str, float], **how: Any) -> Committed:
        return self.stages.run("mix", {"tokenize": self.tokenized}, **{"shares": shares, "max_epochs": {}, "holdout": 0.0, **how})

    def pack(self, seq_len: int = 1024) -> Committed:
        inputs = {"tokenize": self.tokenized, "mix": self.stages.committed["mix"], "tokenizer": self.tokenizer}
        return self.stages.run("pack", inputs, seq_len=seq_len)

    @property
    def train(self) -> Folder:
        return self.out.sub("pack/train")

    def rejects(self) -> list[Row]:
        return [found for file in Inputs({"t": (self.tokenized,)}).files("t", "rejects") for found in file.table().to_pylist()]


SOURCES = {"human": 60, "model": 90}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Chats:
    made = Chats(tmp_path_factory.mktemp("chats"), {name: rows(name, count) for name, count in SOURCES.items()})
    made.mix({"human": 1, "model": 1}, shard_tokens=6000)
    made.pack()
    return made


def learnt(train: Folder) -> dict[str, tuple[str, str]]:
    """Of each document in a split: its text, and what of it is learnt."""
    dataset = open_dataset(train)
    found = {}
    for shard in dataset.shards:
        for number in range(shard.facts.rows):
            for piece in pieces(dataset, shard.number, number, lambda ids: speller_of(dataset).text(np.array(ids))):
                assert piece.origin.tokens == piece.origin.n_tokens == piece.stop - piece.start
                found[piece.origin.id] = (piece.text, "".join(text for text, target in piece.runs if target))
    return found


def test_every_conversation_is_whole_and_its_answers_are_learnt(packed: Chats) -> None:
    found = learnt(packed.train)
    known = {document_id(source, str(n)): chat(source, n) for source, count in SOURCES.items() for n in range(count)}
    assert len(found) > 100
    for name, (text, target) in found.items():
        assert target == answers(known[name])
        assert text.startswith("<|im_start|>user\n" + known[name][0]["content"] + END)


def test_the_shards_are_sound_and_say_what_is_learnt(packed: Chats) -> None:
    assert verify(packed.train).problems == ()
    manifest = packed.train.read_json("manifest.json")
    assert len(manifest["shards"]) > 1
    for shard in manifest["shards"]:
        assert shard["loss_tokens"] == sum(shard["trained"].values()) < shard["tokens"]
        assert shard["trained"].keys() == SOURCES.keys()
    assert sum(shard["loss_tokens"] for shard in manifest["shards"]) > manifest["tokens"] / 3


def test_other_readers_see_the_mask(packed: Chats, tmp_path: Path) -> None:
    dataset = open_dataset(packed.train)
    masks = [shard.learnt(0, shard.facts.rows) for shard in dataset.shards]
    loaded = datasets.load_from_disk(packed.train.path(""))
    assert np.array_equal(np.array(loaded["loss_mask"]), np.concatenate(masks))
    step, _ = bind("export", "parquet", {"labels": True})
    step(packed.train, Folder(str(tmp_path)))
    table = pq.read_table(sorted(tmp_path.glob("train-*.parquet")))
    ids, labels = (np.array(table.column(name).to_pylist()) for name in ("input_ids", "labels"))
    assert np.array_equal(labels, np.where(np.concatenate(masks), ids, -100))
    assert np.array_equal(np.array(table.column("loss_mask").to_pylist()), np.concatenate(masks))


@pytest.mark.parametrize("name", ["flat", "megatron"])
def test_formats_without_a_place_for_masks_are_refused(packed: Chats, tmp_path: Path, name: str) -> None:
    step, _ = bind("export", name, {})
    with pytest.raises(ShardError, match="this format can't say so"):
        step(packed.train, Folder(str(tmp_path)))


def test_a_mask_of_other_bits_is_found(packed: Chats, tmp_path: Path) -> None:
    folder = shutil.copytree(packed.out.path("pack"), tmp_path / "pack") / "train"
    manifest = json.loads((folder / "manifest.json").read_text())
    facts = manifest["shards"][0]
    data = bytearray((folder / facts["file"]).read_bytes())
    data[facts["buffers"]["loss_mask"]["offset"]] ^= 1  # the first token of the first piece
    (folder / facts["file"]).write_bytes(data)
    facts["sha256"] = hashlib.sha256(data).hexdigest()
    manifest["digest"] = hashlib.sha256("".join(f"{shard['sha256']}\n" for shard in manifest["shards"]).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    problems = "\n".join(verify(Folder(str(folder))).problems)
    assert "tokens are learnt; the manifest says" in problems
    assert "the first token of a piece" in problems


def test_the_trainer_learns_from_them(packed: Chats, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
    from trainer import hf
    from trainer.config import ModelConfig, RunConfig
    from trainer.model import Decoder
    from trainer.shards import open_dataset as open_for_training
    from trainer.train import Trainer

    dataset, seen = open_dataset(packed.train), open_for_training(packed.train.path(""))
    masks = np.concatenate([shard.learnt(0, shard.facts.rows) for shard in dataset.shards])
    assert np.array_equal(np.stack([one.mask for one in seen.rows(range(len(seen)))]), masks)
    size = ModelConfig(vocab_size=832, context=1024, layers=1, width=32, heads=2, kv_heads=2, ffn=64, tied=True)
    hf.save(Decoder(size).state_dict(), size, tmp_path / "base", torch.float32, None)
    run = RunConfig(
        data=packed.train.path(""), out=str(tmp_path / "out"), init=str(tmp_path / "base"), masked=True, steps=8, batch_tokens=2048,
        lr=1e-2, sample_tokens=0,
    )  # fmt: skip
    Trainer(replace(run, save_every=0)).run()
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    found = [(line["loss"], line["targets"]) for line in lines if "loss" in line]
    assert found[-1][0] < found[0][0] - 0.5
    assert all(targets < 2048 * 0.8 for _, targets in found)


@pytest.mark.parametrize("of", ["tokens", "documents", "trained"])
def test_shares_are_exact_to_half_a_conversation(tmp_path: Path, of: str) -> None:
    made = Chats(tmp_path, {name: rows(name, count) for name, count in SOURCES.items()})
    made.mix({"human": 0.3, "model": 0.7}, of=of, shard_tokens=4000)
    made.pack()
    assert verify(made.train).problems == ()
    facts = [found for file in Inputs({"t": (made.tokenized,)}).files("t", "tokens") for found in read_token_range(file).to_pylist()]
    packed = learnt(made.train)
    size = {"tokens": lambda row: row["n_tokens"], "documents": lambda row: 1, "trained": lambda row: row["n_trained"]}[of]
    sums = {name: sum(size(row) for row in facts if row["source"] == name and row["id"] in packed) for name in SOURCES}
    largest = max(size(row) for row in facts)
    assert all(abs(sums[name] - share * sum(sums.values())) <= largest / 2 for name, share in (("human", 0.3), ("model", 0.7)))
    plan = made.out.read_json("mix/mix.plan.json")
    assert plan["of"] == of
    found = shares(open_dataset(made.train))
    total = sum(share.tokens for share in found)
    assert all(abs(share.tokens - share.planned * total) <= max(row["n_tokens"] for row in facts) for share in found)


def test_shares_of_documents_are_counted_in_documents(tmp_path: Path) -> None:
    made = Chats(tmp_path, {name: rows(name, count) for name, count in SOURCES.items()})
    made.mix({"human": 1, "model": 3}, of="documents", total=80)
    made.pack()
    dataset = open_dataset(made.train)
    origins = [found for shard in dataset.shards for found in shard.docs.column("source").to_pylist()]
    assert {name: origins.count(name) for name in SOURCES} == {"human": 20, "model": 60}


def test_conversations_come_again_whole(tmp_path: Path) -> None:
    made = Chats(tmp_path, {"human": rows("human", 10), "model": rows("model", 60)})
    made.mix({"human": 1, "model": 1}, max_epochs={"human": 3.5})
    made.pack()
    copies = [found for shard in open_dataset(made.train).shards for found in shard.docs.to_pylist()]
    assert all(found["tokens"] == found["n_tokens"] for found in copies)
    assert max(found["epoch"] for found in copies) >= 2


def test_texts_beside_conversations_are_learnt_whole(tmp_path: Path) -> None:
    texts = [{"id": document_id("web", str(n)), "text": prose(str(n), 1), "source": "web"} for n in range(30)]
    made = Chats(tmp_path, {"human": rows("human", 40), "web": texts})
    made.mix({"human": 1, "web": 1})
    made.pack()
    assert verify(made.train).problems == ()
    found = learnt(made.train)
    whole = [name for name, (text, target) in found.items() if len(target) > len(text) - 12]
    assert set(whole) == {row["id"] for row in texts} & set(found)


def test_the_same_bytes_from_other_parts(packed: Chats, tmp_path: Path) -> None:
    again = Chats(tmp_path, {name: rows(name, count)[::-1] for name, count in SOURCES.items()}, count=5)
    again.mix({"human": 1, "model": 1}, shard_tokens=6000)
    again.pack()
    assert again.train.read_json("manifest.json")["digest"] == packed.train.read_json("manifest.json")["digest"]


@pytest.mark.parametrize("overlong", ["drop", "truncate"])
def test_what_is_longer_than_a_row(tmp_path: Path, overlong: str) -> None:
    long = row("human", "long", said(*[turn for n in range(9) for turn in (("user", f"{n}? " * 9), ("assistant", f"{n}. " * 9))]))
    hopeless = row("human", "hopeless", said(("user", "why? " * 300), ("assistant", "because")))
    short = [row("human", str(n), said(("user", f"{n}?"), ("assistant", f"{n}."))) for n in range(40)]
    made = Chats(tmp_path, {"human": [*short, long, hopeless]}, overlong=overlong, max_tokens=256)
    dropped = {found["id"]: (found["reason"], json.loads(found["signals"])["tokenize.why"]) for found in made.rejects()}
    assert dropped[hopeless["id"]][0] == "tokenize:overlong"
    assert "a row has 256" in dropped[hopeless["id"]][1]
    report = made.tokenized.report
    assert report.dropped["human", "tokenize:overlong"] == len(dropped) == (1 if overlong == "truncate" else 2)
    made.mix({"human": 1})
    made.pack(seq_len=256)
    found = learnt(made.train)
    if overlong == "truncate":
        text, target = found[long["id"]]
        turns = target.count(END)
        assert report.counts["human", "conversations shortened"] == 1
        assert 1 < turns < 9
        assert text.endswith(END + "\n")
        assert target == "".join(f"{n}. " * 9 + END for n in range(turns))


def test_without_a_word_on_long_ones_pack_refuses_them(tmp_path: Path) -> None:
    made = Chats(tmp_path, {"human": rows("human", 20)})
    made.mix({"human": 1})
    with pytest.raises(ShardError, match="overlong: drop"):
        made.pack(seq_len=64)


def test_what_can_not_be_written_is_dropped_with_evidence(tmp_path: Path) -> None:
    cut = {**row("human", "cut", chat("human", 0)), "text": "one piece"}
    odd = row("human", "odd", said(("user", "a\ufdd0"), ("assistant", "b")))
    made = Chats(tmp_path, {"human": [*rows("human", 5), cut, odd]})
    assert {found["id"]: found["reason"] for found in made.rejects()} == {
        cut["id"]: "tokenize:turns_lost",
        odd["id"]: "tokenize:template_refused",
    }
    assert made.tokenized.report.kept["human"] == 5


def test_a_conversation_that_teaches_nothing_is_an_error_with_its_id(tmp_path: Path) -> None:
    silent = row("human", "silent", said(("user", "Anybody there?")))
    with pytest.raises((StorageError, PartsFailed), match=f"conversation {silent['id']}: no token"):
        Chats(tmp_path, {"human": [*rows("human", 5), silent]})
