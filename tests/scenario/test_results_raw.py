# SPDX-License-Identifier: MIT
"""ModbusDataLogger's own file as catalog and sink at once: RequestedData is obeyed live, ResultsRaw gets what the original would write."""

import json
import sqlite3
import struct
import time

import pytest

from conftest import wait_until

# The original's CREATE statements.
SCHEMA = """
CREATE TABLE RequestedData (paramID INTEGER UNIQUE PRIMARY KEY NOT NULL, required INTEGER NOT NULL CHECK (required == 0 OR required == 1),
  host TEXT NOT NULL, port INTEGER NOT NULL CHECK (port >= 1 AND port <= 65535), period INTEGER NOT NULL CHECK (period > 0),
  address INTEGER NOT NULL CHECK (address >= 1 AND address <= 247), function INTEGER NOT NULL CHECK (function >= 1 AND function <= 255),
  register INTEGER NOT NULL CHECK (register >= 0 AND register <= 65535), count INTEGER NOT NULL CHECK (count >= 1 AND count <= 126),
  comment TEXT, UNIQUE (host, port, period, address, function, register, count));
CREATE TABLE ResultsRaw (paramID INTEGER NOT NULL, timestamp INTEGER NOT NULL CHECK (timestamp >= 0), rawresult BLOB,
  FOREIGN KEY (paramID) REFERENCES RequestedData (paramID) ON DELETE CASCADE ON UPDATE CASCADE, UNIQUE (paramID, timestamp));
CREATE UNIQUE INDEX ResultIdx ON ResultsRaw (paramID ASC, timestamp ASC);
"""
TABLES = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
EDIT_MAX = 0.5  # seconds; a commit of weir's is some ms, with the disk of a busy machine


class File:
    """Logging.db, in an editor that obeys foreign keys."""

    def __init__(self, path):
        self.path = path
        self.longest = 0.0

    def read(self, sql, *values):
        with sqlite3.connect(self.path, timeout=20) as db:
            return db.execute(sql, values).fetchall()

    def edit(self, sql, *values):
        db = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        db.execute("PRAGMA foreign_keys = ON")
        began = time.monotonic()
        db.execute(sql, values)
        self.longest = max(self.longest, time.monotonic() - began)
        db.close()

    def request(self, parameter, port, unit, function, register, count, period=1, required=1):
        self.edit("INSERT INTO RequestedData VALUES (?, ?, '127.0.0.1', ?, ?, ?, ?, ?, ?, NULL)",
                  parameter, required, port, period, unit, function, register, count)

    def results(self, parameter, after=0):
        return self.read("SELECT timestamp, rawresult FROM ResultsRaw WHERE paramID = ? AND timestamp > ? ORDER BY timestamp",
                         parameter, after)

    def wait_results(self, parameter, n=2, after=0):
        return wait_until(f"{n} results of {parameter} after {after}",
                          lambda: self.results(parameter, after)[n - 1:] and self.results(parameter, after), 20)


@pytest.fixture
def units(dice):
    """What two units hold."""
    return {unit: {name: [dice.randrange(2 if name in ("coil", "discrete") else 65536) for _ in range(300)]
                   for name in TABLES.values()} for unit in (1, 7)}


@pytest.fixture
def logging_db(tmp_path):
    path = tmp_path / "Logging.db"
    with sqlite3.connect(path) as db:
        db.executescript(SCHEMA)
    return File(path)


@pytest.fixture
def configuration(weir, tmp_path):
    return weir.write_config({"catalog": [{"url": f"sqlite:{tmp_path}/Logging.db", "layout": "requested_data"}],
                              "sinks": [{"name": "results", "type": "sqlite", "path": str(tmp_path / "Logging.db"),
                                         "layout": "results_raw"}]})


def words(units, unit, function, register, count):
    """As the original packs what its library read: each register, and each bit, as a word."""
    return struct.pack(f">{count}H", *units[unit][TABLES[function]][register:register + count])


def slots(daemon, parameter):
    """At which times the store has a value of a request."""
    rows = daemon.sql(f"SELECT ts FROM samples WHERE tag LIKE '%/{parameter}' AND quality <> 'bad' ORDER BY ts")
    return [row["ts"] / 1000000 for row in rows]


def config_events(daemon):
    return [row["text"] for row in daemon.sql("SELECT text FROM events WHERE kind = 'config' ORDER BY ts")]


def test_results_are_what_the_server_holds_at_nominal_times(weir, peers, units, logging_db, configuration):
    port = peers.pymodbus(units).port
    requests = {1: (1, 1, 0, 1), 2: (1, 1, 5, 19), 3: (1, 2, 3, 126), 4: (7, 2, 8, 8), 5: (1, 3, 10, 10), 6: (1, 3, 15, 125),
                7: (7, 4, 0, 1), 8: (7, 4, 17, 100)}
    for parameter, request in requests.items():
        logging_db.request(parameter, port, *request, period=2 if parameter == 5 else 1)
    logging_db.request(20, port, 1, 3, 0, 2, period=366 * 86400)  # the extra read at the start is no result of it
    logging_db.request(21, port, 1, 3, 0, 3, required=0)
    old = [(1, 1500000000, b"\0\1"), (5, 1500000000, None)]
    taken = int(time.time()) + 5  # a result is there already where one of weir's would come
    for row in old + [(2, taken, b"mine")]:
        logging_db.edit("INSERT INTO ResultsRaw VALUES (?, ?, ?)", *row)
    daemon = weir.start(configuration)
    daemon.wait_sql("SELECT 1 FROM samples WHERE tag LIKE '%/20' AND quality = 'good'")
    logging_db.wait_results(2, 1, taken)
    logging_db.wait_results(5, 1, 1500000000)
    daemon.stop()
    for parameter, request in requests.items():
        rows = [row for row in logging_db.results(parameter) if row[0] != 1500000000 and row[1] != b"mine"]
        assert {blob for _, blob in rows} == {words(units, *request)}
        period = 2 if parameter == 5 else 1
        assert all(timestamp % period == 0 for timestamp, _ in rows)
        # Every value has its row, up to those that had no time any more.
        times = [timestamp for timestamp, _ in rows]
        assert times and times == [slot for slot in slots(daemon, parameter) if parameter != 2 or slot != taken][:len(times)]
    assert logging_db.results(20) == [] and logging_db.results(21) == []
    assert logging_db.results(2, taken - 1)[0] == (taken, b"mine")
    for row in old:
        assert row in logging_db.read("SELECT * FROM ResultsRaw")
    assert logging_db.read("PRAGMA integrity_check") == [("ok",)] and logging_db.read("PRAGMA foreign_key_check") == []


