"""Personal data and keys: put something else in their place, and drop documents that are full of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.rules import Count, Rules
from pipeline.kernels import pii as kernel
from pipeline.kernels.arrow import Ints, encoded, large_strings, texts

Kind = Literal["email", "ip", "phone", "card", "iban", "api_key", "private_key"]

#: In Dolma's style; its three kinds bear Dolma's names.
PLACEHOLDERS = {
    "email": "|||EMAIL_ADDRESS|||",
    "ip": "|||IP_ADDRESS|||",
    "phone": "|||PHONE_NUMBER|||",
    "card": "|||CARD_NUMBER|||",
    "iban": "|||IBAN|||",
    "api_key": "|||API_KEY|||",
    "private_key": "|||PRIVATE_KEY|||",
}

#: What is looked for in URLs: hosts are IP addresses there, and paths hold numbers of all kinds.
IN_URLS = ("email", "api_key")

#: A placeholder begins and ends in one of these, which no pattern has and every pattern may stand beside.
BORDERS = "|<>[]{}"


def _mistakes(args: Mapping[str, Any]) -> list[str]:
    """What is wrong with placeholders that would make personal data with what stands beside them, or be some."""
    found = []
    for kind, text in (args["placeholders"] or {}).items():
        if text[:1] not in BORDERS or text[-1:] not in BORDERS or len(text) < 2:
            found.append(f"the placeholder of {kind} has to begin and end in one of {' '.join(BORDERS)} (got {text!r})")
        elif len(kernel.find(encoded([text])).rows):
            found.append(f"the placeholder of {kind} would be taken for personal data itself (got {text!r})")
    return found


@registry.filter("pii", version=2, check=_mistakes)
def pii(
    docs: pa.RecordBatch,
    *,
    kinds: Sequence[Kind] = get_args(Kind),
    max_spans: Count | None = 5,
    placeholders: Mapping[Kind, str] | None = None,
) -> Verdicts:
    """Replace e-mail and IP addresses, telephone, card and bank account numbers and keys; drop documents full of them. Edits.

    A document with more than `max_spans` is dropped: 5 is Dolma 1.6's bound for web pages; null keeps all, as code with
    its list of authors needs. Each span of the others becomes its kind's placeholder; `placeholders` replaces some of
    the defaults, each to begin and end in one of | < > [ ] { }. What was replaced isn't found again by a second run.

    email        mailboxes at a domain that ends in letters; not at example.com, .test and their like, nor icon@2x.png
    ip           public IPv4 and IPv6 addresses; not private, documentation and other special blocks (IANA), not versions
                 (after "v" or "version", of five numbers, followed by letters, or of four numbers all below 32)
    phone        "+" and a country code (9 to 15 digits), North American numbers as (415) 555-2671 or 415-555-2671; not
                 national forms of other countries, nor the numbers of fiction (555-0100 to 555-0199)
    card         13 to 19 digits with an issuer's beginning and length, and Luhn's checksum; grouped as on the card
    iban         a country's length (ISO 13616) and checksum (mod 97), in one or in groups of four
    api_key      by prefix (AWS, GitHub, Google, OpenAI, Anthropic, Slack, Stripe, JSON Web Tokens), and quoted values
                 of 20 characters or more that look random, assigned to a name such as api_key or client_secret
    private_key  PEM and PGP blocks, to their END line

    Signals: `spans`, and the number of each kind. The evidence of what is dropped here is cut from the edited text. But steps
    before this one see the text as it was and so does their evidence: put `pii` first where rejects are shown. The
    texts that extraction stored, and `tokenmill explain`, which shows their beginnings, hold it all: remove a run's folders
    extract-* when the run is done. E-mail addresses and keys in URLs are replaced too, and not
    counted; six digits of the whole URL's hash stand behind, so that different pages keep different URLs. Other columns
    aren't searched.
    """
    put = {**PLACEHOLDERS, **{str(kind): text for kind, text in (placeholders or {}).items()}}
    if mistakes := _mistakes({"placeholders": placeholders}):
        raise ValueError(f"pii: {'; '.join(mistakes)}")
    column = texts(docs.column("text"))
    spans = kernel.find(column, kinds)
    counts = np.zeros((column.rows, len(kernel.KINDS)), np.int64)
    np.add.at(counts, (spans.rows, spans.kinds), 1)
    chosen = {kind: at for at, kind in enumerate(kernel.KINDS) if kind in kinds}
    rules = Rules("pii", docs.num_rows, {"spans": counts.sum(axis=1), **{kind: counts[:, at] for kind, at in chosen.items()}})
    rules.at_most("many_spans", "spans", max_spans)
    edited = large_strings(*kernel.replace(column, spans, [put[kind] for kind in kernel.KINDS]))
    facts = {"url": _clean_urls(docs.column("url"), kinds, put)}
    return replace(rules.verdicts(), text=edited, evidence=edited, edits=_made(counts[rules.kept], chosen), facts=facts)


def _clean_urls(urls: pa.Array, kinds: Sequence[Kind], put: Mapping[str, str]) -> pa.Array:
    """The URLs that hold personal data without it, null for all others."""
    column = texts(pc.replace_substring(urls, "%40", "@"))
    spans = kernel.find(column, [kind for kind in kinds if kind in IN_URLS])
    cleaned = large_strings(*kernel.replace(column, spans, [put[kind] for kind in kernel.KINDS])).cast(pa.string())
    rows = np.unique(spans.rows)
    out: list[str | None] = [None] * len(urls)
    for row in rows.tolist():  # few: hardly any URL holds some
        digest = hashlib.sha256(urls[row].as_py().encode()).hexdigest()[:6]
        out[row] = f"{cleaned[row].as_py()}|||{digest}|||"
    return pa.array(out, pa.string())


def _made(counts: Ints, chosen: Mapping[str, int]) -> dict[str, int]:
    """How many spans of each kind were replaced, of documents that are kept."""
    return {kind: int(counts[:, at].sum()) for kind, at in chosen.items()}
