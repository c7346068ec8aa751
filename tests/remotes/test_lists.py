"""What each publisher's list is read as: names, addresses, sizes, checksums; and lists that aren't what they should be."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable

import pytest

from pipeline.contracts import Listing, RemoteFile
from pipeline.errors import SourceError
from pipeline.remotes.arxiv import arxiv
from pipeline.remotes.common_crawl import common_crawl
from pipeline.remotes.git import git_archives
from pipeline.remotes.gutenberg import gutenberg
from pipeline.remotes.http import http
from pipeline.remotes.listings import lines_of, some, text_of, within, xml_of
from pipeline.remotes.pubmed import pubmed_central
from pipeline.remotes.stackexchange import stackexchange
from pipeline.remotes.wikipedia import wikipedia

Lists = Callable[[dict[str, bytes]], Listing]
CC = "https://data.commoncrawl.org"
CRAWL = "CC-MAIN-2025-38"


def crawl_paths(number: int) -> bytes:
    lines = [f"crawl-data/{CRAWL}/segments/1757{index % 3}.{index % 3}/warc/CC-MAIN-2025{index:05}.warc.gz" for index in range(number)]
    return gzip.compress("\n".join(lines).encode())


def test_common_crawl(lists: Lists) -> None:
    listing = lists({f"{CC}/crawl-data/{CRAWL}/warc.paths.gz": crawl_paths(30)})
    every = common_crawl(listing, crawl=CRAWL)
    assert len(every) == 30
    assert every[4].url == f"{CC}/crawl-data/{CRAWL}/segments/17571.1/warc/CC-MAIN-202500004.warc.gz"
    assert every[4].name == f"cc:{CRAWL}/segments/17571.1/warc/CC-MAIN-202500004.warc.gz"
    assert every[4].version == CRAWL
    few, more = (common_crawl(listing, crawl=CRAWL, files=number) for number in (4, 9))
    assert len(few) == 4
    assert set(few) < set(more) < set(every)
    assert more == sorted(more, key=every.index)
    assert len(common_crawl(listing, crawl=CRAWL, segments=["17571.1"])) == 10


def test_common_crawl_from_its_bucket(lists: Lists) -> None:
    listing = lists({f"s3://commoncrawl/crawl-data/{CRAWL}/wet.paths.gz": crawl_paths(1)})
    (file,) = common_crawl(listing, crawl=CRAWL, kind="wet", base="s3://commoncrawl")
    assert file.url.startswith(f"s3://commoncrawl/crawl-data/{CRAWL}/segments/")


def test_common_crawl_asked_for_what_is_not_there(lists: Lists) -> None:
    listing = lists({f"{CC}/crawl-data/{CRAWL}/warc.paths.gz": crawl_paths(3)})
    with pytest.raises(SourceError, match=r"names no file for segments 1\.1"):
        common_crawl(listing, crawl=CRAWL, segments=["1.1"])
    with pytest.raises(SourceError, match="is no crawl's name"):
        common_crawl(listing, crawl="../up")


CATALOGUE = b"""Text#,Type,Issued,Title,Language,Authors,Subjects,LoCC,Bookshelves
1,Text,1971-12-01,"The Declaration
of Independence",en,"Jefferson, Thomas",x,E201; JK,y
2,Sound,1972-12-01,A song,en,,,,
3,Text,1973-11-01,Deux livres,fr; en,,,,
4,Text,1973-11-01,Ein Buch,de,,,,
"""
PG = "https://www.gutenberg.org/cache/epub/feeds/pg_catalog.csv"


def test_gutenberg(lists: Lists) -> None:
    listing = lists({PG: CATALOGUE})
    names = [file.name for file in gutenberg(listing)]
    assert names == ["pg:1.txt", "pg:3.txt", "pg:4.txt"]
    assert [file.name for file in gutenberg(listing, languages=["en"])] == ["pg:1.txt", "pg:3.txt"]
    assert [file.name for file in gutenberg(listing, numbers=[4, 2, 9])] == ["pg:4.txt"]
    assert len(gutenberg(listing, books=2)) == 2
    (file,) = gutenberg(listing, languages=["de"], mirror="https://mirror.example/pg/")
    assert file == RemoteFile("pg:4.txt", "https://mirror.example/pg/cache/epub/4/pg4.txt", optional=True)
    with pytest.raises(SourceError, match="names no file for languages xx"):
        gutenberg(listing, languages=["xx"])
    with pytest.raises(SourceError, match="has no columns Text#, Language"):
        gutenberg(lists({PG: b"Number,Type\n1,Text\n"}))


def dump(status: str = "done", url: str = "/frwiki/20251101/{}") -> bytes:
    names = [
        "frwiki-20251101-pages-articles-multistream1.xml-p1p306134.bz2",
        "frwiki-20251101-pages-articles-multistream-index1.txt-p1p306134.bz2",
        "frwiki-20251101-pages-articles-multistream2.xml-p306135p1050822.bz2",
    ]
    files = {name: {"size": 7, "url": url.format(name), "md5": "m", "sha1": f"s{place}"} for place, name in enumerate(names)}
    return json.dumps({"version": "0.8", "jobs": {"articlesmultistreamdump": {"status": status, "files": files}}}).encode()


STATUS = "https://dumps.wikimedia.org/frwiki/20251101/dumpstatus.json"


def test_wikipedia(lists: Lists) -> None:
    one, two = wikipedia(lists({STATUS: dump()}), languages=["fr"], date="20251101")
    name = "frwiki-20251101-pages-articles-multistream1.xml-p1p306134.bz2"
    url = f"https://dumps.wikimedia.org/frwiki/20251101/{name}"
    assert one == RemoteFile(f"wp:{name}", url, 7, "sha1:s0", "20251101", "CC-BY-SA-4.0")
    assert two.checksum == "sha1:s2"
    assert len(wikipedia(lists({STATUS: dump()}), languages=["fr"], date="20251101", files=1)) == 1
    small = {STATUS.replace("frwiki", "zh_yuewiki"): dump().replace(b"frwiki", b"zh_yuewiki").replace(b"1.xml-p1p306134", b".xml")}
    assert (
        wikipedia(lists(small), languages=["zh-yue"], date="20251101")[0].name
        == "wp:zh_yuewiki-20251101-pages-articles-multistream.xml.bz2"
    )


def test_wikipedia_not_ready_or_gone(lists: Lists) -> None:
    with pytest.raises(SourceError, match="'in-progress': wait for it"):
        wikipedia(lists({STATUS: dump("in-progress")}), languages=["fr"], date="20251101")
    with pytest.raises(SourceError, match="404"):
        wikipedia(lists({}), languages=["fr"], date="20251101")
    for broken in (b"<html>", b"{}", b"[]", b'{"jobs": {"articlesmultistreamdump": {}}}', dump().replace(b'"url"', b'"u"')):
        with pytest.raises(SourceError, match="is no dump's status as expected"):
            wikipedia(lists({STATUS: broken}), languages=["fr"], date="20251101")
    with pytest.raises(SourceError, match="isn't below it"):
        wikipedia(lists({STATUS: dump(url="http://elsewhere.example/{}")}), languages=["fr"], date="20251101")


SE = "https://archive.org/download/stackexchange"
SE_FILES = b"""<?xml version="1.0" encoding="UTF-8"?>
<files>
  <file name="coffee.stackexchange.com.7z" source="original"><mtime>1712345</mtime><size>42</size><md5>m</md5><sha1>aa</sha1></file>
  <file name="readme.txt" source="original"><size>1</size></file>