def test_requested_data_is_obeyed_live_and_the_sinks_own_writes_are_no_news(weir, peers, units, logging_db, configuration):
    port = peers.pymodbus(units).port
    for parameter, request in {1: (1, 3, 0, 4), 2: (1, 1, 0, 12), 3: (7, 4, 0, 2), 4: (7, 2, 0, 5)}.items():
        logging_db.request(parameter, port, *request)
    daemon = weir.start(configuration)
    for parameter in range(1, 5):
        logging_db.wait_results(parameter, 1)
    n_events, edits = len(config_events(daemon)), []

    def edit(sql, *values):
        edits.append(sql)
        logging_db.edit(sql, *values)
        wait_until(f"{sql} is seen", lambda: len(config_events(daemon)) == n_events + len(edits), 10)
        return int(time.time())

    # Another count.
    since = edit("UPDATE RequestedData SET count = 19, function = 2 WHERE paramID = 2")
    assert {blob for _, blob in logging_db.wait_results(2, 1, since)} == {words(units, 1, 2, 0, 19)}
    # Paused, and wanted again.
    since = edit("UPDATE RequestedData SET required = 0 WHERE paramID = 1")
    logging_db.wait_results(4, 2, since)
    assert logging_db.results(1, since) == []
    since = edit("UPDATE RequestedData SET required = 1 WHERE paramID = 1")
    assert {blob for _, blob in logging_db.wait_results(1, 1, since)} == {words(units, 1, 3, 0, 4)}
    # Another number: what was stored goes along, what comes is its.
    stored = logging_db.results(3)
    since = edit("UPDATE RequestedData SET paramID = 33 WHERE paramID = 3")
    logging_db.wait_results(33, 1, since)
    assert logging_db.results(3) == [] and logging_db.results(33)[:len(stored)] == stored
    # Gone: its results too, whatever is on its way.
    since = edit("DELETE FROM RequestedData WHERE paramID = 4")
    logging_db.wait_results(1, 2, since)
    assert logging_db.results(4) == []
    # One more.
    edits.append("INSERT")
    logging_db.request(5, port, 7, 1, 0, 16)
    assert {blob for _, blob in logging_db.wait_results(5, 1)} == {words(units, 7, 1, 0, 16)}
    # A comment is a description, and disturbs nothing.
    edit("UPDATE RequestedData SET comment = 'boiler' WHERE paramID = 5")
    # The sink wrote all the time, and that was no change; the editor never waited long for it.
    assert len(config_events(daemon)) == n_events + len(edits), config_events(daemon)
    assert logging_db.longest < EDIT_MAX
    assert [d for d in daemon.status()["devices"] if d["timeouts"]] == []
    labels = daemon.sql("SELECT tag, labels, description, address FROM tags WHERE tag LIKE '%/5'")
    assert [(json.loads(row["labels"]), row["description"]) for row in labels] == [({"paramID": "5"}, "boiler")]
    assert labels[0]["address"].startswith("coil 0-15 bytes on ")
    sinks = daemon.sql("SELECT state, quarantined FROM sinks")
    assert [(row["state"], row["quarantined"]) for row in sinks] == [("online", 0)]
    daemon.stop()
    assert logging_db.read("PRAGMA foreign_key_check") == []


def test_an_editor_that_holds_the_file_delays_results_and_loses_none(weir, peers, units, logging_db, configuration):
    port = peers.pymodbus(units).port
    logging_db.request(1, port, 1, 3, 0, 4)
    daemon = weir.start(configuration)
    logging_db.wait_results(1, 1)
    editor = sqlite3.connect(logging_db.path, isolation_level=None)
    editor.execute("BEGIN EXCLUSIVE")
    held = int(time.time())
    daemon.wait_sql(f"SELECT 1 FROM samples WHERE ts >= {(held + 4) * 1000000} LIMIT 1")
    editor.execute("UPDATE RequestedData SET comment = 'held'")
    editor.execute("COMMIT")
    editor.close()
    logging_db.wait_results(1, 1, held + 4)
    times = [timestamp for timestamp, _ in logging_db.results(1)]
    assert len([timestamp for timestamp in times if held <= timestamp <= held + 4]) > 1
    assert times == slots(daemon, 1)[:len(times)]
    wait_until("the comment is seen", lambda: daemon.sql("SELECT 1 FROM tags WHERE description = 'held'"), 10)
    daemon.stop()
