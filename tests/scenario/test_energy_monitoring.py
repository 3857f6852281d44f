# SPDX-License-Identifier: MIT
"""examples/energy-monitoring as its README has it: real PostgreSQL, real InfluxDB, `weir simulate` as the meter.

The files of the folder are used as they are; hosts, ports and a trigger for each second come from the environment, which wins
over .env.dev.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import time

import pytest

import pgserver
from conftest import BINARY, PYTHON, ROOT, read_line, wait_until
from influxserver import Influx, is_installed

EXAMPLE = os.path.join(ROOT, "examples", "energy-monitoring")
DATABASE = "default"
PANEL = "select mean(\"value\") from \"test_measurement\" where description='{}' and time > now() - 12h group by time(1s) fill(none)"
MODULES = ("weir-sink-influxdb.so", "weir-database-postgresql.so")


class Server:
    """`weir simulate` of the folder's virtual server, on a free port."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen([BINARY, "simulate", folder / "virtual-server.yaml", "--listen", "tcp://127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, bufsize=0, env=environment)
        self.port = int(read_line(self.process.stdout).rsplit(":", 1)[1])

    def stop(self):
        self.process.terminate()
        assert self.process.wait(10) == 0
        self.process.stdout.close()


def readme_sql(n):
    """The n-th piece of SQL of the README."""
    with open(os.path.join(EXAMPLE, "README.md"), encoding="utf-8") as file:
        return re.findall(r"```sql\n(.*?)```", file.read(), re.S)[n]


@pytest.fixture
def folder(weir, tmp_path):
    """The example's, with a trigger each second."""
    copy = tmp_path / "em"  # short: a socket's path has 107 bytes
    shutil.copytree(EXAMPLE, copy)
    weir.environment |= {f"{what}_CRON_{field}_TRIGGER": "*" for what in ("INFLUX_UPDATER", "VIRTUAL_SERVER_UPDATE")
                         for field in ("MINUTE", "SECOND")}
    return copy


@pytest.fixture
def server(weir, folder):
    running = Server(folder, weir.environment)
    yield running
    running.stop()


class Plant:
    def __init__(self, weir, tmp_path, folder, server):
        self.weir, self.folder, self.server = weir, folder, server
        self.pg, self.influx = pgserver.PgServer(), Influx(tmp_path, with_users=True)
        self.influx.query("CREATE DATABASE influx_default", "")
        self.influx.query("CREATE USER admin WITH PASSWORD 'admin' WITH ALL PRIVILEGES", "")
        self.pg.sql("CREATE ROLE admin LOGIN PASSWORD 'admin' SUPERUSER")
        self.pg.sql(f'CREATE DATABASE "{DATABASE}" OWNER admin')
        with open(self.folder / "postgres_init.sql", encoding="utf-8") as file:
            self.sql(file.read())
        weir.environment |= {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(self.pg.port), "INFLUXDB_HOSTNAME": "127.0.0.1",
                             "INFLUXDB_PORT": str(self.influx.port)}

    def sql(self, query):
        return self.pg.sql(query, DATABASE)

    def start(self):
        return self.weir.start(self.folder / "weir.yaml", self.folder / "weir-data")

    def panel(self, description="test_energy_meter"):
        """What the panel of the predecessor shows."""
        return [row["mean"] for row in self.influx.query(PANEL.format(description), "influx_default")]

    def point_at_server(self):
        """The README's first step, with the port that was free."""
        self.sql(readme_sql(0).replace("port = 502", f"port = {self.server.port}"))

    def stop(self):
        self.influx.kill()
        self.pg.remove()


@pytest.fixture
def plant(weir, tmp_path, folder, server):
    if pgserver.programs() is None or not shutil.which("psql") or not is_installed():
        pytest.skip("PostgreSQL or InfluxDB is not installed")
    if not all(os.access(os.path.join(os.path.dirname(BINARY), name), os.R_OK) for name in MODULES):
        pytest.skip("a module is not built")
    made = Plant(weir, tmp_path, folder, server)
    yield made
    made.stop()


def n_good(daemon, tag="meter-0/test_measurement"):
    return daemon.sql(f"SELECT count(*) AS n FROM samples WHERE tag = '{tag}' AND quality = 'good'")[0]["n"]


def wait_more(daemon, n=1, tag="meter-0/test_measurement"):
    before = n_good(daemon, tag)
    wait_until(f"{n} more samples of {tag}", lambda: n_good(daemon, tag) >= before + n, 30)


