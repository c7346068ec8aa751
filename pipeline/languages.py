"""What is known of programming languages: the suffixes of their files, and how comments and strings are written in them."""

from __future__ import annotations

from pipeline.kernels.comments import (
    AFTER_SPACE,
    LINE_START,
    Mark,
    block_comment,
    docstring,
    line_comment,
    passed_over,
    string,
    text_block,
)

#: Suffixes of code, by language. Names as GitHub's linguist spells them.
LANGUAGES = {
    "Ada": ".adb .ads",
    "C": ".c .h",
    "C#": ".cs",
    "C++": ".cc .cpp .cxx .hh .hpp .hxx .inl",
    "CMake": ".cmake",
    "CSS": ".css .scss",
    "Clojure": ".clj .cljs",
    "Cuda": ".cu .cuh",
    "Dart": ".dart",
    "Elixir": ".ex .exs",
    "Erlang": ".erl .hrl",
    "Fortran": ".f90 .f95 .f03",
    "Go": ".go",
    "Haskell": ".hs",
    "Java": ".java",
    "JavaScript": ".js .mjs .cjs .jsx",
    "Julia": ".jl",
    "Kotlin": ".kt .kts",
    "Lua": ".lua",
    "OCaml": ".ml .mli",
    "PHP": ".php",
    "Perl": ".pl .pm",
    "Prolog": ".pro .prolog",
    "Python": ".py .pyi",
    "R": ".r",
    "Ruby": ".rb",
    "Rust": ".rs",
    "SQL": ".sql",
    "Scala": ".scala",
    "Scheme": ".scm",
    "Shell": ".sh .bash",
    "Swift": ".swift",
    "Tcl": ".tcl",
    "TypeScript": ".ts .tsx",
    "Vue": ".vue",
    "Zig": ".zig",
}

#: Suffixes of what is written like code, has comments, and is no program.
MARKUP = {"HTML": ".html .htm .xhtml", "TeX": ".tex .sty .cls", "TOML": ".toml", "XML": ".xml .xsl .xslt .svg", "YAML": ".yaml .yml"}

_STRINGS = (string('"'), string("'"))
_SLASHES = (line_comment("//"), block_comment("/*", "*/"))
_HASH = (line_comment("#"),)
#: A quotation mark as a character, where the apostrophe has other uses too: lifetimes, primes, type variables.
_CHARACTERS = (passed_over("'\"'"), passed_over("'\\\"'"))
_TRIPLE = (text_block('"""'),)

#: How comments and strings begin, the longer marks before those they begin with, by the languages that write them so.
SYNTAX: dict[tuple[str, ...], tuple[Mark, ...]] = {
    ("C", "C++", "C#", "Cuda", "Java", "Objective-C"): (*_SLASHES, *_STRINGS),
    ("Dart", "Groovy", "Kotlin", "Scala", "Swift"): (*_SLASHES, *_TRIPLE, *_STRINGS),
    ("JavaScript", "TypeScript"): (*_SLASHES, *_STRINGS, text_block("`")),
    ("Go",): (*_SLASHES, *_STRINGS, text_block("`", escapes=False)),
    ("Rust", "Zig"): (*_SLASHES, *_CHARACTERS, string('"')),
    ("PHP",): (*_SLASHES, line_comment("#", AFTER_SPACE), *_STRINGS),
    ("CSS",): (line_comment("//", AFTER_SPACE), block_comment("/*", "*/"), *_STRINGS),
    ("Python",): (*_HASH, docstring('"""'), docstring("'''"), *_TRIPLE, text_block("'''"), *_STRINGS),
    ("Dockerfile", "Makefile", "Shell", "YAML"): (line_comment("#", AFTER_SPACE), passed_over('\\"'), *_STRINGS),
    ("R", "TOML"): (*_HASH, *_STRINGS),
    ("Ruby",): (*_HASH, block_comment("=begin", "\n=end", LINE_START), *_STRINGS),
    ("Perl",): (
        line_comment("#", AFTER_SPACE),
        *(block_comment(f"={name}", "\n=cut", LINE_START) for name in ("pod", "head", "begin", "encoding", "over", "for")),
        *_STRINGS,
    ),
    ("Tcl",): (line_comment("#", AFTER_SPACE), passed_over('\\"'), string('"')),
    ("CMake",): (block_comment("#[[", "]]"), *_HASH, string('"')),
    ("Julia",): (block_comment("#=", "=#"), *_HASH, *_TRIPLE, *_CHARACTERS, string('"')),
    ("Elixir",): (*_HASH, *_TRIPLE, string('"')),
    ("SQL",): (line_comment("--"), block_comment("/*", "*/"), string("'", escapes=False), string('"', escapes=False)),
    ("Ada",): (line_comment("--"), *_CHARACTERS, string('"', escapes=False)),
    ("Lua",): (block_comment("--[[", "]]"), line_comment("--"), text_block("[[", "]]", escapes=False), *_STRINGS),
    ("Haskell",): (block_comment("{-", "-}"), line_comment("--"), *_CHARACTERS, string('"')),
    ("OCaml",): (block_comment("(*", "*)"), *_CHARACTERS, string('"')),
    ("Clojure", "Scheme"): (passed_over("\\;"), passed_over('\\"'), line_comment(";"), block_comment("#|", "|#"), string('"')),
    ("Erlang",): (passed_over("$%"), passed_over('$"'), passed_over("$'"), line_comment("%"), *_STRINGS),
    ("Prolog",): (line_comment("%"), block_comment("/*", "*/"), *_STRINGS),
    ("TeX",): (passed_over("\\%"), line_comment("%")),
    ("Fortran",): (line_comment("!"), string("'", escapes=False), string('"', escapes=False)),
    ("HTML", "XML"): (block_comment("<!--", "-->"),),
    ("Vue",): (block_comment("<!--", "-->"), line_comment("//", AFTER_SPACE), block_comment("/*", "*/"), *_STRINGS),
}
