# SPDX-License-Identifier: MIT
"""The catalog's databases change while weir polls: what is not concerned does not notice.

The plant of test_live_change.py; the device that comes, changes and goes stands in a database that is edited as any other program would.
"""

import json
import shutil
import sqlite3
import subprocess
import time

import pytest

from conftest import BINARY, scaled, wait_until
import pgserver
from test_live_change import (SERVERS, UNITS, assert_memory_returns, assert_no_slot_missed, committed, configuration,
                              plant, start_watched)  # noqa: F401 (plant: a fixture)

LIVES = scaled(2, 100)  # five changes each

SCHEMA = """
CREATE TABLE connection (id INTEGER PRIMARY KEY, name TEXT UNIQUE, uri TEXT);
CREATE TABLE device (id INTEGER PRIMARY KEY, name TEXT UNIQUE, connection TEXT, unit_id TEXT, interval TEXT, enabled INTEGER);
CREATE TABLE point (id INTEGER PRIMARY KEY, device TEXT REFERENCES device (name) ON UPDATE CASCADE ON DELETE CASCADE, name TEXT,
  register TEXT, address TEXT, type TEXT);
"""


class Sqlite:
    """A file that others own, or config.db."""

    def __init__(self, path):
        self.path = path

    def run(self, sql):
        db = sqlite3.connect(self.path, timeout=20)
        db.executescript("PRAGMA foreign_keys = ON; BEGIN IMMEDIATE;" + sql + ";COMMIT")
        db.close()

    def close(self):
        pass


class Postgres:
    def __init__(self):
        self.server = pgserver.PgServer()

    def run(self, sql):
        self.server.sql("BEGIN;" + sql + ";COMMIT")

    def close(self):
        self.server.remove()


def point_rows(life, first, last):
    rows = ",".join(f"({1000 * life + i + 1}, 'x{life}', 'p{i:02}', 'holding', '{i}', 'uint16')" for i in range(first, last))
    return f"INSERT INTO point (id, device, name, register, address, type) VALUES {rows}"


def steps(life):
    device = f"({life + 1}, 'x{life}', 'c{life % SERVERS:02}', '20', '200ms', 1)"
    yield ("1 added, 0 changed, 0 removed", "INSERT INTO device (id, name, connection, unit_id, interval, enabled) VALUES "
           + device + ";" + point_rows(life, 0, 10))
    yield "0 added, 1 changed, 0 removed", point_rows(life, 10, 20)
    yield "0 added, 1 changed, 0 removed", f"UPDATE device SET name = 'y{life}' WHERE name = 'x{life}'"
    yield "0 added, 1 changed, 0 removed", f"UPDATE device SET enabled = 0 WHERE name = 'y{life}'"
    yield "0 added, 0 changed, 1 removed", f"DELETE FROM device WHERE name = 'y{life}'"


@pytest.mark.alone
@pytest.mark.parametrize("kind", ["config.db", "sqlite", "postgresql"])
def test_changes_in_a_database_disturb_nobody(weir, plant, tmp_path, kind):  # noqa: F811
    if kind == "postgresql" and (pgserver.programs() is None or not shutil.which("psql")):
        pytest.skip("PostgreSQL is not installed")
    text, data = configuration(plant), tmp_path / "data"
    text["reload_interval"] = "500ms"
    database = Postgres() if kind == "postgresql" else Sqlite(tmp_path / "plant.db" if kind == "sqlite" else data / "config.db")
    try:
        if kind == "sqlite":
            text["catalog"] = [{"url": f"sqlite:{tmp_path}/plant.db"}]
        elif kind == "postgresql":
            text["catalog"] = [{"url": f"postgresql://postgres@127.0.0.1:{database.server.port}/postgres"}]
        config = weir.write_config(text)
        if kind == "config.db":
            for command in (["connection", "add", "own", "--uri", "tcp://127.0.0.1:1"], ["connection", "remove", "own"]):
                subprocess.run([BINARY, *command, "-c", str(config), "--data-dir", str(data)], check=True, env=weir.environment)
        else:
            database.run(SCHEMA)
        change_all(weir, plant, database, config, data)
    finally:
        database.close()


def summaries(daemon):
    """What was applied or refused so far; also an event each, which costs a process to ask for."""
    return [line for line in daemon.log().splitlines() if " config text=" in line]


def change_all(weir, plant, database, config, data):  # noqa: F811
    daemon, heap = start_watched(weir, config.parent, config, data)
    daemon.wait_ready()
    wait_until("all are read", lambda: len(plant.requests) == SERVERS * UNITS, 30)
    daemon.wait_sql("SELECT 1 FROM samples WHERE ts > (SELECT min(ts) FROM samples) + 2000000 LIMIT 1", 30)
    since, accepted = committed(daemon) - 1000000, list(plant.accepted)
    late = []
    for life in range(LIVES):
        for expected, sql in steps(life):
            n = len(summaries(daemon))
            database.run(sql)
            began = time.monotonic()
            wait_until(f"{expected} by {sql[:40]}", lambda n=n: len(summaries(daemon)) > n, 10)
            assert expected in summaries(daemon)[-1]
            late.append(time.monotonic() - began)
            time.sleep(0.2)
        if life == 0:
            warm = heap.is_known and heap.allocated()
    print(f"{len(late)} changes, in force after {sorted(late)[len(late) // 2]:.2f} s, at most {max(late):.2f} s")
    # Nonsense changes nothing, and is told with its row.
    n = len(summaries(daemon))
    database.run("INSERT INTO device (id, name, connection, unit_id) VALUES (999, 'z', 'nowhere', '300');"
                 "INSERT INTO point (id, device, name, register, address, type) VALUES (99999, 'z', 'p', 'holding', '0', 'uint16')")
    wait_until("it is refused", lambda: len(summaries(daemon)) > n, 10)
    assert "table device, column" in summaries(daemon)[-1] and "row 999" in summaries(daemon)[-1]
    last = int(time.time() * 1000000)
    wait_until("the last is committed", lambda: committed(daemon) > last, 30)
    assert plant.accepted == accepted
    assert [d for d in daemon.status()["devices"] if d["overruns"] or d["timeouts"]] == []
    assert_no_slot_missed(daemon, since)
    assert_memory_returns(heap, warm)
    rows = daemon.sql("SELECT count(*) AS n FROM samples WHERE tag = 'y0/p00'")
    assert rows[0]["n"] >= 2  # the renamed one has what it sampled before
    assert daemon.sql("SELECT 1 FROM samples WHERE tag GLOB 'x[0-9]*' LIMIT 1") == []
    daemon.stop()


def test_a_device_added_by_command_is_read_within_seconds(weir, plant, tmp_path):  # noqa: F811
    text = configuration(plant)
    text["devices"] = text["devices"][:1]
    config, data = weir.write_config(text), tmp_path / "data"
    daemon = weir.start(config, data)
    at = ["-c", str(config), "--data-dir", str(data)]
    subprocess.run([BINARY, "device", "add", "m07", "--connection", "c01", "--unit-id", "7", "--interval", "200ms", *at],
                   check=True, env=weir.environment)
    subprocess.run([BINARY, "tag", "add", "m07/p", "--register", "holding", "--address", "5", "--type", "uint16", *at],
                   check=True, env=weir.environment)
    wait_until("it is read", lambda: daemon.sql("SELECT value FROM samples WHERE tag = 'm07/p' AND value = 1797"), 15)
    daemon.stop()
    assert json.loads(subprocess.run([BINARY, "device", "show", "m07", "--format", "json", *at], check=True, env=weir.environment,
                                     capture_output=True, text=True).stdout)[0]["tags"] == 1
