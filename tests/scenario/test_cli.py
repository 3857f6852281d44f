# SPDX-License-Identifier: MIT
"""The commands: help, exit codes, formats, reading a device by hand, the simulator, one reading of all."""

import csv
import io
import json
import os
import re
import subprocess

import pytest
from conftest import BINARY, read_line
from oracle import simdev_config, simdev_points
from simdev import make_value, read_value

COMMANDS = ["init", "config", "completion", "sink", "backup", "restore", "run", "demo", "check", "read", "simulate", "sql", "status", "store", "version", "generate",
            "export", "device", "tag", "migrate"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(weir, command):
    done = weir.run(command, "--help")
    assert done.returncode == 0
    assert done.stdout.count(f"weir {command}") >= 2, done.stdout
    assert done.stderr == ""


def test_the_overview_names_every_command(weir):
    done = weir.run("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^\s+{command}\b", done.stdout, re.M), command


@pytest.mark.parametrize("arguments", [["no-such-command"], ["sql", "--no-such-option"], ["sql"],
                                       ["run", "--data-dir"], ["read"]])
def test_a_command_line_that_is_not_understood_exits_2(weir, arguments):
    done = weir.run(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr


def test_a_mistyped_command_is_guessed(weir):
    assert "status" in weir.run("statsu").stderr


def test_version_for_programs(weir):
    answer = json.loads(weir.run("version", "--json").stdout)
    assert re.fullmatch(r"\d+\.\d+\.\d+", answer["version"])


@pytest.fixture
def polled(weir, peers):
    """A daemon that polls a device, with its first samples on disk."""
    device = peers.simdev()
    config = simdev_config(device.port, "1-2", simdev_points(2))
    config["devices"][0].update(description="Feeder", labels={"building": "A"})
    daemon = weir.start(config)
    daemon.wait_sql("select 1 from samples where tag = 'u1/v0' limit 1 offset 4")
    return daemon


def test_sql_in_three_formats(weir, polled):
    query = "select tag, 1.5 as x, null as absent from tags order by tag limit 2"
    run = lambda form: weir.run("sql", "--data-dir", polled.data_dir, "--format", form, query).stdout
    rows = [{"tag": tag, "x": 1.5, "absent": None} for tag in ("u1/v0", "u1/v4")]
    assert json.loads(run("json")) == rows
    assert list(csv.reader(io.StringIO(run("csv")))) == [["tag", "x", "absent"], ["u1/v0", "1.5", ""],
                                                         ["u1/v4", "1.5", ""]]
    assert "u1/v0" in run("table")
    # Piped and without a word: csv.
    assert weir.run("sql", "--data-dir", polled.data_dir, query).stdout == run("csv")


def test_sql_shows_the_tables_of_the_contract(weir, polled):
    tables = {
        "samples": "tag ts time value quality cause read_ts",
        "current": "tag ts time value quality cause read_ts",
        "tags": "id tag device unit type description labels address",
        "devices": "name connection state since last_good error requests timeouts late rtt_p50 rtt_p99",
        "events": "ts kind subject text",
    }
    for table, columns in tables.items():
        done = weir.run("sql", "--data-dir", polled.data_dir, "--format", "csv", f"select * from {table} limit 1")
        assert done.stdout.splitlines()[0] == columns.replace(" ", ","), table
    hidden = polled.sql("select kind, bits is not null as has_bits, epoch, seq > 0 as has_seq from samples limit 1")
    assert hidden[0]["has_bits"] == 1 and hidden[0]["epoch"] == 0 and hidden[0]["has_seq"] == 1


@pytest.mark.threads
def test_sql_filters_by_tag_and_time(weir, polled):
    every = polled.sql("select tag, ts, time, value from samples order by ts, tag")
    middle = every[len(every) // 2]
    for where in (f"ts = {middle['ts']}", f"time = '{middle['time']}'"):
        found = polled.sql(f"select tag, ts, time, value from samples where tag = '{middle['tag']}' and {where}")
        assert found == [middle]
    last = every[-1]["ts"]
    some = polled.sql("select tag, ts, time, value from samples where tag glob 'u1/*'"
                      f" and ts > {middle['ts']} and ts <= {last} order by ts, tag")
    assert some == [row for row in every if row["tag"].startswith("u1/") and middle["ts"] < row["ts"] <= last]
    some = polled.sql(f"select tag, ts, time, value from samples where tag in ('u1/v0', 'u2/v4') and ts <= {last}"
                      " order by ts, tag")
    assert some == [row for row in every if row["tag"] in ("u1/v0", "u2/v4")]


def test_time_is_the_text_of_ts(polled):
    row = polled.sql("select ts, time, strftime('%s', time) as seconds from samples limit 1")[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["time"])
    assert int(row["seconds"]) == row["ts"] // 1_000_000
    assert int(row["time"][-7:-1]) == row["ts"] % 1_000_000


def test_a_wrong_query_fails_and_says_why(weir, polled):
    done = weir.run("sql", "--data-dir", polled.data_dir, "select tag from nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_output_that_cannot_be_written_fails_but_a_closed_pipe_is_quiet(weir, polled):
    many = "with recursive r(x) as (select 1 union all select x + 1 from r limit 20000) select x from r"
    command = [BINARY, "sql", "--data-dir", str(polled.data_dir), many]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
                              env=weir.environment)
    assert done.returncode == 1
    assert "cannot write the output" in done.stderr
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
                          env=weir.environment)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("statement", ["pragma journal_mode=delete", "pragma wal_checkpoint(truncate)",
                                       "attach 'x.db' as x", "delete from log returning 1", "vacuum into 'y.db'"])
def test_a_statement_that_writes_is_refused_in_words(weir, polled, statement):
    done = weir.run("sql", "--data-dir", polled.data_dir, statement)
    assert done.returncode == 1
    assert "the store is read only" in done.stderr


def test_sql_does_not_change_data(weir, polled):
    done = weir.run("sql", "--data-dir", polled.data_dir, "drop table log")
    assert done.returncode != 0


@pytest.mark.threads
def test_status_for_programs(polled):
    status = polled.status()
    assert status["pid"] == polled.process.pid
    assert status["data_dir"] and status["version"]
    assert status["committed_seq"] > 0 and status["committed_ts"] > 0
    assert status["overruns"] == 0 and status["filtered"] == 0
    assert {device["name"]: device["state"] for device in status["devices"]} == {"u1": "online", "u2": "online"}


def test_status_without_a_daemon_exits_4(weir, tmp_path):
    assert weir.run("status", "--data-dir", tmp_path / "nowhere").returncode == 4


def test_sql_needs_no_daemon(weir, polled):
    polled.stop()
    assert weir.sql(polled.data_dir, "select count(*) as n from samples")[0]["n"] > 0


def test_store_verify_and_stats(weir, polled):
    polled.stop()
    assert weir.run("store", "verify", "--data-dir", polled.data_dir).returncode == 0
    assert weir.run("store", "stats", "--data-dir", polled.data_dir).returncode == 0


def test_store_verify_finds_damage(weir, polled):
    polled.stop()
    path = polled.data_dir / "data.db"
    data = bytearray(path.read_bytes())
    for i in range(5000, len(data), 997):
        data[i] ^= 0x10
    path.write_bytes(data)
    assert weir.run("store", "verify", "--data-dir", polled.data_dir).returncode == 9


def test_run_once_prints_every_point(weir, peers):
    device = peers.simdev()
    config = weir.write_config(simdev_config(device.port, "1-2", simdev_points(3)))
    done = weir.run("run", "--once", "-c", config, "--format", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["tag"] for row in rows] == [f"u{u}/v{a}" for u in (1, 2) for a in (0, 4, 8)]
    for row in rows:
        assert row.keys() >= {"tag", "value", "unit", "quality", "time"}
        unit, address = re.fullmatch(r"u(\d)/v(\d)", row["tag"]).groups()
        assert read_value(row["value"])[:3] == (int(unit), 3, int(address))


def test_run_once_with_a_silent_unit_exits_8(weir, peers):
    device = peers.simdev(units="1-1")
    config = weir.write_config(simdev_config(device.port, "1-2", simdev_points(1)))
    done = weir.run("run", "--once", "-c", config, "--format", "json")
    assert done.returncode == 8
    assert [row["quality"].startswith("good") for row in json.loads(done.stdout)] == [True, False]


def test_read_like_mbpoll(weir, peers):
    """-r is 1-based: register 5 is address 4."""
    device = peers.simdev()
    done = weir.run("read", f"tcp://127.0.0.1:{device.port}", "-1", "-a", 3, "-t", 4, "-r", 5, "-c", 2, "--format",
                    "json")
    assert done.returncode == 0, done.stderr
    words = make_value(3, 3, 4, 1).to_bytes(8, "big")
    rows = json.loads(done.stdout)
    assert [(row["address"], row["value"]) for row in rows] == [(4, words[0] << 8 | words[1]), (5, 4)]
    assert all(row["register"] == "holding" and row["quality"] == "good" for row in rows)


def test_read_in_words_of_weir_ends_with_the_line_for_yaml(weir, peers):
    device = peers.simdev()
    done = weir.run("read", f"tcp://127.0.0.1:{device.port}", "-1", "-a", 2, "--address", 8, "--type", "uint64",
                    "--order", "ABCDEFGH")
    assert done.returncode == 0, done.stderr
    assert str(make_value(2, 3, 8, 1)) in done.stdout
    line = done.stderr.strip().splitlines()[-1]  # a table ends with it on stdout; csv stays csv
    assert "register: holding" in line and "address: 8" in line and "type: uint64" in line, line


def test_read_without_a_type_shows_all(weir, peers):
    device = peers.simdev()
    done = weir.run("read", f"tcp://127.0.0.1:{device.port}", "-1", "--address", 0, "--format", "json")
    assert done.returncode == 0, done.stderr
    shown = {(row["type"], row["order"]): row["value"] for row in json.loads(done.stdout)}
    value = make_value(1, 3, 0, 1)
    data = value.to_bytes(8, "big")
    assert int(shown["uint64", "ABCDEFGH"]) == value
    assert int(shown["uint16", "AB"]) == value >> 48
    assert int(shown["uint16", "BA"]) == int.from_bytes(data[:2], "little")
    assert int(shown["uint32", "CDAB"]) == int.from_bytes(data[2:4] + data[:2], "big")


def test_read_of_nobody_exits_4_and_of_silence_6(weir, peers):
    device = peers.simdev(units="1-1")
    assert weir.run("read", "tcp://127.0.0.1:1", "-1", "--address", 0).returncode == 4
    uri = f"tcp://127.0.0.1:{device.port}"
    assert weir.run("read", uri, "-1", "-a", 9, "--address", 0, "--type", "uint16").returncode == 6


def test_read_of_a_refused_address_exits_5(weir, peers):
    device = peers.simdev()
    done = weir.run("read", f"tcp://127.0.0.1:{device.port}", "-1", "--address", 65535, "--type", "uint32")
    assert done.returncode == 5 or "65535" in done.stderr


@pytest.mark.parametrize("scheme", ["tcp", "rtu+tcp"])
def test_a_simulated_profile_can_be_polled(weir, scheme):
    simulator = subprocess.Popen([BINARY, "simulate", "eastron-sdm630", "--listen", f"{scheme}://127.0.0.1:0", "--units",
                                  "1-4", "--seed", "7"], stdout=subprocess.PIPE, bufsize=0, env=weir.environment)
    try:
        word, uri = read_line(simulator.stdout).split(" ")
        assert word == "listening" and uri.startswith(f"{scheme}://127.0.0.1:")
        config = {"connections": [{"name": "sim", "uri": uri}],
                  "devices": [{"name": "m{unit_id:02}", "unit_id": "1-4", "connection": "sim",
                               "profile": "eastron-sdm630", "interval": "1s"}]}
        done = weir.run("run", "--once", "-c", weir.write_config(config), "--format", "json")
        rows = json.loads(done.stdout)
        assert done.returncode == 0, done.stderr
        assert {row["tag"].split("/")[0] for row in rows} == {"m01", "m02", "m03", "m04"}
        assert len(rows) >= 4 * 30
    finally:
        simulator.terminate()
        assert simulator.wait(5) == 0
        simulator.stdout.close()


def test_bits_as_bytes_are_simulated_and_read(weir):
    """One value of 19 coils is those 19 coils, by `weir run` and by `weir read`."""
    points = [{"name": "row", "register": "coil", "address": 19, "type": "bytes", "length": 19, "simulate": {"period": "366d"}},
              {"name": "one", "register": "coil", "address": 20}]
    plant = weir.write_config({"connections": [{"name": "sim", "uri": "tcp://127.0.0.1:1"}], "devices": [
        {"name": "m", "unit_id": 1, "connection": "sim", "interval": "1s", "points": points}]}, "plant.yaml")
    simulator = subprocess.Popen([BINARY, "simulate", str(plant), "--listen", "tcp://127.0.0.1:0", "--seed", "7"],
                                 stdout=subprocess.PIPE, bufsize=0, env=weir.environment)
    try:
        _, uri = read_line(simulator.stdout).split(" ")
        def read(*more):
            return weir.json("read", uri, "-1", "--register", "coil", "--address", 19, "-c", 19, *more)
        row, = read("--type", "bytes")
        data = bytes.fromhex(row["value"])
        assert len(data) == 3 and data[2] < 8 and any(data)
        assert [row["value"] for row in read()] == [bool(data[i // 8] >> i % 8 & 1) for i in range(19)]
        config = {"connections": [{"name": "sim", "uri": uri}],
                  "devices": [{"name": "m", "unit_id": 1, "connection": "sim", "interval": "1s", "points": points}]}
        once = {row["tag"]: row["value"] for row in weir.json("run", "--once", "-c", weir.write_config(config))}
        assert once == {"m/row": row["value"], "m/one": bool(data[0] & 2)}
    finally:
        simulator.terminate()
        assert simulator.wait(5) == 0
        simulator.stdout.close()


@pytest.mark.parametrize("arguments", [["help"], ["help", "help"], ["help", "--help"], ["--help"], ["-h"]])
def test_help_about_help_is_the_overview(weir, arguments):
    done = weir.run(*arguments)
    assert done.returncode == 0 and done.stdout.startswith("weir collects data") and done.stderr == ""
