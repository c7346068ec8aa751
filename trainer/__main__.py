"""The command line: `python -m trainer --data ... --out ...` trains, one flag per field of RunConfig; other words do the rest."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from trainer.config import DEVICES, DTYPES, PRESETS, RunConfig
from trainer.errors import ConfigError, TrainerError

if TYPE_CHECKING:
    from trainer.generate import Sampling
    from trainer.speaking import Speaker
    from trainer.train import Summary

#: Flags of the commands that make text.
SPEAKING: Mapping[str, dict[str, Any]] = {
    "--adapter": {"metavar": "PATH", "help": "folder of an adapter for the model"},
    "--tokenizer": {"metavar": "PATH", "help": "tokenizer.json (default: the one in the model's folder)"},
    "--tokens": {"metavar": "N", "type": int, "default": 100, "help": "tokens at most (default: 100)"},
    "--temperature": {"metavar": "N", "type": float, "default": 0.8, "help": "0: always the likeliest (default: 0.8)"},
    "--top-k": {"metavar": "N", "type": int, "default": 0, "help": "draw from so many of the likeliest (default: 0, all)"},
    "--top-p": {"metavar": "N", "type": float, "default": 1.0, "help": "draw from the likeliest that sum up to this (default: 1)"},
    "--stop": {"metavar": "TEXT", "action": "append", "default": [], "help": "end before this text; may be given several times"},
    "--seed": {"metavar": "N", "type": int, "default": 0, "help": "seed of the draws (default: 0)"},
    "--device": {"choices": DEVICES, "default": "auto", "help": "where to compute (default: auto)"},
}

#: Flags of the commands that are no training, in argparse's words.
FLAGS: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "plan": {
        "--params": {"metavar": "N", "help": "parameters: 124m"},
        "--tokens": {"metavar": "N", "help": "tokens: 2.5b"},
        "--hardware": {"metavar": "NAME", "default": "H200", "help": "A100, H100, H200, B200 (default: H200)"},
        "--devices": {"metavar": "N", "type": int, "default": 1, "help": "how many of it (default: 1)"},
        "--mfu": {"metavar": "N", "type": float, "default": 0.4, "help": "share of the peak that is used (default: 0.4, assumed)"},
        "--tflops": {"metavar": "N", "type": float, "help": "dense bfloat16 TFLOP/s of one device, where it isn't known"},
    },
    "explain-step": {
        "step": {"type": int, "help": "1 for the first"},
        "--out": {"metavar": "PATH", "required": True, "help": "folder of a run"},
    },
    "export": {
        "run": {"help": "folder of a run"},
        "to": {"help": "folder to write"},
        "--merge": {"action": "store_true", "help": "of a run with adapters: the whole model, adapters added in (default: adapters alone)"},
        "--dtype": {"choices": DTYPES[1:], "default": "float32", "help": "type of the weights (default: float32)"},
        "--tokenizer": {"metavar": "PATH", "help": "folder whose tokenizer files are copied"},
    },
    "ablation": {
        "--base": {"metavar": "NAME=PATH", "required": True, "help": "packed training shards to compare with"},
        "--other": {"metavar": "NAME=PATH", "required": True, "help": "packed training shards that are compared"},
        "--validation": {"metavar": "PATH", "required": True, "help": "packed shards of held-out texts, in neither"},
        "--out": {"metavar": "PATH", "required": True, "help": "folder for the runs and ablation.json"},
        "--tokenizer": {"metavar": "PATH", "help": "tokenizer.json (default: the one near the shards)"},
        "--model": {"choices": tuple(PRESETS), "default": "debug", "help": "size of the model (default: debug)"},
        "--steps": {"metavar": "N", "type": int, "default": 300, "help": "optimizer steps of a run (default: 300)"},
        "--batch-tokens": {"metavar": "N", "type": int, "help": "tokens per step (default: the preset's)"},
        "--lr": {"metavar": "N", "type": float, "help": "peak learning rate of every run (default: the preset's)"},
        "--seeds": {"metavar": "N", "type": int, "default": 3, "help": "runs on each corpus (default: 3)"},
        "--eval-tokens": {"metavar": "N", "type": int, "default": 262_144, "help": "held-out tokens (default: 262144; 0: all)"},
        "--device": {"choices": DEVICES, "default": "auto", "help": "where to train (default: auto)"},
    },
    "eval": {
        "model": {"help": "folder of a run, or of a model in the Hugging Face format"},
        "--evals": {"metavar": "PATHS", "help": "files or folders of evaluations in their published formats, parted by commas"},
        "--tasks": {"metavar": "NAMES", "help": "mmlu, truthfulqa, gsm8k, humaneval (default: those that --evals holds)"},
        "--shards": {"metavar": "PATH", "help": "packed shards to measure perplexity and bits per byte on, by source"},
        "--tokenizer": {"metavar": "PATH", "help": "tokenizer.json (default: the one in the model's folder)"},
        "--adapter": {"metavar": "PATH", "help": "folder of an adapter for the model"},
        "--shots": {"metavar": "N", "type": int, "help": "examples before each question (default: mmlu and gsm8k 5, others 0)"},
        "--limit": {"metavar": "N", "type": int, "default": 0, "help": "items of each task, evenly from all (default: 0, all)"},
        "--samples": {"metavar": "N", "type": int, "default": 1, "help": "programs per problem of humaneval (default: 1)"},
        "--temperature": {"metavar": "N", "type": float, "default": 0.0, "help": "of generated texts (default: 0, the likeliest)"},
        "--seed": {"metavar": "N", "type": int, "default": 0, "help": "seed of the draws (default: 0)"},
        "--eval-tokens": {"metavar": "N", "type": int, "default": 262_144, "help": "tokens of --shards (default: 262144; 0: all)"},
        "--device": {"choices": DEVICES, "default": "auto", "help": "where to compute (default: auto)"},
        "--json": {"action": "store_true", "help": "print JSON, with MMLU's subjects"},
    },
    "generate": {
        "model": {"help": "folder of a run, or of a model in the Hugging Face format"},
        "--prompt": {"metavar": "TEXT", "required": True, "action": "append", "help": "what the text begins with; several: all at once"},
        **SPEAKING,
    },
    "chat": {
        "model": {"help": "folder of a run, or of a model in the Hugging Face format"},
        "--message": {"metavar": "TEXT", "action": "append", "help": "what to say, in turn (default: lines from the terminal)"},
        "--system": {"metavar": "TEXT", "help": "what the model is told before the conversation"},
        **SPEAKING,
    },
}


def parser() -> argparse.ArgumentParser:
    """A parser of RunConfig's fields."""
    about = "Train a language model on packed shards. `sft` before the flags: fine-tune --init on conversations, their answers alone."
    made = argparse.ArgumentParser(prog="python -m trainer", description=f"{about} Also: {', '.join(FLAGS)}.", epilog=_sizes())
    hints = get_type_hints(RunConfig)
    for item in dataclasses.fields(RunConfig):
        kind = next(kind for kind in (*get_args(hints[item.name]), hints[item.name]) if kind is not NoneType)
        required = item.default is dataclasses.MISSING
        text = item.metadata["help"] + ("" if required or item.default in (None, False, True) else f" (default: {item.default})")
        how: dict[str, Any] = {"action": _switch(item.default)} if kind is bool else {"type": kind, **_values(item, kind)}
        made.add_argument(
            f"--{item.name.replace('_', '-')}", required=required, default=None if required else item.default, help=text, **how
        )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0, 1 after an error that was told in one sentence, or 128 + the number of the signal that stopped it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    word = given.pop(0) if given and given[0] in (*FLAGS, "train", "sft") else "train"
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # torch tells a run of one process that it is one
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads sleep while they wait: see docs/trainer.md, Measured
    try:
        if word in FLAGS:
            return _other(word, given)
        options = vars(parser().parse_args(given))
        return _train(RunConfig(**options | ({"masked": True} if word == "sft" else {})), word)
    except TrainerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # of a text or a chat; a training run notes the first, and saves
        print(file=sys.stderr)
        return 128 + signal.SIGINT


