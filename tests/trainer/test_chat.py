# ruff: noqa: E402 - the trainer is imported only where torch is
"""Text as it is made, and chats: whole characters, stop sequences, and the ids that training saw."""

from __future__ import annotations

import importlib.util
import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
pytest.importorskip("safetensors", reason="the trainer needs safetensors: pip install -r requirements/train.txt")

from chat_tokenizer_kit import SPECIALS, write_tokenizer

from tokenizer.conversations import Chat as Conversation
from tokenizer.conversations import ChatEncoder
from tokenizer.encode import Encoder
from tokenizer.templates import ChatTemplate, chatml, llama3, roles
from trainer import hf
from trainer.__main__ import main
from trainer.chat import Chat
from trainer.config import ModelConfig
from trainer.errors import ConfigError, DataError, TrainerError
from trainer.generate import Sampling
from trainer.model import Decoder
from trainer.speaking import TextStream, read

PLAIN = """{% for m in messages %}[{{ m.role }}] {{ m.content|trim }}
{% if m.role == 'assistant' %}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"""
TALK = [
    {"role": "system", "content": "Be  short. "},
    {"role": "user", "content": " What's <|end|> & <b>\n\ntwo? äöü \U0001f600"},
    {"role": "assistant", "content": "A token."},
    {"role": "user", "content": "Why?\n"},
    {"role": "assistant", "content": "So."},
]
GREEDY = Sampling(0)


@pytest.fixture
def model(tmp_path: Path) -> str:
    write_tokenizer(tmp_path, roles())
    shape = ModelConfig(vocab_size=257 + len(SPECIALS), context=160, layers=1, width=32, heads=2, kv_heads=1, ffn=32)
    hf.save(Decoder(shape).state_dict(), shape, tmp_path, torch.float32, None)
    return str(tmp_path)


def test_only_whole_characters_are_shown(tmp_path: Path) -> None:
    coder = write_tokenizer(tmp_path, None)
    text = "aä€\U0001f600 b"
    shown = TextStream(coder.decode)
    pieces = [shown.add(number) for number in coder.encode(text).ids]
    assert "".join(pieces) == text
    assert pieces == ["a", "", "ä", "", "", "€", "", "", "", "\U0001f600", " ", "b"]
    cut = TextStream(coder.decode)
    assert [cut.add(number) for number in coder.encode("aä€").ids[:-1]] + [cut.close()] == ["a", "", "ä", "", "", ""]
    odd = TextStream(coder.decode)
    broken = [coder.encode("€").ids[0], *coder.encode("ab").ids]
    assert "".join(odd.add(number) for number in broken) == "\ufffdab"


def test_text_ends_before_a_stop_sequence_and_nothing_of_it_is_shown(tmp_path: Path) -> None:
    coder = write_tokenizer(tmp_path, None)
    shown = TextStream(coder.decode, ["\nQ:", "##"])
    pieces = [shown.add(number) for number in coder.encode("a#b\n\nQ: c").ids if not shown.ended]
    assert pieces == ["a", "", "#b", "", "\n", "", ""]
    assert shown.ended
    assert shown.close() == ""
    begun = TextStream(coder.decode, ["##"])
    assert [begun.add(number) for number in coder.encode("a#").ids] + [begun.close()] == ["a", "", "#"]


@pytest.mark.parametrize("template", [roles(), chatml(), llama3(), PLAIN])
def test_a_chat_has_the_ids_that_training_saw(template: str, model: str) -> None:
    """Those of the pipeline's encoder, up to each answer; what a user says in the words of a special token stays text."""
    write_tokenizer(Path(model), template)
    file = Path(model) / "tokenizer.json"
    encoder = ChatEncoder(Encoder(file.read_bytes(), "it"), ChatTemplate(template, "it", SPECIALS, {"bos_token": "<|endoftext|>"}))
    encoded = encoder.encode([Conversation("1", TALK)])
    chat = Chat(read(model, None, None))
    assert encoded.unusable == [None]
    whole, learnt = encoded.ids.tolist(), encoded.learnt
    first = int(learnt.argmax())
    assert chat.ids(TALK[:2]) == whole[:first]
    last = len(learnt) - int(learnt[::-1].argmax())
    start = last - int((~learnt[:last])[::-1].argmax())
    assert chat.ids(TALK[:4]) == whole[:start]
    ends = {whole[last - 1]} if template != PLAIN else {chat.speaker.coder.token_to_id("<|end|>")}
    assert chat._ends_of_answers() == ends


def test_a_conversation_goes_on_and_forgets(model: str) -> None:
    """The second answer is that to the whole conversation; a full context drops the oldest exchange, not the system's message."""
    chat = Chat(read(model, None, None), "S")
    for text in ("one", "two"):
        assert "".join(chat.say(text, 5, GREEDY)).strip() == chat.messages[-1]["content"]
    assert [message["role"] for message in chat.messages] == ["system", *("user", "assistant") * 2]
    for _ in range(20):
        list(chat.say("x" * 20, 5, GREEDY))
    assert chat.forgotten
    assert chat.messages[0]["role"] == "system"
    with pytest.raises(ConfigError, match="context of 160"):
        list(chat.say("x" * 999, 5, GREEDY))


def test_the_end_token_ends_an_answer_unseen(model: str) -> None:
    """A model that says what it likes until the template's end token, which is made the likeliest there is."""
    speaker = read(model, None, None)
    end = speaker.coder.token_to_id("<|end|>")
    speaker.model.norm.weight.data.zero_()
    speaker.model.logits = lambda hidden: torch.eye(speaker.model.config.vocab_size)[end].expand(*hidden.shape[:-1], -1)  # type: ignore[method-assign]
    assert "".join(Chat(speaker).say("hi", 20, GREEDY)) == ""
    assert "".join("".join(pieces) for pieces in speaker.continued([[1]], 4, GREEDY)) == "<|end|>" * 4


def test_the_command_line(model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    options = [model, "--temperature", "0", "--tokens", "8"]
    assert main(["generate", *options, "--prompt", "the", "--prompt", "a mill"]) == 0
    both = capsys.readouterr().out
    assert main(["generate", *options, "--prompt", "the"]) == 0
    assert main(["generate", *options, "--prompt", "a mill"]) == 0
    one, other = capsys.readouterr().out.split("a mill")
    assert both == f"{one}\na mill{other}"
    assert main(["chat", *options, "--message", "one", "--message", "two"]) == 0
    told = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\n\ntwo\n"))
    assert main(["chat", *options]) == 0
    assert capsys.readouterr().out == told != ""


def test_what_does_not_fit_is_said(model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    speaker = read(model, None, None)
    for template, message in (("{% for", "no Jinja"), ("{{ raise_exception('no') }}", "no"), ("{{ ''.__class__.mro() }}", "can't write")):
        with pytest.raises(DataError, match=message):
            Chat(replace(speaker, settings=replace(speaker.settings, template=template)))
    with pytest.raises(DataError, match="no chat template"):
        Chat(replace(speaker, settings=replace(speaker.settings, template=None)))
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jinja2" else found(name))
    with pytest.raises(TrainerError, match="pip install jinja2"):
        Chat(speaker)
    for flag in (["--tokens", "0"], ["--stop", ""], ["--top-k", "-1"], ["--temperature", "nan"]):
        assert main(["generate", model, "--prompt", "a", *flag]) == 1
    (Path(model) / "tokenizer.json").write_text("{}")
    assert main(["generate", model, "--prompt", "a"]) == 1
    assert "tokenizer.json" in capsys.readouterr().err
