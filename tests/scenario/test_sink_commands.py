# SPDX-License-Identifier: MIT
"""Sinks in the configuration, `weir sink` and `weir check --live`, with types that need no server."""

import csv
import io
import json
import os
import re
import socket

import pytest
from conftest import ROOT, wait_until
from influxserver import Influx, is_installed
from oracle import simdev_config, simdev_points

PLANT = {
    "connections": [{"name": "sim", "uri": "simulated:"}],
    "devices": [{"name": name, "connection": "sim", "unit_id": unit, "interval": "1s", "labels": {"building": building},
                 "points": [{"name": "power", "register": "input", "address": 0, "type": "float32"},
                            {"name": "run", "register": "coil", "address": 3}]}
                for unit, (name, building) in enumerate((("m1", "A"), ("m2", "B")), 1)],
}


def plant(*sinks, **more):
    return dict(PLANT, sinks=list(sinks), **more)


def noop(name="trash", **more):
    return dict({"name": name, "type": "noop"}, **more)


# --- the configuration ------------------------------------------------------------------------

def test_check_shows_each_sink_and_its_share_of_the_tags(weir):
    config = weir.write_config(plant(noop(), noop("one", tags=["m1/*", "!*/run"]), noop("b", labels={"building": "B"}, enabled=False)))
    done = weir.run("check", "-c", config, "--format", "table")
    assert done.returncode == 0, done.stderr
    assert "3 sinks" in done.stderr
    assert "warning" not in done.stderr
    assert "trash  sink of type noop: 4 of 4 tags" in done.stdout
    assert "one  sink of type noop: 1 of 4 tags" in done.stdout
    assert "b  sink of type noop  (disabled): 2 of 4 tags" in done.stdout


def test_check_lists_sinks_in_each_format(weir):
    config = weir.write_config(plant(noop(), noop("one", tags=["m1/*", "!*/run"]), noop("b", labels={"building": "B"}, enabled=False)))
    rows = weir.json("check", "-c", config)
    sinks = [row for row in rows if row["sink"] is not None]
    assert [(row["sink"], row["type"], row["enabled"], row["tags"], row["of_tags"]) for row in sinks] == [
        ("trash", "noop", True, 4, 4), ("one", "noop", True, 1, 4), ("b", "noop", False, 2, 4)]
    assert {row["connection"] for row in sinks} == {None} and len(rows) > len(sinks)
    table = list(csv.DictReader(io.StringIO(weir.run("check", "-c", config, "--format", "csv").stdout)))
    assert [(row["sink"], row["tags"], row["enabled"], row["connection"]) for row in table if row["sink"]] == [
        ("trash", "4", "true", ""), ("one", "1", "true", ""), ("b", "2", "false", "")]
    assert not any("sink" in row for row in weir.json("check", "--requests", "-c", config))


def test_a_pattern_that_matches_nothing_is_a_warning_at_its_place(weir):
    path = weir.write_config("data_dir: memory\n"
                             "connections: [{name: sim, uri: 'simulated:'}]\n"
                             "devices: [{name: m1, connection: sim, unit_id: 1, interval: 1s,\n"
                             "           points: [{name: power, register: coil, address: 0}]}]\n"
                             "sinks: [{name: a, type: noop, tags: [m1/*, m2/*]}]\n")
    done = weir.run("check", "-c", path)
    assert done.returncode == 0
    assert f'warning: {path}:5:44: the pattern "m2/*" matches no tag' in done.stderr


@pytest.mark.parametrize("sink, says", [
    ({"name": "x", "type": "nop"}, "did you mean noop?"),
    ({"name": "x", "type": "noop", "tag": "*"}, "did you mean 'tags'?"),
    ({"name": "x", "type": "noop", "plans": ["night"]}, "no plan 'night': define it"),
    ({"name": "x", "type": "noop", "backlog_rate": "20k"}, "20000/s"),
    ({"name": "../x", "type": "noop"}, "slash"),
    ({"type": "noop"}, "needs 'name'"),
    ({"name": "x"}, "needs 'type'"),
])
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_wrong_sink_is_told_with_its_place_and_exit_code_3(weir, command, sink, says):
    path = weir.write_config(plant(sink))
    done = weir.run(command, "-c", path)
    assert done.returncode == 3, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith(f"{path}:")]
    assert len(lines) == 1 and says in lines[0], done.stderr