def _train(config: RunConfig, word: str) -> int:
    if word == "sft" and config.init is None:
        raise ConfigError("sft goes on from a model: give its folder as --init")
    _need("torch", *(["ray"] if config.ray else ()))
    if config.ray:
        from trainer import cluster

        return _code(cluster.train(config))
    from trainer.train import Trainer  # only now: torch reads OMP_WAIT_POLICY when it is loaded, and --help does without it

    trainer = Trainer(config)
    try:
        summary = trainer.run()
    finally:
        trainer.world.leave()
    return _code(summary)


def _code(summary: Summary) -> int:
    return 128 + signal.Signals[summary.stopped_by] if summary.stopped_by else 0


def _other(word: str, given: Sequence[str]) -> int:
    made = argparse.ArgumentParser(prog=f"python -m trainer {word}")
    for name, how in FLAGS[word].items():
        made.add_argument(name, **how)
    options = made.parse_args(given)
    commands: Mapping[str, Callable[[argparse.Namespace], None]] = {
        "plan": _plan, "explain-step": _explain, "export": _export, "generate": _generate, "chat": _chat, "ablation": _ablation,
        "eval": _eval,
    }  # fmt: skip
    commands[word](options)
    return 0


def _plan(options: argparse.Namespace) -> None:
    from trainer.planning import plan

    print(plan(**vars(options)))


