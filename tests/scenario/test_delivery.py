# SPDX-License-Identifier: MIT
"""Four sinks at once, real servers that die and a daemon that dies: what arrived is what was committed, by key, bit for bit."""

import struct
import time

import pytest

import influxserver
import pgserver
from arrived import check_arrived, committed, from_csv, from_influx, from_postgres, from_sqlite
from conftest import scaled, wait_until
from oracle import simdev_config, simdev_points

UNITS = 10
LIVE_S = 3.0  # a sink whose server is well is never later than that

needs_servers = pytest.mark.skipif(pgserver.programs() is None or not influxserver.is_installed(),
                                   reason="PostgreSQL or InfluxDB is not installed")


# --- the plant ------------------------------------------------------------------------------------


TEXT = 'a "quoted", \'line\'\n\\ ☀ \U0001f600'
WORDS = {  # point: type, bytes as they travel
    "f32": ("float32", struct.pack(">f", 0.1)),
    "f32-nan": ("float32", bytes.fromhex("7fc00001")),
    "f32-infinite": ("float32", bytes.fromhex("ff800000")),
    "f64": ("float64", struct.pack(">d", 0.1 + 0.2)),
    "f64-least": ("float64", struct.pack(">d", 5e-324)),
    "i64": ("int64", struct.pack(">q", -(2**63))),
    "u64": ("uint64", struct.pack(">Q", 2**64 - 1)),
    "decimal": ("int32", struct.pack(">i", -(2**31))),
    "text": ("string", TEXT.encode().ljust(40, b"\0")),
}


def special_points():
    """Values that some target cannot hold: what becomes of each is in docs/sinks.md."""
    points, words = [], []
    for name, (kind, data) in WORDS.items():
        points.append(dict({"scale": 0.01} if name == "decimal" else {}, name=name, register="holding", address=len(words), type=kind,
                           **({"length": len(data)} if kind == "string" else {})))
        words += [high << 8 | low for high, low in zip(data[::2], data[1::2])]
    return points, words


class Plant:
    def __init__(self, weir, peers, tmp_path):
        self.weir, self.tmp_path, self.device = weir, tmp_path, peers.simdev(f"1-{UNITS}")
        self.points, words = special_points()
        self.special = peers.pymodbus({"1": {"holding": words}})
        self.postgres = pgserver.PgServer({"fsync": "on"})
        self.influx = influxserver.Influx(tmp_path)
        self.postgres.sql("CREATE DATABASE plant")
        self.influx.query("CREATE DATABASE plant", "")
        self.daemon = None

    def config(self, polls=True):
        return {
            "store": {"max_loss": "200ms"},
            "connections": [{"name": "sim", "uri": f"tcp://127.0.0.1:{self.device.port}", "timeout": "1s", "enabled": polls},
                            {"name": "special", "uri": f"tcp://127.0.0.1:{self.special.port}", "enabled": polls}],
            "devices": [{"name": "u{unit_id}", "unit_id": f"1-{UNITS}", "connection": "sim", "interval": "100ms",
                         "points": simdev_points(scaled(10, 40))},
                        {"name": "s", "unit_id": 1, "connection": "special", "interval": "100ms", "points": self.points}],
            "sinks": [{"name": "files", "type": "csv", "path": str(self.tmp_path / "out.csv"),
                       "columns": ["ts", "tag", "value", "quality", "cause", "epoch"]},
                      {"name": "rows", "type": "sqlite", "path": str(self.tmp_path / "out.db")},
                      {"name": "office", "type": "postgres", "url": self.postgres.conninfo("plant")},
                      {"name": "charts", "type": "influxdb", "url": self.influx.url, "database": "plant"}],
        }

    def start(self, polls=True):
        self.daemon = self.weir.start(self.config(polls))
        return self.daemon

    def sinks(self):
        return {sink["name"]: sink for sink in (self.daemon.status() or {"sinks": []})["sinks"]}

    def wait_growth(self, n):
        """Until n more are committed; the two files keep up meanwhile, whoever is dead."""
        began = time.monotonic()
        goal = self.daemon.wait_committed()["committed_seq"] + n
        while self.daemon.status()["committed_seq"] < goal:
            late = {name: sink["oldest_unsent_s"] for name, sink in self.sinks().items() if name in ("files", "rows")}
            # A start reads what the last life had not sent yet.
            assert time.monotonic() - began < 5 or max(late.values(), default=0) <= LIVE_S, late
            time.sleep(0.1)

    def drain(self):
        """All that was committed is sent; nothing is polled any more."""
        self.daemon.stop(10)
        self.start(polls=False)
        wait_until("all sinks have everything", lambda: len(sinks := self.sinks()) == 4 and
                   all(sink["backlog"] == 0 for sink in sinks.values()), scaled(60, 300))

    def check(self):
        truth = committed(self.daemon)
        check_arrived("csv", *from_csv(self.tmp_path / "out.csv", truth), truth)
        check_arrived("sqlite", *from_sqlite(self.tmp_path / "out.db", truth), truth)
        check_arrived("postgres", *from_postgres(self.postgres, truth), truth)
        check_arrived("influxdb", *from_influx(self.influx, truth), truth)
        return truth

    def stop(self):
        self.postgres.remove()
        self.influx.kill()


@pytest.fixture
def plant(weir, peers, tmp_path):
    made = Plant(weir, peers, tmp_path)
    yield made
    if made.daemon:
        made.daemon.clean_up()
    made.stop()


@needs_servers
def test_what_was_committed_arrives_everywhere(plant):
    plant.start()
    plant.wait_growth(2000)
    plant.drain()
    kinds = {kind for kind, *_ in plant.check().values()}
    assert {"u64", "f32", "f64", "decimal", "i64", "string"} <= kinds


@needs_servers
@pytest.mark.alone
def test_servers_and_daemon_killed_under_load_lose_and_invent_nothing(plant, dice):
    plant.start()
    in_flight = scaled(1500, 100_000)
    for _ in range(scaled(1, 20)):
        plant.wait_growth(500)
        plant.postgres.kill()
        plant.wait_growth(in_flight)
        plant.daemon.kill()
        plant.daemon.process.wait(10)
        plant.start()
        plant.postgres.start()
        plant.wait_growth(dice.randrange(500))
        plant.influx.kill()
        plant.wait_growth(in_flight)
        plant.influx.start()
    plant.drain()
    plant.check()


def test_a_store_in_memory_feeds_sinks_too(weir, peers, tmp_path):
    path = tmp_path / "out.csv"
    config = simdev_config(peers.simdev().port, "1-3", simdev_points(4), "100ms")
    config["sinks"] = [{"name": "out", "type": "csv", "path": str(path)}]
    daemon = weir.start(config, "memory", False)
    wait_until("a hundred lines", lambda: path.exists() and path.read_text().count("\n") > 100)
    daemon.stop()
    lines = path.read_text().splitlines()
    assert len(lines) == len(set(lines)) and not (tmp_path / "memory").exists()
