# SPDX-License-Identifier: MIT
"""weir backup beside a polling daemon, weir restore under both identities, and the wrong turns."""

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import tarfile
import time

import pytest
from conftest import BINARY, scaled
from oracle import simdev_config, simdev_points

INTERVAL_US = 100_000
ALL = "select tag, ts, epoch, value, quality, seq from samples where seq <= {} order by seq"


def add_ballast(data_dir, megabytes):
    """Years of history, as far as copying pages goes."""
    db = sqlite3.connect(data_dir / "data.db")
    db.execute("create table ballast(x)")
    for _ in range(megabytes):
        db.execute("insert into ballast values(randomblob(1000000))")
    db.commit()
    db.close()


def manifest_of(path):
    with tarfile.open(path) as tar:
        return json.load(tar.extractfile("manifest.json"))


def backup(weir, target, data_dir, *more):
    done = weir.run("backup", target, "--data-dir", data_dir, *more)
    assert done.returncode == 0, done.stderr
    return manifest_of(target)


def simulated_config():
    return {"connections": [{"name": "sim", "uri": "simulated:"}],
            "devices": [{"name": "d{unit_id}", "unit_id": "1-3", "connection": "sim", "interval": "1s",
                         "points": simdev_points(3)}]}


@pytest.fixture
def stored(weir):
    """A data directory with some samples, and its configuration's path; no daemon."""
    config = weir.write_config(simulated_config())
    daemon = weir.start(config)
    daemon.wait_committed(9)
    daemon.stop()
    return daemon.data_dir, config


@pytest.mark.alone
def test_a_backup_disturbs_no_poll_and_restores_what_was_committed(weir, peers):
    device = peers.simdev()
    config = weir.write_config(simdev_config(device.port, "1-4", simdev_points(4), "100ms", max_loss="1s",
                                             timeout="3s"))
    daemon = weir.start(config)
    daemon.wait_committed()
    daemon.stop()
    add_ballast(daemon.data_dir, scaled(100, 1000))
    daemon = weir.start(config)
    first = daemon.wait_committed(daemon.sql("select max(seq) as seq from samples")[0]["seq"] + 1)
    target = weir.tmp_path / "weir.tar"
    begin, rounds = time.time(), 0
    while time.time() < begin + scaled(6, 30):
        before = daemon.status()["committed_seq"]
        manifest = backup(weir, target, daemon.data_dir, "-c", config)
        assert before <= manifest["seq"]
        rounds += 1
    end = time.time()
    status = daemon.wait_committed(manifest["seq"] + 1)
    assert status["commits"] - first["commits"] >= end - begin - 1.5  # max_loss is 1 s
    assert status["overruns"] == first["overruns"] == 0
    log = daemon.log()
    assert "store_failing" not in log and "gap" not in log, log

    window = f"ts >= {int((begin + 0.5) * 1e6)} and ts < {int((end - 1.5) * 1e6)}"
    slots = daemon.sql(f"select tag, count(*) as n, count(distinct ts) as d, min(ts) as a, max(ts) as b, "
                       f"sum(quality = 'good') as good from samples where {window} group by tag")
    assert len(slots) == 16
    for tag in slots:
        assert tag["n"] == tag["d"] == tag["good"] == (tag["b"] - tag["a"]) // INTERVAL_US + 1, tag
    print(f"{rounds} backups of {os.path.getsize(target) / 1e6:.0f} MB while polling")

    committed = daemon.sql(ALL.format(manifest["seq"]))
    daemon.stop()
    for name, arguments in {"goes-on": ["--takeover"], "copy": ["--as", "copy"]}.items():
        place = weir.tmp_path / name
        done = weir.run("restore", target, "--data-dir", place, *arguments)
        assert done.returncode == 0, done.stderr
        assert weir.sql(place, ALL.format(2**60)) == committed
        restored_config = place / "restored" / "config" / "weir.yaml"
        assert restored_config.read_bytes() == config.read_bytes()
        later = weir.start(restored_config, place)
        assert later.wait_committed(manifest["seq"] + 1)["uuid"] == manifest["uuid"] or name == "copy"
        assert later.status()["uuid"] != manifest["uuid"] or name == "goes-on"
        assert later.status()["instance"] != manifest["instance"]
        assert later.sql("select text from events where kind = 'store' and text like '%instance%'")
        later.stop()
        shutil.rmtree(place)


