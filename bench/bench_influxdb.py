# SPDX-License-Identifier: MIT
"""The sink influxdb beside a bare poster of the same lines, to a real InfluxDB 1.x with its stock settings."""

import os
import pathlib
import sys

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import influxserver  # noqa: E402

INFLUXDB_MIN = 0.8  # of the bare poster: the limit of the project's delivery milestone
ROWS, TAGS, BATCH = 1_000_000, 1000, 5000


class Influx(influxserver.Influx):
    """Each run gets a database of its own, dropped afterwards."""

    def __init__(self, folder):
        super().__init__(folder)
        self.n = 0

    def run(self, measure):
        """Seconds, with a fresh database that afterwards has all rows."""
        self.n += 1
        name = f"run{self.n}"
        self.query(f"CREATE DATABASE {name}", "")
        seconds = measure(name)
        count = self.query("SELECT count(value) FROM weir", name)[0]["count"]
        assert count == ROWS, count
        self.query(f"DROP DATABASE {name}", "")
        return seconds


def bench_influxdb(bench, verdict):
    influx = Influx(pathlib.Path(bench.fresh_folder()))
    try:
        for gzip, what in ((1, "gzip"), (0, "plain")):
            def bare(name, gzip=gzip):
                return bench.reference("ref-influxdb", influx.port, name, ROWS, BATCH, TAGS, gzip)["seconds"]

            def sink(name, gzip=gzip):
                order = {"n": ROWS, "tags": TAGS, "from": 1_700_000_000_000_000, "batch": BATCH}
                return bench.sink("influxdb", order, url=influx.url, database=name,
                                  gzip="true" if gzip else "false")

            ratio = bench.compare(f"influxdb, {what}", "poster", ROWS, lambda: influx.run(bare), lambda: influx.run(sink))
            verdict.expect_least(f"influxdb / bare poster, {what}", ratio, INFLUXDB_MIN)
    finally:
        influx.kill()