</files>"""


def test_stackexchange(lists: Lists) -> None:
    listing = lists({f"{SE}/stackexchange_files.xml": SE_FILES})
    (file,) = stackexchange(listing, sites=["coffee.stackexchange.com"])
    assert file.url == f"{SE}/coffee.stackexchange.com.7z"
    assert (file.name, file.size, file.checksum, file.licence) == ("se:coffee.stackexchange.com.7z", 42, "sha1:aa", "CC-BY-SA-4.0")
    with pytest.raises(SourceError, match=r"has no site 'coffee'; it has coffee\.stackexchange\.com"):
        stackexchange(listing, sites=["coffee"])


MANIFEST = b"""<?xml version='1.0' standalone='yes'?>
<arXivSRC>
  <file><filename>src/arXiv_src_9108_001.tar</filename><md5sum>a1</md5sum><size>10</size><yymm>9108</yymm><num_items>3</num_items></file>
  <file><filename>src/arXiv_src_0001_001.tar</filename><md5sum>b1</md5sum><size>20</size><yymm>0001</yymm></file>
  <file><filename>src/arXiv_src_2401_002.tar</filename><md5sum>c1</md5sum><size>30</size><yymm>2401</yymm></file>
</arXivSRC>"""


def test_arxiv(lists: Lists) -> None:
    listing = lists({"s3://arxiv/src/arXiv_src_manifest.xml": MANIFEST})
    assert [file.version for file in arxiv(listing)] == ["9108", "0001", "2401"]
    (old,) = arxiv(listing, last="1999-12")
    assert old == RemoteFile("arxiv:src/arXiv_src_9108_001.tar", "s3://arxiv/src/arXiv_src_9108_001.tar", 10, "md5:a1", "9108")
    assert [file.version for file in arxiv(listing, first="2000-01", last="2023-12")] == ["0001"]
    with pytest.raises(SourceError, match="names no file for 2025-01 to the last"):
        arxiv(listing, first="2025-01")
    broken = lists({"s3://arxiv/src/arXiv_src_manifest.xml": MANIFEST.replace(b"md5sum", b"md6")})
    with pytest.raises(SourceError, match="without 'md5sum'"):
        arxiv(broken)


PMC = "https://ftp.ncbi.nlm.nih.gov/pub/pmc/oa_bulk/oa_comm/xml/"
INDEX = "".join(
    f'<a href="{name}">{name}</a>  2025-06-27 10:00  1.2G\n'
    for name in (
        "oa_comm_xml.PMC000xxxxxx.baseline.2024-12-18.tar.gz",
        "oa_comm_xml.PMC000xxxxxx.baseline.2025-06-26.tar.gz",
        "oa_comm_xml.PMC000xxxxxx.baseline.2025-06-26.filelist.csv",
        "oa_comm_xml.PMC001xxxxxx.baseline.2025-06-26.tar.gz",
        "oa_comm_xml.incr.2025-06-20.tar.gz",
        "oa_comm_xml.incr.2025-07-01.tar.gz",
    )
).encode()


def test_pubmed_central(lists: Lists) -> None:
    listing = lists({PMC: INDEX})
    names = [file.name for file in pubmed_central(listing)]
    assert names == [f"pmc:oa_comm_xml.PMC00{number}xxxxxx.baseline.2025-06-26.tar.gz" for number in (0, 1)]
    assert pubmed_central(listing)[0].url == PMC + "oa_comm_xml.PMC000xxxxxx.baseline.2025-06-26.tar.gz"
    assert [file.version for file in pubmed_central(listing, incremental=True)][-1] == "2025-07-01"
    assert len(pubmed_central(listing, files=1)) == 1
    with pytest.raises(SourceError, match="names no file for a baseline of oa_comm"):
        pubmed_central(lists({PMC: b"<html>maintenance</html>"}))


def test_git_archives(lists: Lists) -> None:
    listing = lists({"https://example.org/repos.txt": b"# chosen by hand\nowner/name\n\nother/repo.js@v1.2/beta\nowner/name\n"})
    one, two = git_archives(listing, index="https://example.org/repos.txt")
    assert (one.name, one.url) == ("git:owner/name@HEAD.tar.gz", "https://codeload.github.com/owner/name/tar.gz/HEAD")
    assert (two.url, two.version, two.optional) == ("https://codeload.github.com/other/repo.js/tar.gz/v1.2/beta", "v1.2/beta", True)
    (lab,) = git_archives(
        listing, repositories=["a/b@1"], host="https://gitlab.com", path="{repository}/-/archive/{revision}/archive.tar.gz", licence="MIT"
    )
    assert (lab.url, lab.licence) == ("https://gitlab.com/a/b/-/archive/1/archive.tar.gz", "MIT")
    for wrong in ("name", "a/b/c", "../up", "a/b@", "a/b@../../x", "https://github.com/a/b", "-a/b"):
        with pytest.raises(SourceError, match="is no repository"):
            git_archives(listing, repositories=[wrong])
    with pytest.raises(SourceError, match="names no file"):
        git_archives(listing)


def test_http(lists: Lists) -> None:
    sha256 = "ab" * 32
    index = f"{sha256}  a/one.jsonl.gz\n{'cd' * 16} *two.txt\nhttps://other.example/three.txt?x=1\n".encode()
    listing = lists({"https://example.org/data/SHA256SUMS": index})
    one, two, three = http(listing, index="https://example.org/data/SHA256SUMS", licence="MIT")
    assert one == RemoteFile(
        "example.org/data/a/one.jsonl.gz", "https://example.org/data/a/one.jsonl.gz", None, f"sha256:{sha256}", "", "MIT"
    )
    assert two.checksum == "md5:" + "cd" * 16
    assert (three.name, three.url) == ("other.example/three.txt?x=1", "https://other.example/three.txt?x=1")
    assert http(listing, urls=["s3://bucket/x.parquet"])[0].url == "s3://bucket/x.parquet"
    with pytest.raises(SourceError, match="isn't below it"):
        http(listing, urls=["../x"], base="https://example.org/data")


def test_lists_that_explode() -> None:
    with pytest.raises(SourceError, match="declares a document type"):
        xml_of(b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', "u")
    with pytest.raises(SourceError, match="is damaged"):
        text_of(gzip.compress(b"x" * 100)[:-9], "u")
    with pytest.raises(SourceError, match="no text in UTF-8"):
        text_of(b"\xff\xfe\x00", "u")
    with pytest.raises(SourceError, match="is no XML"):
        xml_of(b"<html><p>", "u")


def test_a_list_that_grows_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.remotes.listings.MAX_TEXT", 1000)
    with pytest.raises(SourceError, match="holds more than 1000 bytes"):
        text_of(gzip.compress(b"x" * 1001), "u")


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../up", "http://elsewhere.example/x", "file:///etc/passwd", "s3://other/x"])
def test_a_list_that_leads_elsewhere(path: str) -> None:
    with pytest.raises(SourceError, match="isn't below it"):
        within("https://example.org/data", path)


def test_lines_and_choices() -> None:
    assert lines_of(b"\xef\xbb\xbfa\r\n\r\n# no\n b \n", "u") == ["a", "b"]
    items = [str(number) for number in range(100)]
    assert some(items, None, str) == some(items, 100, str) == items
    chosen = [some(items, number, str) for number in range(1, 100)]
    assert all(set(fewer) < set(more) for fewer, more in itertools.pairwise(chosen))


def test_a_list_opens_no_other_store_and_no_file(lists: Lists) -> None:
    for line in (b"s3://private/x", b"file:///etc/passwd", b"gs://private/x"):
        with pytest.raises(SourceError, match="a list leads to http"):
            http(lists({"https://example.org/list": line}), index="https://example.org/list")
    assert http(lists({"s3://mine/list": b"s3://mine/x"}), index="s3://mine/list")[0].url == "s3://mine/x"
