# SPDX-License-Identifier: MIT
"""The sink postgres beside a bare loop of binary COPY into the same keyed table, same batches, fsync on."""

import os
import sys

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from pgserver import PgServer  # noqa: E402

POSTGRES_MIN = 0.8  # of the bare loop: the limit of the project's delivery milestone
ROWS, TAGS, BATCH = 500_000, 1000, 10_000
FROM_US, STEP_US = 1_700_000_000_000_000, 1_000_000
SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "checkpoint_timeout": "1h", "autovacuum": "off"}


def bench_postgres(bench, verdict):
    server = PgServer(SETTINGS)

    def emptied(measure):
        """Seconds, into a table that is empty before and has all rows afterwards."""
        server.sql("TRUNCATE weir_samples")
        server.sql("CHECKPOINT")
        seconds = measure()
        assert server.sql("SELECT count(*) FROM weir_samples") == [[str(ROWS)]]
        return seconds

    def sink(rows=ROWS):
        order = {"n": rows, "tags": TAGS, "from": FROM_US, "step": STEP_US, "batch": BATCH}
        return bench.sink("postgres", order, url=server.conninfo())

    def bare():
        return bench.reference("ref-pgcopy", server.conninfo(), ROWS, TAGS, BATCH, FROM_US)["seconds"]

    try:
        sink(BATCH)  # makes the tables
        ratio = bench.compare("postgres", "binary COPY", ROWS, lambda: emptied(bare), lambda: emptied(sink))
    finally:
        server.remove()
    verdict.expect_least("postgres / bare binary COPY", ratio, POSTGRES_MIN)
