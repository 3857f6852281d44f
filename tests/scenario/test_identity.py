# SPDX-License-Identifier: MIT
"""Names that change in a database while weir is stopped: history goes on under the new one."""

import os
import re
import signal
import sqlite3
import subprocess

import pytest

from conftest import BINARY, SANITIZERS, wait_until
from test_providers import METERS, REQUESTED, Shell


class Plant(Shell):
    """A folder where weir is started and ended."""

    def change(self, database, *statements):
        with sqlite3.connect(self.folder / database) as db:
            db.execute("PRAGMA foreign_keys=ON")
            for statement in statements:
                db.executescript(statement)
        db.close()

    def live(self, end=signal.SIGTERM, meanwhile=lambda: None):
        """Runs until it has registered what there is, and one commit more."""
        log = self.folder / "log"
        with open(log, "wb") as output:
            process = subprocess.Popen([BINARY, "run"], cwd=self.folder, stderr=output, stdin=subprocess.DEVNULL,
                                       env=dict(os.environ, **SANITIZERS))
        try:
            wait_until("the start", lambda: b"started" in log.read_bytes() or process.poll() is not None)
            before = self.committed()
            wait_until("a commit", lambda: self.committed() > before or process.poll() is not None)
            meanwhile()
        finally:
            process.send_signal(end)
            code = process.wait(60)
        assert code == (0 if end == signal.SIGTERM else -end), log.read_text()
        return self.tags()

    def committed(self):
        done = subprocess.run([BINARY, "sql", "SELECT max(seq) FROM samples"], cwd=self.folder, capture_output=True, text=True,
                              check=False, env=dict(os.environ, **SANITIZERS))
        return int((re.findall(r"\d+", done.stdout.split("\n", 1)[-1]) or ["0"])[0])

    def tags(self):
        """uid -> name, of what is configured."""
        with sqlite3.connect(f"file:{self.folder}/weir-data/data.db?mode=ro", uri=True) as db:
            rows = dict(db.execute("SELECT uid, name FROM tag WHERE active"))
        db.close()
        return rows

    def verify(self):
        self.run("store", "verify")
        self.run("check")


WEIR = """
CREATE TABLE connection (id INTEGER PRIMARY KEY, name TEXT, uri TEXT);
CREATE TABLE device (id INTEGER PRIMARY KEY, name TEXT, connection TEXT, unit_id INTEGER, interval TEXT);
CREATE TABLE point (id INTEGER PRIMARY KEY, device TEXT, name TEXT, register TEXT, address INTEGER, type TEXT);
INSERT INTO connection VALUES (1, 'sim', 'simulated:');
INSERT INTO device VALUES (7, 'a', 'sim', 1, '1s'), (8, 'b', 'sim', 2, '1s');
INSERT INTO point VALUES (1, 'a', 'power', 'holding', 1, 'float32'), (2, 'b', 'power', 'holding', 1, 'float32');
"""

# Both names at once, of devices and of the points that refer to them.
EXCHANGE = ("UPDATE device SET name = 'x' WHERE name = 'a'; UPDATE device SET name = 'a' WHERE name = 'b';"
            "UPDATE device SET name = 'b' WHERE name = 'x';")
EXCHANGE_POINTS = ("UPDATE point SET device = 'x' WHERE device = 'a'; UPDATE point SET device = 'a' WHERE device = 'b';"
                   "UPDATE point SET device = 'b' WHERE device = 'x';")


@pytest.fixture
def plant(tmp_path):
    return Plant(tmp_path)


def add_devices(plant):
    plant.run("connection", "add", "sim", "--uri", "simulated:")
    for unit, name in enumerate("ab", 1):
        plant.run("device", "add", name, "--connection", "sim", "--unit-id", str(unit), "--interval", "1s")
        plant.run("tag", "add", f"{name}/power", "--register", "holding", "--address", "1", "--type", "float32")


