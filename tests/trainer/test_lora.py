# ruff: noqa: E402 - the trainer is imported only where torch is
"""Adapters: nothing at first, merged and unmerged, in PEFT's files, and trained with the rest frozen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
pytest.importorskip("safetensors", reason="the trainer needs safetensors: pip install -r requirements/train.txt")

from safetensors.torch import load_file
from torch.nn import functional as F  # noqa: N812

from trainer import hf, lora
from trainer.attention import Pieces
from trainer.config import ModelConfig
from trainer.errors import ConfigError, DataError
from trainer.lora import LoraConfig
from trainer.model import Decoder

TINY = ModelConfig(vocab_size=50, context=32, layers=2, width=32, heads=4, kv_heads=2, ffn=64)
TOKENS = torch.tensor([[1, 7, 3, 49, 0, 12, 12, 5]])
CONFIG = LoraConfig(rank=4, alpha=8.0, dropout=0.0, targets=("q_proj", "down_proj"))


def adapted(config: LoraConfig = CONFIG, *, learnt: bool = True) -> Decoder:
    model = Decoder(TINY)
    lora.adapt(model, config)
    torch.manual_seed(1)
    for adapter in lora.adapters(model) if learnt else ():
        adapter.lora_B.weight.data.normal_()
    return model.eval()


def logits(model: Decoder) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(TOKENS, torch.arange(8)[None], Pieces((8,))))


def test_a_new_adapter_changes_nothing() -> None:
    assert torch.equal(logits(adapted(learnt=False)), logits(Decoder(TINY)))
    assert not torch.allclose(logits(adapted()), logits(Decoder(TINY)))


def test_only_adapters_learn() -> None:
    model = adapted()
    model(TOKENS, torch.arange(8)[None], Pieces((8,)), TOKENS).backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {n for n, _ in model.named_parameters() if ".lora_" in n}
    assert len(list(lora.adapters(model))) == 4


def test_the_product_is_that_of_the_paper() -> None:
    base, x = torch.nn.Linear(6, 5, bias=False), torch.randn(3, 6)
    layer = lora.LoraLinear(base, CONFIG, torch.Generator())
    layer.lora_B.weight.data.normal_()
    wanted = F.linear(x, base.weight + 8.0 / 4 * layer.lora_B.weight @ layer.lora_A.weight)
    torch.testing.assert_close(layer(x), wanted)


def test_merge_and_unmerge() -> None:
    model = adapted()
    apart, weights = logits(model), model.layers[0].mlp.down_proj.weight.clone()
    for _ in range(2):  # twice is once
        lora.merge(model)
    torch.testing.assert_close(logits(model), apart, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(model.layers[0].mlp.down_proj.weight, weights)
    lora.merge(model, undo=True)
    torch.testing.assert_close(model.layers[0].mlp.down_proj.weight, weights)
    torch.testing.assert_close(logits(model), apart, rtol=1e-4, atol=1e-5)


def test_a_merged_model_is_a_plain_one(tmp_path: Path) -> None:
    model = adapted()
    lora.merge(model)
    hf.save(lora.plain_state(model), TINY, tmp_path, torch.float32, None)
    plain = Decoder(TINY)
    hf.load_weights(plain, tmp_path)
    torch.testing.assert_close(logits(plain), logits(model))


def test_dropout_is_for_training_alone() -> None:
    model = adapted(LoraConfig(4, 8.0, 0.5, ("q_proj",)))
    assert torch.equal(logits(model), logits(model))
    model.train()
    assert not torch.equal(logits(model), logits(model))


def test_an_adapter_comes_back(tmp_path: Path) -> None:
    model = adapted()
    lora.save_adapter(model, CONFIG, tmp_path, "base")
    names = set(load_file(tmp_path / "adapter_model.safetensors"))
    assert "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" in names
    assert len(names) == 8
    again = Decoder(TINY)
    assert lora.load_adapter(again, tmp_path) == CONFIG
    assert torch.equal(logits(again.eval()), logits(model))


def test_peft_reads_it(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="compares with PEFT where it is installed: pip install peft transformers")
    import transformers

    model = adapted()
    hf.save(Decoder(TINY).state_dict(), TINY, tmp_path / "base", torch.float32, None)
    lora.save_adapter(model, CONFIG, tmp_path / "adapter", str(tmp_path / "base"))
    theirs = peft.PeftModel.from_pretrained(transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base"), tmp_path / "adapter")
    with torch.no_grad():
        found = theirs.eval()(TOKENS).logits
    torch.testing.assert_close(found, logits(model), rtol=1e-4, atol=1e-5)
    theirs.save_pretrained(tmp_path / "saved by them")
    again = Decoder(TINY)
    lora.load_adapter(again, tmp_path / "saved by them")
    assert torch.equal(logits(again.eval()), logits(model))


def edit(folder: Path, **changes: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda folder: (folder / "adapter_model.safetensors").unlink(), "can't be read as an adapter"),
    "half a configuration": (lambda folder: (folder / "adapter_config.json").write_text("{"), "can't be read as an adapter"),
    "another kind": (lambda folder: edit(folder, use_dora=True), "no plain LoRA adapter"),
    "another rank": (lambda folder: edit(folder, r=5), "adapter of another model"),
    "other matrices": (lambda folder: edit(folder, target_modules=["q_proj"]), "adapter of another model"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_adapter_is_refused(tmp_path: Path, name: str) -> None:
    spoil, told = REFUSED[name]
    lora.save_adapter(adapted(), CONFIG, tmp_path, "base")
    spoil(tmp_path)
    with pytest.raises(DataError, match=told):
        lora.load_adapter(Decoder(TINY), tmp_path)


def test_there_must_be_a_matrix() -> None:
    with pytest.raises(ConfigError, match="no matrix is called c_attn"):
        lora.adapt(Decoder(TINY), LoraConfig(targets=("c_attn",)))
