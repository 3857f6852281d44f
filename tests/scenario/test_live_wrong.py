# SPDX-License-Identifier: MIT
"""What is wrong with the places a catalog comes from, while weir polls: the old catalog goes on, and the reason names the place."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time

import pytest

from conftest import wait_until
import pgserver
from test_live_change import Plant, replace_file
from test_live_providers import SCHEMA, Postgres, Sqlite

needs_postgres = pytest.mark.skipif(pgserver.programs() is None or not shutil.which("psql"), reason="PostgreSQL is not installed")

UNITS = 12


@pytest.fixture
def plant():
    plant = Plant(1)
    yield plant
    plant.stop()


class Files:
    """weir.yaml and two files that it includes, each with devices of its own; one line a device, so that half a file is YAML too."""

    def __init__(self, weir, plant, tmp_path):
        self.folder = tmp_path
        self.plant = plant
        os.mkdir(tmp_path / "meters")
        self.write("b.yaml", range(9, 11))
        self.write("meters/c.yaml", range(11, UNITS + 1))
        self.config = weir.write_config(self.text())

    def text(self, units=range(1, 9), include='[b.yaml, "meters/*.yaml"]'):
        return (f"include: {include}\nstore: {{max_loss: 200ms}}\nconnections:\n"
                f"  - {{name: c, uri: 'tcp://127.0.0.1:{self.plant.ports[0]}', timeout: 5s}}\ndevices:\n" + self.devices(units))

    @staticmethod
    def devices(units):
        return "".join(f"  - {{name: d{unit}, connection: c, unit_id: {unit}, interval: 500ms, points: "
                       "[{name: p, register: holding, address: 0, type: uint16}]}\n" for unit in units)

    def write(self, name, units):
        (self.folder / name).write_text("devices:\n" + self.devices(units))


@pytest.fixture
def files(weir, plant, tmp_path):
    return Files(weir, plant, tmp_path)


class Watch:
    """Between begin and end nothing was different: the same devices, every slot, the same socket."""

    def __init__(self, daemon, plant, devices=UNITS):
        self.daemon, self.plant, self.devices = daemon, plant, devices
        wait_until("all are read", lambda: len(plant.requests) == devices, 30)
        daemon.wait_sql("SELECT 1 FROM samples WHERE ts > (SELECT min(ts) FROM samples) + 2000000 LIMIT 1", 30)
        self.since = int(daemon.status()["committed_ts"]) - 1000000
        self.accepted = list(plant.accepted)

    def assert_undisturbed(self):
        last = int(time.time() * 1000000)
        wait_until("it is committed", lambda: int(self.daemon.status()["committed_ts"]) > last, 30)
        assert self.plant.accepted == self.accepted
        rows = self.daemon.sql("SELECT tag, count(*) AS n, min(ts) AS a, max(ts) AS b, sum(quality = 'bad') AS bad, "
                               "group_concat(DISTINCT cause) AS causes FROM samples "
                               f"WHERE ts >= {self.since} AND ts < {last} GROUP BY tag")
        assert len(rows) == self.devices
        assert [row for row in rows if row["bad"] or row["n"] != (row["b"] - row["a"]) // 500000 + 1] == []

    def configs(self):
        return [row["text"] for row in self.daemon.sql("SELECT text FROM events WHERE kind = 'config' ORDER BY ts")]

    def refusal(self, *want):
        """Waits for the next refusal, which names these."""
        n = len(getattr(self, "seen", []))

        def told():
            texts = self.configs()[n:]
            return next((text for text in texts if "refused" in text and all(word in text for word in want)), None)
        wait_until(f"it is refused: {want}", told, 15)
        self.seen = self.configs()


@pytest.fixture
def watch(weir, plant, files, tmp_path):
    return Watch(weir.start(files.config, tmp_path / "data", True, "--watch-config"), plant)


def test_a_file_that_is_rewritten_slowly_is_read_when_it_is_whole(files, watch):
    """Truncated and written line by line: each half is a valid file with fewer devices."""
    text = files.text()
    for _ in range(3):
        with open(files.config, "w", encoding="utf-8") as file:
            for line in text.splitlines(keepends=True):
                file.write(line)
                file.flush()
                time.sleep(0.15)
    time.sleep(2)
    watch.assert_undisturbed()
    assert [text for text in watch.configs() if "removed" in text and " 0 removed" not in text] == []


def test_editors_replace_files_in_their_own_ways(files, watch):
    """A new file moved over the old one; the old one moved away first; a file beside it that is neither."""
    for i in range(3):
        text = files.text() + f"# {i}\n"
        replace_file(files.config, text)
        time.sleep(0.4)
        os.rename(files.config, f"{files.config}~")
        time.sleep(0.05)
        files.config.write_text(text)
        (files.folder / "meters" / ".c.yaml.swp").write_text("not yaml: [")
        time.sleep(0.4)
        os.unlink(files.folder / "meters" / ".c.yaml.swp")
    for name in ("b.yaml", "meters/c.yaml"):
        for _ in range(5):
            os.rename(files.folder / name, files.folder / "away")
            time.sleep(0.15)
            os.rename(files.folder / "away", files.folder / name)
            time.sleep(0.4)
    time.sleep(2)
    watch.assert_undisturbed()
    assert [text for text in watch.configs() if "refused" in text or ("removed" in text and " 0 removed" not in text)] == []


def test_files_that_are_wrong_leave_all_as_it_is(files, watch):
    good = files.text()
    replace_file(files.config, good.replace("d2, connection: c", "d2, connection: nowhere"))
    watch.refusal("weir.yaml:7:", "nowhere")
    replace_file(files.config, files.text(include="[b.yaml, gone.yaml]"))
    watch.refusal("gone.yaml")
    replace_file(files.config, "")
    watch.refusal("weir.yaml")
    os.unlink(files.config)
    watch.refusal("weir.yaml", "No such file")
    replace_file(files.config, good)
    (files.folder / "b.yaml").write_text("include: weir.yaml\ndevices:\n" + files.devices(range(9, 11)))
    watch.refusal("b.yaml:1:", "weir.yaml")
    lines = "".join(f"  - {{name: w{i}, connection: none}}\n" for i in range(10000))
    (files.folder / "b.yaml").write_text("devices:\n" + lines)
    watch.refusal("b.yaml:2:")
    shown = [line for line in watch.daemon.log().splitlines() if "config_problem" in line and "b.yaml" in line]
    assert 50 <= len(shown) <= 52
    files.write("b.yaml", range(9, 11))
    watch.assert_undisturbed()


# --- databases ------------------------------------------------------------------------------------

PLANT = SCHEMA + """
INSERT INTO device (id, name, connection, unit_id, interval, enabled) VALUES (1, 'x1', 'c', '77', '500ms', 1);
INSERT INTO point (id, device, name, register, address, type) VALUES (1, 'x1', 'p', 'holding', '0', 'uint16')
"""


class SqliteFile(Sqlite):
    """A file of others that is locked, moved away, or overwritten."""

    def __init__(self, folder):
        super().__init__(folder / "plant.db")
        self.url, self.place = f"sqlite:{self.path}", str(self.path)

    @contextlib.contextmanager
    def locked(self):
        db = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")
        db.close()

    @contextlib.contextmanager
    def gone(self):
        os.rename(self.path, f"{self.path}.away")
        yield
        os.rename(f"{self.path}.away", self.path)


class PostgresServer(Postgres):
    def __init__(self, _folder):
        super().__init__()
        self.url = self.place = f"postgresql://postgres@127.0.0.1:{self.server.port}/postgres"

    @contextlib.contextmanager
    def locked(self):
        psql = subprocess.Popen(["psql", "-XAtq", self.server.conninfo()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        psql.stdin.write("BEGIN; LOCK TABLE device, point IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n")
        psql.stdin.flush()
        assert psql.stdout.readline() == "locked\n"
        yield
        psql.stdin.close()
        psql.wait(30)
        psql.stdout.close()

    @contextlib.contextmanager
    def gone(self):
        self.server.kill()
        yield
        self.server.start()


@pytest.mark.parametrize("kind", [SqliteFile, pytest.param(PostgresServer, marks=needs_postgres)])
def test_a_database_that_misbehaves_leaves_all_as_it_is(weir, plant, files, tmp_path, kind):
    """Locked, gone, of another schema, full of nonsense: told each time, and the next change is seen when it is over."""
    database = kind(tmp_path)
    try:
        database.run(PLANT)
        text = files.text() + f"catalog:\n  - {{url: '{database.url}', timeout: 500ms}}\nreload_interval: 500ms\n"
        files.config.write_text(text)
        watch = Watch(weir.start(files.config, tmp_path / "data"), plant, UNITS + 1)
        troubles = [
            (database.locked(), "locked" if kind is SqliteFile else "canceling statement"),
            (database.gone(), "No such file" if kind is SqliteFile else "connection"),
            (changed(database, "ALTER TABLE point RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO point"), "point"),
            (changed(database, "ALTER TABLE device RENAME COLUMN unit_id TO unit", "ALTER TABLE device RENAME COLUMN unit TO unit_id"),
             "table device, column unit"),
            (changed(database, "UPDATE device SET unit_id = 'x', interval = '-', connection = ''",
                     "UPDATE device SET unit_id = '77', interval = '500ms', connection = 'c'"), "table device, column "),
        ]
        for trouble, want in troubles:
            n = len(watch.daemon.log())
            with trouble:
                told = wait_until(want, lambda n=n, want=want: [line for line in watch.daemon.log()[n:].splitlines()
                                                                if database.place in line and want in line], 20)
                assert told[0].split()[0] in ("warning", "error"), told
                time.sleep(1)
        watch.assert_undisturbed()
        database.run("UPDATE device SET interval = '1s' WHERE id = 1")
        wait_until("the next change is seen", lambda: "x1 changed (interval)" in watch.daemon.log(), 40)
    finally:
        database.close()


@contextlib.contextmanager
def changed(database, there, back):
    database.run(there)
    yield
    database.run(back)


@needs_postgres
def test_a_failover_disturbs_nobody(weir, plant, files, tmp_path):
    """The server that has the catalog dies, and the one that followed it takes its place."""
    first = pgserver.PgServer()
    second = None
    try:
        first.sql(PLANT)
        second = pgserver.PgServer(standby_of=first)
        url = f"postgresql://postgres@127.0.0.1:{first.port},127.0.0.1:{second.port}/postgres?target_session_attrs=read-write"
        files.config.write_text(files.text() + f"catalog:\n  - {{url: '{url}', timeout: 1s}}\nreload_interval: 500ms\n")
        watch = Watch(weir.start(files.config, tmp_path / "data"), plant, UNITS + 1)
        first.kill()
        wait_until("it is told", lambda: "config_database" in watch.daemon.log(), 20)
        second.promote()
        wait_until("the other one answers", lambda: "databases answer again" in watch.daemon.log(), 40)
        watch.assert_undisturbed()
        second.sql("UPDATE device SET interval = '1s' WHERE id = 1")
        wait_until("its change is seen", lambda: "x1 changed (interval)" in watch.daemon.log(), 20)
        watch.daemon.stop()
    finally:
        for server in (first, second):
            if server:
                server.remove()
