# SPDX-License-Identifier: MIT
"""Environment files: from the command line, the environment and the configuration; seen by every command and by a running weir."""

import json
import subprocess
import tarfile

import pytest

from conftest import BINARY, read_line, wait_until

PLANT = """\
env_file: .env
data_dir: ${DATA}
connections:
  - {name: line, uri: "simulated:"}
devices:
  - name: meter
    connection: line
    unit_id: 1
    interval: ${INTERVAL:-1h}
    description: ${WHAT}
    points: [{name: p, register: input, address: 0, type: float32, simulate: {wave: constant, min: 5, max: 5}}]
"""


@pytest.fixture
def plant(weir, tmp_path):
    (tmp_path / ".env").write_text(f"# of a test\nexport DATA='{tmp_path}/data'\r\nWHAT=\"from .env\"\nSECRET=Hunter2\n")
    return weir.write_config(PLANT)


def shown(weir, config, *more):
    return weir.json("config", "show", "devices/meter", "-c", config, "--origin", *more)


def test_the_environment_wins_then_the_command_line_then_the_file(weir, plant, tmp_path):
    (tmp_path / "a.env").write_text("WHAT=from a\nINTERVAL=2s\n")
    (tmp_path / "b.env").write_text("\nWHAT=from b\n")
    assert shown(weir, plant)["description"] == {"value": "from .env", "origin": f"{plant}:10, WHAT of {tmp_path}/.env:3"}
    device = shown(weir, plant, "--env-file", tmp_path / "a.env", "--env-file", tmp_path / "b.env")
    assert device["description"] == {"value": "from b", "origin": f"{plant}:10, WHAT of {tmp_path}/b.env:2"}
    assert device["interval"]["value"] == "2s"
    weir.environment["WEIR_ENV_FILES"] = f"{tmp_path}/b.env:{tmp_path}/a.env"
    assert shown(weir, plant)["description"]["value"] == "from a"
    assert shown(weir, plant, "--env-file", tmp_path / "b.env")["description"]["value"] == "from b"
    weir.environment["WHAT"] = "real"
    assert shown(weir, plant)["description"] == {"value": "real", "origin": f"{plant}:10, WHAT of the environment"}


def test_what_is_wrong_is_told_with_file_and_line(weir, plant, tmp_path):
    (tmp_path / ".env").write_text("DATA=x\nnonsense!\n")
    done = weir.run("check", "-c", plant)
    assert done.returncode == 3
    assert f"{tmp_path}/.env:2:9: behind the name = is wanted" in done.stderr
    assert f"{plant}:10:18: the environment variable WHAT is not set" in done.stderr
    assert "cannot read gone.env" in weir.run("check", "-c", plant, "--env-file", "gone.env").stderr
    assert weir.run("check", "-c", plant, "--env-file", "a:b").returncode == 2


def test_every_command_finds_the_data_directory_by_it(weir, plant, tmp_path):
    daemon = weir.start(plant, tmp_path / "data")
    for command in (["status"], ["device", "list"], ["sql", "SELECT 1"], ["store", "stats"], ["check"]):
        done = weir.run(*command, "-c", plant)
        assert done.returncode == 0, (command, done.stderr)
    daemon.stop()


def test_a_running_weir_sees_another_file(weir, plant, tmp_path):
    daemon = weir.start(plant, tmp_path / "data", True, "--watch-config")
    (tmp_path / ".env").write_text(f"DATA={tmp_path}/data\nWHAT=changed\nINTERVAL=200ms\n")
    daemon.wait_sql("SELECT 1 FROM events WHERE kind = 'config' AND text GLOB '*1 changed*'")
    daemon.wait_sql("SELECT 1 FROM samples GROUP BY tag HAVING count(*) > 3")  # not each hour any more
    daemon.stop()


def test_a_backup_has_it_only_with_secrets(weir, plant, tmp_path):
    weir.start(plant, tmp_path / "data").stop()
    for secrets, expected in ((["--secrets", "omit"], False), (["--secrets", "include"], True)):
        archive = tmp_path / f"backup-{expected}"
        done = weir.run("backup", archive, "-c", plant, *secrets)
        assert done.returncode == 0, done.stderr
        content = archive.read_bytes() if archive.is_file() else b"".join(
            path.read_bytes() for path in archive.rglob("*") if path.is_file())
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                content = b"".join(tar.extractfile(member).read() for member in tar if member.isfile())
        assert (b"Hunter2" in content) == expected


def test_a_simulation_has_variables_and_the_time_zone_of_the_file(weir, tmp_path):
    (tmp_path / ".env").write_text("TZ=Asia/Kolkata\nMINUTE=30\n")  # half an hour beside UTC
    config = weir.write_config({"env_file": ".env", "connections": [{"name": "c", "uri": "tcp://127.0.0.1"}], "devices": [{
        "name": "d", "connection": "c", "unit_id": 1, "interval": "on_demand",
        "simulate": {"update": {"hour": "${HOUR}", "minute": "${MINUTE}", "second": "${SECOND}"}},
        "points": [{"name": "p", "register": "input", "address": 0, "type": "float32", "simulate": {"wave": "uniform", "max": 1}}]}]})
    weir.environment.pop("TZ", None)
    process = subprocess.Popen([BINARY, "simulate", config, "--listen", "tcp://127.0.0.1:0"], stdout=subprocess.PIPE, bufsize=0,
                               env=weir.environment)
    uri = read_line(process.stdout).split(" ")[1]
    done = weir.run("read", uri, "--unit", "1", "--register", "input", "--address", "0", "--type", "float32", "-1", "--format", "json")
    process.terminate()
    assert process.wait(10) == 0 and done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)[0]["value"] < 1
    shown_zone = weir.run("config", "show", "-c", weir.write_config(
        (tmp_path / "weir.yaml").read_text().replace('"devices"', '"plans": [{"name": "n", "tags": "d/*", "cron": "@daily"}], "devices"'),
        "zone.yaml"), "--origin").stdout
    assert any("zone: Asia/Kolkata" in line and "TZ of an environment file" in line for line in shown_zone.splitlines()), shown_zone
