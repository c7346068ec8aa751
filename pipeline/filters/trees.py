"""Where a document of code stands in its tree: what its path says, and in which language it is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.languages import LANGUAGES, MARKUP

#: Folders of what others wrote or a build made, named so by package managers and by custom.
VENDORED = (
    "node_modules", "bower_components", "jspm_packages", "site-packages", "vendor", "vendors", "vendored", "_vendor",
    "third_party", "third-party", "thirdparty", "3rdparty", "3rd-party", "external", "externals", "extern", "bundled", "godeps",
    "carthage", "deps", "dist", ".git", ".yarn", ".venv", ".tox", ".eggs", ".bundle", "__pycache__", "__generated__",
)  # fmt: skip

#: Files that tools write, by name: locks of package managers, and what compilers of interfaces leave.
GENERATED_FILES = (
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "cargo.lock", "poetry.lock", "pdm.lock",
    "uv.lock", "pipfile.lock", "gemfile.lock", "composer.lock", "mix.lock", "pubspec.lock", "podfile.lock", "flake.lock", "go.sum",
    "gradle.lockfile", "packages.lock.json",
    "*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*.pb.go", "*.pb.cc", "*.pb.h", "*_pb.js", "*_pb.d.ts", "*.pb.swift",
    "*.g.dart", "*.freezed.dart", "*.designer.cs", "*.g.cs", "*.generated.*", "*.map",
)  # fmt: skip

#: Names of minified files and of what bundlers write.
MINIFIED_FILES = ("*.min.js", "*-min.js", "*.min.mjs", "*.min.cjs", "*.min.css", "*-min.css", "*.bundle.js", "*.chunk.js", "*.bundle.css")

Mask = npt.NDArray[np.bool_]


def paths_and_languages(docs: pa.RecordBatch) -> tuple[pa.Array, list[str]]:
    """Each document's path in its tree, in lower case, and its programming language; "" where they aren't known.

    The path is `path` of the meta, else that of the URL; the language is `language` of the meta, else told by the suffix.
    """
    metas = [json.loads(meta) if meta else {} for meta in docs.column("meta").to_pylist()]
    in_meta = pa.array([meta.get("path") for meta in metas], pa.string())
    in_url = pc.replace_substring_regex(docs.column("url"), pattern=r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*|[?#].*$", replacement="")
    paths = pc.utf8_lower(pc.coalesce(in_meta, in_url, ""))
    suffixes = _by_suffix()
    told = zip(metas, extensions(paths), strict=True)
    return paths, [meta.get("language") or suffixes.get(extension, "") for meta, extension in told]


def extensions(paths: pa.Array) -> list[str]:
    """The suffix of each path with its dot, or "": ".bashrc" has none."""
    return pc.struct_field(pc.extract_regex(paths, r"[^/](?P<suffix>\.[^./]*)$"), "suffix").fill_null("").to_pylist()  # type: ignore[no-any-return]


def lies_in(paths: pa.Array, folders: Sequence[str]) -> Mask:
    """Which paths lead through a folder of one of these names."""
    return _matches(paths, rf"(?:^|/)(?:{'|'.join(map(_escaped, folders))})/") if folders else _none(paths)


def is_named(paths: pa.Array, globs: Sequence[str]) -> Mask:
    """Which files have a name that one of these globs (of "*" alone) stands for."""
    return _matches(paths, rf"(?:^|/)(?:{'|'.join(map(_escaped, globs))})$") if globs else _none(paths)


@lru_cache(maxsize=1)
def _by_suffix() -> dict[str, str]:
    return {suffix: language for language, suffixes in {**LANGUAGES, **MARKUP}.items() for suffix in suffixes.split()}


def _escaped(glob: str) -> str:
    return "[^/]*".join("".join(char if char.isalnum() else f"[{char}]" for char in piece) for piece in glob.lower().split("*"))


def _matches(paths: pa.Array, pattern: str) -> Mask:
    return np.asarray(pc.match_substring_regex(paths, pattern), np.bool_)


def _none(paths: pa.Array) -> Mask:
    return np.zeros(len(paths), np.bool_)