def test_restore_wants_to_know_what_it_shall_be(weir, stored):
    data_dir, _ = stored
    target = weir.tmp_path / "weir.tar"
    backup(weir, target, data_dir)
    for arguments in [], ["--as", "x", "--takeover"], ["--as", ""]:
        done = weir.run("restore", target, "--data-dir", weir.tmp_path / "new", *arguments)
        assert done.returncode == 2, done.stderr
        assert "--takeover" in done.stderr or "--as" in done.stderr
        assert not (weir.tmp_path / "new").exists()


def test_restore_stays_away_from_a_running_daemon(weir, stored):
    data_dir, config = stored
    target = weir.tmp_path / "weir.tar"
    backup(weir, target, data_dir)
    daemon = weir.start(config, data_dir)
    for arguments in [target, "--takeover"], [target, "--takeover", "--replace"], ["--takeover"]:
        done = weir.run("restore", "--data-dir", data_dir, *arguments)
        assert done.returncode == 3, done.stderr
        assert str(daemon.process.pid) in done.stderr
    daemon.stop()
    done = weir.run("restore", target, "--takeover", "--data-dir", data_dir)
    assert done.returncode == 3 and "--replace" in done.stderr
    done = weir.run("restore", target, "--takeover", "--data-dir", data_dir, "--replace")
    assert done.returncode == 0, done.stderr
    replaced = [path for path in data_dir.iterdir() if path.name.startswith("replaced-")]
    assert weir.sql(replaced[0], "select count(*) as n from samples")[0]["n"] > 0


def test_a_copy_by_hand_is_noticed_and_can_be_declared(weir, stored):
    data_dir, config = stored
    copy = weir.tmp_path / "copy"
    shutil.copytree(data_dir, copy)
    daemon = weir.start(config, copy)
    assert "warning copied" in daemon.log() and "--takeover" in daemon.log()
    assert daemon.status()["copied"] is True
    was = daemon.status()["uuid"]
    daemon.stop()
    assert weir.run("restore", "--as", "test bench", "--data-dir", copy).returncode == 0
    daemon = weir.start(config, copy)
    status = daemon.status()
    assert (status["copied"], status["name"]) == (False, "test bench") and status["uuid"] != was
    daemon.stop()
    daemon = weir.start(config, data_dir)
    assert daemon.status()["uuid"] == was and daemon.status()["copied"] is False


def test_secrets_come_along_only_when_asked_for(weir, stored):
    data_dir, config = stored
    secret = weir.tmp_path / "token"
    secret.write_text("s3cret")
    broken = json.loads(config.read_text())
    # No sink of this version: the configuration has a mistake, and is backed up as it is.
    broken["sinks"] = [{"name": "a", "type": "influxdb", "token_file": "token"},
                       {"name": "b", "type": "mqtt", "password_file": str(weir.tmp_path / "gone")}]
    config = weir.write_config(broken, "sinks.yaml")
    target = weir.tmp_path / "weir.tar"
    done = weir.run("backup", target, "--data-dir", data_dir, "-c", config)
    assert done.returncode == 0, done.stderr
    assert f"{secret} is not in it (--secrets include)" in done.stderr
    assert "secrets/token" not in [m["name"] for m in manifest_of(target)["members"]]
    assert b"s3cret" not in target.read_bytes()
    done = weir.run("restore", target, "--as", "x", "--data-dir", weir.tmp_path / "x")
    assert f"not in the backup, to be made again: {secret}" in done.stderr

    done = weir.run("backup", target, "--data-dir", data_dir, "-c", config, "--secrets", "include")
    assert done.returncode == 0 and f"not in it: cannot read {weir.tmp_path}/gone" in done.stderr
    done = weir.run("restore", target, "--as", "x", "--data-dir", weir.tmp_path / "y")
    assert done.returncode == 0, done.stderr
    restored = weir.tmp_path / "y" / "restored" / "secrets" / "token"
    assert restored.read_text() == "s3cret" and restored.stat().st_mode & 0o777 == 0o600


def test_own_profiles_come_along_and_built_in_ones_do_not(weir, stored):
    data_dir, _ = stored
    (weir.tmp_path / "profiles").mkdir()
    (weir.tmp_path / "profiles" / "mine.yaml").write_text(
        "name: mine\nsource: its manual\npoints: [{name: a, register: input, address: 0, type: uint16}]\n")
    config = simulated_config()
    for name in "mine", "eastron-sdm630":
        config["devices"].append({"name": name, "unit_id": 9, "connection": "sim", "interval": "1s", "profile": name})
    config = weir.write_config(config, "profiles.yaml")
    target = weir.tmp_path / "weir.tar"
    names = [m["name"] for m in backup(weir, target, data_dir, "-c", config)["members"]]
    assert names == ["config/profiles.yaml", "config/profiles/mine.yaml", "data.db"]
    assert weir.run("restore", target, "--as", "x", "--data-dir", weir.tmp_path / "x").returncode == 0
    restored = weir.tmp_path / "x" / "restored" / "config" / "profiles.yaml"
    done = weir.run("check", "-c", restored, cwd="/")
    assert done.returncode == 0, done.stderr


