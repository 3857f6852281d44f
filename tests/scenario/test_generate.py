# SPDX-License-Identifier: MIT
"""weir generate: values are those of the formula and of the simulator; a crash costs the day at hand; a daemon goes on."""

import csv
import datetime
import io
import json
import math
import signal
import subprocess
import time

import pytest
from conftest import BINARY, read_line, scaled, wait_until

UTC = datetime.timezone.utc

# EMDC's sample-sawtooth.json, three of its terms; and a topic with a grid of its own.
SAWTOOTH = """// A sawtooth wave.
[
  {"start": "2017-12-23T00:00:00.0000Z", "end": "2017-12-24T23:59:59.9999Z", "topic_id": 333014,
   "topic_name": "UW/Alder/eaton_meter/W", "amplitude_sin": -0.318, "period": 86400, "spread": 0},
  {"start": "2017-12-23T00:00:00.0000Z", "end": "2017-12-24T23:59:59.9999Z", "topic_id": 333014,
   "topic_name": "UW/Alder/eaton_meter/W", "amplitude_sin": -0.159, "period": 43200, "spread": 0},
  {"start": "2017-12-23T00:00:00.0000Z", "end": "2017-12-24T23:59:59.9999Z", "topic_id": 333014,
   "topic_name": "UW/Alder/eaton_meter/W", "amplitude_cos": 0.2, "period": 12342.857, "spread": 0},
  {"start": "2017-12-23T00:00:30Z", "end": "2017-12-23T06:00:00Z", "topic_id": 7, "sample_rate": 0.33,
   "topic_name": "UW/Alder/eaton_meter/VA", "amplitude_offset": 5, "spread": 0.25}
]
"""

SIMULATED = {
    "connections": [{"name": "sim", "uri": "simulated:"}],
    "devices": [{"name": "m{unit_id}", "unit_id": "1-3", "connection": "sim", "interval": "1s", "points": [
        {"name": "power", "register": "input", "address": 0, "type": "float32", "unit": "kW"},
        {"name": "energy", "register": "input", "address": 2, "type": "uint32", "unit": "Wh", "counter": True},
        {"name": "running", "register": "coil", "address": 0},
        {"name": "name", "register": "holding", "address": 10, "type": "string", "length": 8, "interval": "1h"},
        {"name": "level", "register": "input", "address": 4, "type": "uint16", "unit": "%", "interval": "1min"}]}],
}
N_TAGS = 15


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def gendata(entries):
    """What gendata.py makes of entries without spread: {(topic, time): value}."""
    data = {}
    for entry in entries:
        start, end = (datetime.datetime.fromisoformat(entry[key].replace("Z", "+00:00")[:19] + "+00:00")
                      for key in ("start", "end"))
        rate = entry.get("sample_rate", 0.01)
        delta = datetime.timedelta(seconds=1 / rate)
        seconds = (end - start).total_seconds() + float("0" + entry["end"].rstrip("Z")[19:])
        at = start
        for _ in range(math.floor(seconds * rate)):
            x = 2 * math.pi / entry.get("period", 86400) * (at - start).total_seconds()
            value = (entry.get("amplitude_offset", 0) + entry.get("amplitude_cos", 0) * math.cos(x)
                     + entry.get("amplitude_sin", 0) * math.sin(x))
            key = (entry["topic_name"], at)
            data[key] = data.get(key, 0) + value
            at += delta
    return data


def test_a_gendata_file_gives_what_gendata_would(weir):
    path = weir.write_config(SAWTOOTH, "sawtooth.json")
    want = gendata(json.loads(SAWTOOTH.split("\n", 1)[1]))
    done = weir.run("generate", "--fourier", path, "--format", "csv")
    assert done.returncode == 0, done.stderr
    found = {(row["tag"], datetime.datetime.fromisoformat(row["time"].replace("Z", "+00:00"))): float(row["value"])
             for row in rows(done.stdout)}
    assert found.keys() == want.keys()
    for key, value in found.items():
        assert abs(value - want[key]) <= (0.25 if key[0].endswith("VA") else 1e-9), key
    assert max(abs(value - 5) for (tag, _), value in found.items() if tag.endswith("VA")) > 0.2


