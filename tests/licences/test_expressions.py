"""SPDX expressions, the names people use for licences, and policies over them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.licences.expressions import Licence, parsed, understood
from pipeline.licences.ids import GROUPS, NOASSERTION, by_name, spdx_id
from pipeline.licences.policy import ALLOWED, DENIED, NOT_ALLOWED, UNKNOWN, Policy, checked


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("mit", "MIT"),
        ("MIT OR Apache-2.0 AND Zlib", "MIT OR (Apache-2.0 AND Zlib)"),
        ("(MIT or apache-2.0) and Zlib", "(MIT OR Apache-2.0) AND Zlib"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("EPL-2.0+", "EPL-2.0+"),
        ("GPL-2.0-only with classpath-exception-2.0 OR MIT", "GPL-2.0-only WITH classpath-exception-2.0 OR MIT"),
        ("noassertion AND MIT", "NOASSERTION AND MIT"),
        ("LicenseRef-Ours", "LicenseRef-Ours"),
        ("GPL-2.0-only WITH MIT", None),
        ("MIT OR", None),
        ("OR MIT", None),
        ("(MIT", None),
        ("MIT)", None),
        ("MIT Apache-2.0", None),
        ("Mine-1.0", None),
        ("", None),
        ("(" * 300 + "MIT" + ")" * 300, None),
        ("(" * 200 + "MIT" + ")" * 200, None),
        (" OR ".join(["MIT"] * 100), None),
    ],
)
def test_expressions_are_read_whole_or_not_at_all(text: str, canonical: str | None) -> None:
    found = parsed(text)
    assert (found and str(found)) == canonical


@given(st.text(max_size=80) | st.lists(st.sampled_from(["MIT", "GPL-2.0+", "AND", "OR", "WITH", "(", ")", "foo"])).map(" ".join))
def test_any_text_is_an_expression_or_none_and_stays_what_it_is(text: str) -> None:
    found = understood(text)
    assert found is None or parsed(str(found)) == found


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("MIT License", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("License :: OSI Approved :: MIT License", "MIT"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("ASL 2.0", "Apache-2.0"),
        ("GPLv2+", "GPL-2.0-or-later"),
        ("GPL (>= 2)", "GPL-2.0-or-later"),
        ("GNU General Public License v3.0", "GPL-3.0"),
        ("GNU Lesser General Public License v2.1 only", "LGPL-2.1-only"),
        ("AGPL v3 or later", "AGPL-3.0-or-later"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution-NonCommercial 3.0 Unported", "CC-BY-NC-3.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/2.5/", "CC-BY-NC-ND-2.5"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("Public Domain", "LicenseRef-Public-Domain"),
        ("New BSD License", "BSD-3-Clause"),
        ("BSD", None),
        ("CC BY", None),
        ("GPL", None),
        ("", None),
    ],
)
def test_names_people_use(name: str, licence: str | None) -> None:
    assert by_name(name) == licence


def test_several_names_between_words_and_slashes() -> None:
    assert str(understood("MIT/Apache-2.0")) == "MIT OR Apache-2.0"
    assert str(understood("MIT License or Apache 2.0")) == "MIT OR Apache-2.0"
    assert str(understood("MIT License and Zlib")) == "MIT AND Zlib"
    assert understood("MIT or whatever") is None


def test_groups_hold_spdx_ids_each_once() -> None:
    every = [name for group in GROUPS.values() for name in group]
    assert len(every) == len(set(every))
    assert [name for name in every if spdx_id(name) != name] == []


@pytest.mark.parametrize(
    ("allow", "deny", "expression", "standing"),
    [
        (None, None, "GPL-3.0", ALLOWED),
        (None, ["copyleft"], "GPL-3.0-only", DENIED),
        (None, ["copyleft"], "LGPL-3.0-only", ALLOWED),
        (None, ["GPL-3.0"], "GPL-3.0-or-later", DENIED),
        (None, ["GPL-3.0-only"], "GPL-3.0-or-later", ALLOWED),
        (["permissive"], None, "MIT", ALLOWED),
        (["permissive"], None, "GPL-3.0", NOT_ALLOWED),
        (["Permissive"], ["MIT"], "MIT", DENIED),
        (["permissive"], None, "MIT OR GPL-3.0", ALLOWED),
        (["permissive"], None, "MIT AND GPL-3.0", NOT_ALLOWED),
        (["permissive"], ["copyleft"], "(MIT AND GPL-3.0) OR Zlib", ALLOWED),
        (["permissive"], ["copyleft"], "MIT AND (GPL-3.0 OR EPL-2.0)", NOT_ALLOWED),
        (["permissive"], ["copyleft"], "GPL-3.0 OR EPL-2.0 AND GPL-2.0", DENIED),
        (["CC-BY-*"], ["CC-BY-NC-*"], "CC-BY-4.0", ALLOWED),
        (["CC-BY-*"], ["CC-BY-NC-*"], "CC-BY-NC-4.0", DENIED),
        (["GPL-2.0 WITH Classpath-exception-2.0"], ["copyleft"], "GPL-2.0-only WITH Classpath-exception-2.0", ALLOWED),
        (["GPL-2.0 WITH Classpath-exception-2.0"], ["copyleft"], "GPL-2.0-only", DENIED),
        (["copyleft"], None, "GPL-2.0-only WITH Classpath-exception-2.0", ALLOWED),
        (["MIT"], None, NOASSERTION, UNKNOWN),
        (["MIT"], None, "LicenseRef-Ours", UNKNOWN),
        (["LicenseRef-Ours"], None, "LicenseRef-Ours", ALLOWED),
        (["MIT"], None, "MIT AND LicenseRef-Ours", UNKNOWN),
        (["MIT"], None, "MIT OR LicenseRef-Ours", ALLOWED),
        (None, ["source-available"], "LicenseRef-Proprietary", DENIED),
        (["permissive"], None, "LicenseRef-Public-Domain", NOT_ALLOWED),
    ],
)
def test_policies(allow: list[str] | None, deny: list[str] | None, expression: str, standing: int) -> None:
    assert Policy.of(allow, deny).standing(parsed(expression)) == standing


def test_nothing_said_is_unknown() -> None:
    assert Policy.of(None, None).standing(None) == UNKNOWN


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("apache-2", "did you mean 'Apache-2.0'"),
        ("permisive", "did you mean 'permissive'"),
        ("XX-*", "stands for no licence"),
        ("MIT OR Zlib", "is no SPDX id"),
        ("qqqq", "groups: permissive"),
    ],
)
def test_a_name_in_a_policy_that_is_none(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=r"licen|SPDX") as error:
        checked(["MIT", name])
    assert hint in str(error.value)


def test_an_exception_is_part_of_a_licence() -> None:
    assert parsed("GPL-2.0-only WITH Classpath-exception-2.0") == Licence("GPL-2.0-only", "Classpath-exception-2.0")
