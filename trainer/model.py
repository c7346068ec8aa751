"""The decoder of Llama (Touvron et al. 2023), under the names `transformers` gives its parts.

RMSNorm before each block, rotary positions, grouped-query attention, SwiGLU, no biases. Options: a head of its own or tied to the
embedding, norms on queries and keys (Qwen3), a sliding window (Mistral). Because the names are those of `transformers`, a state
dict is a Hugging Face checkpoint but for the padding of the vocabulary (hf.py), and an adapter is one of PEFT (lora.py).
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn import functional as F  # noqa: N812 - torch's word for it
from torch.nn.attention.flex_attention import BlockMask
from torch.utils.checkpoint import checkpoint

from trainer.attention import Pieces, attend
from trainer.cache import Cache, LayerCache
from trainer.config import ModelConfig
from trainer.loss import loss_sum, position_losses

#: Deviation of the first weights; what is added to the stream is scaled down by the number of additions (GPT-2).
DEVIATION = 0.02


class Attention(nn.Module):
    """Grouped-query attention (Ainslie et al. 2023) with rotary positions (Su et al. 2021), optionally with normed queries and keys."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.size, self.window = config.head_size, config.window
        self.q_proj = nn.Linear(config.width, config.heads * self.size, bias=False)
        self.k_proj = nn.Linear(config.width, config.kv_heads * self.size, bias=False)
        self.v_proj = nn.Linear(config.width, config.kv_heads * self.size, bias=False)
        self.o_proj = nn.Linear(config.heads * self.size, config.width, bias=False)
        self.q_norm = nn.RMSNorm(self.size, eps=config.norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = nn.RMSNorm(self.size, eps=config.norm_eps) if config.qk_norm else nn.Identity()

    def forward(
        self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: Pieces | BlockMask, cache: LayerCache | None
    ) -> torch.Tensor:
        q, k, v = (project(x).unflatten(-1, (-1, self.size)) for project in (self.q_proj, self.k_proj, self.v_proj))
        q, k = (rotate(norm(x), cos, sin).to(v.dtype) for norm, x in ((self.q_norm, q), (self.k_norm, k)))
        found = attend(q, k, v, mask) if cache is None else cache.attend(q, k, v, self.window)
        return self.o_proj(found.flatten(-2))


class SwiGLU(nn.Module):
    """The gated feed-forward network of Shazeer (2020)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.ffn, bias=False)
        self.up_proj = nn.Linear(config.width, config.ffn, bias=False)
        self.down_proj = nn.Linear(config.ffn, config.width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """One layer: attention and feed-forward, each on the normed stream and added to it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.mlp = SwiGLU(config)

    def forward(
        self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: Pieces | BlockMask, cache: LayerCache | None = None
    ) -> torch.Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Tokens to hidden states or, given labels, to their loss: in one forward, because FSDP holds the weights only during it."""

    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self, config: ModelConfig, seed: int = 0) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        #: Forget activations inside blocks and compute them again going backward: less memory, a third more work.
        self.recompute = False
        self.embed_tokens = nn.Embedding(config.padded_vocab, config.width)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.lm_head = None if config.tied else nn.Linear(config.width, config.padded_vocab, bias=False)
        cos, sin = self._angles()
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        if not self.embed_tokens.weight.is_meta:
            self.initialise()

    def forward(
        self,
        tokens: torch.Tensor,
        positions: torch.Tensor,
        mask: Pieces | BlockMask,
        labels: torch.Tensor | None = None,
        *,
        places: torch.Tensor | None = None,
        each: bool = False,
        cache: Cache | None = None,
    ) -> torch.Tensor:
        """Hidden states [rows, seq_len, width] after the last norm, for int64 tokens and positions [rows, seq_len].

        With `labels` of the same shape: the summed loss (loss_sum, to which `places` belong), or with `each` that of every position
        (position_losses).
        """
        x = self.embed_tokens(tokens)
        cos, sin = self.cos[positions].unsqueeze(-2), self.sin[positions].unsqueeze(-2)
        for number, block in enumerate(self.layers):
            if self.recompute and torch.is_grad_enabled():
                x = checkpoint(block, x, cos, sin, mask, use_reentrant=False)
            else:
                x = block(x, cos, sin, mask, cache.layers[number] if cache else None)
        hidden = self.norm(x)
        if labels is None:
            return hidden
        products = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else hidden.dtype
        with torch.autocast(x.device.type, enabled=False):
            scored = (hidden.to(products), self.head, labels, self.config.vocab_size)
            return position_losses(*scored) if each else loss_sum(*scored, places)

    @property
    def head(self) -> torch.Tensor:
        """The matrix that scores tokens, [padded_vocab, width]."""
        return self.embed_tokens.weight if self.lm_head is None else self.lm_head.weight

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores of the vocabulary without its padding, [..., vocab_size]: for generation, not for training."""
        return F.linear(hidden, self.head[: self.config.vocab_size])

    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def initialise(self) -> None:
        """Draw the first weights, a whole matrix at a time: a process with a shard of the model keeps its part of the same numbers."""
        generator = torch.Generator().manual_seed(self.seed)
        for name, parameter in self.named_parameters():
            whole = torch.ones(parameter.shape)
            if parameter.ndim >= 2:
                added = name.endswith(("o_proj.weight", "down_proj.weight"))
                whole.normal_(std=DEVIATION / math.sqrt(2 * self.config.layers) if added else DEVIATION, generator=generator)
            if name in ("embed_tokens.weight", "lm_head.weight"):
                whole[self.config.vocab_size :] = 0  # padding is nothing, and decay keeps it so: exports can leave it out
            _set(parameter.data, whole)
        for buffer, values in zip((self.cos, self.sin), self._angles(), strict=True):
            buffer.copy_(values)

    def _angles(self) -> tuple[torch.Tensor, torch.Tensor]:
        return rotary_table(self.config.context, self.config.head_size, self.config.rope_theta)


def _set(target: torch.Tensor, whole: torch.Tensor) -> None:
    if isinstance(target, DTensor):
        part = distribute_tensor(whole, target.device_mesh, target.placements, src_data_rank=None)
        target, whole = target.to_local(), part.to_local()
    target.copy_(whole)


def rotary_table(context: int, size: int, theta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of every position's angles, each [context, size / 2]."""
    frequencies = theta ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.outer(torch.arange(context, dtype=torch.float64), frequencies)
    return angles.cos().float(), angles.sin().float()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn the pairs (x[i], x[i + size/2]) of [..., heads, size] by their angles [..., 1, size / 2]."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)
