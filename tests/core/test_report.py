"""Reports add up, merge in any order, and notice a document that was lost."""

from __future__ import annotations

import pytest

from pipeline.errors import StorageError
from pipeline.report import Report, merged


def sample() -> Report:
    report = Report()
    report.read["web"] = 10
    report.kept["web"] = 7
    report.drop("web", "short", 2)
    report.drop("web", "long")
    report.count("web", "bytes", 123)
    return report


def test_a_whole_report_passes() -> None:
    assert sample().check().kept["web"] == 7


@pytest.mark.parametrize("loss", [-1, 1])
def test_a_lost_or_doubled_document_is_an_error(loss: int) -> None:
    report = sample()
    report.kept["web"] += loss
    with pytest.raises(StorageError, match="unaccounted"):
        report.check()


def test_json_and_back() -> None:
    assert Report.from_json(sample().to_json()) == sample()


def test_merging_adds_up_in_any_order() -> None:
    other = Report()
    other.read["books"] = 3
    other.drop("books", "short", 3)
    assert merged([sample(), other]) == merged([other, sample()])
    assert merged([sample(), sample()]).dropped["web", "short"] == 4
