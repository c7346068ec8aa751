"""No export is made of damaged shards: others would be trained on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from packing_kit import Line

from pipeline import registry
from pipeline.errors import ShardError
from pipeline.storage import Folder

#: Those that tell of a run, by its reports and documents: they read no rows of shards.
OF_RUNS = {"card", "messages"}


@pytest.mark.parametrize("name", sorted(set(registry.names("export")) - OF_RUNS))
@pytest.mark.parametrize("kind", ["data", "docs"])
def test_one_flipped_bit_is_exported_by_none(name: str, kind: str, line: Line, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(line.train.path(""), tmp_path / "train"))
    file = sorted(folder.glob(f"{kind}-*"))[-1]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    export, _ = registry.bind("export", name, {})
    with pytest.raises(ShardError, match=file.name):
        export(Folder(str(folder)), Folder(str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()
