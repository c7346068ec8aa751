"""Stack Exchange's dumps, as the Internet Archive has them: an archive for each site."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.contracts import Listing, RemoteFile
from pipeline.errors import SourceError
from pipeline.registry import publisher
from pipeline.remotes.listings import within, xml_of


@publisher("stackexchange")
def stackexchange(
    listing: Listing,
    *,
    sites: Sequence[str],
    base: str = "https://archive.org/download/stackexchange",
    index: str = "stackexchange_files.xml",
) -> list[RemoteFile]:
    """The archives of `sites` ("coffee.stackexchange.com"; "stackoverflow.com-Posts", which has one for each table), with their SHA-1."""
    where = within(base, index)
    offered = {str(row.get("name")): row for row in xml_of(listing(where), where).iter("file")}
    files = []
    for site in sites:
        row = offered.get(f"{site}.7z")
        if row is None:
            near = sorted(name.removesuffix(".7z") for name in offered if site.split(".")[0] in name and name.endswith(".7z"))
            raise SourceError(f"{where} has no site {site!r}" + (f"; it has {', '.join(near[:5])}" if near else ""))
        said = {child.tag: child.text or "" for child in row}
        checksum = f"sha1:{said['sha1']}" if said.get("sha1") else ""
        size = int(said["size"]) if said.get("size", "").isdigit() else None
        files.append(RemoteFile(f"se:{site}.7z", within(base, f"{site}.7z"), size, checksum, said.get("mtime", ""), "CC-BY-SA-4.0"))
    return files
