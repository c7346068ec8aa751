"""The reader "repository", and how licences are told."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from archive_kit import COMPRESS, input_file, tar

from pipeline.contracts import InputFile
from pipeline.licences.recognise import declared, identify
from pipeline.sources.licences import by_folder, nearest
from pipeline.sources.repository import repository

MIT = b"Permission is hereby granted, free of charge, to any person\nobtaining a copy of this software ..."
APACHE = b"   Apache License\n   Version 2.0, January 2004"
GPL = b"GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007"

TREE = {
    "tool-1a2b/.github/x.yaml": b"a: 1",
    "tool-1a2b/COPYING": GPL,
    "tool-1a2b/Makefile": b"all:\n",
    "tool-1a2b/README.md": b"# Tool",
    "tool-1a2b/docs/index.html": b"<p>x",
    "tool-1a2b/docs/licence.md": b"About the licence we chose.",
    "tool-1a2b/logo.png": b"\x89PNG",
    "tool-1a2b/lib/LICENSE-MIT": MIT,
    "tool-1a2b/lib/LICENSE-APACHE": APACHE,
    "tool-1a2b/lib/deep/a.rs": b"fn a() {}",
    "tool-1a2b/src/license.py": b"# code about licences",
    "tool-1a2b/src/main.c": b"/* SPDX-License-Identifier: BSD-2-Clause */\nint main;",
    "tool-1a2b/vendor/other.c": b"int other;",
    "tool-1a2b/web/app.min.js": b"x",
}


def written(tmp_path: Path, tree: dict[str, bytes] = TREE) -> InputFile:
    (tmp_path / "tool.tar.gz").write_bytes(COMPRESS[".gz"](tar(tree)))
    return input_file(tmp_path / "tool.tar.gz")


def test_files_of_a_tree_with_language_and_licence(tmp_path: Path) -> None:
    found = {item.locator.removeprefix("tool-1a2b/"): item for item in repository(written(tmp_path))}
    assert {name: (item.format, (item.meta or {}).get("language"), item.licence) for name, item in found.items()} == {
        "Makefile": ("code", "Makefile", "GPL-3.0"),
        "README.md": ("markdown", None, "GPL-3.0"),
        "docs/index.html": ("code", "HTML", "GPL-3.0"),
        "lib/deep/a.rs": ("code", "Rust", "Apache-2.0 OR MIT"),
        "src/license.py": ("code", "Python", "GPL-3.0"),
        "src/main.c": ("code", "C", "BSD-2-Clause"),
    }
    assert found["src/main.c"].meta == {"path": "tool-1a2b/src/main.c", "language": "C"}
    assert found["src/main.c"].content == TREE["tool-1a2b/src/main.c"]


def test_zip_archives_and_keys(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tool.zip", "w") as archive:
        for name, data in TREE.items():
            archive.writestr(name, data)
    file = input_file(tmp_path / "tool.zip")
    assert [item.locator[10:] for item in repository(file, languages=["Rust", "C"], documentation=False)] == ["lib/deep/a.rs", "src/main.c"]
    assert [item.locator[10:] for item in repository(file, select=["*/vendor/*"], skip=[])] == ["vendor/other.c"]


def test_a_large_file_is_one_bad_document(tmp_path: Path) -> None:
    found = list(repository(written(tmp_path, {"a/b.py": b"x" * 100, "a/c.py": b"y"}), max_file_bytes=50))
    assert [(item.format, item.content, item.licence) for item in found] == [("invalid", b"", None), ("code", b"y", None)]
    assert found[0].meta == {"path": "a/b.py", "reason": "too_large"}


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (MIT.decode(), "MIT"),
        (APACHE.decode(), "Apache-2.0"),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3\n...the GNU General Public License, version 3...", "AGPL-3.0"),
        ("GNU LESSER GENERAL PUBLIC LICENSE Version 2.1 ... GNU General Public License ... version 2", "LGPL-2.1"),
        ("GNU GENERAL PUBLIC LICENSE\n Version 2, June 1991 ... use the GNU Lesser General Public License", "GPL-2.0"),
        ("Redistribution and use in source and binary forms, with or without ...", "BSD-2-Clause"),
        ("Redistribution and use in source and binary forms ... to endorse or promote products", "BSD-3-Clause"),
        (MIT.decode() + "\n\nParts: Redistribution and use in source and binary forms, with ...", "MIT"),
        ("This is free and unencumbered software released into the public domain.", "Unlicense"),
        ("Creative Commons Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution 4.0 International", "CC-BY-4.0"),
        ("All rights reserved. Ask first.", None),
        ("", None),
    ],
)
def test_licences_by_their_phrases(text: str, licence: str | None) -> None:
    assert identify(text) == licence


def test_headers_that_declare_a_licence() -> None:
    assert declared(b"// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\nint a;") == "Apache-2.0 WITH LLVM-exception"
    assert declared(b"<!-- SPDX-License-Identifier: (MIT OR GPL-2.0+) -->") == "(MIT OR GPL-2.0+)"
    assert declared(b"# SPDX-License-Identifier: MIT\r\n") == "MIT"
    assert declared(b"no header\n" * 400 + b"# SPDX-License-Identifier: MIT\n") is None


def test_licences_by_folder() -> None:
    folders = by_folder([("a/COPYING", GPL), ("a/NOTICE.COPYING", MIT), ("b/LICENSE", b"our own words"), ("c/LICENSES/x.txt", MIT)])
    assert folders == {"a": "GPL-3.0 AND MIT", "b": "NOASSERTION", "c": "MIT"}
    assert nearest("a/deep/er/x.c", folders) == "GPL-3.0 AND MIT"
    assert nearest("top.c", folders) is None
    assert nearest("top.c", {"": "MIT"}) == "MIT"


def test_a_repository_of_the_corpus(corpus: Path) -> None:
    path = corpus / "code" / "BurntSushi__ripgrep.tar.gz"
    found = list(repository(InputFile(path.name, str(path), "", 0)))
    with_rust = [item for item in found if (item.meta or {}).get("language") == "Rust"]
    assert len(with_rust) > 90
    assert {item.licence for item in found} == {"MIT OR Unlicense"}
    assert len(io.BytesIO(b"".join(item.content for item in with_rust)).getvalue()) > 1_000_000
