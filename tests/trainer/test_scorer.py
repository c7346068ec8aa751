# ruff: noqa: E402 - the trainer is imported only where torch is
"""Log-likelihoods and texts in batches equal those of one at a time, computed plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
pytest.importorskip("tokenizers")

from eval_kit import write_tokenizer

from trainer import hf
from trainer.attention import Pieces
from trainer.coder import Coder
from trainer.config import ModelConfig
from trainer.errors import ConfigError, DataError
from trainer.generate import Sampling, stream
from trainer.model import Decoder
from trainer.scorer import Scorer

PAIRS = [
    ("Q: What do ducks eat?\nA:", " Ducks eat many things."), ("Q: What do ducks eat?\nA:", " Bread."), ("Answer:", " A"),
    ("Answer:", " B"), ("Answer:", " C"), ("def add(a, b):", "\n    return a + b\n"),
    ("", "The basket"), ("How many app", "les are in it?"),
]  # fmt: skip


@pytest.fixture(scope="module")
def coder(tmp_path_factory: pytest.TempPathFactory) -> Coder:
    return Coder(write_tokenizer(tmp_path_factory.mktemp("tok")))


def model_for(coder: Coder, context: int = 128, window: int = 0) -> Decoder:
    model = Decoder(ModelConfig(coder.vocab_size, context, layers=2, width=32, heads=4, kv_heads=2, ffn=64, window=window), seed=1)
    for parameter in model.parameters():
        parameter.data *= 4  # so that likelihoods differ
    return model.eval()


def plainly(model: Decoder, ids: list[int], start: int) -> tuple[float, bool]:
    """log p of ids[start:], and whether they are the likeliest: one forward of everything, float64 sums."""
    with torch.no_grad():
        hidden = model(torch.tensor([ids]), torch.arange(len(ids))[None], Pieces((len(ids),), model.config.window))
        log_p = torch.log_softmax(model.logits(hidden[0]).double(), dim=-1)
    each = [float(log_p[place - 1, ids[place]]) for place in range(start, len(ids))]
    return sum(each), all(int(log_p[place - 1].argmax()) == ids[place] for place in range(start, len(ids)))


def whole(coder: Coder, context: str, continuation: str) -> tuple[list[int], int]:
    """The definition, spelt out: encoded together; the continuation begins where that leaves the context's own encoding."""
    alone, (ids,) = coder.ids([context])[0], coder.ids([context + continuation])
    start = 0
    while start < min(len(alone), len(ids)) and alone[start] == ids[start]:
        start += 1
    return (ids, start) if start else ([coder.first, *ids], 1)


@pytest.mark.parametrize("batch_tokens", [1, 60, 4096])
@pytest.mark.parametrize("window", [0, 6])
def test_batches_equal_one_by_one(coder: Coder, batch_tokens: int, window: int) -> None:
    model = model_for(coder, window=window)
    found = Scorer(model, coder, batch_tokens).likelihoods(PAIRS)
    for pair, likelihood in zip(PAIRS, found, strict=True):
        ids, start = whole(coder, *pair)
        nats, greedy = plainly(model, ids, start)
        assert likelihood.nats == pytest.approx(nats, rel=1e-5), pair
        assert (likelihood.tokens, likelihood.greedy) == (len(ids) - start, greedy)
    assert len({likelihood.nats for likelihood in found}) == len(PAIRS)


def test_a_token_over_the_join_counts(coder: Coder) -> None:
    """ "app" ends inside the token of "apples": what is scored is the text's own tokens."""
    ids, start = whole(coder, *PAIRS[-1])
    assert coder.ids([PAIRS[-1][0]])[0] != ids[: len(coder.ids([PAIRS[-1][0]])[0])]
    assert coder.text(ids[start:]) != PAIRS[-1][1]
    assert PAIRS[-1][1] in coder.text(ids[start:])


def test_the_likeliest_token_is_greedy(coder: Coder) -> None:
    model = model_for(coder)
    (context,) = coder.ids(["Answer:"])
    first = next(stream(model, context, 1, Sampling(0)))
    (found,) = Scorer(model, coder).of_ids([([*context, first], len(context))])
    assert found.greedy
    (other,) = Scorer(model, coder).of_ids([([*context, (first + 1) % coder.vocab_size], len(context))])
    assert not other.greedy
    assert other.nats < found.nats


def test_long_contexts_lose_their_beginning_and_are_counted(coder: Coder) -> None:
    model = model_for(coder, context=16)
    scorer = Scorer(model, coder)
    ids = list(range(1, 31))
    (found,) = scorer.of_ids([(ids, 28)])
    assert found.nats == pytest.approx(_cut(model, ids), rel=1e-5)
    assert found.tokens == 2
    assert scorer.counts == {"requests": 1, "requests_cut": 1, "tokens_cut": 13}


def _cut(model: Decoder, ids: list[int]) -> float:
    """log p of the last two of 30 ids with a context of 16: the 16 before the last one are seen."""
    seen = ids[-17:-1]
    with torch.no_grad():
        hidden = model(torch.tensor([seen]), torch.arange(16)[None], Pieces((16,)))
        log_p = torch.log_softmax(model.logits(hidden[0]).double(), dim=-1)
    return float(log_p[14, ids[-2]] + log_p[15, ids[-1]])


def test_a_document_counts_each_token_once(coder: Coder) -> None:
    scorer = Scorer(model_for(coder, context=8), coder)
    text = "Ducks eat many things. " * 5
    found = scorer.document(text)
    assert found.tokens == len(coder.ids([text])[0]) > 16


def test_texts_end_before_a_stop(coder: Coder) -> None:
    scorer = Scorer(model_for(coder), coder)
    (text,) = scorer.texts("Q: What", 20, (), Sampling(0))
    assert len(text) > 4
    word = text[2:4]
    assert scorer.texts("Q: What", 20, (word,), Sampling(0)) == [text[: text.find(word)]]
    first, second = scorer.texts("Q: What", 20, (), Sampling(1.0), samples=2)
    assert first != second
    assert scorer.texts("Q: What", 20, (), Sampling(1.0, seed=1)) == [second]


def test_what_does_not_fit_is_said(coder: Coder) -> None:
    with pytest.raises(ConfigError, match="no tokens"):
        Scorer(model_for(coder), coder).likelihoods([("Answer:", "")])
    small = Decoder(ModelConfig(100, 16, layers=1, width=8, heads=2, kv_heads=2, ffn=8))
    with pytest.raises(DataError, match=r"the model 100: it is of another model"):
        Scorer(small, coder)


def test_equal_to_transformers(coder: Coder, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="compares with transformers where it is installed: pip install transformers")
    model = model_for(coder)
    hf.save(model.state_dict(), model.config, tmp_path, torch.float32, None)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    for pair, likelihood in zip(PAIRS, Scorer(model, coder).likelihoods(PAIRS), strict=True):
        ids, start = whole(coder, *pair)
        with torch.no_grad():
            log_p = torch.log_softmax(theirs(torch.tensor([ids])).logits[0].double(), dim=-1)
        assert likelihood.nats == pytest.approx(sum(float(log_p[p - 1, ids[p]]) for p in range(start, len(ids))), rel=1e-5)
