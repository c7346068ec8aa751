"""Archives as streams: every kind reads alike, and what is damaged, hostile or endless stops with a name."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from archive_kit import COMPRESS, ar, deb, input_file, link, sparse, tar

from pipeline.errors import SourceError
from pipeline.sources import streams
from pipeline.sources.archives import Member, members, uncompressed_name

FILES = {"docs/b.html": b"<p>The second page comes first.</p>", "docs/a.html": b"<p>The first page.</p>", "docs/empty.txt": b""}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


ARCHIVES = {
    **{f"deb{suffix}": deb(FILES, suffix) for suffix in COMPRESS},
    **{f"tar{suffix}": COMPRESS[suffix](tar(FILES)) for suffix in COMPRESS},
    "zip": zipped(FILES),
}


def found(path: Path, data: bytes, *args: object, **limits: object) -> list[Member]:
    path.write_bytes(data)
    return list(members(input_file(path), *args, **limits))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ARCHIVES)
def test_every_kind_gives_the_same_members_in_the_archives_order(tmp_path: Path, kind: str) -> None:
    assert found(tmp_path / "pages", ARCHIVES[kind]) == [Member(name, data) for name, data in FILES.items()]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_single_file_is_its_own_member(tmp_path: Path, suffix: str) -> None:
    assert found(tmp_path / f"tale.txt{suffix}", COMPRESS[suffix](b"Once.")) == [Member("tale.txt", b"Once.", inside=False)]


def test_a_text_that_begins_like_an_archive_is_a_text(tmp_path: Path) -> None:
    assert found(tmp_path / "a.txt", b"BZhang wrote this.")[0].data == b"BZhang wrote this."


def test_compressed_members_are_opened_and_lose_their_suffix(tmp_path: Path) -> None:
    inner = {f"man/{index}.7{suffix}": COMPRESS[suffix](b".TH WELL 7") for index, suffix in enumerate(COMPRESS) if suffix}
    inner |= {"plain.gz": b"not compressed at all", "kept.tar.gz": gzip.compress(b"")}
    assert [(member.name, member.data) for member in found(tmp_path / "pages", tar(inner))] == [
        *((f"man/{index}.7", b".TH WELL 7") for index in range(1, 5)),
        ("plain", b"not compressed at all"),
        ("kept.tar.gz", inner["kept.tar.gz"]),
    ]


def test_a_member_whose_own_compression_is_damaged_does_not_stop_the_others(tmp_path: Path) -> None:
    cut = gzip.compress(b"The end is missing." * 100)[:-20]
    first, second = found(tmp_path / "pages", deb({"a.txt.gz": cut, "b.txt": b"Sound."}))
    assert (first.name, first.data) == ("a.txt", b"")
    assert "end-of-stream" in first.broken
    assert second == Member("b.txt", b"Sound.")


@pytest.mark.parametrize(
    ("select", "skip", "expected"),
    [
        (["*"], [], ["a/b/c.html", "a/d.HTML", "e.txt"]),
        (["*.html"], [], ["a/b/c.html"]),
        (["a/*"], [], ["a/b/c.html", "a/d.HTML"]),
        (["*.html", "*.txt"], ["*/c.*"], ["e.txt"]),
        (["?.txt", "[!x]/d*"], [], ["a/d.HTML", "e.txt"]),
        ([], [], []),
        (["b/c.html"], [], []),
    ],
)
def test_globs_match_the_whole_path(tmp_path: Path, select: list[str], skip: list[str], expected: list[str]) -> None:
    data = tar({"./a/b/c.html": b"1", "a/d.HTML": b"2", "/e.txt.gz": gzip.compress(b"3")})
    assert [member.name for member in found(tmp_path / "t", data, select, skip)] == expected


def test_what_is_not_wanted_is_not_read(tmp_path: Path) -> None:
    data = tar({"large.bin": bytes(2000), "small.txt": b"Words."})
    assert len(found(tmp_path / "t", data, ["*.txt"], max_member_bytes=100)) == 1
    assert len(found(tmp_path / "t", data, known=lambda name: name.endswith(".txt"), max_member_bytes=100)) == 1


def test_links_and_devices_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    odd = [link("soft", str(tmp_path / "secret")), link("hard", "real", tarfile.LNKTYPE), link("pipe", "", tarfile.FIFOTYPE)]
    assert [member.name for member in found(tmp_path / "t", tar({"real": b"1"}, odd))] == ["real"]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        soft = zipfile.ZipInfo("soft")
        soft.external_attr = 0o120777 << 16
        archive.writestr(soft, str(tmp_path / "secret"))
    assert found(tmp_path / "z", out.getvalue()) == []


@pytest.mark.parametrize("name", ["../escape.txt", "a/../../escape.txt", "/../escape.txt", ".."])
@pytest.mark.parametrize("pack", [tar, zipped])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str, pack: object) -> None:
    with pytest.raises(SourceError, match=r"t \(.*escape|member '\.\.'"):
        found(tmp_path / "t", pack({name: b"out"}))  # type: ignore[operator]


def test_absolute_paths_are_taken_as_inside(tmp_path: Path) -> None:
    assert [member.name for member in found(tmp_path / "t", tar({"/etc/passwd": b"1", "a//b/./c": b"2"}))] == ["etc/passwd", "a/b/c"]


def test_names_met_again_are_told_apart(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for data in (b"old", b"new"):
            info = tarfile.TarInfo("a.txt")
            info.size = 3
            archive.addfile(info, io.BytesIO(data))
    assert [(member.name, member.data) for member in found(tmp_path / "t", out.getvalue())] == [("a.txt", b"old"), ("a.txt#2", b"new")]


def test_names_in_other_encodings_can_be_written_as_utf8(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("caf\xe9.txt"))
    (member,) = found(tmp_path / "t", out.getvalue())
    assert member.name.encode() == "caf\ufffd.txt".encode()


@pytest.mark.parametrize("kind", ARCHIVES)
def test_a_file_cut_anywhere_is_an_error_that_names_it(tmp_path: Path, kind: str) -> None:
    whole = ARCHIVES[kind]
    content = len(whole.rstrip(b"\0\n")) + (kind == "tar")  # what fills up blocks may be missing, but for one byte of the end mark
    for end in {*range(12, content - 1, max(content // 60, 1)), content - 1}:
        with pytest.raises(SourceError, match=r"^(pages|pages\.tar) \("):
            found(tmp_path / ("pages.tar" if kind == "tar" else "pages"), whole[:end], max_ratio=10**6)


def test_what_stands_behind_the_end_of_a_tar_is_checked_too(tmp_path: Path) -> None:
    """The checksum of a gzip stream comes last: an archive is not sound before it was seen."""
    data = COMPRESS[".gz"](tar(FILES) + bytes(4 << 20))
    with pytest.raises(SourceError, match="t "):
        found(tmp_path / "t", data[:-6])
    with pytest.raises(SourceError, match="10 bytes are missing at its end"):
        found(tmp_path / "t", deb(FILES, "")[:-10])


def test_members_of_odd_size_in_a_package_are_padded(tmp_path: Path) -> None:
    data = ar({"debian-binary": b"2.0\n", "_odd": b"odd", "data.tar": tar(FILES)})
    assert len(found(tmp_path / "t", data)) == len(FILES)


def test_a_broken_tar_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    data = bytearray(tar(FILES))
    data[1024 + 150] ^= 1  # in the checksum of the second header
    with pytest.raises(SourceError, match="broken tar header at byte 1024"):
        found(tmp_path / "t", bytes(data))


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (ar({"debian-binary": b"2.0\n"}), "without data.tar"),
        (b"!<arch>\n" + b"x" * 60, "broken ar header"),
        (ar({"data.tar": b"xy"})[:-40].replace(b"2         `", b"-1        `"), "broken ar header"),
        (b"\xfd7zXZ\x00" + bytes(50), ""),
        (b"\x1f\x8b\x08" + bytes(50), ""),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 50, "ZSTD"),
        (b"PK\x03\x04" + bytes(50), "zip"),
    ],
)
def test_nonsense_is_an_error_that_names_the_file(tmp_path: Path, data: bytes, cause: str) -> None:
    with pytest.raises(SourceError, match=rf"odd \(.*odd\) can't be read to its end: .*{cause}"):
        found(tmp_path / "odd", data)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    file = input_file(Path(__file__))
    with pytest.raises(SourceError, match="gone"):
        list(members(file.__class__(file.name, str(tmp_path / "gone"), file.sha256, file.size)))


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst", ".bz2"])
def test_bombs_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setattr(streams, "RATIO_GRACE", 1 << 18)
    bomb = COMPRESS[suffix](bytes(8 << 20))
    for data in (
        bomb,
        COMPRESS[suffix](tar({"zeros": bytes(8 << 20)})),
        tar({f"zeros{suffix}": bomb}),
        deb({"zeros": bytes(8 << 20)}, suffix),
    ):
        with pytest.raises(SourceError, match="max_ratio"):
            found(tmp_path / "bomb", data)
    with pytest.raises(SourceError, match="max_ratio"):
        found(tmp_path / "bomb.zip", zipped({"zeros": bytes(8 << 20)}))


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip", "deb.xz"])
@pytest.mark.parametrize(("limit", "value"), [("max_members", 2), ("max_member_bytes", 30)])
def test_limits_name_the_member_that_breaks_them(tmp_path: Path, kind: str, limit: str, value: int) -> None:
    with pytest.raises(SourceError, match=rf"member '(\./)?docs/(b.html|empty.txt)': .*{limit}={value}"):
        found(tmp_path / "t", ARCHIVES[kind], **{limit: value})


def test_the_whole_is_limited_too(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="max_total_bytes=1000"):
        found(tmp_path / "t", COMPRESS[".gz"](tar(FILES)), max_total_bytes=1000)
    with pytest.raises(SourceError, match="max_member_bytes=3"):
        found(tmp_path / "a.gz", gzip.compress(b"four"), max_member_bytes=3)


def test_holes_are_not_filled(tmp_path: Path) -> None:
    """A sparse file of a few bytes can be read as any number of them."""
    with pytest.raises(SourceError, match=r"t \(.*member 'hole.txt': a sparse file, of 5000000 bytes"):
        found(tmp_path / "t", sparse("hole.txt", 5_000_000))
    assert found(tmp_path / "t", sparse("hole.txt", 5_000_000), ["*.html"]) == []


@pytest.mark.parametrize("kind", ["tar", "deb"])
def test_what_was_never_compressed_is_limited_too(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SourceError, match="max_total_bytes=1000"):
        found(tmp_path / "t", ARCHIVES[kind], max_total_bytes=1000)


def test_a_tar_header_of_gigabytes_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pax header is read into memory whole: its size is bounded by what the compressed file may grow to."""
    monkeypatch.setattr(streams, "RATIO_GRACE", 1 << 18)
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 8 << 20
    with pytest.raises(SourceError, match="max_ratio"):
        found(tmp_path / "t", COMPRESS[".xz"](info.tobuf(tarfile.USTAR_FORMAT) + bytes(9 << 20)))


def test_an_encrypted_zip_is_an_error(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"secret"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at : at + 2] = struct.pack("<H", 1)
    with pytest.raises(SourceError, match=r"member 'a.txt': .*encrypted"):
        found(tmp_path / "z", bytes(data))


@pytest.mark.parametrize(
    ("name", "bare"), [("a.html.gz", "a.html"), ("foldoc.dict.dz", "foldoc.dict"), ("a.tar.gz", "a.tar.gz"), ("a.tgz", "a.tgz"), ("a", "a")]
)
def test_uncompressed_names(name: str, bare: str) -> None:
    assert uncompressed_name(name) == bare