def test_what_does_not_deliver_needs_no_secret_and_no_module(weir):
    """The type is not even known here; who looks at data or reads devices does not mind."""
    config = weir.write_config(plant({"name": "x", "type": "from_the_future", "password": "${NOT_SET_ANYWHERE}"},
                                     data_dir=str(weir.tmp_path / "data")))
    assert weir.run("run", "-c", config, "--once").returncode == 0
    assert weir.run("generate", config, "--data-dir", weir.tmp_path / "data", "--from", "2026-01-05",
                    "--to", "2026-01-06").returncode == 0
    assert weir.json("sql", "-c", config, "select count(*) n from tags") == [{"n": 4}]
    assert weir.run("check", "-c", config).returncode == 3


# --- help and manual --------------------------------------------------------------------------

def test_help_and_manual_have_every_key_of_every_sink_and_type(weir):
    help_text, manual = weir.run("help", "sinks").stdout, weir.run("--man", "weir.yaml.5").stdout
    for key in ("name", "type", "enabled", "tags", "labels", "plans", "quality", "batch", "backlog_rate"):
        assert f"\n  {key}: " in help_text
    for name in ("csv", "noop"):
        assert f"type: {name} " in help_text
        assert f".SS Sinks of type {name}" in manual
    assert "backlog_rate: N/s" in weir.run("help", "config").stdout
    assert "max_loss" in weir.run("help", "config").stdout


# --- weir sink test ---------------------------------------------------------------------------

def test_a_test_tells_the_latency_and_what_is_at_the_other_side(weir):
    config = weir.write_config(plant(noop(), noop("off", enabled=False)))
    rows = weir.json("sink", "test", "-c", config)
    assert [(row["sink"], row["type"], row["state"], row["cause"]) for row in rows] == [("trash", "noop", "ok", "")]
    assert rows[0]["latency_ms"] < 1000 and rows[0]["peer"]
    named = weir.json("sink", "test", "off", "-c", config)
    assert [row["sink"] for row in named] == ["off"]
    line, = weir.run("sink", "test", "-c", config, "--format", "table").stdout.splitlines()
    assert line.startswith("trash  ok  ")


def test_a_name_that_is_not_there_is_guessed(weir):
    config = weir.write_config(plant(noop()))
    done = weir.run("sink", "test", "trahs", "-c", config)
    assert done.returncode == 1
    assert "did you mean 'trash'?" in done.stderr


def test_a_type_without_tables_says_so(weir):
    done = weir.run("sink", "schema", "trash", "-c", weir.write_config(plant(noop())))
    assert done.returncode == 0 and done.stdout == ""
    assert "nothing to create" in done.stderr


@pytest.mark.parametrize("arguments, says", [
    ([], "missing"),
    (["lst"], "Did you mean 'list'?"),
    (["pause"], "weir sink pause NAME"),
    (["replay", "trash"], "--from"),
    (["replay", "trash", "--from", "2026-02-01", "--to", "2026-01-01"], "not before"),
    (["replay", "trash", "--from", "yesterday"], "no time"),
    (["quarantine", "trash"], "weir sink quarantine"),
    (["quarantine", "show", "trash"], "none of list, retry, export, drop"),
    (["quarantine", "drop", "trash"], "--yes"),
])
def test_a_wrong_order_exits_2(weir, arguments, says):
    done = weir.run("sink", *arguments)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr


# --- orders: to the running weir, or into the store ------------------------------------------------

def csv_lines(path):
    return path.read_text().splitlines()[1:] if path.exists() else []


def listed(weir, data_dir, name="files"):
    row, = [row for row in weir.json("sink", "list", "--data-dir", data_dir) if row["sink"] == name]
    return row


