"""A model asked for log-likelihoods and texts, many at a time, with the results of one at a time.

The tokens of a continuation are found by encoding context and continuation together: they are those from the first one on in which that
differs from the context encoded alone, so a token that spells the end of one and the beginning of the other counts with the continuation.
Texts of a batch lie in one row as pieces that don't see each other, without padding. Inputs that are equal, as those of a question
whose answers are single tokens, are computed once. What is longer than the model's context loses its beginning, and is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import torch

from trainer.attention import Pieces
from trainer.coder import Coder
from trainer.errors import ConfigError, DataError
from trainer.generate import Sampling, stream
from trainer.loss import CHUNK
from trainer.model import Decoder
from trainer.tasks.task import Likelihood

#: Tokens of one forward pass.
BATCH_TOKENS = {"cpu": 4096, "cuda": 65_536}


class Scorer:
    """A model and its tokenizer. `counts` says how many requests, and tokens of them, were cut to the model's context."""

    def __init__(self, model: Decoder, coder: Coder, batch_tokens: int | None = None) -> None:
        """Raises DataError when the tokenizer has ids that the model has not."""
        if coder.vocab_size > model.config.vocab_size:
            raise DataError(f"the tokenizer has {coder.vocab_size:,} ids, the model {model.config.vocab_size:,}: it is of another model")
        self.model, self.coder = model.eval(), coder
        self.device = model.embed_tokens.weight.device
        self.batch_tokens = batch_tokens or BATCH_TOKENS[self.device.type]
        self.counts: Counter[str] = Counter()

    def likelihoods(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood]:
        """log p(continuation | context) for each pair; an empty context is the beginning of a document."""
        contexts = list(dict.fromkeys(context for context, _ in pairs))
        alone = dict(zip(contexts, self.coder.ids(contexts), strict=True))
        whole = self.coder.ids([context + continuation for context, continuation in pairs])
        return self.of_ids([self._request(alone[context], ids) for (context, _), ids in zip(pairs, whole, strict=True)])

    def _request(self, context: Sequence[int], whole: Sequence[int]) -> tuple[list[int], int]:
        """Ids, and the place of the first that counts; something always stands before it."""
        same = next((place for place, (a, b) in enumerate(zip(context, whole, strict=False)) if a != b), min(len(context), len(whole)))
        if same == len(whole):
            raise ConfigError("a continuation of no tokens has no likelihood")
        return (list(whole), same) if same else ([self.coder.first, *whole], 1)

    def of_ids(self, requests: Sequence[tuple[list[int], int]]) -> list[Likelihood]:
        """log p of the ids from a place on, given those before it, for each (ids, place) with a place of at least 1."""
        fitting = [self._cut(ids, start) for ids, start in requests]
        alike: dict[tuple[int, ...], list[int]] = {}
        for number, (ids, _) in enumerate(fitting):
            alike.setdefault(tuple(ids[:-1]), []).append(number)
        found: dict[int, Likelihood] = {}
        for inputs in self._batches(alike):
            numbers = [alike[ids] for ids in inputs]
            for number, likelihood in zip(
                chain.from_iterable(numbers), self._scores(inputs, [[fitting[n] for n in same] for same in numbers]), strict=True
            ):
                found[number] = likelihood
        return [found[number] for number in range(len(requests))]

    def _cut(self, ids: list[int], start: int) -> tuple[list[int], int]:
        """The last tokens that the model can see and foretell; of a continuation longer than that, its end counts."""
        over = len(ids) - self.model.config.context - 1
        self.counts["requests"] += 1
        if over <= 0:
            return ids, start
        self.counts.update(requests_cut=1, tokens_cut=over)
        return ids[over:], max(1, start - over)

    def _batches(self, inputs: Iterable[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
        batch: list[tuple[int, ...]] = []
        for ids in inputs:
            if batch and sum(map(len, batch)) + len(ids) > self.batch_tokens:
                yield batch
                batch = []
            batch.append(ids)
        if batch:
            yield batch

    @torch.no_grad()
    def _scores(self, inputs: Sequence[tuple[int, ...]], requests: Sequence[Sequence[tuple[list[int], int]]]) -> Iterator[Likelihood]:
        """For each input, the likelihoods of the requests that it answers."""
        hidden = self._hidden(inputs)
        begin = 0
        places: list[int] = []
        labels: list[int] = []
        sizes: list[int] = []
        for ids, same in zip(inputs, requests, strict=True):
            for whole, start in same:
                places += range(begin + start - 1, begin + len(whole) - 1)
                labels += whole[start:]
                sizes.append(len(whole) - start)
            begin += len(ids)
        parts = torch.tensor(places).split(CHUNK[self.device.type])
        wanted = torch.tensor(labels).split(CHUNK[self.device.type])
        scored = [self._of_labels(hidden[part.to(self.device)], label.to(self.device)) for part, label in zip(parts, wanted, strict=True)]
        nats, likeliest = (torch.cat(values).split(sizes) for values in zip(*scored, strict=True))
        for size, each, hit in zip(sizes, nats, likeliest, strict=True):
            yield Likelihood(float(each.sum()), size, bool(hit.all()))

    def _hidden(self, inputs: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """States after the last norm, [tokens, width], of inputs that lie one after the other."""
        lengths = tuple(map(len, inputs))
        tokens = torch.tensor([token for ids in inputs for token in ids], device=self.device)
        positions = torch.cat([torch.arange(length, device=self.device) for length in lengths])
        return self.model(tokens[None], positions[None], Pieces(lengths, self.model.config.window))[0]

    def _of_labels(self, hidden: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        log_p = torch.log_softmax(self.model.logits(hidden).float(), dim=1)
        return log_p.gather(1, labels[:, None])[:, 0].double().cpu(), (log_p.argmax(dim=1) == labels).cpu()

    def document(self, text: str) -> Likelihood:
        """log p of a whole text from its beginning on, in windows of the model's context: each token counts once."""
        ids, size = [self.coder.first, *self.coder.ids([text])[0]], self.model.config.context
        parts = self.of_ids([(ids[first : first + size + 1], 1) for first in range(0, len(ids) - 1, size)])
        return Likelihood(sum(part.nats for part in parts), sum(part.tokens for part in parts), all(part.greedy for part in parts))

    def texts(self, prompt: str, tokens: int, stop: Sequence[str], how: Sampling, samples: int = 1) -> list[str]:
        """What the model writes after a prompt, ended before any of `stop`; sample i is drawn with the seed + i."""
        room = min(tokens, self.model.config.context // 2)
        ids = self.coder.ids([prompt])[0] or [self.coder.first]
        over = max(0, len(ids) + room - self.model.config.context)
        self.counts.update(requests=1, **({"requests_cut": 1, "tokens_cut": over} if over else {}))
        return [self._text(ids[over:], room, stop, replace(how, seed=how.seed + number)) for number in range(samples)]

    def _text(self, ids: Sequence[int], tokens: int, stop: Sequence[str], how: Sampling) -> str:
        made: list[int] = []
        text, ends = "", () if self.coder.end is None else (self.coder.end,)
        for number in stream(self.model, ids, tokens, how, ends):
            made.append(number)
            text = self.coder.text(made)
            if any(word in text for word in stop):
                break
        return text[: min((place for word in stop if (place := text.find(word)) >= 0), default=len(text))]
