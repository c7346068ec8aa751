"""The filter "licence": what a file says of itself, what its repository says, and the policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.contracts import InputFile, Verdicts
from pipeline.filters.licence import licence
from pipeline.licences.expressions import parsed
from pipeline.licences.recognise import HEADERS, TEXTS
from pipeline.registry import bind
from pipeline.schema import DOC
from pipeline.sources.repository import repository


def verdicts(*files: tuple[str, str | None], unknown: str = "keep", **policy: Any) -> Verdicts:
    rows = [{"id": str(n), "text": text, "source": "code", "licence": said} for n, (text, said) in enumerate(files)]
    batch = pa.RecordBatch.from_pylist([{"id": "", "text": "before", "source": ""}, *rows], schema=DOC)
    return licence(batch.slice(1), unknown=unknown, **policy)


def told(text: str, repository: str | None = None) -> tuple[str | None, str | None]:
    found = verdicts((text, repository)).signals
    return found["licence"][0].as_py(), found["from"][0].as_py()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\nint a;", "Apache-2.0 WITH LLVM-exception"),
        ("<!-- SPDX-License-Identifier: (mit OR GPL-2.0+) -->", "MIT OR GPL-2.0-or-later"),
        ("/* SPDX-License-Identifier: MIT */", "MIT"),
        ("# SPDX-License-Identifier: MIT\r\n", "MIT"),
        ("# SPDX-License-Identifier: see the file LICENSE\n", None),
        ("# Licensed under the Apache License,\n#   Version 2.0 (the ...", "Apache-2.0"),
        ("// Licensed under the MIT License\n// or the Apache License, Version 2.0", "Apache-2.0 OR MIT"),
        ("Licensed under the Apache License, Version 2.0 <LICENSE-APACHE or\n// apache.org/licenses/LICENSE-2.0> or\n// the MIT license",
         "Apache-2.0 OR MIT"),
        ("terms of the GNU General Public License; either version 2 of the\n * License, or (at your option) any later version",
         "GPL-2.0-or-later"),
        ("the terms of the GNU General Public License version 2 as", "GPL-2.0-only"),
        ("the GNU Lesser General Public License, version 2.1 of the License,", "LGPL-2.1-only"),
        ("GNU General Public License, either version 3 of the License, or (at your option) any later version. Bison parser skeleton",
         "GPL-3.0-or-later WITH Bison-exception-2.2"),
        ("@license https://creativecommons.org/licenses/by-nc-sa/3.0/", "CC-BY-NC-SA-3.0"),
        ("Permission is hereby granted, free\nof charge, to any person obtaining a copy", "MIT"),
        ("Redistribution and use in source and binary forms ... to endorse or promote products", "BSD-3-Clause"),
        ("Redistribution and use in source and binary forms, with", "BSD-2-Clause"),
        ("MIT Licensed", "MIT"),
        ("This file is in the public domain.", "LicenseRef-Public-Domain"),
        ("Proprietary and confidential.", "LicenseRef-Proprietary"),
        ("A tool that tells the GNU General Public License from the MIT License.", None),
        ("", None),
    ],
)  # fmt: skip
def test_what_a_file_says_of_its_licence(text: str, found: str | None) -> None:
    assert told(text) == (found, found and "file")


def test_the_notice_that_stands_first_counts() -> None:
    mit, apache = "Licensed under the MIT License. ", "Licensed under the Apache License, Version 2.0. "
    assert told(mit + apache)[0] == "MIT"
    assert told(apache + mit)[0] == "Apache-2.0"
    assert told(mit + "\nSPDX-License-Identifier: Zlib\n")[0] == "Zlib"


def test_a_file_counts_more_than_its_repository() -> None:
    assert told("SPDX-License-Identifier: GPL-3.0-only", "MIT") == ("GPL-3.0-only", "file")
    assert told("int a;", "MIT License") == ("MIT", "repository")
    assert told("int a;", "Ask first.") == (None, None)
    assert told("int a;", None) == (None, None)


def test_only_the_head_is_looked_at() -> None:
    text = "é" * 10 + "\nSPDX-License-Identifier: MIT"
    assert verdicts((text, None), head_chars=len(text)).signals["licence"].to_pylist() == ["MIT"]
    assert verdicts((text, None), head_chars=30).signals["licence"].to_pylist() == [None]
    notice = "x " * 10 + "MIT licensed"
    assert verdicts((notice, None), head_chars=len(notice) - 1).signals["licence"].to_pylist() == [None]


def test_reasons_and_facts() -> None:
    files = [("", "MIT"), ("", "GPL-3.0"), ("", "EPL-2.0"), ("", None), ("", "NOASSERTION"), ("MIT licensed", "GPL-3.0")]
    found = verdicts(*files, allow=["permissive"], deny=["copyleft"], unknown="drop")
    dropped = ["licence:denied", "licence:not_allowed", "licence:unknown", "licence:unknown"]
    assert found.reasons.to_pylist() == [None, *dropped, None]
    assert verdicts(*files, allow=["permissive"], deny=["copyleft"]).reasons.to_pylist() == [None, *dropped[:2], None, None, None]
    assert found.facts["licence"].to_pylist() == ["MIT", "GPL-3.0", "EPL-2.0", None, "NOASSERTION", "MIT"]


def test_no_documents() -> None:
    found = verdicts(unknown="drop", allow=["MIT"])
    assert found.reasons.to_pylist() == []
    assert {name: str(values.type) for name, values in found.signals.items()} == {"licence": "string", "from": "string"}


def test_a_policy_says_what_becomes_of_the_unknown_and_names_what_there_is() -> None:
    assert bind("filter", "licence", {})[1] == [("", "filter 'licence' needs the key 'unknown'")]
    _, mistakes = bind("filter", "licence", {"unknown": "keep", "allow": ["Apache-2"], "deny": ["copylefts"]})
    assert [key for key, _ in mistakes] == ["allow", "deny"]
    assert "did you mean 'Apache-2.0'" in mistakes[0][1]
    assert "did you mean 'copyleft'" in mistakes[1][1]


def test_rows_of_phrases_name_spdx_expressions_in_plain_words() -> None:
    for name, needed in (*HEADERS, *TEXTS):
        assert str(parsed(name)) == name
        assert all(phrase == " ".join("".join(c if c.isalnum() else " " for c in phrase.lower()).split()) for phrase in needed)


#: What the corpus's manifest says, where it names a licence.
STATED = {
    "Unlicense OR MIT": "MIT OR Unlicense", "MIT": "MIT", "Apache-2.0": "Apache-2.0", "zlib": "Zlib", "BSD": "BSD-3-Clause",
}  # fmt: skip


def test_repositories_of_the_corpus_are_under_the_licence_their_manifest_states(corpus: Path) -> None:
    manifest = json.loads((corpus / "MANIFEST.json").read_text("utf-8"))
    for entry in manifest:
        if not entry["path"].startswith("code/") or not entry["path"].endswith(".tar.gz"):
            continue
        path = corpus / entry["path"]
        files = list(repository(InputFile(path.name, str(path), "", 0)))
        batch = [(file.content.decode("utf-8", "replace"), file.licence) for file in files]
        found = verdicts(*batch).signals["licence"].to_pylist()
        stated = STATED[entry["licence"].partition(" (")[0]]
        assert found.count(stated) > 0.9 * len(found), path.name


def test_files_of_another_licence_are_found_in_a_repository(corpus: Path) -> None:
    path = corpus / "code" / "jqlang__jq.tar.gz"
    files = [(file.content.decode("utf-8", "replace"), file.licence) for file in repository(InputFile(path.name, str(path), "", 0))]
    found = verdicts(*files, deny=["copyleft"], unknown="drop")
    counts = {
        name: found.signals["licence"].to_pylist().count(name) for name in ("BSD-2-Clause", "GPL-3.0-or-later WITH Bison-exception-2.2")
    }
    assert counts == {"BSD-2-Clause": 2, "GPL-3.0-or-later WITH Bison-exception-2.2": 2}
    assert found.reasons.to_pylist().count("licence:denied") == 2
