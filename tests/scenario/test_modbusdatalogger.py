# SPDX-License-Identifier: MIT
"""examples/modbusdatalogger: `weir run -c config.cfg` in the place of ModbusDataLogger, against a pymodbus server."""

import configparser
import datetime
import json
import os
import re
import shutil
import signal
import sqlite3
import time

import pytest

from conftest import BINARY, ROOT, Daemon, scaled, wait_until

EXAMPLE = os.path.join(ROOT, "examples", "modbusdatalogger")

# As its first start makes it (predecessor's table of columns and constraints, with its index).
ORIGINAL = """
CREATE TABLE RequestedData (paramID INTEGER UNIQUE PRIMARY KEY NOT NULL, required INTEGER NOT NULL CHECK (required = 0 OR required = 1),
  host TEXT NOT NULL, port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535), period INTEGER NOT NULL CHECK (period > 0),
  address INTEGER NOT NULL CHECK (address BETWEEN 1 AND 247), function INTEGER NOT NULL CHECK (function BETWEEN 1 AND 255),
  register INTEGER NOT NULL CHECK (register BETWEEN 0 AND 65535), count INTEGER NOT NULL CHECK (count BETWEEN 1 AND 126), comment TEXT,
  UNIQUE (host, port, period, address, function, register, count));
CREATE TABLE ResultsRaw (paramID INTEGER NOT NULL, timestamp INTEGER NOT NULL CHECK (timestamp >= 0), rawresult BLOB,
  FOREIGN KEY (paramID) REFERENCES RequestedData (paramID) ON DELETE CASCADE ON UPDATE CASCADE, UNIQUE (paramID, timestamp));
CREATE UNIQUE INDEX ResultIdx ON ResultsRaw (paramID ASC, timestamp ASC);
"""

# What the server holds; unit 2 differs.
HOLDING = [257 * i % 65536 for i in range(200)]
INPUT = [65535 - 3 * i for i in range(200)]
COILS = [int(i % 3 == 0 or i == 7) for i in range(200)]
DISCRETE = [int(i % 5 in (1, 2)) for i in range(200)]


def units():
    one = {"holding": HOLDING, "input": INPUT, "coil": COILS, "discrete": DISCRETE}
    return {"1": one, "2": {name: list(reversed(values)) for name, values in one.items()}}


def blob(function, register, count, unit=1):
    """What ModbusDataLogger packs: each register, and each bit, as a word with the high byte first."""
    name = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}[function]
    return b"".join(value.to_bytes(2, "big") for value in units()[str(unit)][name][register:register + count])


