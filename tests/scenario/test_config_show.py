# SPDX-License-Identifier: MIT
"""weir config show: what counts, where it is from, and no secret."""

import json

import pytest

SECRET = "Hunter2-never-shown"


@pytest.fixture
def plant(weir):
    (weir.tmp_path / "more.yaml").write_text(
        "devices:\n  - name: pump\n    connection: hall\n    unit_id: 2\n    points: [{name: on, register: coil, address: 1}]\n")
    return weir.write_config(
        "include: more.yaml\n"
        "defaults:\n  devices:\n    interval: 5s\n"
        "connections:\n  - name: hall\n    uri: simulated:x\n".replace("simulated:x", '"simulated:"') +
        "devices:\n  - name: meter\n    connection: hall\n    profile: eastron-sdm630\n    only: [power]\n"
        "sinks:\n  - name: file\n    type: csv\n    path: out.csv\n")


def test_every_value_is_shown_with_its_place(weir, plant):
    shown = weir.run("config", "show", "-c", plant, "--origin")
    assert shown.returncode == 0, shown.stderr
    lines = {line.split("#")[0].strip(): line.split("# ", 1)[1] for line in shown.stdout.splitlines() if "#" in line}
    folder = weir.tmp_path
    assert lines["data_dir: ./weir-data"] == "default"
    assert lines["- name: meter"] == f"{plant}:9"
    assert lines["- name: pump"] == f"{folder}/more.yaml:2"
    assert lines["interval: 5s"] == f"{plant}:4"
    assert lines["path: out.csv"] == f"{plant}:16"
    assert lines["- name: power"].startswith("profile ") and "eastron-sdm630.yaml:" in lines["- name: power"]
    assert "include" not in shown.stdout and "defaults:" not in shown.stdout


def test_what_is_shown_is_the_same_configuration(weir, plant):
    shown = weir.run("config", "show", "-c", plant).stdout
    for text in (shown, weir.run("config", "show", "-c", plant, "--origin").stdout):
        copy = weir.write_config(text, "copy.yaml")
        assert weir.run("config", "show", "-c", copy).stdout == shown
    requests = [weir.run("check", "-c", path, "--requests").stdout for path in (plant, copy)]
    assert requests[0] == requests[1]


def test_json_for_programs(weir, plant):
    config = json.loads(weir.run("config", "show", "-c", plant, "--format", "json").stdout)
    assert [device["name"] for device in config["devices"]] == ["meter", "pump"]
    assert config["connections"][0]["retries"] == 1 and config["connections"][0]["enabled"] is True
    point = json.loads(weir.run("config", "show", "devices/pump/points/on", "-c", plant, "--format", "json", "--origin").stdout)
    assert point["address"]["value"] == 1 and point["address"]["origin"].endswith("more.yaml:5")


@pytest.mark.parametrize("part, words", [("store/max_loss", ["1s"]), ("connections/hall/timeout", ["1s"]),
                                         ("devices/meter/points/power/unit", ["W"]), ("sinks/file", ["type: csv"])])
def test_a_part_is_found_by_name(weir, plant, part, words):
    shown = weir.run("config", "show", part, "-c", plant)
    assert shown.returncode == 0 and all(word in shown.stdout for word in words), shown


def test_what_is_not_there_is_guessed(weir, plant):
    shown = weir.run("config", "show", "devices/metre", "-c", plant)
    assert shown.returncode == 2 and "'meter'" in shown.stderr
    assert weir.run("config", "shew", "-c", plant).returncode == 2


def test_the_command_line_is_told(weir, plant):
    shown = weir.run("config", "show", "-c", plant, "--data-dir", "/x", "--origin").stdout.splitlines()
    assert shown[0].split() == ["data_dir:", "/x", "#", "command", "line"]


def test_no_secret_is_shown_in_any_form(weir):
    config = {"connections": [{"name": "a", "uri": "simulated:"}],
              "devices": [{"name": "d", "connection": "a", "profile": "eastron-sdm630", "interval": "1s"}],
              "sinks": [{"name": "s", "type": "influxdb", "url": "http://h", "database": "d", "password": SECRET,
                         "username": "u"}]}
    path = weir.write_config(config)
    for more in ([], ["--origin"], ["--format", "json"], ["--format", "json", "--origin"], ["sinks/s/password"]):
        shown = weir.run("config", "show", "-c", path, *more)
        if "no sink type" in shown.stderr:
            pytest.skip("its module is not built")
        assert shown.returncode == 0, shown.stderr
        assert SECRET not in shown.stdout + shown.stderr and '"***"' in shown.stdout
    config["sinks"][0]["password"] = "${WEIR_TEST_SECRET}"
    weir.environment["WEIR_TEST_SECRET"] = SECRET
    shown = weir.run("config", "show", "-c", weir.write_config(config)).stdout
    assert "${WEIR_TEST_SECRET}" in shown and SECRET not in shown


def test_a_wrong_configuration_is_told_as_check_tells_it(weir):
    path = weir.write_config("connections: []\ndevicez: []\n")
    shown, checked = weir.run("config", "show", "-c", path), weir.run("check", "-c", path)
    assert shown.returncode == checked.returncode == 3 and shown.stdout == ""
    assert shown.stderr.splitlines()[0] == checked.stderr.splitlines()[0]


def test_a_configuration_in_config_db_alone_is_shown_and_checked(weir, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    assert weir.run("config", "show", cwd=here).returncode == weir.run("check", cwd=here).returncode == 3
    assert weir.run("connection", "add", "hall", "--uri", "simulated:", cwd=here).returncode == 0
    done = weir.run("device", "add", "m", "--connection", "hall", "--profile", "eastron-sdm630", "--interval", "1s", cwd=here)
    assert done.returncode == 0, done.stderr
    shown = weir.run("config", "show", "devices/m", "--origin", cwd=here)
    assert shown.returncode == 0, shown.stderr
    line = next(line for line in shown.stdout.splitlines() if line.startswith("connection:"))
    assert line.endswith("config.db, table device, column connection, row 1"), line
    assert weir.run("check", "--strict", cwd=here).returncode == 0
