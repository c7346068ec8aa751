"""Conversations, step by step on one core: read, extracted, filtered, signed for dedupe, written by a template, encoded with masks.

    python -m benchmarks.conversations FILES... [--vocab 8192] [--repeats 3] [--json]

FILES are instruction data in any format that the reader "conversations" knows. For each step: conversations and MB (of what is
said, UTF-8) per second, the best of the repeats. "rendered twice" finds the answers of a template without `{% generation %}`. Where
`transformers` is installed its `apply_chat_template` does the same work: text, ids and mask.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.machine import machine
from pipeline.contracts import Extracted, InputFile
from pipeline.conversations import messages_of
from pipeline.dedupe.compared import Of, compared
from pipeline.kernels.minhash import sketch
from pipeline.registry import bind, load_all, lookup
from pipeline.schema import DOC, RAW, conform
from pipeline.sources.conversations import conversations
from tokenizer.conversations import Chat, ChatEncoder
from tokenizer.encode import Encoder
from tokenizer.special import Specials, config
from tokenizer.templates import ChatTemplate, chatml
from tokenizer.train import train
from tokenizer.vocabulary import Vocabulary

#: The filters of conversations, with their defaults.
FILTERS = ("chat_roles", "chat_answers", "chat_repetition", "chat_language", "chat_arithmetic")
#: Conversations that are encoded at once, as in a part's batch.
BATCH = 512


class Result(NamedTuple):
    """One step: seconds for all of the conversations."""

    step: str
    seconds: float


def main(argv: Sequence[str]) -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conversations")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--vocab", type=int, default=8192)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    results, chats, size = measure([InputFile(name, name, "", 0) for name in options.files], options.vocab, options.repeats)
    if options.json:
        print(json.dumps({"conversations": chats, "bytes": size, "steps": [result._asdict() for result in results]}))
        return 0
    print(f"{machine()}\n{chats:,} conversations, {size / 1e6:.1f} MB\n\n| step | conversations/s | MB/s |\n|---|---|---|")
    for step, seconds in results:
        print(f"| {step} | {chats / seconds:,.0f} | {size / 1e6 / seconds:.2f} |")
    return 0


def measure(files: Sequence[InputFile], vocab: int, repeats: int) -> tuple[list[Result], int, int]:
    """Every step, the number of conversations, and the bytes that are said in them."""
    load_all()
    found = [document for file in files for document in conversations(file) if document.format == "conversation"]
    raw = [{"id": str(n), "content": document.content, "format": "conversation", "source": "x"} for n, document in enumerate(found)]
    batches = [pa.RecordBatch.from_pylist(raw[start : start + BATCH], schema=RAW) for start in range(0, len(raw), BATCH)]
    extract = lookup("extractor", "conversation").function
    texts = [extract(batch) for batch in batches]
    chats = [chat for number, batch in enumerate(texts) for chat in _chats(batch, number)]
    size = sum(len(message["content"].encode()) for chat in chats for message in chat.messages)
    content = train(
        [message["content"] for chat in chats[::7] for message in chat.messages], vocab_size=vocab, specials=Specials(chat="chatml")
    )
    marked, plain = (_template(content, source) for source in (chatml(), _unmarked(chatml())))
    encoder = ChatEncoder(Encoder(content), marked)
    groups = [chats[start : start + BATCH] for start in range(0, len(chats), BATCH)]
    steps: dict[str, Callable[[], object]] = {
        "read": lambda: [sum(1 for _ in conversations(file)) for file in files],
        "extract": lambda: [extract(batch) for batch in batches],
        **_judged([_rows(*pair) for pair in zip(batches, texts, strict=True)]),
        "render and find answers": lambda: [marked.conversation(chat.messages, chat.tools) for chat in chats],
        "the same, rendered twice": lambda: [plain.conversation(chat.messages, chat.tools) for chat in chats],
        "render, encode, mask, check": lambda: [encoder.encode(group) for group in groups],
        **_others(content, chats),
    }
    return [Result(name, _best(run, repeats)) for name, run in steps.items()], len(chats), size


def _rows(raw: pa.RecordBatch, found: Extracted) -> pa.RecordBatch:
    """The DOC rows of a batch."""
    columns = {"id": raw.column("id"), "source": raw.column("source"), "text": found.text, "turns": found.facts["turns"]}
    return conform(pa.RecordBatch.from_pydict(columns).filter(pc.is_valid(found.text)), DOC)


def _judged(docs: Sequence[pa.RecordBatch]) -> dict[str, Callable[[], object]]:
    """Each filter, and what dedupe makes of conversations, whole and by their prompts."""
    filters = {name: bind("filter", name, {})[0] for name in FILTERS}
    ways: tuple[Of, ...] = get_args(Of)
    return {
        **{name: lambda step=step: [step(batch) for batch in docs] for name, step in filters.items()},
        **{f"signatures, of {of}": lambda of=of: [sketch(compared(batch, of), 5, 14, 8) for batch in docs] for of in ways},
    }


def _chats(batch: Any, number: int) -> list[Chat]:
    rows = zip(batch.text.to_pylist(), batch.facts["turns"].to_pylist(), strict=True)
    return [
        Chat(f"{number}-{place}", [{"role": message.role, "content": message.content} for message in messages_of(text, turns)])
        for place, (text, turns) in enumerate(rows)
        if text and any(turn["role"] == "assistant" for turn in turns)
    ]


def _template(content: bytes, source: str) -> ChatTemplate:
    return ChatTemplate(source, "chatml", list(Vocabulary.parse(content).added), {})


def _unmarked(source: str) -> str:
    return source.replace("{% generation %}", "").replace("{% endgeneration %}", "")


def _others(content: bytes, chats: Sequence[Chat]) -> dict[str, Callable[[], object]]:
    if importlib.util.find_spec("transformers") is None:
        return {}
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").write_bytes(content)
        (Path(folder) / "tokenizer_config.json").write_bytes(config(Specials(chat="chatml"), Vocabulary.parse(content)))
        library = AutoTokenizer.from_pretrained(folder)
    how = {"tokenize": True, "return_dict": True, "return_assistant_tokens_mask": True}
    return {"transformers: text, ids, mask": lambda: [library.apply_chat_template(list(chat.messages), **how) for chat in chats]}


def _best(run: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
