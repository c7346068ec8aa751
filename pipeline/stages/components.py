"""components: which documents hang together over all ranges of keys, so that one task can judge each lot."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.dedupe.duplicates import COMPONENTS, LINKS, Numbering
from pipeline.dedupe.keyed import write_sorted
from pipeline.job import Job
from pipeline.kernels.unionfind import flatten, link, linked
from pipeline.registry import stage
from pipeline.report import Report


@stage("components")
def components(job: Job) -> Report:
    """Join the forests of all ranges of keys by union-find.

    Links are streamed; memory is 8 bytes for every document of the corpus (8 GB for a billion), and some 40 for each that
    hangs together with another. Writes components.components, sorted by document.
    """
    parents = np.arange(Numbering.of(job.inputs).total)
    for file in job.inputs.files("candidates", "links"):
        for batch in file.batches(LINKS.names):
            link(parents, batch.column("document").to_numpy(), batch.column("hub").to_numpy())
    flatten(parents)
    found = linked(parents)
    write_sorted(job, "components", pa.table({"document": found, "component": parents[found]}, schema=COMPONENTS))
    return Report()