def test_times_and_interval_from_the_command_line_keep_the_phase(weir):
    path = weir.write_config(SAWTOOTH, "sawtooth.json")
    done = weir.run("generate", "--fourier", path, "--format", "jsonl", "--from", "2017-12-23T12:00:00+01:00",
                    "--to", "2017-12-23T12:00Z", "--interval", "1min", "--resolution", "0.001")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    power = [line for line in lines if line["tag"].endswith("/W")]
    assert len(power) == 60 and power[0]["time"] == "2017-12-23T11:00:00.000000Z"
    x = 2 * math.pi * 11 * 3600
    want = -0.318 * math.sin(x / 86400) - 0.159 * math.sin(x / 43200) + 0.2 * math.cos(x / 12342.857)
    assert abs(power[0]["value"] - want) <= 0.0005001
    assert all(round(line["value"], 3) == line["value"] for line in lines)


def test_what_it_makes_is_what_the_simulator_serves(weir):
    """A ramp that takes a step each 60 ms: a reading is one of the steps of its moment, and of no other seed."""
    points = [{"name": name, "register": "input", "address": 2 * i, "type": "float32",
               "simulate": {"wave": "ramp", "min": 0, "max": 1000, "period": "1min", "resolution": 1}}
              for i, name in enumerate("abcd")]
    config = {"connections": [{"name": "bus", "uri": "tcp://127.0.0.1:502"}],
              "devices": [{"name": "m", "unit_id": 3, "connection": "bus", "interval": "1s", "points": points}]}
    plant = weir.write_config(config, "plant.yaml")
    with subprocess.Popen([BINARY, "simulate", str(plant), "--seed", "7", "--listen", "tcp://127.0.0.1:0"],
                          stdout=subprocess.PIPE, bufsize=0, env=weir.environment) as simulator:
        config["connections"][0]["uri"] = read_line(simulator.stdout).split(" ")[1]
        before = time.time()
        reading = {row["tag"]: float(row["value"])
                   for row in weir.json("run", "-c", weir.write_config(config), "--once")}
        after = time.time()
        simulator.send_signal(signal.SIGTERM)
    def made(seed):
        done = weir.run("generate", plant, "--seed", seed, "--interval", "10ms", "--format", "csv", "--from",
                        datetime.datetime.fromtimestamp(before - 0.02, UTC).isoformat(), "--to",
                        datetime.datetime.fromtimestamp(after + 0.02, UTC).isoformat())
        assert done.returncode == 0, done.stderr
        return {(row["tag"], float(row["value"])) for row in rows(done.stdout)}
    assert reading.keys() == {f"m/{name}" for name in "abcd"}
    assert set(reading.items()) <= made(7)
    assert not set(reading.items()) <= made(8)


