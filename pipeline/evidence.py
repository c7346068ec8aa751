"""What was measured of a document, beside what it was held to: the numbers that an explanation and a sample of rejects show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.job import PartFile
from pipeline.runfiles import RunFiles
from pipeline.schema import DOC, bounds_on

#: What the column `value` of a stage's decisions is.
VALUE = {"dedupe": "jaccard", "lines": "left", "passages": "left", "quality": "score"}


class Number(NamedTuple):
    """What one signal ("gopher_quality.words") was, the bounds on it as (rule, op, value), and whether one of them decided."""

    signal: str
    value: Any
    bounds: tuple[tuple[str, str, float | str], ...] = ()
    decided: bool = False

    def to_json(self) -> dict[str, Any]:
        bounds = [{"rule": rule, "op": op, "value": value} for rule, op, value in self.bounds]
        return {"signal": self.signal, "value": self.value, "bounds": bounds, "decided": self.decided}


def kept_numbers(row: Mapping[str, Any], schema: pa.Schema) -> tuple[Number, ...]:
    """What the filters measured of a row of a docs file, step after step, as the file's schema has them."""
    return _in_order({name: value for name, value in row.items() if name not in DOC.names}, schema)


def rejected_numbers(row: Mapping[str, Any], schema: pa.Schema) -> tuple[Number, ...]:
    """What the filters measured of a REJECT row; `schema` is that of the docs file of its part."""
    step, rule = row["step"], row["reason"].partition(":")[2]
    found = _in_order(json.loads(row["signals"] or "{}"), schema)
    return tuple(
        number._replace(decided=number.signal.startswith(f"{step}.") and rule in (bound[0] for bound in number.bounds)) for number in found
    )


def encoding_numbers(row: Mapping[str, Any]) -> tuple[Number, ...]:
    """What tokenize says of a conversation that it drops."""
    return tuple(Number(signal, value) for signal, value in json.loads(row["signals"] or "{}").items())


def decision_numbers(row: Mapping[str, Any], schema: pa.Schema, stage: str) -> tuple[Number, ...]:
    """What a stage compared for a DECISION row; none where there was nothing to compare."""
    if row["value"] is None:
        return ()
    bounds = tuple(bounds_on(schema.field("value")))
    return (Number(f"{stage}.{VALUE[stage]}", row["value"], bounds, decided=row["reason"] is not None),)


def _in_order(values: Mapping[str, Any], schema: pa.Schema) -> tuple[Number, ...]:
    """The values that there are, in the schema's order, with the bounds that it says."""
    return tuple(Number(field.name, values[field.name], tuple(bounds_on(field))) for field in schema if values.get(field.name) is not None)


def part_file(run: RunFiles, stage: str, kind: str, part: str) -> PartFile | None:
    """The file of a kind that a stage left of one part, if it did."""
    return next((file for file in run.files(stage, kind) if file.part == part), None)