def _explain(options: argparse.Namespace) -> None:
    _need("torch")
    from trainer.runs import pieces_of_step

    for piece in pieces_of_step(options.out, options.step):
        print(piece)


def _export(options: argparse.Namespace) -> None:
    _need("torch", "safetensors")
    from trainer.runs import export

    export(options.run, options.to, options.merge, options.dtype, options.tokenizer)


def _ablation(options: argparse.Namespace) -> None:
    _need("torch")
    from trainer.ablation import Ablation, compare, trained

    print(compare(Ablation(**vars(options)), trained))


def _eval(options: argparse.Namespace) -> None:
    _need("torch", "safetensors", "tokenizers")
    from trainer.examine import examine, perplexity_lines
    from trainer.harness import lines

    given = vars(options)
    as_json = given.pop("json")
    results = examine(**given)
    if as_json:
        print(json.dumps(results, indent=2))
        return
    sources = results.pop("perplexity", {}).get("sources")
    print("\n".join([*(perplexity_lines(sources) if sources else ()), *(lines(results) if results else ())]))


def _generate(options: argparse.Namespace) -> None:
    speaker, how = _speaker(options)
    texts = list(options.prompt)
    print(texts[0] if len(texts) == 1 else "", end="", flush=True)
    for pieces in speaker.continued([speaker.encode(prompt) for prompt in options.prompt], options.tokens, how, options.stop):
        texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
        print(pieces[0] if len(texts) == 1 else "", end="", flush=True)
    print("\n\n".join(texts if len(texts) > 1 else [""]))


def _chat(options: argparse.Namespace) -> None:
    speaker, how = _speaker(options)
    from trainer.chat import Chat

    chat, forgotten = Chat(speaker, options.system), 0
    for message in options.message or _lines():
        for piece in chat.say(message, options.tokens, how, options.stop):
            print(piece, end="", flush=True)
        print()
        if chat.forgotten > forgotten:
            forgotten = chat.forgotten
            print(f"(the context is full: the first {forgotten} exchanges are forgotten)", file=sys.stderr)


def _lines() -> Iterator[str]:
    """What is typed, or piped in, a message a line; ends with Ctrl-D."""
    while True:
        try:
            line = input("> " if sys.stdin.isatty() else "")
        except EOFError:
            return
        if line.strip():
            yield line


def _speaker(options: argparse.Namespace) -> tuple[Speaker, Sampling]:
    _need("torch", "safetensors", "tokenizers")
    from trainer.generate import Sampling
    from trainer.speaking import read

    if options.tokens < 1:
        raise ConfigError(f"--tokens is {options.tokens}: it must be at least 1")
    if "" in options.stop:
        raise ConfigError("--stop is empty: it must be a text")
    how = Sampling(options.temperature, options.top_p, options.seed, options.top_k)
    return read(options.model, options.adapter, options.tokenizer, options.device), how


def _need(*packages: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        where = "-r requirements/train.txt" if {"torch", "safetensors"} & set(missing) else " ".join(missing)
        raise TrainerError(f"{' and '.join(missing)} is not installed: pip install {where}")


def _switch(default: object) -> Any:
    """--NAME, or where that is what happens anyway, --no-NAME too."""
    return argparse.BooleanOptionalAction if default is True else "store_true"


def _values(item: dataclasses.Field[Any], kind: type) -> dict[str, Any]:
    """What stands for a flag's value in the help: its choices, or a letter for a number, or its own name."""
    choices = item.metadata["choices"]
    return {"choices": choices} if choices else {"metavar": "N" if kind in (int, float) else "PATH"}


def _sizes() -> str:
    shapes = (f"{name}: {p.layers} layers, {p.width} wide, lr {p.lr}, {p.batch_tokens} tokens a step" for name, p in PRESETS.items())
    return "Models: " + "; ".join(shapes) + "."


if __name__ == "__main__":
    sys.exit(main())