def export(weir, data_dir):
    done = weir.run("export", "--data-dir", data_dir)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_store_holds_what_csv_shows_and_seeds_repeat(weir):
    path = weir.write_config(SIMULATED)
    options = ["--from", "2026-01-05T03:00:00Z", "--to", "2026-01-06T00:30:00Z", "--interval", "20s"]
    texts = {}
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        done = weir.run("generate", path, *options, "--seed", seed, "--data-dir", weir.tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert "weir sql --data-dir" in done.stderr
        assert weir.run("store", "verify", "--data-dir", weir.tmp_path / name).returncode == 0
        texts[name] = export(weir, weir.tmp_path / name)
    assert texts["one"] == texts["two"] != texts["other"]
    as_csv = weir.run("generate", path, *options, "--seed", 5, "--format", "csv").stdout
    assert sorted(as_csv.splitlines()) == sorted(texts["one"].splitlines())
    assert len(rows(as_csv)) == N_TAGS * 3870


def check_whole(weir, data_dir):
    """Verified; every number there once; returns the last one and the count."""
    done = weir.run("store", "verify", "--data-dir", data_dir)
    assert done.returncode == 0, done.stdout + done.stderr
    found = weir.sql(data_dir, "select count(*) as n, count(distinct seq) as d, max(seq) as last from samples")[0]
    events = weir.sql(data_dir, "select count(*) as n from events")[0]["n"]
    assert found["n"] == found["d"]
    if found["n"]:
        assert found["last"] - events <= found["n"] <= found["last"]
    return found["n"]


def test_a_daemon_goes_on_with_the_same_tags_and_numbers(weir):
    path = weir.write_config(SIMULATED)
    data_dir = weir.tmp_path / "data"
    done = weir.run("generate", "-c", path, "--from", "-3h", "--data-dir", data_dir)
    assert done.returncode == 0, done.stderr
    made = check_whole(weir, data_dir)
    assert made == pytest.approx(3 * 3600 * 9 + 3 * 60 * 3 + 3 * 3, abs=20)
    newest = weir.sql(data_dir, "select count(*) as n, min(age) as age from"
                                " (select max(ts) as age from current group by tag)")[0]
    assert newest["n"] == N_TAGS
    daemon = weir.start(path, data_dir)
    assert weir.run("generate", "-c", path, "--from", "-1h", "--data-dir", data_dir).returncode == 3
    daemon.wait_committed(made + 20)
    daemon.stop()
    assert check_whole(weir, data_dir) >= made + 20
    assert weir.sql(data_dir, "select count(*) as n from tags")[0]["n"] == N_TAGS


def test_kill_9_keeps_whole_days_and_the_store_opens(weir, dice):
    devices = [dict(SIMULATED["devices"][0], unit_id=1, points=SIMULATED["devices"][0]["points"][:1])]
    path = weir.write_config(dict(SIMULATED, devices=devices))
    data_dir = weir.tmp_path / "data"
    kept = []

    def has_days():
        done = weir.run("sql", "--data-dir", data_dir, "--format", "json", "select count(*) as n from samples")
        return done.returncode == 0 and json.loads(done.stdout)[0]["n"] > 0

    for i in range(scaled(2, 40)):
        with subprocess.Popen([BINARY, "generate", str(path), "--from", "-300d", "--data-dir", str(data_dir)],
                              stderr=subprocess.DEVNULL, env=weir.environment) as process:
            if i % 2:
                wait_until("whole days are there", has_days, 60)
            time.sleep(dice.uniform(0.1, scaled(0.8, 2)))
            process.kill()
        if (data_dir / "data.db-journal").exists() or not (data_dir / "data.db").exists() or (data_dir / "data.db").stat().st_size == 0:
            continue  # killed while the store was being made: whoever opens it next makes it
        assert weir.run("store", "verify", "--data-dir", data_dir).returncode == 0
        kept += weir.sql(data_dir, "select count(*) as n, max(ts) as last from samples where tag = 'm1/power'")
    # What a kill left is there after the next one.
    assert kept == sorted(kept, key=lambda row: row["n"]) and kept[-1]["n"] > 0, kept
    daemon = weir.start(path, data_dir)
    last = daemon.wait_committed(1)["committed_seq"]
    daemon.wait_committed(last + 3)
    daemon.stop()
    assert weir.run("store", "verify", "--data-dir", data_dir).returncode == 0


def test_interrupted_it_says_so_and_keeps_what_is_complete(weir):
    path = weir.write_config(SIMULATED)
    data_dir = weir.tmp_path / "data"
    with subprocess.Popen([BINARY, "generate", str(path), "--from", "-300d", "--data-dir", str(data_dir)],
                          stderr=subprocess.PIPE, text=True, env=weir.environment) as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "interrupted" in error, error
    assert weir.run("store", "verify", "--data-dir", data_dir).returncode == 0


@pytest.mark.parametrize("text, code, says", [
    ('[{"start": "2018-01-01",\n "end": "yesterday", "topic_id": 1, "topic_name": "a"}]', 3, "f.json:2:9: end must be"),
    ('[{"start": "2018-01-01", "end": "2018-01-02", "topic_id": 1, "topic_name": "a",\n "sped": 1}]', 3,
     "f.json:2:2: unknown key 'sped': did you mean 'spread'?"),
    ('[{"start": "2018-01-01" "end": 1}]', 3, "f.json:1:"),
])
def test_mistakes_of_a_description_have_a_place(weir, text, code, says):
    path = weir.write_config(text, "f.json")
    done = weir.run("generate", "--fourier", path, "--format", "csv")
    assert done.returncode == code and done.stdout == ""
    assert says in done.stderr, done.stderr


@pytest.mark.parametrize("arguments, code, says", [
    (["eastron-sdm630"], 2, "--from is missing"),
    (["eastron-sdm630", "--from", "soon"], 2, "'soon' is no time"),
    (["eastron-sdm630", "--from", "2026-01-02", "--to", "2026-01-01"], 2, "--from must be before --to"),
    (["eastron-sdm630", "--from", "-1h", "--to", "2200-01-01"], 2, "which is to come"),
    (["eastron-sdm630", "-c", "weir.yaml", "--from", "-1h"], 2, "one of FILE|PROFILE"),
    (["eastron-sdm630", "--from", "-1h", "--interval", "1ms"], 2, "interval must be between 10ms"),
    (["eastron-sdm630", "--from", "-1h", "--resolution", "1"], 2, "--resolution is for --fourier"),
    (["eastron-sdm630", "--from", "0001-01-01", "--to", "2026-01-01", "--interval", "10ms"], 1, "only"),
    (["no-such-profile", "--from", "-1h"], 3, "no-such-profile"),
])
def test_what_cannot_be_made_is_refused(weir, arguments, code, says):
    done = weir.run("generate", *arguments, cwd=weir.tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert not (weir.tmp_path / "weir-data").exists()
