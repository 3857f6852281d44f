# SPDX-License-Identifier: MIT
"""weir config schema: what weir takes the schema takes; what one key shows to be wrong it refuses.

The judge is jsonschema of Debian, the reader PyYAML: neither knows weir.
"""

import glob
import json
import os

import pytest
from conftest import BINARY, ROOT

jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema")
yaml = pytest.importorskip("yaml", reason="python3-yaml")

CONFIGS = sorted(glob.glob(os.path.join(ROOT, "examples", "*.yaml")) + glob.glob(os.path.join(ROOT, "examples", "*", "*.yaml")))
PROFILES = sorted(glob.glob(os.path.join(ROOT, "profiles", "*.yaml")) +
                  glob.glob(os.path.join(ROOT, "examples", "*", "profiles", "*.yaml")))


def read(text):
    """As JSON would have it: keys are texts."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


@pytest.fixture
def validator(weir):
    def make(*what):
        done = weir.run("config", "schema", *what)
        assert done.returncode == 0, done.stderr
        schema = json.loads(done.stdout)
        jsonschema.Draft7Validator.check_schema(schema)
        return jsonschema.Draft7Validator(schema)
    return make


def problems(validator, text):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(read(text))]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: os.path.relpath(path, ROOT))
def test_every_example_passes(validator, path):
    with open(path, encoding="utf-8") as file:
        assert problems(validator(), file.read()) == []


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: os.path.relpath(path, ROOT))
def test_every_profile_passes(validator, path):
    with open(path, encoding="utf-8") as file:
        assert problems(validator("profile"), file.read()) == []


@pytest.mark.parametrize("more", [[], ["--sink", "csv"], ["--sink", "sqlite"], ["--sink", "postgres"], ["--sink", "influxdb"],
                                  ["--profile", "none"], ["--unit-id", "1-3,7"]])
def test_every_starter_passes(weir, validator, more):
    done = weir.run("init", "--simulated", "-c", "-", *more)
    if "no sink type" in done.stderr:
        pytest.skip("its module is not built")
    assert problems(validator(), done.stdout) == []


def test_what_is_shown_as_effective_passes(weir, validator):
    for path in CONFIGS:
        with open(path, encoding="utf-8") as file:
            if "postgresql://" in file.read():
                continue  # its server is not here
        assert problems(validator(), weir.run("config", "show", "-c", path).stdout) == [], path


def plant(connection="", device="", point="", top=""):
    return (f"{top}\nconnections:\n  - {{name: hall, uri: 'tcp://h'{connection}}}\ndevices:\n"
            f"  - {{name: m, connection: hall, unit_id: 1, interval: 1s{device},\n"
            f"     points: [{{name: p, register: holding, address: 5, type: uint16{point}}}]}}\n")


# Forms that are seldom seen: weir is asked too, so that this list cannot be wrong.
GOOD = {
    "plain": plant(),
    "quoted numbers": plant(device=", max_registers_per_request: '60'"),
    "hexadecimal": plant(point=", na: [0x8000, '0xffff', -1]"),
    "ranges": plant().replace("name: m,", "name: 'm{unit_id}',").replace("unit_id: 1,", "unit_id: '1,3, 5-8',"),
    "a list of ranges": plant().replace("name: m,", "name: 'm{unit_id}',").replace("unit_id: 1,", "unit_id: [1, 3-5],"),
    "another name": plant().replace("unit_id: 1,", "slave: 1,"),
    "any case": plant(point=", order: cdab").replace("holding", "HR").replace("uint16", "UInt16"),
    "table by its digit": plant().replace("holding", "4"),
    "Modicon": plant().replace("address: 5", "address: '40001'"),
    "durations": plant(connection=", timeout: 1s500ms, pause_after_connect: 0, reconnect_max: 1.5 min"),
    "sizes": plant(top="store: {max_size: 25%, wal_max: 1.5GB, min_free: 0, retention: none}"),
    "rules": plant(top="store: {retention: [{tags: 'm/*', keep: 30d}, {tags: [a, b], max_size: 2GB}]}"),
    "anchors": plant(top="x-any: {a: [1, {b: c}]}"),
    "on demand": plant(point=", interval: on_demand"),
    "deadbands": plant(point=", min: 0, max: 10, deadband: 1%, max_unchanged_interval: none"),
    "words": plant(point=", enum: {0: off, 1: 'on', -1: fault}"),
    "labels": plant(device=", labels: {floor: 3, open: true, name: x}"),
    "booleans": plant(device=", enabled: off"),
    "defaults": plant(top="defaults: {connections: {timeout: 1s}, devices: {interval: 5s}, points: {unit: W}}"),
    "required by default": "defaults: {devices: {connection: a}}\nconnections: [{name: a, uri: 'tcp://h'}]\n"
                           "devices: [{name: m, unit_id: 1, interval: 1s, points: [{name: p, register: coil, address: 1}]}]\n",
    "a plan": plant(top="plans: [{name: n, tags: 'm/*', cron: '0 */5 22-23 * * *', zone: UTC, lifetime: 24h},\n"
                        "  {name: o, id: 7, tags: ['m/*'], cron: {hour: 8-17, minute: 5}, zone: UTC, start: 2026-11-21T08:00:00}]"),
    "a former name": plant(device=", was: n", point=", was: q"),
    "variables": plant(connection=", timeout: '${T:-1s}', retries: '${R:-1}', tid_check: '${C:-strict}', enabled: '${E:-on}'"),
    "a simulation": plant(device=", simulate: {fill: true, any_unit: yes, update: {minute: '*/5'}, update_at_start: false}",
                          point=", simulate: {wave: uniform, max: 9, update: '0 * * * *'}"),
    "a database": plant(top="catalog: [{url: 'sqlite:none.db', enabled: false}]"),
    "a sink": plant(top="sinks: [{name: s, type: csv, path: a.csv, tags: m/*, backlog_rate: 100/s, labels: {}}]"),
}

BAD = {
    "unknown key at the top": plant(top="devicess: []"),
    "unknown key of a connection": plant(connection=", timeuot: 1s"),
    "unknown key of a point": plant(point=", adress: 1"),
    "not supported": plant(point=", verify: true"),
    "no unit": plant(connection=", timeout: 5"),
    "wrong unit": plant(connection=", timeout: 5 parsecs"),
    "text for a number": plant(device=", max_registers_per_request: many"),
    "above the limit": plant(device=", max_registers_per_request: 126"),
    "below the limit": plant().replace("address: 5", "address: -1"),
    "unknown word": plant(connection=", tid_check: loose"),
    "unknown type": plant().replace("uint16", "uint17"),
    "unknown register": plant().replace("holding", "holdings"),
    "unknown order": plant(point=", order: ABDC"),
    "unit id out of range": plant().replace("unit_id: 1,", "unit_id: -1,"),
    "a list for one value": plant().replace("interval: 1s", "interval: [1s]"),
    "a value for a list": plant().replace("points: [{", "points: {").replace("}]}", "}}"),
    "nothing": plant().replace("interval: 1s", "interval: "),
    "no name": plant().replace("name: p, ", ""),
    "no uri": plant().replace(", uri: 'tcp://h'", ""),
    "no connection": plant().replace("connection: hall, ", ""),
    "scale is no number": plant(point=", scale: tenth"),
    "enum from words": plant(point=", enum: {off: 0}"),
    "unknown sink": plant(top="sinks: [{name: s, type: cvs, path: a}]"),
    "unknown key of a sink": plant(top="sinks: [{name: s, type: csv, path: a, pth: b}]"),
    "key of another sink": plant(top="sinks: [{name: s, type: csv, path: a, bucket: b}]"),
    "sink without a type": plant(top="sinks: [{name: s, path: a}]"),
    "rate without a unit": plant(top="sinks: [{name: s, type: csv, path: a, backlog_rate: 100}]"),
    "unknown key of a plan": plant(top="plans: [{name: n, tags: 'm/*', chron: '* * * * *'}]"),
    "unknown key of cron": plant(top="plans: [{name: n, tags: 'm/*', cron: {hours: 5}}]"),
    "unknown key of a device's simulation": plant(device=", simulate: {wave: sine}"),
    "unknown key of a point's simulation": plant(point=", simulate: {fill: true}"),
    "share above all": plant(top="store: {max_size: half}"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_weir_takes_passes(weir, validator, name):
    done = weir.run("check", "-c", weir.write_config(GOOD[name]))
    assert done.returncode == 0, done.stderr
    assert problems(validator(), GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_what_weir_refuses_fails(weir, validator, name):
    done = weir.run("check", "-c", weir.write_config(BAD[name]))
    assert done.returncode == 3, done.stdout
    assert problems(validator(), BAD[name]) != []


def test_every_key_has_its_description_and_none_takes_anything(validator):
    """A key that the schema knows nothing of would be taken whatever it says."""
    schema = validator().schema
    for table in [schema, *schema["definitions"].values()]:
        for name, value in table["properties"].items():
            assert "description" in value or "$ref" in value, name
            assert value.keys() - {"description", "default"}, f"{name}: anything is taken"


def test_what_there_is_no_schema_of_is_told(weir):
    assert weir.run("config", "schema", "sinks").returncode == 2
