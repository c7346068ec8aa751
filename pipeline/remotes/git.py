"""Source trees as their hosts archive them: one .tar.gz for a repository at a revision."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.contracts import Listing, RemoteFile
from pipeline.errors import SourceError
from pipeline.registry import publisher
from pipeline.remotes.listings import given_and_listed, within

_REPOSITORY = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9_.][\w.-]*)(?:@([\w][\w./-]*))?")


@publisher("git_archives")
def git_archives(
    listing: Listing,
    *,
    repositories: Sequence[str] = (),
    index: str = "",
    host: str = "https://codeload.github.com",
    path: str = "{repository}/tar.gz/{revision}",
    licence: str = "",
) -> Sequence[RemoteFile]:
    """An archive of each of `repositories` ("OWNER/NAME@REVISION"; without a revision its default branch, as it is on the day).

    `index` is the address of more of them, one a line. `path` is how the host spells an archive's address (GitHub's by
    default; GitLab: "{repository}/-/archive/{revision}/archive.tar.gz"). A repository that is gone is noted and passed over.
    """
    given, listed = given_and_listed(listing, repositories, index, "git_archives (repositories or index)")
    return [_archive(item, host, path, licence) for item in dict.fromkeys([*given, *listed])]


def _archive(item: str, host: str, path: str, licence: str) -> RemoteFile:
    found = _REPOSITORY.fullmatch(item)
    if found is None or ".." in item:
        raise SourceError(f"git_archives: {item!r} is no repository: OWNER/NAME, or OWNER/NAME@REVISION")
    repository, revision = found[1], found[2] or "HEAD"
    address = within(host, path.format(repository=repository, revision=revision))
    return RemoteFile(f"git:{repository}@{revision}.tar.gz", address, version=revision, licence=licence, optional=True)
