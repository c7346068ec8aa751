"""Low-rank adapters (Hu et al. 2021) beside frozen matrices, in the file format of PEFT.

An adapted matrix is a torch Linear whose weight is frozen and keeps its name; lora_A and lora_B hang below it, as in PEFT. So a state
dict of the adapted model is that of the plain one and the adapters, and an adapter's file is the latter with PEFT's prefix.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's word for it

from trainer.errors import ConfigError, DataError

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@dataclass(frozen=True)
class LoraConfig:
    """Adapters of `rank` on the matrices named `targets`; what they add counts alpha / rank times."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.1
    targets: tuple[str, ...] = ("q_proj", "v_proj")


class LoraLinear(nn.Linear):
    """W x + alpha / rank * B A dropout(x), with W frozen. B begins as zeros, so the first step sees the plain model."""

    def __init__(self, base: nn.Linear, config: LoraConfig, generator: torch.Generator) -> None:
        super().__init__(base.in_features, base.out_features, bias=False, device="meta")
        self.weight = nn.Parameter(base.weight.data, requires_grad=False)
        place = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.lora_A = nn.Linear(base.in_features, config.rank, bias=False, **place)
        self.lora_B = nn.Linear(config.rank, base.out_features, bias=False, **place)
        self.dropout, self.scale, self.merged = nn.Dropout(config.dropout), config.alpha / config.rank, False
        bound = base.in_features**-0.5  # what kaiming_uniform_ with a = sqrt(5) comes to, PEFT's first weights
        self.lora_A.weight.data.copy_(torch.empty(self.lora_A.weight.shape).uniform_(-bound, bound, generator=generator))
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        plain = F.linear(x, self.weight)
        return plain if self.merged else plain + self.scale * self.lora_B(self.lora_A(self.dropout(x)))

    @torch.no_grad()
    def merge(self, undo: bool = False) -> None:
        """Add the adapter to the weight, or take it out again: exact but for rounding."""
        if self.merged == undo:
            self.weight += (-self.scale if undo else self.scale) * (self.lora_B.weight @ self.lora_A.weight)
            self.merged = not undo


def adapt(model: nn.Module, config: LoraConfig, seed: int = 0) -> None:
    """Freeze the model and put adapters on all its matrices of the targets' names; ConfigError where there are none."""
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    found = [(module, name, child) for module in list(model.modules()) for name, child in module.named_children() if name in config.targets]
    if not found:
        raise ConfigError(f"no matrix is called {', '.join(config.targets)}")
    for module, name, child in found:
        setattr(module, name, LoraLinear(child, config, generator))


def adapters(model: nn.Module) -> Iterator[LoraLinear]:
    """The adapted matrices of a model."""
    return (module for module in model.modules() if isinstance(module, LoraLinear))


def merge(model: nn.Module, undo: bool = False) -> None:
    """Add all adapters to their matrices, or take them out again."""
    for adapter in adapters(model):
        adapter.merge(undo)


def plain_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict without adapters."""
    return {name: value for name, value in model.state_dict().items() if ".lora_" not in name}


def save_adapter(model: nn.Module, config: LoraConfig, folder: Path, base: str) -> None:
    """Write the adapters alone, as PEFT does; `base` is where the model they belong to came from."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {_peft_name(name): value.detach().cpu().contiguous() for name, value in model.state_dict().items() if ".lora_" in name}
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    told = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "bias": "none", "fan_in_fan_out": False,
        "inference_mode": True, "r": config.rank, "lora_alpha": config.alpha, "lora_dropout": config.dropout,
        "target_modules": list(config.targets), "modules_to_save": None,
    }  # fmt: skip
    (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", "utf-8")


def load_adapter(model: nn.Module, folder: Path) -> LoraConfig:
    """Adapt the model with what save_adapter, or PEFT, wrote; DataError when it doesn't fit."""
    try:
        told = json.loads((folder / CONFIG).read_text("utf-8"))
        tensors = load_file(folder / WEIGHTS)
        config = LoraConfig(told["r"], told["lora_alpha"], told["lora_dropout"], tuple(told["target_modules"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} can't be read as an adapter: {error!r}") from error
    _refuse_other_kinds(told, folder)
    adapt(model, config)
    expected = {_peft_name(name): value for name, value in model.state_dict().items() if ".lora_" in name}
    if {name: value.shape for name, value in expected.items()} != {name: value.shape for name, value in tensors.items()}:
        raise DataError(f"{folder} is an adapter of another model: its matrices have other names or shapes")
    for name, value in expected.items():
        value.copy_(tensors[name])
    return config


def _refuse_other_kinds(told: Mapping[str, Any], folder: Path) -> None:
    unknown = [name for name in ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "modules_to_save") if told.get(name)]
    if told.get("peft_type") != "LORA" or told.get("bias", "none") != "none" or unknown:
        raise DataError(f"{folder} is no plain LoRA adapter ({', '.join(unknown) or told.get('peft_type')}): no other kind is read here")


def _peft_name(name: str) -> str:
    return f"base_model.model.model.{name}"


def described(config: LoraConfig) -> dict[str, Any]:
    """The configuration as a checkpoint's identity has it."""
    return {f"adapter {name}": value for name, value in (asdict(config) | {"targets": ",".join(config.targets)}).items()}