class Logger:
    """A folder with config.cfg and Logging.db."""

    def __init__(self, weir, tmp_path):
        self.weir, self.folder = weir, tmp_path / "logger"
        self.folder.mkdir()
        self.config, self.database, self.data = (self.folder / name for name in ("config.cfg", "Logging.db", "weir-data"))
        self.n_starts = 0

    def start(self, *more):
        log = self.weir.tmp_path / f"logger-{self.n_starts}.log"
        self.n_starts += 1
        daemon = Daemon(self.weir, self.data, [BINARY, "run", "-c", str(self.config), *more], log)
        self.weir.daemons.append(daemon)
        return daemon.wait_ready()

    def configure(self, **keys):
        keys = {"logginglevel": "INFO", "watchdogperiod": "0.5", **keys}
        self.config.write_text("[DEFAULT]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()))

    def sql(self, sql, *values, foreign_keys=False):
        connection = sqlite3.connect(self.database, timeout=20)
        try:
            connection.execute(f"PRAGMA foreign_keys = {int(foreign_keys)}")
            with connection:
                return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def create(self):
        connection = sqlite3.connect(self.database)
        connection.executescript(ORIGINAL)
        connection.close()

    def request(self, param, port, function=3, register=0, count=2, period=1, unit=1, required=1):
        self.sql("INSERT INTO RequestedData VALUES (?,?,?,?,?,?,?,?,?,NULL)", param, required, "127.0.0.1", port, period, unit, function,
                 register, count)

    def results(self, param):
        return self.sql("SELECT timestamp, rawresult FROM ResultsRaw WHERE paramID = ? ORDER BY timestamp", param)

    def wait_results(self, param, n=1, since=0, deadline=30):
        return wait_until(f"{n} results of {param}",
                          lambda: (lambda rows: rows if len(rows) >= n else None)([r for r in self.results(param) if r[0] > since]), deadline)


@pytest.fixture
def logger(weir, tmp_path):
    return Logger(weir, tmp_path)


@pytest.fixture
def port(peers):
    return peers.pymodbus(units()).port


def is_unbroken(rows, period=1):
    times = [row[0] for row in rows]
    return times == list(range(times[0], times[-1] + 1, period))


# ---- the first run ----


def test_the_first_run_makes_what_is_missing_and_says_what_to_fill(weir, logger):
    first = weir.run("run", "-c", "config.cfg", cwd=logger.folder)
    assert first.returncode == 0 and first.stdout == ""
    parser = configparser.ConfigParser()
    parser.read(logger.config)
    assert dict(parser["DEFAULT"]) == {"dbpath": "Logging.db", "logginglevel": "WARNING", "watchdogperiod": "1", "datathreadperiod": "60"}
    assert "Logging.db" in first.stderr and "RequestedData" in first.stderr
    example = [line for line in first.stderr.splitlines() if line.startswith("INSERT INTO")]
    assert len(example) == 1
    # It is not taken for another's: nothing is lost by running once more, which waits for rows.
    daemon = logger.start()
    assert "nothing is read until a row of RequestedData" in daemon.log()
    logger.sql(example[0].rstrip(";"))
    wait_until("the row is taken", lambda: daemon.status()["devices"], 10)
    daemon.stop()
    assert logger.sql("SELECT count(*) FROM RequestedData") == [(1,)]
    columns = [(row[1], row[2], row[3], row[5]) for row in logger.sql("PRAGMA table_info(RequestedData)")]
    with sqlite3.connect(":memory:") as original:
        original.executescript(ORIGINAL)
        assert columns == [(row[1], row[2], row[3], row[5]) for row in original.execute("PRAGMA table_info(RequestedData)")]
        assert logger.sql("PRAGMA foreign_key_list(ResultsRaw)") == original.execute("PRAGMA foreign_key_list(ResultsRaw)").fetchall()
    with pytest.raises(sqlite3.IntegrityError):
        logger.request(2, 502, count=127)


def test_only_run_makes_anything(weir, logger):
    for command in (["check"], ["run", "--once"], ["config", "show"], ["status"]):
        done = weir.run(*command, "-c", "config.cfg", cwd=logger.folder)
        assert done.returncode != 0, command
        assert os.listdir(logger.folder) == [], command
    logger.configure(dbpath="data.db")
    before = logger.config.read_bytes()
    check = weir.run("check", "-c", "config.cfg", cwd=logger.folder)
    assert check.returncode == 3 and "config.cfg:4:10: data.db cannot be opened" in check.stderr
    assert os.listdir(logger.folder) == ["config.cfg"] and logger.config.read_bytes() == before


def test_an_empty_database_gets_its_tables(weir, logger):
    logger.configure()
    logger.database.touch()
    daemon = logger.start()
    assert logger.sql("SELECT count(*) FROM RequestedData") == [(0,)]
    daemon.stop()


# ---- what is read ----


def test_the_example_reads_what_is_requested(weir, logger, port):
    shutil.copy(os.path.join(EXAMPLE, "config.cfg"), logger.config)
    assert weir.run("run", "-c", "config.cfg", cwd=logger.folder).returncode == 0
    with open(os.path.join(EXAMPLE, "requests.sql"), encoding="utf-8") as file:
        text = file.read().replace("1502", str(port))
    connection = sqlite3.connect(logger.database)
    connection.executescript(text)
    connection.execute("UPDATE RequestedData SET required = 1, period = min(period, 2)")
    connection.commit()
    connection.close()
    daemon = logger.start()
    requests = logger.sql("SELECT paramID, address, function, register, count, period FROM RequestedData")
    assert {request[2] for request in requests} == {1, 2, 3, 4}
    for param, unit, function, register, count, period in requests:
        rows = logger.wait_results(param, 3)
        assert {row[1] for row in rows} == {blob(function, register, count, unit)}, param
        assert is_unbroken(rows, period) and all(row[0] % period == 0 for row in rows)
    check = weir.run("check", "-c", "config.cfg", cwd=logger.folder)
    assert check.returncode == 0 and "6 tags, 1 sink" in check.stderr
    shown = weir.run("config", "show", "--origin", "-c", "config.cfg", cwd=logger.folder).stdout
    assert re.search(r"level: info +# config.cfg:4\b", shown)
    assert re.search(r"paramID 4\b", shown)
    assert weir.run("reload", "-c", "config.cfg", cwd=logger.folder).returncode == 0
    assert weir.json("status", "-c", str(logger.config))
    assert len(weir.sql(logger.data, "SELECT tag FROM current WHERE quality = 'good'")) == 6
    daemon.stop()


def test_the_largest_requests_fit(logger, port):
    logger.configure()
    logger.create()
    for param, (function, count) in enumerate([(1, 126), (2, 126), (3, 125), (4, 125)]):
        logger.request(param, port, function, 9, count)
    daemon = logger.start()
    for param, (function, count) in enumerate([(1, 126), (2, 126), (3, 125), (4, 125)]):
        assert logger.wait_results(param)[0][1] == blob(function, 9, count)
    daemon.stop()


def test_edits_are_obeyed_while_it_runs(weir, logger, port):
    logger.configure()
    logger.create()
    logger.request(1, port)
    daemon = logger.start("--watch-config")
    logger.wait_results(1, 2)
    logger.request(2, port, function=1, count=5)  # insert
    logger.wait_results(2, 2)
    logger.sql("UPDATE RequestedData SET required = 0 WHERE paramID = 1")  # pause: results stay
    time.sleep(2.5)
    paused = logger.results(1)
    logger.sql("UPDATE RequestedData SET period = 2 WHERE paramID = 2")
    changed = int(time.time()) + 2
    rows = logger.wait_results(2, 3, since=changed)
    assert all(row[0] % 2 == 0 for row in rows) and is_unbroken(rows, 2)
    assert logger.results(1) == paused and paused
    # Another id, and gone, in an editor that has foreign keys switched off.
    logger.sql("UPDATE RequestedData SET paramID = 7 WHERE paramID = 1")
    assert logger.results(7) == paused and logger.results(1) == []
    logger.sql("UPDATE RequestedData SET required = 1 WHERE paramID = 7")
    logger.wait_results(7, len(paused) + 2)
    logger.sql("DELETE FROM RequestedData WHERE paramID = 7")
    time.sleep(2.5)  # what was on its way does not come back
    assert logger.results(7) == []
    logger.sql("DELETE FROM RequestedData WHERE paramID = 2", foreign_keys=True)
    time.sleep(2.5)
    assert logger.sql("SELECT count(*) FROM ResultsRaw") == [(0,)]
    # Nonsense changes nothing.
    logger.request(3, port)
    logger.wait_results(3)
    logger.request(4, port, function=16)
    wait_until("it is refused", lambda: "paramID 4: function 16 is none that reads" in daemon.log(), 10)
    logger.wait_results(3, 2, since=int(time.time()))
    # weir's own history stays until it is purged.
    tag = f"127.0.0.1:{port}-1/2"
    assert daemon.sql(f"SELECT 1 FROM samples WHERE tag = '{tag}' AND quality = 'good' LIMIT 1")
    assert weir.run("tag", "purge", tag, "-c", logger.config, "--yes").returncode == 0
    assert daemon.sql(f"SELECT 1 FROM samples WHERE tag = '{tag}' LIMIT 1") == []
    assert "a changed configuration: read again" not in daemon.log()
    daemon.stop()


# ---- what was there ----


def test_an_existing_database_keeps_every_row(logger, port):
    logger.configure()
    logger.create()
    logger.request(1, port)
    logger.request(2, port, function=2, required=0)
    logger.sql("CREATE TABLE mine (a)")
    now = int(time.time())
    connection = sqlite3.connect(logger.database)
    connection.executemany("INSERT INTO ResultsRaw VALUES (?, ?, ?)", [(1, now - 5000 + i, bytes([i % 256])) for i in range(4000)])
    connection.executemany("INSERT INTO ResultsRaw VALUES (?, ?, ?)", [(9, i, None) for i in range(10)])  # of a request that is gone
    connection.commit()
    connection.close()
    def schema():
        return logger.sql("SELECT type, name, sql FROM sqlite_master ORDER BY rowid")
    old, old_schema = logger.sql("SELECT * FROM ResultsRaw ORDER BY rowid"), schema()
    daemon = logger.start()
    logger.wait_results(1, 4002)
    daemon.stop()
    assert "has two triggers now" in daemon.log()
    assert logger.sql("SELECT * FROM ResultsRaw ORDER BY rowid")[:len(old)] == old
    added = [row for row in schema() if row not in old_schema]
    assert [row for row in schema() if row in old_schema] == old_schema
    assert {row[:2] for row in added if not row[1].startswith("sqlite_")} == {
        ("trigger", "weir_request_deleted"), ("trigger", "weir_request_renumbered"), ("table", "weir_sinks")}
    daemon = logger.start()
    assert "trigger" not in daemon.log()
    daemon.stop()


# ---- trouble ----


def test_killed_at_any_moment_each_sample_arrives_once(logger, port, dice):
    logger.configure()
    logger.create()
    logger.request(1, port)
    for _ in range(scaled(3, 30)):
        daemon = logger.start()
        since = (logger.results(1) or [(0,)])[-1][0]
        logger.wait_results(1, 2, since)
        time.sleep(dice.uniform(0, 1))
        daemon.kill(signal.SIGKILL)
        daemon.process.wait()
    daemon = logger.start()
    logger.wait_results(1, 2, int(time.time()))
    logger.sql("UPDATE RequestedData SET required = 0")
    wait_until("nothing is read any more", lambda: not daemon.status()["devices"], 10)
    wait_until("all is delivered", lambda: all(sink["backlog"] == 0 for sink in daemon.status()["sinks"]), 10)
    daemon.stop()
    slots = {row["ts"] // 1000000 for row in daemon.sql("SELECT ts FROM samples WHERE quality = 'good' AND ts % 1000000 = 0")}
    assert {row[0] for row in logger.results(1)} == slots
    assert {row[1] for row in logger.results(1)} == {blob(3, 0, 2)}


def test_a_locked_database_loses_nothing(logger, port):
    logger.configure()
    logger.create()
    logger.request(1, port)
    daemon = logger.start()
    begin = logger.wait_results(1, 2)[0][0]
    other = sqlite3.connect(logger.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    wait_until("it is told", lambda: "locked by another program" in daemon.log(), 20)
    time.sleep(2)
    other.execute("ROLLBACK")
    other.close()
    now = int(time.time())
    logger.wait_results(1, 2, now, 90)
    rows = [row for row in logger.results(1) if row[0] >= begin]
    assert is_unbroken(rows) and rows[-1][0] > now
    daemon.stop()


def test_a_database_that_is_deleted_does_not_end_the_requests(logger, port):
    logger.configure()
    logger.create()
    logger.request(1, port)
    daemon = logger.start()
    logger.wait_results(1, 2)
    away = logger.folder / "away.db"
    os.rename(logger.database, away)
    wait_until("results go to a new file", lambda: logger.database.exists() and logger.results(1), 30)
    wait_until("it is told", lambda: "warning config_database" in daemon.log(), 30)
    assert [device["state"] for device in daemon.status()["devices"]] == ["online"]
    assert logger.sql("SELECT name FROM sqlite_master WHERE lower(name) = 'requesteddata'") == []
    os.rename(away, logger.database)
    # Asked again after 1, 2, 4 ... s.
    logger.sql("UPDATE RequestedData SET period = 2")
    wait_until("it is obeyed again", lambda: "the catalog's databases answer again" in daemon.log(), 40)
    rows = logger.wait_results(1, 2, int(time.time()) + 2)
    assert all(row[0] % 2 == 0 for row in rows)
    daemon.stop()


# ---- config.cfg ----


def test_only_runtime_is_rewritten(weir, logger, port):
    text = (f"; mine\n\n[RUNTIME]\npid : 5\n\n# and this\n[DEFAULT]\nLoggingLevel=DEBUG\n  \nwatchdogperiod = 0.5\n"
            f"other = %\n[more]\nx = 1\n")
    real = logger.folder / "real"
    real.write_text(text)
    real.chmod(0o640)
    os.symlink("real", logger.config)
    logger.create()
    logger.request(1, port)
    before = datetime.datetime.now(datetime.timezone.utc)
    daemon = logger.start("--watch-config")
    got = real.read_text().splitlines()
    assert got[3] == f"pid : {daemon.process.pid}" and got[4].startswith("starttime = ")
    assert "\n".join(got[:3] + ["pid : 5"] + got[5:]) + "\n" == text
    started = datetime.datetime.fromisoformat(got[4].removeprefix("starttime = "))
    assert re.fullmatch(r"starttime = \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", got[4])
    assert before <= started <= datetime.datetime.now(datetime.timezone.utc)
    assert os.path.islink(logger.config) and real.stat().st_mode & 0o7777 == 0o640
    assert set(os.listdir(logger.folder)) <= {"config.cfg", "real", "Logging.db", "Logging.db-journal", "weir-data"}
    # A second one by mistake does not put its pid there.
    second = weir.run("run", "-c", logger.config)
    assert second.returncode == 3 and real.read_text().splitlines() == got
    time.sleep(2.5)
    assert "read again" not in daemon.log() and "config_problem" not in daemon.log()
    assert "the key 'other' is not read" in daemon.log() and "the section [more] is not read" in daemon.log()
    real.write_text(real.read_text() + "# news\n")
    wait_until("an edit is news", lambda: "read again" in daemon.log(), 10)
    daemon.stop()


def test_a_folder_that_may_not_be_written_is_a_warning(weir, logger, port):
    if os.geteuid() == 0:
        pytest.skip("root may write everything")
    logger.configure(dbpath=weir.tmp_path / "elsewhere.db")
    logger.database = weir.tmp_path / "elsewhere.db"
    logger.create()
    logger.request(1, port)
    logger.data.mkdir()
    logger.folder.chmod(0o555)
    try:
        daemon = logger.start()
        assert "starttime and pid are not written" in daemon.log()
        daemon.stop()
    finally:
        logger.folder.chmod(0o755)


def test_values_are_those_of_configparser(weir, logger, dice):
    """Lines put together by chance: what both take they take for the same."""
    pieces = ["[DEFAULT]", "[RUNTIME]", "[other]", "dbpath = a.db", "DBPATH: sub/b.db", "  dbpath=c = d:e.db", "logginglevel = DEBUG",
              "LoggingLevel :ERROR", "logginglevel=", "  INFO", "\tINFO", "# c", "  ; c", "", "   ", "watchdogperiod = 2.5", "other = 1",
              "  more", "pid = 5", "x", "= y", "dbpath = 5%%.db", "[DEFAULT] x", "[", "[]", "logginglevel = WARNING ; no"]
    levels = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error"}
    (logger.folder / "sub").mkdir()
    for name in ("a.db", "sub/b.db", "c = d:e.db", "5%.db", "Logging.db"):
        logger.database = logger.folder / name
        logger.create()
    taken = 0
    for _ in range(scaled(60, 2000)):
        text = "\n".join(["[DEFAULT]"] * dice.choice([0, 1, 1]) + dice.sample(pieces, dice.randint(1, 6))) + "\n"
        logger.config.write_text(text)
        parser = configparser.ConfigParser({"dbpath": "Logging.db", "logginglevel": "WARNING"})
        done = weir.run("config", "show", "--format", "json", "-c", "config.cfg", cwd=logger.folder)
        try:
            parser.read_string(text)
            want = [parser["DEFAULT"][key].strip() for key in ("dbpath", "logginglevel")]
            _ = parser.getfloat("DEFAULT", "watchdogperiod", fallback=1)
        except (configparser.Error, ValueError):
            want = [None, None]
        if want[1] not in levels or "\n" in want[0]:
            assert done.returncode == 3, text
            continue
        assert done.returncode == 0, (text, done.stderr)
        got = json.loads(done.stdout)
        assert [got["sinks"][0]["path"], got["log"]["level"]] == [want[0], levels[want[1]]], text
        taken += 1
    assert taken > scaled(60, 2000) // 30
