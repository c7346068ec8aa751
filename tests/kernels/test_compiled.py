"""Compiled code is filed under what it was made of: its own source and the sources of its helpers."""

from __future__ import annotations

from pathlib import Path

from pipeline.kernels import compiled, words


def test_a_kernel_carries_the_stamp_of_its_sources() -> None:
    assert words.has_words.__qualname__ == f"has_words_{compiled.source_stamp(Path(words.__file__))}"


def test_a_stamp_follows_a_module_and_its_helpers_and_no_others(tmp_path: Path) -> None:
    names = {"outer": "from pipeline.kernels.inner import f\n", "inner": "from pipeline.kernels.outer import g\n", "other": "x = 1\n"}
    for name, source in names.items():
        (tmp_path / f"{name}.py").write_text(source, "utf-8")

    def stamp() -> str:
        compiled.source_stamp.cache_clear()
        return compiled.source_stamp(tmp_path / "outer.py")

    first = stamp()
    (tmp_path / "other.py").write_text("x = 2\n", "utf-8")
    assert stamp() == first
    (tmp_path / "inner.py").write_text("x = 2\n", "utf-8")
    second = stamp()
    (tmp_path / "outer.py").write_text("from pipeline.kernels.inner import h\n", "utf-8")
    assert len({first, second, stamp()}) == 3
