"""The facts of a run that are about tokens: the tokenizer, the mix, the packed shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TokenizerRow:
    """How the tokenizer does on held-out text of one source or language; `numbers`: whatever else was measured, by name."""

    name: str
    bytes: int
    tokens: int
    numbers: Mapping[str, int | float] = field(default_factory=dict)

    @property
    def bytes_per_token(self) -> float | None:
        return self.bytes / self.tokens if self.tokens else None


@dataclass(frozen=True)
class TokenizerFacts:
    """The tokenizer: what is known of it by name (vocabulary size, kind, hash), and its evaluation by source and language."""

    about: Mapping[str, str | int | float]
    sources: tuple[TokenizerRow, ...]
    languages: tuple[TokenizerRow, ...] = ()


@dataclass(frozen=True)
class MixRow:
    """One source in the mix: tokens it has, tokens asked of it, and how often each of its documents is seen at most."""

    source: str
    share: float
    available: int
    quota: int

    @property
    def epochs(self) -> float | None:
        return self.quota / self.available if self.available else None


@dataclass(frozen=True)
class Shard:
    """One packed shard: rows, tokens, and tokens by source."""

    name: str
    rows: int
    tokens: int
    bytes: int
    by_source: Mapping[str, int]


@dataclass(frozen=True)
class ShardSet:
    """The shards of one split (train, validation): `stated` tokens, as its manifest sums them; `about`: what else it says, by name."""

    split: str
    seq_len: int
    stated: int
    shards: tuple[Shard, ...]
    about: Mapping[str, str | int | float] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return sum(shard.tokens for shard in self.shards)

    @property
    def by_source(self) -> dict[str, int]:
        """Tokens of each source in all shards."""
        names = sorted({name for shard in self.shards for name in shard.by_source})
        return {name: sum(shard.by_source.get(name, 0) for shard in self.shards) for name in names}

    @property
    def fill(self) -> float | None:
        """The fraction of all positions that hold a token rather than padding."""
        positions = sum(shard.rows for shard in self.shards) * self.seq_len
        return self.tokens / positions if positions else None