def test_config_db(plant):
    add_devices(plant)
    assert plant.live() == {1: "a/power", 2: "b/power"}
    plant.run("device", "set", "a", "--name", "feeder-a")
    plant.run("tag", "set", "feeder-a/power", "--name", "active_power")
    assert "rename?" not in plant.run("check").stderr
    assert plant.live() == {1: "feeder-a/active_power", 2: "b/power"}
    plant.change("weir-data/config.db", EXCHANGE.replace("'a'", "'feeder-a'"))
    assert plant.live() == {1: "b/active_power", 2: "feeder-a/power"}
    counts = {row["tag"]: row["n"] for row in plant.rows("sql", "SELECT tag, count(*) AS n FROM samples GROUP BY tag")}
    assert set(counts) == {"b/active_power", "feeder-a/power"} and min(counts.values()) >= 3
    plant.verify()


def test_config_db_after_a_kill(plant):
    """What one start has registered the next one knows, however the first one ended."""
    add_devices(plant)
    plant.live(signal.SIGKILL)
    plant.run("device", "set", "a", "--name", "feeder-a")
    assert plant.live(signal.SIGKILL) == {1: "feeder-a/power", 2: "b/power"}
    plant.run("device", "set", "feeder-a", "--name", "feeder-b")
    assert plant.live() == {1: "feeder-b/power", 2: "b/power"}
    plant.verify()


def test_config_db_beside_a_file_with_a_profile(plant):
    """Points of a profile have no rows: they are known within their device."""
    (plant.folder / "weir.yaml").write_text("connections: [{name: sim, uri: 'simulated:'}]\n")
    plant.run("device", "add", "m07", "--connection", "sim", "--profile", "eastron-sdm630", "--interval", "1s", "--only", "voltage_*")
    before = plant.live()
    plant.run("device", "set", "m07", "--name", "feeder-a")
    assert plant.live() == {uid: name.replace("m07", "feeder-a") for uid, name in before.items()}


def test_a_foreign_database_that_moves_meanwhile(plant):
    plant.change("plant.db", WEIR)
    (plant.folder / "weir.yaml").write_text("catalog: [{url: 'sqlite:plant.db'}]\n")
    assert plant.live() == {1: "a/power", 2: "b/power"}
    plant.change("plant.db", EXCHANGE, EXCHANGE_POINTS)
    (plant.folder / "elsewhere").mkdir()
    os.rename(plant.folder / "plant.db", plant.folder / "elsewhere" / "plant.db")
    (plant.folder / "weir.yaml").write_text(f"catalog: [{{url: 'sqlite:{plant.folder}/elsewhere/plant.db'}}]\n")
    assert plant.live() == {1: "b/power", 2: "a/power"}
    # The same name in another row is the same tag, unless its row is there too.
    plant.change("elsewhere/plant.db", "DELETE FROM device WHERE name = 'a'; DELETE FROM point WHERE device = 'a';"
                 "INSERT INTO device VALUES (99, 'a', 'sim', 2, '1s');"
                 "INSERT INTO point VALUES (99, 'a', 'power', 'holding', 1, 'float32')")
    assert plant.live() == {1: "b/power", 2: "a/power"}
    # A number that was given up is given again: somebody else.
    plant.change("elsewhere/plant.db", "DELETE FROM device WHERE id = 99; DELETE FROM point WHERE id = 99")
    assert plant.live() == {1: "b/power"}
    plant.change("elsewhere/plant.db", "INSERT INTO device VALUES (99, 'chiller', 'sim', 3, '1s');"
                 "INSERT INTO point VALUES (99, 'chiller', 'power', 'holding', 1, 'float32')")
    assert plant.live() == {1: "b/power", 3: "chiller/power"}
    plant.verify()