def last_seq(daemon):
    return daemon.status()["committed_seq"]


def assert_all_delivered(plant, daemon, measurement="test_measurement", tag="meter-0/test_measurement"):
    """What weir has is what InfluxDB has: each value at its time, to the last bit of a float."""
    def missing():
        kept = {row["ts"] * 1000: row["value"] for row in daemon.sql(
            f"SELECT ts, value FROM samples WHERE tag = '{tag}' AND quality = 'good'")}
        there = {row["time"]: row["value"] for row in plant.influx.query(f'SELECT value FROM "{measurement}" WHERE id = \'0\'',
                                                                        "influx_default")}
        return [ts for ts, value in kept.items() if ts not in there or
                struct.pack("<f", there[ts]) != struct.pack("<f", value)] if len(kept) > 2 else ["too few"]
    newest = int(time.time())
    wait_until("all is delivered", lambda: not [ts for ts in missing() if ts == "too few" or ts < newest * 1000000000], 40)


def test_the_readme_is_followed_and_every_change_of_the_tables_obeyed(plant):
    checked = plant.weir.run("check", "-c", plant.folder / "weir.yaml")
    assert checked.returncode == 0, checked.stderr + checked.stdout
    daemon = plant.start()
    # The host of the row is not known here: the meter is offline until that is changed.
    daemon.wait_sql("SELECT 1 FROM samples WHERE tag = 'meter-0/test_measurement' AND quality = 'bad'", 30)
    plant.point_at_server()
    wait_until("the panel has data", plant.panel, 30)
    assert all(0 <= value < 10 for value in plant.panel())
    series = plant.influx.query("SHOW TAG KEYS FROM test_measurement", "influx_default")
    assert sorted(row["tagKey"] for row in series) == ["dataunit", "description", "id"]
    assert plant.influx.query("SELECT * FROM test_measurement LIMIT 1", "influx_default")[0]["dataunit"] == "t-unit"
    times = [row["ts"] for row in daemon.sql("SELECT ts FROM samples WHERE tag = 'meter-0/test_measurement' ORDER BY ts")]
    assert all(ts % 1000000 == 0 for ts in times)  # the trigger's second

    # Another meter, by the README, at an address that is there: the virtual server's.
    plant.sql(readme_sql(2).replace("192.168.1.113", "127.0.0.1").replace("502, 1, 'sdm630'", f"{plant.server.port}, 1, 'sdm630'"))
    wait_more(daemon, 1, "meter-1/voltageL1")
    wait_more(daemon, 1, "meter-1/activePower")
    rows = daemon.sql("SELECT DISTINCT value FROM samples WHERE tag = 'meter-1/activePower' AND quality = 'good'")
    assert [row["value"] for row in rows] == [0]  # as every other address
    wait_until("its series", lambda: plant.influx.query("SELECT * FROM \"voltageL1\" WHERE description = 'example' AND id = '1'",
                                                        "influx_default"), 20)

    # A new description, a new type, another host: the predecessor never read the meter again.
    plant.sql("UPDATE energy_meters SET description = 'cellar' WHERE id = 0")
    wait_until("the new description arrives", lambda: plant.panel("cellar"), 30)
    plant.sql("UPDATE energy_meters SET type = 'virtual_modbustcp_server' WHERE id = 1")
    wait_more(daemon, 1, "meter-1/test_measurement")
    other = Server(plant.folder, plant.weir.environment)
    plant.sql(f"UPDATE energy_meters SET port = {other.port} WHERE id = 0")
    connection = f"127.0.0.1:{other.port}"
    wait_until("the new port is used", lambda: any(row["connection"] == connection for row in daemon.sql("SELECT connection FROM devices")), 20)
    wait_more(daemon)

    # The map of registers: another name, address and type.
    plant.sql("UPDATE registers SET measurement_name = 'renamed' WHERE type = 'virtual_modbustcp_server'")
    wait_more(daemon, 1, "meter-0/renamed")
    plant.sql("UPDATE registers SET data_type = 1, register_address = 9, function_code = 3 WHERE type = 'virtual_modbustcp_server'")
    daemon.wait_sql("SELECT 1 FROM samples WHERE tag = 'meter-0/renamed' AND value = 0", 20)

    # What is wrong is told with its row and changes nothing.
    plant.sql("INSERT INTO energy_meters VALUES (7, '127.0.0.1', 0, 1, 'sdm630', 'x')")
    wait_until("the refusal", lambda: "energy_meters, column port, id 7" in daemon.log(), 20)
    wait_more(daemon, 1, "meter-0/renamed")

    other.stop()
    # The last meter goes: so does its reading.
    plant.sql("DELETE FROM energy_meters")
    wait_until("no device is left", lambda: daemon.sql("SELECT count(*) AS n FROM devices")[0]["n"] == 0, 20)
    seq = last_seq(daemon)
    plant.sql(f"INSERT INTO energy_meters VALUES (3, '127.0.0.1', {plant.server.port}, 9, 'sdm630', 'again')")
    wait_more(daemon, 1, "meter-3/voltageL1")
    assert daemon.sql(f"SELECT count(*) AS n FROM samples WHERE tag GLOB 'meter-[01]/*' AND ts > (SELECT min(ts) FROM samples WHERE "
                      "tag = 'meter-3/voltageL1')")[0]["n"] == 0
    assert last_seq(daemon) > seq
    daemon.stop()


