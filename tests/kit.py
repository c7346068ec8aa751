"""A small corpus in made-up words, for tests of the whole line: enough like prose for the published filters to keep it."""

from __future__ import annotations

import random
from pathlib import Path

STOP_WORDS = ("the", "of", "and", "to", "that", "with", "have", "be", "a", "in", "is", "for")
SYLLABLES = ("ka", "lo", "mi", "ren", "sta", "vel", "tor", "ina", "qui", "bar", "del", "fos", "gri", "hum", "jas", "nor")


def vocabulary(count: int = 3000) -> list[str]:
    """Made-up words, the same every time."""
    draw = random.Random("words")
    return sorted({"".join(draw.choices(SYLLABLES, k=draw.randint(1, 3))) + draw.choice(("", "s", "n", "e")) for _ in range(count)})


WORDS = vocabulary()


def sentence(draw: random.Random) -> str:
    words = [draw.choice(STOP_WORDS) if draw.random() < 0.4 else draw.choice(WORDS) for _ in range(draw.randint(8, 18))]
    return " ".join(words).capitalize() + "."


def paragraph(draw: random.Random) -> str:
    return " ".join(sentence(draw) for _ in range(draw.randint(4, 7)))


def prose(name: str, paragraphs: int = 6) -> str:
    """Prose that follows from its name alone."""
    draw = random.Random(name)
    return "\n\n".join(paragraph(draw) for _ in range(paragraphs)) + "\n"


def page(name: str) -> str:
    """An HTML page around prose, with the boilerplate of a site."""
    body = "".join(f"<p>{text}</p>" for text in prose(name).split("\n\n"))
    links = "".join(f'<li><a href="/{n}">Section {n}</a></li>' for n in range(5))
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{name}</title></head><body><nav><ul>{links}</ul></nav>"
        f"<main><h1>About {name}</h1>{body}</main><footer>All rights somewhere</footer></body></html>"
    )


def program(name: str) -> str:
    """Python code that follows from its name."""
    draw = random.Random(name)
    functions = []
    for _ in range(12):
        word, other = draw.choice(WORDS), draw.choice(WORDS)
        functions.append(
            f"def {word}({other}: int) -> int:\n    # {sentence(draw)}\n    return {other} * {draw.randint(2, 99)} + len({word!r})\n"
        )
    return f'"""{sentence(draw)}"""\n\n\n' + "\n\n".join(functions)


def article(name: str) -> str:
    """A LaTeX article."""
    sections = "\n".join(f"\\section{{Part {n}}}\n{prose(f'{name} {n}', 3)}" for n in range(3))
    return f"\\documentclass{{article}}\n\\begin{{document}}\n\\title{{{name}}}\n{sections}\n\\end{{document}}\n"


MAKERS = {
    "web": (page, "html", 60),
    "books": (lambda name: prose(name, 60), "txt", 6),
    "wikipedia": (lambda name: prose(name, 5), "txt", 30),
    "code": (program, "py", 40),
    "academic": (article, "tex", 12),
    "curated": (lambda name: f"# {name}\n\n{prose(name)}", "md", 30),
}


def write_sources(folder: Path, scale: float = 1.0) -> Path:
    """Six folders of documents, one per source of mix-v1; `scale` multiplies how many there are."""
    for source, (make, suffix, count) in MAKERS.items():
        (folder / source).mkdir(parents=True, exist_ok=True)
        for number in range(max(int(count * scale), 3)):
            (folder / source / f"{number:03d}.{suffix}").write_text(make(f"{source} {number}"), "utf-8")
    return folder