def test_two_databases_of_one_name_are_told_apart_by_theirs(plant):
    """Without it their rows' numbers would say nothing; so names count."""
    for folder, device in (("x", "a"), ("y", "b")):
        (plant.folder / folder).mkdir()
        plant.change(f"{folder}/plant.db", WEIR, f"DELETE FROM device WHERE name <> '{device}'",
                     f"DELETE FROM point WHERE device <> '{device}'")
    plant.change("y/plant.db", "DELETE FROM connection", "UPDATE device SET id = 7", "UPDATE point SET id = 1")
    for name in ("", "name: NAME, "):
        (plant.folder / "weir.yaml").write_text("catalog:\n" + "".join(
            f"  - {{{name.replace('NAME', folder)}url: 'sqlite:{folder}/plant.db'}}\n" for folder in "xy"))
        assert plant.live() == {1: "a/power", 2: "b/power"}
    plant.change("x/plant.db", "UPDATE device SET name = 'c'", "UPDATE point SET device = 'c'")
    plant.change("y/plant.db", "UPDATE device SET name = 'a'", "UPDATE point SET device = 'a'")
    assert plant.live() == {1: "c/power", 2: "a/power"}


def test_requested_data(plant):
    """A request is its paramID, whichever unit it asks."""
    plant.change("Logging.db", REQUESTED, "INSERT INTO RequestedData VALUES (1, 1, '127.0.0.1', 1, 1, 1, 3, 0, 2, NULL),"
                 "(2, 1, '127.0.0.1', 1, 1, 1, 3, 4, 2, NULL), (3, 1, '127.0.0.1', 1, 1, 2, 3, 8, 2, NULL)")
    (plant.folder / "weir.yaml").write_text("catalog: [{url: 'sqlite:Logging.db', layout: requested_data}]\n")
    assert plant.live() == {1: "127.0.0.1:1-1/1", 2: "127.0.0.1:1-1/2", 3: "127.0.0.1:1-2/3"}
    plant.change("Logging.db", "UPDATE RequestedData SET address = 3 - address WHERE paramID IN (1, 3)",
                 "UPDATE RequestedData SET host = '127.0.0.2'")
    after = {1: "127.0.0.2:1-2/1", 2: "127.0.0.2:1-1/2", 3: "127.0.0.2:1-1/3"}
    assert plant.live() == after

    def back():
        """Live it is the same."""
        plant.change("Logging.db", "UPDATE RequestedData SET address = 3 - address WHERE paramID = 1")
        wait_until("the change", lambda: plant.tags() == {**after, 1: "127.0.0.2:1-1/1"})
        count = plant.committed()
        wait_until("samples", lambda: plant.committed() > count + 3)
    assert plant.live(meanwhile=back) == {**after, 1: "127.0.0.2:1-1/1"}
    plant.verify()


def test_energy_meters(plant):
    """A register has no number: what is at its place under another name is it, where its name is gone."""
    plant.change("meters.db", METERS, "UPDATE energy_meters SET host = '127.0.0.1', port = 1",
                 "INSERT INTO registers VALUES ('virtual_modbustcp_server', 2, 'current', 'A', 3, 4, 2, 2)")
    (plant.folder / "weir.yaml").write_text("catalog: [{url: 'sqlite:meters.db', layout: energy_meters, interval: 1s}]\n")
    before = plant.live()
    assert sorted(before.values()) == ["meter-0/current", "meter-0/test_measurement"]
    plant.change("meters.db", "UPDATE registers SET measurement_name = 'power' WHERE register_address = 0")
    renamed = {uid: name.replace("test_measurement", "power") for uid, name in before.items()}
    assert plant.live() == renamed
    plant.change("meters.db", "UPDATE registers SET register_address = register_address + 2")
    assert plant.live() == renamed
    plant.change("meters.db", "UPDATE registers SET measurement_name = 'amps' WHERE register_address = 4")
    assert plant.live() == {uid: name.replace("current", "amps") for uid, name in renamed.items()}
    plant.verify()
