"""`tokenmill diff`: two packed datasets side by side."""

from __future__ import annotations

from dataclasses import asdict

from pipeline.cli.output import print_json, print_line, print_table
from pipeline.shards import compare
from pipeline.shards.read import Dataset


def show_differences(left: Dataset, right: Dataset, as_json: bool) -> bool:
    """Print what differs; true when nothing does. Equal digests mean equal bytes, as far as each manifest is right."""
    facts = compare.facts(left, right)
    same = left.manifest.digest == right.manifest.digest
    documents = [] if same else compare.documents(left, right)
    if as_json:
        listed = [{**asdict(fact), "same": fact.same} for fact in facts]
        print_json({"same": same, "facts": listed, "documents": [asdict(row) for row in documents]})
        return same
    print_line(f"left   {left.folder.url}")
    print_line(f"right  {right.folder.url}")
    if same:
        print_line(f"the same bytes, by their manifests: digest {left.manifest.digest}; `tokenmill verify` reads them")
        return True
    print_table("what differs", ("", "left", "right"), [(fact.name, fact.left, fact.right) for fact in facts if not fact.same])
    columns = ("source", "only left", "only right", "in both", "with other tokens")
    rows = [(row.source, row.only_left, row.only_right, row.same, row.other_tokens) for row in documents]
    print_table("documents", columns, rows)
    return False
