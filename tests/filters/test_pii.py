"""Personal data: each kind at its borders, what is put in its place, which documents go, and that no evidence holds any."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts import Verdicts
from pipeline.filters.pii import PLACEHOLDERS, pii
from pipeline.job import Committed, TaskResult
from pipeline.registry import bind
from pipeline.report import Report
from pipeline.schema import DOC, document_id
from pipeline.storage import Folder
from pipeline.worker import LocalStage


def searched(*texts: str, **keys: Any) -> Verdicts:
    rows = [{"id": str(n), "text": text, "source": "web"} for n, text in enumerate(texts)]
    return pii(pa.RecordBatch.from_pylist(rows, schema=DOC), **keys)


def edited(text: str, **keys: Any) -> str:
    found = searched(text, **keys).text
    assert found is not None
    return found[0].as_py()  # type: ignore[no-any-return]


def is_found(text: str, kind: str) -> bool:
    """Whether `text`, all of it and nothing else, is of the kind."""
    return edited(f"so {text} it is") == f"so {PLACEHOLDERS[kind]} it is"


def is_left(text: str) -> bool:
    return edited(f"so {text} it is") == f"so {text} it is"


@pytest.mark.parametrize(
    "address", ["jo@mail.org", "first.last+tag@sub.mail.co.uk", "J_O%9@MAIL.ORG", "x@xn--bcher-kva.ch", "a" * 64 + "@mail.org"]
)
def test_mailboxes(address: str) -> None:
    assert is_found(address, "email")


@pytest.mark.parametrize(
    "text",
    ["jo@mail", "jo@example.com", "jo@www.example.org", "jo@host.test", "jo@a.invalid", "icon@2x.png", "react@19.0.0", "git@mail.org:a/b",
     "jo.@mail.org", "@mail.org", "jo@-mail.org", "jo@mail.o", "jo@mail.org_", "a" * 65 + "@mail.org", "return this@Outer.field"],
)  # fmt: skip
def test_what_is_no_mailbox(text: str) -> None:
    assert is_left(text)


def test_what_stands_around_a_mailbox_stays() -> None:
    assert edited("Ask jo@mail.org. Or (ann@mail.org), <bob@mail.org>…") == (
        "Ask |||EMAIL_ADDRESS|||. Or (|||EMAIL_ADDRESS|||), <|||EMAIL_ADDRESS|||>…"
    )
    assert edited("メールはjo@mail.jpまで") == "メールは|||EMAIL_ADDRESS|||まで"
    assert edited("..jo@mail.org-- a..b@mail.org") == "..|||EMAIL_ADDRESS|||-- a..|||EMAIL_ADDRESS|||"


@pytest.mark.parametrize("address", ["93.184.216.34", "172.32.0.1", "100.128.0.1", "198.20.0.1", "223.255.255.255",
"2a00:1450:4001:81b::200e",
                                     "2606:4700:0:0:0:0:6810:84e5", "2001:4860:4860::8888", "2001:200::1", "3fff:1000::1"])  # fmt: skip
def test_public_addresses(address: str) -> None:
    assert is_found(address, "ip")


@pytest.mark.parametrize(
    "text",
    ["0.93.0.34", "10.93.0.34", "127.0.0.55", "169.254.93.1", "172.31.93.1", "192.168.93.1", "100.64.0.77", "192.0.2.44", "198.51.100.44",
     "203.0.113.44", "198.19.255.99", "224.0.0.99", "255.255.255.255", "93.184.216", "93.184.216.256", "93.184.216.034", "93.184.216.34.1",
     "1.93.184.216.34", "v93.184.216.34", "version 93.184.216.34", "Ver. 93.184.216.34", "93.184.216.34-beta", "93.184.216.34.tar",
     "31.31.31.31",
     "2001:db8::1", "fe80::1", "fc00::1", "::1", "2001:1ff::1", "3fff:fff::1", "2a00:1450:4001:81b:1:2:3", "2a00::1::2", "2a00::",
     "2024:01:02"],
)  # fmt: skip
def test_what_is_no_public_address(text: str) -> None:
    assert is_left(text)


@given(
    st.integers(0, 2**32 - 1)
    | st.sampled_from([100 << 24 | 64 << 16, 192 << 24, 198 << 24 | 18 << 16, 172 << 24 | 16 << 16]).map(lambda n: n | 99)
)
def test_addresses_are_public_where_the_standard_library_says_so(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    closed = address.is_multicast or address in ipaddress.ip_network("192.0.0.0/24")
    small = all(part < 32 for part in address.packed)
    assert is_found(str(address), "ip") == (address.is_global and not closed and not small)


@pytest.mark.parametrize(
    "number",
    ["+44 20 7946 0958", "+442079460958", "+49 (0)30 1234567", "+7(495)609-44-44", "+33 1 23 45 67 89", "+376 123456", "+1 415 555 2671",
     "+14155552671", "+1 (415) 555-2671", "(415) 555-2671", "(415)555-2671", "415-555-2671", "415.555.2671", "1-415-555-2671",
     "1 (415) 555-2671"],
)  # fmt: skip
def test_telephone_numbers(number: str) -> None:
    assert is_found(number, "phone")


@pytest.mark.parametrize(
    "text",
    ["+44 20 794", "+0 123 456 789", "+210 123 456 789", "+44 0020 7946 0958", "+1 115 555 2671", "+2024-05-01 10:20", "+40.7127837",
     "x+442079460958",
     "115-555-2671", "411-555-2671", "415-911-2671", "415-555-0123", "415-555.2671", "415-555-26711", "415-555-2671-3", "0-415-555-2671",
     "4155552671", "415 555 2671", "2021-05-01", "978-0-306-40615-7", "3.1415926535", "$415.555.2671"],
)  # fmt: skip
def test_what_is_no_telephone_number(text: str) -> None:
    assert is_left(text)


@pytest.mark.parametrize(
    "number",
    ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "4222222222222", "378282246310005", "3782 822463 10005",
     "5555555555554444",
     "2223000048400011", "30569309025904", "3056 930902 5904", "6011000990139424", "3530111333300000", "6200000000000005",
     "6250000000000000005"],
)  # fmt: skip
def test_cards(number: str) -> None:
    assert is_found(number, "card")


@pytest.mark.parametrize(
    "text",
    ["4111111111111112", "4111 1111-1111 1111", "411111111111111", "14111111111111111", "0.4111111111111111", "4111111111111111.5",
     "a4111111111111111", "4111111111111111f", "0000000000000000", "2720990000000007", "2721000000000004", "1111 4111 1111 1111 1111",
     "4111 1111 1111 1111 1111", "00-4111111111111111", "$4111111111111111"],
)  # fmt: skip
def test_what_is_no_card(text: str) -> None:
    assert is_left(text) == (text != "2720990000000007")


@pytest.mark.parametrize("number", ["GB82WEST12345698765432", "GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO93 8601 1117 947",
                                    "MT84MALT011000012345MTLCAST001S"])  # fmt: skip
def test_ibans(number: str) -> None:
    assert is_found(number, "iban")


@pytest.mark.parametrize("text", ["GB82WEST12345698765433", "GB82WEST1234569876543", "GB82 WEST1234 5698 7654 32", "ZZ82WEST12345698765432",
                                  "gb82west12345698765432", "GB82WEST12345698765432A", "AGB82WEST12345698765432"])  # fmt: skip
def test_what_is_no_iban(text: str) -> None:
    assert is_left(text)


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJ"


@pytest.mark.parametrize(
    "key",
    ["AKIAQWERTYUIOPASDF12", "ASIAQWERTYUIOPASDF12",
     "AIza" + "Sy0-_" * 7, "ghp_" + "aB3" * 12, "ghs_" + "aB3" * 12, "github_pat_" + "1a_" * 8,
     "sk_live_" + "4eC39HqL" * 2, "rk_live_" + "4eC39HqL" * 2, "sk-" + "a1B2c3D4e5" * 2, "xoxb-123456789012-abc", JWT],
)  # fmt: skip
def test_keys(key: str) -> None:
    assert is_found(key, "api_key")


@pytest.mark.parametrize(
    "text",
    ["AKIAIOSFODNN7EXAMPLE", "AKIAQWERTYUIOPASDF1", "AKIAQWERTYUIOPASDF123",
     "AIza" + "Sy0-_" * 6, "ghp_" + "aB3" * 11, "sk_test_" + "4eC39HqL" * 2,
     "sk-circle-fade-dot-delay-one", "risk-a1B2c3D4e5a1B2c3D4e5", "xoxb-your-token-goes-here", JWT[:50], "the key is AKIA"],
)  # fmt: skip
def test_what_is_no_key(text: str) -> None:
    assert is_left(text)


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ('api_key = "', "a8f5f167f44f4964e6c9", '"'),
        ("'client-secret': '", "a8f5f167f44f4964e6c9", "'"),
        ("AWS_SECRET_ACCESS_KEY: `", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY2x3z4q5r6s", "`"),
        ('authToken := "', "a8f5f167f44f4964e6c9", '"'),
        ("access_token => '", "a8f5f167f44f4964e6c9", "'"),
    ],
)
def test_values_given_to_the_name_of_a_secret(before: str, value: str, after: str) -> None:
    assert edited(before + value + after) == f"{before}|||API_KEY|||{after}"
    assert edited(before + value[:19] + after) == before + value[:19] + after
    assert edited(before + "your_key_goes_here_please" + after) == before + "your_key_goes_here_please" + after
    assert edited("colour = '" + value + "'") == "colour = '" + value + "'"


BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw"


@pytest.mark.parametrize("name", ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
def test_private_keys_go_to_their_end_line(name: str) -> None:
    block = f"-----BEGIN {name}-----\n{BODY}\nAB==\n-----END {name}-----"
    assert edited(f"a {block} b") == "a |||PRIVATE_KEY||| b"
    assert edited('"' + block.replace("\n", "\\n") + '"') == '"|||PRIVATE_KEY|||"'


def test_private_keys_without_an_end_go_as_far_as_their_lines_do() -> None:
    assert edited(f"-----BEGIN PRIVATE KEY-----\n{BODY}\n{BODY}\n\nand so on") == "|||PRIVATE_KEY|||\n\nand so on"
    for text in ("-----BEGIN PRIVATE KEY----- is how they begin.", f"-----BEGIN PUBLIC KEY-----\n{BODY}\n-----END PUBLIC KEY-----"):
        assert edited(text) == text


def test_documents_over_the_limit_go_and_edits_of_the_others_are_counted() -> None:
    texts = ("jo@mail.org " * 5, "jo@mail.org " * 5 + "415-555-2671", "nothing")
    found = searched(*texts)
    assert found.reasons.to_pylist() == [None, "pii:many_spans", None]
    assert found.signals["spans"].to_pylist() == [5, 6, 0]
    assert (found.signals["email"].to_pylist(), found.signals["phone"].to_pylist()) == ([5, 5, 0], [0, 1, 0])
    assert {kind: number for kind, number in found.edits.items() if number} == {"email": 5}
    assert searched(*texts, max_spans=None).reasons.to_pylist() == [None, None, None]
    assert searched(*texts, max_spans=0).reasons.to_pylist() == ["pii:many_spans", "pii:many_spans", None]


def test_only_the_kinds_asked_for_are_looked_for() -> None:
    text = "jo@mail.org or 415-555-2671"
    assert edited(text, kinds=["phone"]) == "jo@mail.org or |||PHONE_NUMBER|||"
    assert set(searched(text, kinds=["phone"]).signals) == {"spans", "phone"}
    assert edited(text, kinds=[]) == text


def test_placeholders_are_the_callers() -> None:
    assert edited("jo@mail.org or 415-555-2671", placeholders={"email": "<mail>"}) == "<mail> or |||PHONE_NUMBER|||"
    for wrong in ("mail", "", "|", "<mail", "<jo@mail.org>"):
        with pytest.raises(ValueError, match="placeholder of email"):
            searched("a", placeholders={"email": wrong})
        ((key, message),) = bind("filter", "pii", {"placeholders": {"email": wrong}})[1]
        assert (key, message.startswith("filter 'pii': the placeholder of email")) == ("", True)


def test_the_defaults_are_left_alone_by_a_second_run() -> None:
    text = " ".join(PLACEHOLDERS.values())
    assert edited(text) == text


def test_no_documents() -> None:
    found = searched()
    assert (len(found.reasons), len(found.text or [])) == (0, 0)


def test_rejects_show_nothing_that_was_replaced(tmp_path: Path) -> None:
    """Not of the documents that `pii` drops, nor of those that a later step does."""
    crowd = "Write to " + ", ".join(f"nr{number}@mail.org" for number in range(7))
    rows = [{"id": document_id("web", text), "text": text, "source": "web"} for text in (crowd, "Only jo@mail.org knows.")]
    folder = Folder(str(tmp_path)).sub("extract")
    with folder.parquet("web-00000.docs.parquet", DOC) as sink:
        sink.write(pa.RecordBatch.from_pylist(rows, schema=DOC))
    done = TaskResult("web-00000", (sink.entry(),), Report()).to_json()
    inputs = {"extract": Committed(folder, {"stage": "extract-web", "tasks": [done], "fingerprint": "extract"})}
    steps = [{"name": "pii"}, {"name": "length", "args": {"min_words": 50}}]
    stage = LocalStage(Folder(str(tmp_path / "out"))).run("filter", inputs, steps=steps)
    rejects = [row for entry in stage.files("rejects") for row in stage.folder.table(entry.name).to_pylist()]
    assert [row["reason"] for row in rejects] == ["pii:many_spans", "length:few_words"]
    assert rejects[0]["excerpt"] == "Write to " + ", ".join(["|||EMAIL_ADDRESS|||"] * 7)
    assert rejects[1]["excerpt"] == "Only |||EMAIL_ADDRESS||| knows."
    assert json.loads(rejects[0]["signals"])["pii.email"] == 7
    assert "@" not in json.dumps(rejects)


def with_url(url: str | None, text: str = "plain") -> Verdicts:
    return pii(pa.RecordBatch.from_pylist([{"id": "0", "text": text, "source": "web", "url": url}], schema=DOC))


@pytest.mark.parametrize("address", ["jane@mail.org", "jane%40mail.org"])
def test_an_address_in_a_url_is_replaced_and_pages_stay_apart(address: str) -> None:
    found = [with_url(f"https://a.org/p?mail={address}&page={page}").facts["url"][0].as_py() for page in (1, 2)]
    assert all(url.startswith("https://a.org/p?mail=|||EMAIL_ADDRESS|||&page=") for url in found)
    other = with_url("https://a.org/p?mail=john@mail.org&page=1").facts["url"][0].as_py()
    assert len({*found, other}) == 3
    assert other.rpartition("|||")[0][:-6] == found[0].rpartition("|||")[0][:-6]


@pytest.mark.parametrize("url", [None, "", "https://a.org/415-555-2671", "http://93.184.216.34/x", "https://a.org/user@2x.png"])
def test_other_urls_stay_as_they_are(url: str | None) -> None:
    assert with_url(url).facts["url"].to_pylist() == [None]


def test_a_dropped_pages_url_holds_none_either(tmp_path: Path) -> None:
    url = "https://a.org/?key=AKIAQWERTYUIOPASDFGH&mail=jane@mail.org"
    text = " ".join(f"writer{n}@mail.org" for n in range(9))
    folder = Folder(str(tmp_path)).sub("extract")
    with folder.parquet("web-00000.docs.parquet", DOC) as sink:
        sink.write(pa.RecordBatch.from_pylist([{"id": document_id("web", "x"), "text": text, "source": "web", "url": url}], schema=DOC))
    docs = Committed(
        folder, {"stage": "extract", "fingerprint": "x", "tasks": [TaskResult("web-00000", (sink.entry(),), Report()).to_json()]}
    )
    done = LocalStage(Folder(str(tmp_path / "out"))).run("filter", {"extract": docs}, steps=[{"name": "pii", "args": {}}])
    (reject,) = done.folder.table("web-00000.rejects.parquet").to_pylist()
    assert "jane" not in reject["url"]
    assert "QWERTY" not in reject["url"]
