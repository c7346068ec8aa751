"""Web addresses to try kernels on: whole, broken and hostile ones, drawn by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st
from texts import column

from pipeline.kernels.arrow import texts
from pipeline.kernels.urls import Addresses, addresses

PIECES = (
    "http", "https", "HTTP", "ftp", "javascript", "data", "mailto", ":", "://", "//", "/", "\\", "?", "#", "@", "&", "=", ";", "+",
    "www.", "WWW.", "example", "Example.COM", ".com", ".", "..", "/./", "/../", "...", "user:pw@", ":80", ":443", ":0080", ":8080", ":",
    "[::1]", "[", "]", "127.0.0.1", "faß", "bücher.de", "日本", "。", "%C3%BC", "%61", "%2e", "%2F", "%7e", "%zz", "%", "%2", "%ff", "%25",
    "utm_source=a",
    "UTM_x", "gclid=1", "fbclid", "a=1", "b", "page=2", "a=http://b.c/?d", " ", "\t", "\n", "\x00", "\u00a0", "ü", "😀", "|", "'",
)  # fmt: skip
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
any_url = st.lists(st.one_of(st.sampled_from(PIECES), any_text), max_size=12).map("".join)
web_url = st.tuples(st.sampled_from(["http://", "https://", "HTTP:", "ftp:\\\\"]), any_url).map("".join)
urls = st.lists(st.one_of(st.none(), any_url, web_url), max_size=5)


def written(*rows: str | None) -> Addresses:
    return addresses(texts(column([*rows])))
