# SPDX-License-Identifier: MIT
"""The sink influxdb beside a bare poster of the same lines, to a real InfluxDB 1.x with its stock settings."""

import json
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request

INFLUXDB_MIN = 0.8  # of the bare poster: the limit of the project's delivery milestone
ROWS, TAGS, BATCH = 1_000_000, 1000, 5000

CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Influx:
    """influxd; each run gets a database of its own, dropped afterwards."""

    def __init__(self, folder):
        self.port, self.n = free_port(), 0
        path = os.path.join(folder, "influxdb.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(rpc=free_port(), port=self.port, folder=folder))
        self.process = subprocess.Popen(["influxd", "-config", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        self.wait_ready(time.monotonic() + 60)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def wait_ready(self, end):
        while True:
            try:
                self.query("SHOW DATABASES")
                return
            except OSError:
                assert time.monotonic() < end, "influxd does not answer"
                time.sleep(0.1)

    def query(self, statement):
        body = urllib.parse.urlencode({"q": statement}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/query", body, timeout=60) as reply:
            return json.loads(reply.read())

    def run(self, measure):
        """Seconds, with a fresh database that afterwards has all rows."""
        self.n += 1
        name = f"run{self.n}"
        self.query(f"CREATE DATABASE {name}")
        seconds = measure(name)
        count = self.query(f"SELECT count(value) FROM {name}..weir")["results"][0]["series"][0]["values"][0][1]
        assert count == ROWS, count
        self.query(f"DROP DATABASE {name}")
        return seconds


def bench_influxdb(bench, verdict):
    with Influx(bench.fresh_folder()) as influx:
        for gzip, what in ((1, "gzip"), (0, "plain")):
            def bare(name, gzip=gzip):
                return bench.reference("ref-influxdb", influx.port, name, ROWS, BATCH, TAGS, gzip)["seconds"]

            def sink(name, gzip=gzip):
                order = {"n": ROWS, "tags": TAGS, "from": 1_700_000_000_000_000, "batch": BATCH}
                return bench.sink("influxdb", order, url=f"http://127.0.0.1:{influx.port}", database=name,
                                  gzip="true" if gzip else "false")

            ratio = bench.compare(f"influxdb, {what}", "poster", ROWS, lambda: influx.run(bare), lambda: influx.run(sink))
            verdict.expect_least(f"influxdb / bare poster, {what}", ratio, INFLUXDB_MIN)
