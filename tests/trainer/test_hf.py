# ruff: noqa: E402 - the trainer is imported only where torch is
"""Hugging Face files: equal logits in `transformers`, equal bits when they come back, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
pytest.importorskip("safetensors", reason="the trainer needs safetensors: pip install -r requirements/train.txt")

from safetensors.torch import load_file
from torch.nn import functional as F  # noqa: N812

from trainer import hf
from trainer.attention import Pieces
from trainer.config import ModelConfig
from trainer.errors import ConfigError, DataError
from trainer.model import Decoder

TINY = ModelConfig(vocab_size=50, context=32, layers=2, width=32, heads=4, kv_heads=2, ffn=64)
KINDS = {
    "llama, tied": TINY,
    "llama, free": replace(TINY, tied=False, rope_theta=5e5),
    "qwen3": replace(TINY, qk_norm=True),
    "mistral": replace(TINY, window=5),
}
TOKENS = torch.tensor([[1, 7, 3, 49, 0, 12, 12, 5, 30, 2, 8, 41]])


def model_of(config: ModelConfig) -> Decoder:
    """A model whose weights are large enough that every part of it matters."""
    torch.manual_seed(1)
    model = Decoder(config, seed=3)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    for name, value in model.state_dict().items():
        if name in hf.VOCABULARY:
            value[config.vocab_size :] = 0
    return model


def logits(model: Decoder) -> torch.Tensor:
    count = TOKENS.shape[1]
    with torch.no_grad():
        return model.logits(model(TOKENS, torch.arange(count)[None], Pieces((count,), model.config.window)))


def plain_llama(folder: Path) -> torch.Tensor:
    """The logits of an exported model by the equations of the papers, in float64, with nothing of the trainer."""
    told, w = json.loads((folder / "config.json").read_text("utf-8")), load_file(folder / "model.safetensors")
    w = {name: value.double() for name, value in w.items()}
    heads, groups, size = told["num_attention_heads"], told["num_key_value_heads"], told["head_dim"]
    count = TOKENS.shape[1]

    def norm(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        return gain * x / (x.pow(2).mean(-1, keepdim=True) + told["rms_norm_eps"]).sqrt()

    def turn(x: torch.Tensor) -> torch.Tensor:
        """Each pair as a complex number, times e^(i position theta^(-2j/size)) (Su et al. 2021)."""
        angles = torch.outer(torch.arange(count).double(), told["rope_theta"] ** (-torch.arange(0, size, 2).double() / size))
        turned = torch.complex(x[..., : size // 2], x[..., size // 2 :]) * torch.polar(torch.ones_like(angles), angles)[:, None]
        return torch.cat((turned.real, turned.imag), -1)

    x = w["model.embed_tokens.weight"][TOKENS[0]]
    for layer in range(told["num_hidden_layers"]):
        part = f"model.layers.{layer}."
        y = norm(x, w[part + "input_layernorm.weight"])
        q, k, v = ((y @ w[f"{part}self_attn.{name}_proj.weight"].T).view(count, -1, size) for name in "qkv")
        q, k = turn(q), turn(k)
        outputs = []
        for head in range(heads):
            group = head * groups // heads
            scores = (q[:, head] @ k[:, group].T / size**0.5).masked_fill(~torch.ones(count, count, dtype=torch.bool).tril(), -torch.inf)
            outputs.append(scores.softmax(-1) @ v[:, group])
        x = x + torch.cat(outputs, -1) @ w[part + "self_attn.o_proj.weight"].T
        y = norm(x, w[part + "post_attention_layernorm.weight"])
        gate, up = y @ w[part + "mlp.gate_proj.weight"].T, y @ w[part + "mlp.up_proj.weight"].T
        x = x + (F.silu(gate) * up) @ w[part + "mlp.down_proj.weight"].T
    head_weight = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    return norm(x, w["model.norm.weight"]) @ head_weight.T


@pytest.mark.parametrize("kind", ["llama, tied", "llama, free"])
def test_an_exported_llama_is_the_llama_of_the_papers(tmp_path: Path, kind: str) -> None:
    model = model_of(KINDS[kind])
    hf.save(model.state_dict(), model.config, tmp_path, torch.float32, None)
    torch.testing.assert_close(logits(model)[0].double(), plain_llama(tmp_path), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_makes_the_same_logits(tmp_path: Path, kind: str) -> None:
    transformers = pytest.importorskip("transformers", reason="compares with transformers where it is installed: pip install transformers")
    model = model_of(KINDS[kind])
    hf.save(model.state_dict(), model.config, tmp_path, torch.float32, None)
    theirs, told = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert type(theirs).__name__ == hf.describe(model.config)["architectures"][0]
    assert not any(told[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    with torch.no_grad():
        found = theirs.eval()(TOKENS).logits
    torch.testing.assert_close(found, logits(model), rtol=1e-4, atol=2e-5)
    theirs.save_pretrained(tmp_path / "saved by them")
    again = Decoder(hf.read_config(tmp_path / "saved by them"))
    hf.load_weights(again, tmp_path / "saved by them")
    assert again.config == model.config
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_comes_back_bit_for_bit(tmp_path: Path, kind: str) -> None:
    model = model_of(KINDS[kind])
    hf.save(model.state_dict(), model.config, tmp_path, torch.float32, None)
    assert load_file(tmp_path / "model.safetensors")["model.embed_tokens.weight"].shape == (50, 32)
    again = Decoder(hf.read_config(tmp_path))
    hf.load_weights(again, tmp_path)
    assert again.config == model.config
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_several_files_with_an_index(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    model = model_of(TINY)
    hf.save(model.state_dict(), TINY, tmp_path, torch.float32, None)
    tensors = load_file(tmp_path / "model.safetensors")
    names = sorted(tensors)
    for number, part in enumerate((names[:7], names[7:])):
        save_file({name: tensors[name] for name in part}, tmp_path / f"part-{number}.safetensors")
    (tmp_path / "model.safetensors").unlink()
    places = {name: f"part-{number}.safetensors" for number, part in enumerate((names[:7], names[7:])) for name in part}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}), "utf-8")
    again = Decoder(TINY)
    hf.load_weights(again, tmp_path)
    assert torch.equal(logits(again), logits(model))


def test_the_tokenizer_goes_along(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "tokenizer.json").write_text("{}", "utf-8")
    hf.save(model_of(TINY).state_dict(), TINY, tmp_path / "to", torch.bfloat16, tmp_path / "from")
    assert (tmp_path / "to" / "tokenizer.json").read_text("utf-8") == "{}"
    assert {value.dtype for value in load_file(tmp_path / "to" / "model.safetensors").values()} == {torch.bfloat16}


def test_what_no_architecture_has_is_refused(tmp_path: Path) -> None:
    model = model_of(replace(TINY, qk_norm=True, window=5))
    with pytest.raises(ConfigError, match="both normed queries and a sliding window"):
        hf.save(model.state_dict(), model.config, tmp_path / "new", torch.float32, None)
    assert not (tmp_path / "new").exists()


def edit(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), r"config\.json can't be read"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "holds neither"),
    "half the weights": (lambda folder: (folder / "model.safetensors").write_bytes(b"\x00" * 40), "can't be read"),
    "another kind": (lambda folder: edit(folder, model_type="gpt2"), "model type gpt2"),
    "scaled positions": (lambda folder: edit(folder, rope_scaling={"rope_type": "llama3"}), "rotary scaling llama3"),
    "biases": (lambda folder: edit(folder, attention_bias=True), "biases"),
    "wide heads": (lambda folder: edit(folder, head_dim=64), "heads of 64"),
    "a layer more": (lambda folder: edit(folder, num_hidden_layers=3), "lacks 9 of the model's tensors"),
    "a layer less": (lambda folder: edit(folder, num_hidden_layers=1), "which this model has not"),
    "another width": (lambda folder: edit(folder, intermediate_size=65), "not \\["),
    "a smaller vocabulary": (lambda folder: edit(folder, vocab_size=9, hidden_size=64, head_dim=16), "not \\["),
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_model_is_refused(tmp_path: Path, name: str) -> None:
    spoil, told = REFUSED[name]
    hf.save(model_of(TINY).state_dict(), TINY, tmp_path, torch.float32, None)
    spoil(tmp_path)
    with pytest.raises(DataError, match=told) as error:
        hf.load_weights(Decoder(hf.read_config(tmp_path)), tmp_path)
    assert "\n" not in str(error.value)