def order(weir, *arguments):
    done = weir.run("sink", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_running_weir_is_paused_and_resumed_and_loses_nothing(weir):
    path = weir.tmp_path / "out.csv"
    daemon = weir.start(plant({"name": "files", "type": "csv", "path": str(path)}, noop()))
    wait_until("lines", lambda: csv_lines(path))
    row = wait_until("online", lambda: (found := listed(weir, daemon.data_dir))["state"] == "online" and found)
    assert (row["type"], row["quarantined"], row["error"], row["remedy"]) == ("csv", 0, "", "")
    order(weir, "pause", "files", "--data-dir", daemon.data_dir)
    wait_until("paused", lambda: listed(weir, daemon.data_dir)["state"] == "paused")
    wait_until("a backlog", lambda: listed(weir, daemon.data_dir)["backlog"] > 4)
    assert listed(weir, daemon.data_dir)["remedy"] == "weir sink resume files"
    assert listed(weir, daemon.data_dir, "trash")["state"] == "online"
    order(weir, "resume", "files", "--data-dir", daemon.data_dir)
    wait_until("no backlog", lambda: (found := listed(weir, daemon.data_dir))["state"] == "online" and found["backlog"] < 4)
    daemon.stop()
    stored = {(row["time"], row["tag"]) for row in weir.sql(daemon.data_dir, "select time, tag from samples")}
    lines = [tuple(line.split(",")[:2]) for line in csv_lines(path)]
    assert len(lines) == len(set(lines))
    assert set(lines) <= stored and len(stored) - len(lines) <= 4  # the last second is for the next start
    after = weir.run("sink", "list", "--data-dir", daemon.data_dir, "--format", "json")
    assert "no weir is running" in after.stderr
    assert {row["sink"] for row in json.loads(after.stdout)} == {"files", "trash"}


def test_without_a_weir_orders_wait_for_the_next_start(weir):
    path = weir.tmp_path / "out.csv"
    config = plant({"name": "files", "type": "csv", "path": str(path)})
    daemon = weir.start(config)
    wait_until("lines", lambda: csv_lines(path))
    daemon.stop()
    first = csv_lines(path)
    for action, state in (("pause", "paused"), ("resume", "online"), ("pause", "paused")):
        order(weir, action, "files", "--data-dir", daemon.data_dir)
        assert listed(weir, daemon.data_dir)["state"] == state
    daemon = weir.start(config)
    wait_until("paused", lambda: listed(weir, daemon.data_dir)["state"] == "paused")
    wait_until("a backlog", lambda: listed(weir, daemon.data_dir)["backlog"] > 4)
    daemon.stop()
    assert csv_lines(path) == first


def test_a_replay_sends_what_history_has(weir):
    path = weir.tmp_path / "out.csv"
    daemon = weir.start(plant({"name": "files", "type": "csv", "path": str(path), "columns": ["time", "tag", "replayed"]}))
    wait_until("lines", lambda: len(csv_lines(path)) > 8)
    first, second = [row["time"] for row in weir.sql(daemon.data_dir, "select time from samples where tag = 'm1/power'")][:2]
    fresh = csv_lines(path)[0].split(",")[2]
    order(weir, "replay", "files", "--data-dir", daemon.data_dir, "--from", first, "--to", second)
    again = wait_until("replayed", lambda: [line.split(",") for line in csv_lines(path) if not line.endswith("," + fresh)])
    assert {time for time, *_ in again} == {first}, "the end is not part of it"
    order(weir, "replay", "files", "--data-dir", daemon.data_dir, "--stop")
    daemon.stop()


def test_how_far_a_replay_has_come_is_shown_until_it_is_stopped(weir):
    daemon = weir.start(plant(noop(backlog_rate="1/s", batch=1)))
    daemon.wait_sql("select 1 from samples where ts > (select min(ts) from samples) + 3000000")
    assert listed(weir, daemon.data_dir, "trash")["replayed_to"] is None
    order(weir, "replay", "trash", "--data-dir", daemon.data_dir, "--from", "-1h")
    begin = daemon.sql("select min(ts) as ts from samples")[0]["ts"]
    wait_until("it has begun", lambda: (listed(weir, daemon.data_dir, "trash")["replayed_to"] or 0) >= begin)
    assert ", replayed up to 20" in weir.run("status", "--data-dir", daemon.data_dir, "--format", "table").stdout
    order(weir, "replay", "trash", "--data-dir", daemon.data_dir, "--stop")
    wait_until("it has ended", lambda: listed(weir, daemon.data_dir, "trash")["replayed_to"] is None, 5)
    assert daemon.sql("select replayed_to from sinks") == [{"replayed_to": None}]
    daemon.stop()


def test_an_order_for_a_sink_that_is_not_there_names_those_that_are(weir):
    daemon = weir.start(plant(noop()))
    wait_until("listed", lambda: weir.json("sink", "list", "--data-dir", daemon.data_dir))
    for running in (True, False):
        done = weir.run("sink", "pause", "tras", "--data-dir", daemon.data_dir)
        assert done.returncode == 1 and "trash" in done.stderr, done.stderr
        if running:
            daemon.stop()


@pytest.mark.row(42)
@pytest.mark.skipif(not is_installed(), reason="influxd is not installed")
def test_rows_set_aside_are_listed_exported_tried_again_and_dropped(weir):
    server = Influx(weir.tmp_path, with_users=True)
    try:
        server.query("CREATE DATABASE plant")
        server.write("plant", "modbus,host=other power=1i")  # from now on power is an integer there
        config = plant({"name": "office", "type": "influxdb", "url": server.url, "database": "plant", "username": "root",
                        "password": "root", "layout": "telegraf"})
        daemon = weir.start(config)
        wait_until("rows set aside", lambda: listed(weir, daemon.data_dir, "office")["quarantined"] >= 2, 60)
        done = weir.run("sink", "quarantine", "list", "office", "--data-dir", daemon.data_dir, "--format", "json")
        rows = json.loads(done.stdout)
        assert {row["tag"] for row in rows} <= {"m1/power", "m2/power"} and "float" in rows[0]["why"], rows[0]
        assert [row["seq"] for row in rows] == sorted((row["seq"] for row in rows), reverse=True)
        for pattern, is_found in (("m?/power", True), ("m[12]/power", False)):  # a bracket is a bracket
            found = weir.json("sink", "quarantine", "list", "office", "--data-dir", daemon.data_dir, "-t", pattern)
            assert bool(found) == is_found, pattern
        target = weir.tmp_path / "aside.csv"
        order(weir, "quarantine", "export", "office", "--data-dir", daemon.data_dir, "-t", "m1/*", "-o", target)
        lines = target.read_text().splitlines()
        assert lines[0].startswith("sink,tag,ts,time,value") and all(",m1/power," in line for line in lines[1:])
        assert "row" in order(weir, "quarantine", "drop", "office", "--data-dir", daemon.data_dir, "-t", "m1/*", "--yes")
        server.query('DROP MEASUREMENT "modbus"', "plant")
        daemon.stop()
        assert "row" in order(weir, "quarantine", "retry", "office", "--data-dir", daemon.data_dir)
        daemon = weir.start(config)
        wait_until("nothing set aside", lambda: listed(weir, daemon.data_dir, "office")["quarantined"] == 0, 60)
        daemon.stop()
    finally:
        server.kill()


def test_no_log_status_or_table_shows_a_secret(weir):
    secret = "Hunter2-never-shown"
    weir.environment["PLANT_PASSWORD"] = secret
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = weir.write_config(plant({"name": "a", "type": "influxdb", "url": url, "database": "x", "username": "u", "password": secret},
                                     {"name": "b", "type": "influxdb", "url": url, "bucket": "x", "token": "${PLANT_PASSWORD}"}))
    daemon = weir.start(config, None, True, "-v")
    wait_until("offline", lambda: {row["state"] for row in weir.json("sink", "list", "--data-dir", daemon.data_dir)} == {"offline"})
    said = [daemon.log(), json.dumps(daemon.status()), json.dumps(daemon.sql("select * from sinks")),
            json.dumps(daemon.sql("select * from events"))]
    for command in (["check"], ["check", "--live"], ["sink", "test"], ["sink", "schema", "a"]):
        done = weir.run(*command, "-c", config)
        said += [done.stdout, done.stderr]
    daemon.stop()
    assert not any(secret in text for text in said)
    with open(os.path.join(daemon.data_dir, "data.db"), "rb") as file:
        assert secret.encode() not in file.read()


# --- weir check --live ------------------------------------------------------------------------

def rows_of(weir, config, code):
    done = weir.run("check", "--live", "-c", weir.write_config(config), "--format", "json")
    assert done.returncode == code, done.stderr
    return {(row["kind"], row["name"]): row for row in json.loads(done.stdout)}


def test_live_tries_everything_once(weir, peers):
    device = peers.simdev()
    config = simdev_config(device.port, "1-2", simdev_points(3))
    config["sinks"] = [noop(), noop("off", enabled=False)]
    rows = rows_of(weir, config, 0)
    connection, = (row for (kind, _), row in rows.items() if kind == "connection")
    devices = [row for (kind, _), row in rows.items() if kind == "device"]
    assert connection["state"] == "ok" and 0 < connection["latency_ms"] < 1000
    assert len(devices) == 2
    for row in devices:
        assert row["state"] == "ok" and row["good_points"] == row["points"] == 3, row
        assert row["latency_ms"] > 0 and row["cause"] == "" and row["remedy"] == ""
    assert rows["sink", "trash"]["state"] == "ok"
    assert rows["sink", "off"]["state"] == "disabled"


def test_live_says_what_is_wrong_and_what_to_do_next(weir, peers):
    device = peers.pymodbus({"1": {"input": [1, 2, 3, 4]}})
    with socket.socket() as listener:  # closed at once: nobody listens on its port
        listener.bind(("127.0.0.1", 0))
        closed = listener.getsockname()[1]
    point = {"register": "input", "type": "uint16"}
    config = {
        "connections": [{"name": "good", "uri": f"tcp://127.0.0.1:{device.port}"},
                        {"name": "closed", "uri": f"tcp://127.0.0.1:{closed}"},
                        {"name": "unknown", "uri": "tcp://no-such-host.invalid"},
                        {"name": "off", "uri": "tcp://127.0.0.1:1", "enabled": False}],
        "devices": [{"name": "m1", "connection": "good", "unit_id": 1, "interval": "1s",
                     "points": [dict(point, name="here", address=1), dict(point, name="gone", address=9000)]},
                    {"name": "m2", "connection": "closed", "unit_id": 1, "interval": "1s",
                     "points": [dict(point, name="x", address=1)]},
                    {"name": "m3", "connection": "off", "unit_id": 1, "interval": "1s",
                     "points": [dict(point, name="x", address=1)]}],
        "sinks": [noop()],
    }
    rows = rows_of(weir, config, 8)
    assert rows["connection", "good"]["state"] == "ok"
    assert rows["connection", "closed"]["state"] == "offline"
    assert "refused" in rows["connection", "closed"]["cause"]
    assert rows["connection", "closed"]["remedy"] == f"nc -vz 127.0.0.1 {closed}"
    assert rows["connection", "unknown"]["remedy"] == "getent hosts no-such-host.invalid"
    assert rows["connection", "off"]["state"] == rows["device", "m3"]["state"] == "disabled"
    m1 = rows["device", "m1"]
    assert (m1["state"], m1["good_points"], m1["points"]) == ("partly", 1, 2)
    assert "illegal data address" in m1["cause"]
    assert m1["remedy"] == f"weir read tcp://127.0.0.1:{device.port} --unit 1 --register input --address 9000"
    assert rows["device", "m2"]["state"] == "failed"
    assert "closed" in rows["device", "m2"]["cause"]
    assert rows["sink", "trash"]["state"] == "ok"
    assert not os.path.exists(weir.tmp_path / "weir-data")


# --- documents ------------------------------------------------------------------------------------

def yaml_blocks():
    """Every block of the documents that begins with sinks:, as (where, text)."""
    for name in ("README.md", "docs/sinks.md"):
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            text = file.read()
        fenced = re.findall(r"```yaml\n(sinks:\n.*?)```", text, re.S)
        indented = [re.sub(r"(?m)^    ", "", block) for block in re.findall(r"(?m)(^    sinks:\n(?:    .*\n)+)", text)]
        yield from ((f"{name}-{i}", block) for i, block in enumerate(fenced + indented))


@pytest.mark.parametrize("block", [pytest.param(block, id=where) for where, block in yaml_blocks()])
def test_what_the_documents_show_is_valid(weir, block):
    for name in re.findall(r"\$\{(\w+)\}", block):
        weir.environment[name] = "secret"
    done = weir.run("check", "-c", weir.write_config(block))
    assert done.returncode == 0, done.stderr