def test_memory_has_nothing_to_back_up(weir):
    config = weir.write_config(dict(simulated_config(), data_dir="memory"))
    done = weir.run("backup", weir.tmp_path / "weir.tar", "-c", config)
    assert done.returncode == 3 and "nothing is on disk" in done.stderr
    assert not (weir.tmp_path / "weir.tar").exists()


def test_standard_output_gets_the_same_archive(weir, stored):
    data_dir, config = stored
    target = weir.tmp_path / "weir.tar"
    with open(target, "wb") as file:
        subprocess.run([BINARY, "backup", "-", "--data-dir", data_dir, "-c", config], stdout=file, check=True,
                       env=weir.environment)
    done = weir.run("restore", target, "--check")
    assert done.returncode == 0 and "is whole" in done.stderr


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_backup_never_looks_like_a_good_one(weir, stored, kill):
    data_dir, _ = stored
    target = weir.tmp_path / "weir.tar"
    good = backup(weir, target, data_dir)
    megabytes = scaled(80, 200)
    add_ballast(data_dir, megabytes)
    process = subprocess.Popen([BINARY, "backup", target, "--data-dir", data_dir], env=weir.environment,
                               stderr=subprocess.PIPE)
    while not (weir.tmp_path / "weir.tar.part").exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(kill)
    process.communicate()
    assert process.returncode != 0
    assert manifest_of(target) == good
    assert (weir.tmp_path / "weir.tar.part").exists() == (kill == signal.SIGKILL)
    if kill == signal.SIGKILL:
        done = weir.run("restore", weir.tmp_path / "weir.tar.part", "--check")
        assert done.returncode == 9, done.stderr
    assert backup(weir, target, data_dir)["members"][-1]["size"] > megabytes * 1_000_000
    assert not (weir.tmp_path / "weir.tar.part").exists()


def test_a_target_that_is_too_small_keeps_the_backup_before(weir, stored):
    data_dir, _ = stored
    target = weir.tmp_path / "weir.tar"
    good = backup(weir, target, data_dir)
    add_ballast(data_dir, 3)

    def limit_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    done = weir.run("backup", target, "--data-dir", data_dir, preexec_fn=limit_files, restore_signals=False)
    assert done.returncode == 1 and "FAT32" in done.stderr, done.stderr
    assert manifest_of(target) == good and not (weir.tmp_path / "weir.tar.part").exists()


def test_space_is_asked_for_before_anything_is_written(weir, stored):
    """On a disk of 2 MB, where the machine lets us make one."""
    data_dir, _ = stored
    target = weir.tmp_path / "weir.tar"
    backup(weir, target, data_dir)
    add_ballast(data_dir, 3)
    disk = weir.tmp_path / "disk"
    disk.mkdir()

    def on_small_disk(*command):
        words = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=2m none "$0" && "$@"; code=$?; ls -A "$0"; exit $code',
                 disk, *command]
        return subprocess.run([str(word) for word in words], capture_output=True, text=True, env=weir.environment,
                              check=False)

    if on_small_disk("true").returncode != 0:
        pytest.skip("no user namespaces here")
    done = on_small_disk(BINARY, "backup", disk / "weir.tar", "--data-dir", data_dir)
    assert done.returncode == 1 and "not enough space" in done.stderr and done.stdout == "", done.stderr
    backup(weir, target, data_dir)
    done = on_small_disk(BINARY, "restore", target, "--takeover", "--data-dir", disk / "data")
    assert done.returncode == 1 and "not enough space" in done.stderr and done.stdout == "", done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_no_permission_is_said(weir, stored):
    data_dir, _ = stored
    folder = weir.tmp_path / "locked"
    folder.mkdir(mode=0o500)
    done = weir.run("backup", folder / "weir.tar", "--data-dir", data_dir)
    assert done.returncode == 7 and "Permission denied" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_restores_for_the_user_who_owns_the_directory(weir, stored):
    data_dir, config = stored
    target = weir.tmp_path / "weir.tar"
    backup(weir, target, data_dir, "-c", config)
    place = weir.tmp_path / "owned"
    place.mkdir()
    os.chown(place, 65534, 65534)
    assert weir.run("restore", target, "--takeover", "--data-dir", place).returncode == 0
    for folder, folders, files in os.walk(place):
        for name in folders + files:
            assert os.stat(os.path.join(folder, name)).st_uid == 65534, name
