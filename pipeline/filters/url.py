"""Web addresses: what they must be, and the lists of domains, addresses and words that they must not be on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.errors import SourceError
from pipeline.filters.files import read_texts
from pipeline.filters.rules import Count, Rules
from pipeline.kernels import blocklists, lookups
from pipeline.kernels.arrow import texts
from pipeline.kernels.hashing import Hashes
from pipeline.kernels.phrases import Flanked, flanked
from pipeline.kernels.urls import addresses

#: Ends of paths that lead to pictures, sound, films, archives, programs, fonts and styles. PDF and office files are texts.
NO_PAGES = (
    "avif", "bmp", "gif", "ico", "jpeg", "jpg", "png", "svg", "tif", "tiff", "webp",
    "aac", "avi", "flac", "flv", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "mpeg", "mpg", "ogg", "ogv", "wav", "webm", "wma", "wmv",
    "7z", "apk", "bz2", "deb", "dmg", "exe", "gz", "iso", "jar", "msi", "rar", "rpm", "tar", "tgz", "xz", "zip", "zst",
    "css", "eot", "js", "otf", "swf", "ttf", "wasm", "woff", "woff2",
)  # fmt: skip

#: What the files of a category are called in the lists of the University of Toulouse, in a folder of its name.
_TOULOUSE = {"domains", "urls", "expressions", "usage", "very_restrictive_expression"}


@registry.filter("url")
def url(
    docs: pa.RecordBatch,
    *,
    schemes: Sequence[str] | None = ("http", "https"),
    skip_extensions: Sequence[str] = NO_PAGES,
    domains: registry.Paths = (),
    urls: registry.Paths = (),
    hard_words: registry.Paths = (),
    soft_words: registry.Paths = (),
    max_soft_words: Count | None = 1,
    substrings: registry.Paths = (),
    canonical: bool = False,
    missing: Literal["keep", "drop"] = "keep",
) -> Verdicts:
    """Drop documents by their address: scheme, extension, and your lists of domains, addresses, words and parts of words.

    Lists are text files, also .gz, or folders of them: an entry a line, "#" begins a comment, lines of hosts files
    ("0.0.0.0 name") are understood; of the lists of the University of Toulouse, `domains` reads the files of that name and
    `urls` those of theirs. Addresses and entries are compared in the one form of `pipeline.kernels.urls`. `domains` cover
    their sub-domains. `urls` are addresses, with or without scheme and "www.". Words are the longest runs of letters and
    digits from the host on, in lower case: one of `hard_words` is too many, of different `soft_words` more than
    `max_soft_words`. `substrings` are looked for anywhere from the host on, "-" and "." left out ("sub-wo.rd" hides nothing).

    `canonical` writes the address in its one form, back into the document. One
    without an address is kept or dropped as `missing` says. An address without a scheme ("example.com/a") has none of
    `schemes`, no host and no extension. Signals: `host` (null: none), `soft_words`.

    The rules are RefinedWeb's (Penedo et al. 2023, appendix G.1), which gives no lists. Where upstreams differ: datatrove
    knows the host and the registered domain but none between, compares addresses as they are, finds lower-case words
    only, and leaves everything but letters and digits out for `substrings`; DCLM takes the host for a whole entry alone.
    """
    found = addresses(texts(docs.column("url")))
    has = found.offsets[1:] > found.offsets[:-1]
    soft = lookups.number_of_listed_words(found, _words(tuple(soft_words), "soft_words"))
    rules = Rules("url", docs.num_rows, {"soft_words": soft})
    if missing == "drop":
        rules.drop("missing", ~has)
    if schemes is not None:
        known = pc.is_in(found.schemes(), pa.array([scheme.lower() for scheme in schemes], pa.large_string()))
        rules.drop("scheme", has & ~known.to_numpy(zero_copy_only=False))
    rules.drop("extension", lookups.has_extension(found, _extensions(tuple(skip_extensions))))
    rules.drop("domain", lookups.in_domains(found, _domains(tuple(domains))))
    rules.drop("exact", lookups.in_keys(found, _urls(tuple(urls))))
    rules.drop("word", lookups.number_of_listed_words(found, _words(tuple(hard_words), "hard_words")) > 0)
    rules.at_most("soft_words", "soft_words", max_soft_words)
    rules.drop("substring", lookups.has_substring(found, _substrings(tuple(substrings))))
    verdicts = rules.verdicts()
    hosts = _null_where_empty(found.hosts())
    facts = {"url": _null_where_empty(found.texts())} if canonical else {}
    return replace(verdicts, signals={"host": hosts, **verdicts.signals}, facts=facts)


def _null_where_empty(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(pc.binary_length(column), 0), None, column).cast(pa.string())


@lru_cache(maxsize=4)
def _extensions(names: tuple[str, ...]) -> Hashes:
    return blocklists.text_hashes([name.lower().removeprefix(".") for name in names])


@lru_cache(maxsize=4)
def _domains(paths: tuple[str, ...]) -> Hashes:
    return blocklists.domain_hashes(_entries(paths, "domains"))


@lru_cache(maxsize=4)
def _urls(paths: tuple[str, ...]) -> Hashes:
    return blocklists.key_hashes(_entries(paths, "urls"))


@lru_cache(maxsize=4)
def _words(paths: tuple[str, ...], key: str) -> Hashes:
    """Words as they stand in an address: letters and digits, in lower case, encoded outside ASCII."""
    return blocklists.text_hashes([_quoted(re.sub(r"[^0-9A-Za-z\x80-\U0010ffff]", "", word)) for word in _entries(paths, key).to_pylist()])


@lru_cache(maxsize=4)
def _substrings(paths: tuple[str, ...]) -> Flanked:
    listed = [_quoted(re.sub("[-.]", "", word)) for word in _entries(paths, "substrings").to_pylist()]
    if not all(len(word) > 1 for word in listed):
        raise SourceError(f"substrings of {', '.join(paths)} need two characters or more, '-' and '.' not counted: take the shorter out")
    return flanked(listed)


def _quoted(word: str) -> str:
    return quote(word, safe="!#$%&'()*+,/:;=?@[]~").lower()


def _entries(paths: Sequence[str], key: str) -> pa.Array:
    """The entries of all files of a list; SourceError if paths are given and none holds one."""
    files = [text for name, text in read_texts(paths) if name.removesuffix(".gz") not in _TOULOUSE - {key}]
    listed = pa.concat_arrays([pa.array([], pa.large_string()), *map(blocklists.entries, files)])
    if paths and not len(listed):
        raise SourceError(f"{', '.join(paths)}: no entry for {key} there: give a file that has some, or leave {key} out")
    return listed
