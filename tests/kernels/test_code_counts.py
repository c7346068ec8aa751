"""The kernels for source code equal their twins, on any text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import reference_code
from hypothesis import example, given
from hypothesis import strategies as st
from texts import column

from pipeline.kernels.arrow import texts
from pipeline.kernels.comments import comment_chars, marks
from pipeline.kernels.encoded import encoded_chars
from pipeline.kernels.markup import visible_chars
from pipeline.languages import SYNTAX

#: Pieces of source code: marks of every language, quotes, escapes, encoded data, tags.
PIECES = (
    "a", "x1", " ", "  ", "\n", "\r\n", "\r", "\t", "\n    ", "é", "日", "😀", "\\", "\\\\", "\\\n", "\\\"", "//", "///", "/*", "*/",
    "/**/", "#", "##", "--", ";", "%", "!", '"', "'", "`", '"""', "'''", "'\"'", "=begin", "\n=end", "=pod", "\n=cut", "#[[", "]]", "[[",
    "--[[", "#=", "=#", "{-", "-}", "(*", "*)", "$%", "<!--", "-->", "<!-->", "<!", "<", ">", "<p>", "</p>", "<script>", "</script>",
    "<STYLE a=b>", "</style", "<scripts>", "<script", "A" * 63, "aGk=" * 16, "ab/+", "=", "0xff", "0x0", "ab", "ab, ", "0x12, " * 8,
    "de ad be ef ", "\\x41", "\\x41" * 8, "\\u00e9", "\\u12aF" * 8, "\\u12aF" * 7, "_", "12,\n" * 7, "12", ",",
)  # fmt: skip
any_code = st.lists(st.one_of(st.sampled_from(PIECES), st.text(st.characters(exclude_categories=["Cs"]), max_size=3)), max_size=60).map(
    "".join
)
rows_of_code = st.lists(st.one_of(st.none(), any_code), max_size=4)
LANGUAGES = list(SYNTAX.values())


@given(rows_of_code)
def test_encoded_chars_equal_their_twin(rows: list[str | None]) -> None:
    assert encoded_chars(texts(column(rows))).tolist() == [reference_code.encoded_chars(row or "") for row in rows]


@given(rows_of_code)
def test_visible_chars_equal_their_twin(rows: list[str | None]) -> None:
    found = visible_chars(texts(column(rows)), np.ones(len(rows), np.uint8))
    assert found.tolist() == [reference_code.visible_chars(row or "") for row in rows]


@given(st.lists(st.tuples(any_code, st.integers(0, len(LANGUAGES) - 1)), max_size=4))
@example([('x = r"\\', 7), ("=pod\n\n=cut", 11), ('    """doc', 7)])
def test_comment_chars_equal_their_twin(rows: list[tuple[str, int]]) -> None:
    languages = np.array([language for _, language in rows], np.int64)
    found = comment_chars(texts(column([text for text, _ in rows])), languages, marks(LANGUAGES))
    assert found.tolist() == [reference_code.comment_chars(text, LANGUAGES[language]) for text, language in rows]


@pytest.mark.parametrize(
    ("language", "text", "comments"),
    [
        ("C", 'int a; // one\nchar *b = "// no"; /* two */', ["// one", "/* two */"]),
        ("C", "char c = '\"'; // \\\nint d;", ["// \\"]),
        ("Java", 'String s = "a\\"// no"; // yes', ["// yes"]),
        ("JavaScript", "const s = `// no\n// no`;\n/** yes\n */", ["/** yes\n */"]),
        ("Go", "s := `\\`; // yes", ["// yes"]),
        ("Rust", "fn f<'a>(c: &'a char) { c == '\"' } // yes", ["// yes"]),
        ("Python", '"""Doc."""\nx = """# no"""\n# yes\ny = "#"', ['"""Doc."""', "# yes"]),
        ("Shell", 'echo "$#" ${#x} # yes\n#!yes', ["# yes", "#!yes"]),
        ("Shell", "a\t# yes\nb# no\n", ["# yes"]),
        ("Ruby", "=begin\ndoc\n=end\nx = 1 # yes", ["=begin\ndoc\n=end", "# yes"]),
        ("Perl", "$#x;\n=pod\n\ndoc\n\n=cut\nprint 1; # yes", ["=pod\n\ndoc\n\n=cut", "# yes"]),
        ("SQL", "SELECT '-- no\\' -- yes\n/* two */", ["-- yes", "/* two */"]),
        ("CSS", "a { b: url(http://no) } /* yes */", ["/* yes */"]),
        ("Lua", "--[[ one\ntwo ]] x = [[-- no]] -- yes", ["--[[ one\ntwo ]]", "-- yes"]),
        ("HTML", "<p>a</p><!-- yes\n -->", ["<!-- yes\n -->"]),
        ("TeX", "50\\% of it % yes", ["% yes"]),
        ("Haskell", "f' x' = '\"' -- yes {- \n{- two -}", ["-- yes {- ", "{- two -}"]),
    ],
)
def test_comments_are_told_from_code_and_strings(language: str, text: str, comments: list[str]) -> None:
    number = next(number for number, names in enumerate(SYNTAX) if language in names)
    found = comment_chars(texts(pa.array([text])), np.array([number]), marks(LANGUAGES))
    assert found.tolist() == [sum(map(len, comments))]


def test_a_row_of_no_language_has_no_comments() -> None:
    assert comment_chars(texts(pa.array(["// a", "// a"])), np.array([-1, 0]), marks(LANGUAGES)).tolist() == [0, 4]


def test_the_shortest_runs_that_count() -> None:
    rows = [
        "a" * 63,
        "a" * 64,
        "=" * 33 + "a" * 32,
        "=" * 32 + "a" * 32,
        "ab " * 7,
        "ab " * 7 + "ab",
        "\\u0041" * 7,
        "\\u0041" * 8,
        "\\x41" * 7,
        "\\x41" * 8,
    ]
    assert encoded_chars(texts(pa.array(rows)))[:, 1].tolist() == [0, 64, 0, 64, 0, 23, 0, 48, 0, 32]


def test_bytes_of_a_list_stand_alone() -> None:
    rows = ["ab " * 8, "ab " * 7 + "abz", "zab" + " ab" * 7, "ab_ " * 8, "0xab, " * 8, "0xabc, " * 8, "\\x41" * 8 + "z"]
    assert encoded_chars(texts(pa.array(rows)))[:, 1].tolist() == [23, 0, 0, 0, 46, 0, 0]


def test_only_pages_are_looked_at() -> None:
    assert visible_chars(texts(pa.array(["<b>a</b> b", "ab"])), np.array([1, 0], np.uint8)).tolist() == [3, 0]
