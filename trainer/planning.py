"""How many tokens for how many parameters, and what they cost (Hoffmann et al. 2022, "Training compute-optimal large language models")."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.errors import ConfigError
from trainer.flops import peak_of

#: Tokens per parameter where a budget of FLOPs goes furthest: about 20 (Hoffmann et al., table 3).
TOKENS_PER_PARAMETER = 20.0
_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


@dataclass(frozen=True)
class Plan:
    """A training run on paper: 6 FLOPs per parameter and token, `mfu` of the peak of each of `devices`."""

    parameters: float
    tokens: float
    hardware: str
    devices: int
    mfu: float
    tflops: float

    @property
    def flops(self) -> float:
        return 6.0 * self.parameters * self.tokens

    @property
    def hours(self) -> float:
        return self.flops / (self.tflops * 1e12 * self.mfu * self.devices) / 3600

    def __str__(self) -> str:
        rate = self.tokens / self.parameters
        return (
            f"{quantity(self.parameters)} parameters, {quantity(self.tokens)} tokens ({rate:.1f} per parameter;"
            f" compute-optimal is about {TOKENS_PER_PARAMETER:.0f})\n"
            f"{self.flops:.2e} FLOPs, {self.hours:,.1f} hours on {self.devices} x {self.hardware} ({self.tflops:,.0f} TFLOP/s peak)"
            f" if {self.mfu:.0%} of it is used (an assumption: set --mfu to what you measured)"
        )


def plan(params: str | None, tokens: str | None, hardware: str, devices: int, mfu: float, tflops: float | None) -> Plan:
    """The plan for so many parameters, or so many tokens, or both; what is missing follows from 20 tokens per parameter."""
    peak = tflops or peak_of(hardware)
    if peak is None:
        raise ConfigError(f"the peak of {hardware!r} is not known here: give --tflops, dense bfloat16")
    if not 0 < mfu <= 1 or devices < 1:
        raise ConfigError(f"--mfu is {mfu} and --devices {devices}: a share above 0 and at most 1, and at least one device")
    parameters, budget = params and number(params), tokens and number(tokens)
    if not parameters and not budget:
        raise ConfigError("give --params or --tokens, or both: 124m, 2.5b")
    parameters = parameters or float(budget or 0) / TOKENS_PER_PARAMETER
    return Plan(parameters, budget or parameters * TOKENS_PER_PARAMETER, hardware, devices, mfu, peak)


def number(text: str) -> float:
    """124m, 2.5b, 1e9; ConfigError on anything else, or what is not above 0."""
    unit = _UNITS.get(text[-1:].lower(), 1.0)
    try:
        value = float(text[:-1] if unit > 1 else text) * unit
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"{text!r} is no quantity: write 124m, 2.5b or 1e9")
    return value


def quantity(value: float) -> str:
    """124M, 2.5B."""
    for unit, size in reversed(_UNITS.items()):
        if value >= size:
            return f"{value / size:.3g}{unit.upper()}"
    return f"{value:.3g}"
