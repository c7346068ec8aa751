"""A model of this trainer for lm-evaluation-harness (0.4), where that is installed: its several hundred tasks, with our numbers.

    from trainer.lm_eval_adapter import TokenmillLM
    lm_eval.simple_evaluate(TokenmillLM("runs/first"), tasks=["arc_easy"])

or `--model tokenmill --model_args model=runs/first` where this module was imported before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainer.coder import Coder
from trainer.errors import TrainerError
from trainer.generate import Sampling
from trainer.runs import ready, tokenizer_for
from trainer.scorer import Scorer

try:
    from lm_eval.api.model import LM
    from lm_eval.api.registry import register_model
except ImportError as error:
    raise TrainerError("lm-evaluation-harness is not installed: pip install lm-eval, or use `python -m trainer eval`") from error

#: Tokens of a text where a task doesn't say.
TOKENS = 256


@register_model("tokenmill")
class TokenmillLM(LM):
    """Answers the harness's three kinds of requests by a Scorer."""

    def __init__(self, model: str, tokenizer: str | None = None, device: str = "auto", batch_tokens: int | None = None, **_: Any) -> None:
        """`model` is the folder of a run, or of a model in the Hugging Face format."""
        super().__init__()
        self.scorer = Scorer(ready(model, None, device), Coder(tokenizer_for(model, tokenizer)), batch_tokens and int(batch_tokens))

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:  # noqa: ARG002 - theirs
        """(log p, whether greedy decoding would write it) of each (context, continuation)."""
        return [(found.nats, found.greedy) for found in self.scorer.likelihoods([request.args for request in requests])]

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:  # noqa: ARG002
        """log p of each whole text."""
        return [self.scorer.document(request.args[0]).nats for request in requests]

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:  # noqa: ARG002
        """The text written after each prompt, up to the strings of its `until`."""
        return [self._text(*request.args) for request in requests]

    def _text(self, prompt: str, asked: dict[str, Any]) -> str:
        until = asked.get("until") or []
        temperature = float(asked.get("temperature") or 0.0) if asked.get("do_sample", True) else 0.0
        how = Sampling(temperature, float(asked.get("top_p") or 1.0))
        stop = [until] if isinstance(until, str) else list(until)
        return self.scorer.texts(prompt, int(asked.get("max_gen_toks") or TOKENS), stop, how)[0]
