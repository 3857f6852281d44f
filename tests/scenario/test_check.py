# SPDX-License-Identifier: MIT
"""weir check: warnings, and --strict, which makes mistakes of them."""

import glob
import os

import pytest
from conftest import ROOT

CONFIG, OK = 3, 0
METER = {"name": "meter", "connection": "hall", "unit_id": 1, "interval": "1s",
         "points": [{"name": "power", "register": "holding", "address": 52, "type": "float32"}]}


def plant(**more):
    return {"connections": [{"name": "hall", "uri": "rtu+tcp://127.0.0.1:4001"}], "devices": [dict(METER)], **more}


def csv_sink(**more):
    return {"sinks": [{"name": "file", "type": "csv", "path": "out.csv", **more}]}


CRAMPED = plant()
CRAMPED["devices"][0]["interval"] = "20ms"
TWICE = plant()
TWICE["devices"].append(dict(METER, name="other"))
CROSSED = plant(**csv_sink(tags="meter/*", labels={"building": "A"}))
CROSSED["devices"].append(dict(METER, name="other", unit_id=2, labels={"building": "A"}))

WARNINGS = {
    "a bus without enough time": (CRAMPED, ["'hall' needs about", "%"]),
    "one unit twice": (TWICE, ["'meter' and 'other' are the same unit 1"]),
    "a sink whose pattern matches nothing": (plant(**csv_sink(tags="metre/*")), ['"metre/*" matches no tag']),
    "a sink that gets no tag": (CROSSED, ["sink 'file' gets no tag"]),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_a_warning_is_a_mistake_only_when_strict(weir, name):
    config, words = WARNINGS[name]
    path = weir.write_config(config)
    for strict in ([], ["--strict"]):
        for more in ([], ["--format", "json"], ["--format", "table"]):
            done = weir.run("check", "-c", path, *strict, *more)
            assert done.returncode == (CONFIG if strict else OK), done.stderr
            assert f"warning: {path}:" in done.stderr and all(word in done.stderr for word in words), done.stderr
            assert ("--strict" in done.stderr) == bool(strict)


def test_without_warnings_strict_changes_nothing(weir):
    path = weir.write_config(plant(**csv_sink(tags="meter/*")))
    plain, strict = weir.run("check", "-c", path), weir.run("check", "-c", path, "--strict")
    assert plain.returncode == strict.returncode == OK
    assert (plain.stdout, plain.stderr) == (strict.stdout, strict.stderr)


def test_strict_counts_with_live_too(weir, peers):
    device = peers.simdev("1")
    config = {"connections": [{"name": "hall", "uri": f"tcp://127.0.0.1:{device.port}"}],
              "devices": [dict(METER, name=name, unit_id=1, points=[dict(METER["points"][0], address=0)])
                          for name in ("meter", "other")]}
    path = weir.write_config(config)
    assert weir.run("check", "-c", path, "--live").returncode == OK
    done = weir.run("check", "-c", path, "--live", "--strict")
    assert done.returncode == CONFIG and "same unit" in done.stderr, done.stderr


EXAMPLES = sorted(glob.glob(os.path.join(ROOT, "examples", "*.yaml")) + glob.glob(os.path.join(ROOT, "examples", "*", "weir.yaml")))


# Its catalog is in a database: test_energy_monitoring.py has one.
EXAMPLES.remove(os.path.join(ROOT, "examples", "energy-monitoring", "weir.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: os.path.relpath(path, ROOT))
def test_examples_pass_strictly(weir, path):
    done = weir.run("check", "-c", path, "--strict")
    assert done.returncode == OK, done.stderr


@pytest.mark.parametrize("profile", sorted(os.path.basename(path)[:-5] for path in glob.glob(f"{ROOT}/profiles/*.yaml")))
def test_profiles_pass_strictly(weir, profile):
    path = weir.write_config({"connections": [{"name": "hall", "uri": "tcp://127.0.0.1"}],
                              "devices": [{"name": "m", "connection": "hall", "unit_id": 1, "profile": profile,
                                           "interval": "10s"}]})
    done = weir.run("check", "-c", path, "--strict")
    assert done.returncode == OK, done.stderr


def test_a_device_that_most_likely_was_renamed_is_a_warning_too(weir, peers):
    config = {"data_dir": str(weir.tmp_path / "data"),
              "connections": [{"name": "hall", "uri": f"tcp://127.0.0.1:{peers.simdev('1').port}"}],
              "devices": [dict(METER, name="m07")]}
    daemon = weir.start(weir.write_config(config))
    daemon.wait_sql("select 1 from samples limit 1")
    daemon.stop()
    config["devices"][0]["name"] = "feeder-a"
    path = weir.write_config(config)
    assert weir.run("check", "-c", path).returncode == OK
    done = weir.run("check", "-c", path, "--strict")
    assert done.returncode == CONFIG
    assert f"warning: {path}:" in done.stderr and "m07 gone, feeder-a new with the same unit: rename?" in done.stderr