def test_neither_database_stops_the_reading_and_nothing_is_lost(plant):
    plant.point_at_server()
    checked = plant.weir.run("check", "--live", "-c", plant.folder / "weir.yaml")
    assert checked.returncode == 0, checked.stderr + checked.stdout
    assert "chmod o-r" in checked.stderr  # a copy of passwords for everybody
    daemon = plant.start()
    wait_until("the panel has data", plant.panel, 30)
    first = daemon.sql("SELECT max(ts) AS ts FROM samples WHERE tag = 'meter-0/test_measurement'")[0]["ts"]

    plant.pg.kill()
    wait_until("it is told", lambda: "config_database" in daemon.log(), 30)
    wait_more(daemon, 3)
    plant.pg.start()
    plant.sql("UPDATE energy_meters SET description = 'afterwards' WHERE id = 0")
    wait_until("what changed then is obeyed", lambda: plant.panel("afterwards"), 60)

    plant.influx.kill()
    wait_until("the sink is offline", lambda: daemon.sql("SELECT state FROM sinks")[0]["state"] not in ("ok", "idle", "live"), 30)
    wait_more(daemon, 3)
    plant.influx.start()
    assert_all_delivered(plant, daemon)
    last = daemon.sql("SELECT max(ts) AS ts FROM samples WHERE tag = 'meter-0/test_measurement'")[0]["ts"]
    n = daemon.sql(f"SELECT count(*) AS n FROM samples WHERE tag = 'meter-0/test_measurement' AND ts BETWEEN {first} AND {last}")[0]["n"]
    assert n == (last - first) // 1000000 + 1  # no second is missing
    assert daemon.sql("SELECT * FROM gaps") == []
    daemon.stop()


def test_the_virtual_server_is_the_predecessors(server):
    """By pymodbus, which the predecessor's meters and server spoke with."""
    script = """
import json, sys
try:
    from pymodbus.client import ModbusTcpClient
except ImportError:
    from pymodbus.client.sync import ModbusTcpClient
client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]))
client.connect()
def ask(function, address, count, unit):
    for word in ("slave", "device_id", "unit"):
        try:
            answer = function(address, count=count, **{word: unit})
            return answer.registers if hasattr(answer, "registers") else answer.bits[:count]
        except TypeError:
            pass
print(json.dumps([[ask(client.read_input_registers, 0, 4, unit) for unit in (0, 1, 77, 247)],
                  ask(client.read_input_registers, 65000, 5, 1), ask(client.read_holding_registers, 0, 2, 1),
                  ask(client.read_holding_registers, 65530, 6, 1), ask(client.read_coils, 3, 9, 5), ask(client.read_discrete_inputs, 60000, 9, 6)]))
"""
    def ask():
        done = subprocess.run([PYTHON, "-c", script, str(server.port)], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    inputs, *others = ask()
    for registers in inputs:
        value = struct.unpack(">f", struct.pack(">HH", *registers[:2]))[0]
        assert 0 < value < 10 and registers[2:] == [0, 0]
    assert [set(map(int, answer)) for answer in others] == [{0}] * 5
    assert [len(answer) for answer in others] == [5, 2, 6, 9, 9]
    wait_until("another value at a tick", lambda: ask()[0] != inputs, 20)
