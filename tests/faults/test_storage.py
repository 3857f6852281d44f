# SPDX-License-Identifier: MIT
"""Rows 28 to 38 and 50 of the fault matrix, with the real program."""

import errno
import os
import random
import shutil
import sqlite3
import subprocess
import time

import pytest
from conftest import RECOVERY_LIMIT
from oracle import GOOD, check_truth
from scenario import scaled, wait_until
from shim import SYNC, TRUNCATE, WRITE

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILES = ("data.db", "data.db-wal", "data.db-shm")


def fill(path, leave=0):
    """Writes until only so much is free."""
    with open(path, "wb") as file:
        while True:
            stat = os.statvfs(path)
            room = stat.f_bavail * stat.f_bsize - leave
            if room <= 0:
                return
            try:
                file.write(bytes(min(room, 65536)))
                file.flush()
            except OSError:
                return


def free_bytes(path):
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_bsize


@pytest.mark.row(28)
def test_row_28_a_full_disk_stops_no_polling_and_costs_nothing(plant, small_disk):
    p = plant(data_dir=small_disk / "data")
    p.start().wait_committed(200)
    fill(small_disk / "filler")
    p.wait_log("store_failing")
    p.wait_polls(40)
    assert p.daemon.status(), "the live view is gone"
    os.unlink(small_disk / "filler")
    p.wait_recovery()
    p.finish()


@pytest.mark.row(28)
def test_row_28_the_reserve_of_the_disk_is_kept(plant, small_disk):
    p = plant(data_dir=small_disk / "data", store={"min_free": "4MB"})
    p.start().wait_committed(200)
    fill(small_disk / "filler", leave=3_500_000)
    p.wait_event("kind in ('store', 'alarm', 'gap') and text like '%min_free%'")
    before = free_bytes(small_disk)
    p.wait_polls(100)
    assert free_bytes(small_disk) >= before - 300_000
    os.unlink(small_disk / "filler")
    p.wait_recovery()
    p.daemon.stop()


@pytest.mark.row(29)
@pytest.mark.parametrize("small_disk", [200], indirect=True)
def test_row_29_a_week_at_the_cap_of_a_200_mb_disk(small_disk):
    """Polling never slows, the gaps add up, memory is flat: the program judges itself."""
    program = os.path.join(ROOT, "build-o2", "tests", "simulate-week")
    if not os.path.exists(program):
        pytest.skip("build-o2/tests/simulate-week is not built; script/faults builds it")
    done = subprocess.run([program, small_disk], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.row(31)
def test_row_31_a_failed_fsync_is_told_and_costs_nothing(plant, shim, dice):
    p = plant()
    p.start().wait_committed(100)
    for _ in range(5):
        shim.fail(SYNC, errno.EIO, after=dice.randrange(8), times=dice.randrange(1, 6))
        wait_until("fsync failed", lambda: shim["times"] == 0, 60)  # each needs a commit, once a second
        shim.heal()
        p.wait_recovery()
    p.wait_event("kind in ('store', 'alarm')")
    p.finish()


@pytest.mark.row(30)
def test_row_30_writes_that_fail_or_are_short_cost_nothing(plant, shim, dice):
    p = plant()
    p.start().wait_committed(100)
    for n in range(10):
        shim.fail(WRITE | TRUNCATE, errno.EIO if n % 2 else errno.ENOSPC, after=dice.randrange(20), times=dice.randrange(1, 9),
                  is_short=n % 3 == 0)
        wait_until("writes failed", lambda: shim["times"] == 0, 60)
        shim.heal()
        p.wait_recovery()
    p.finish()


@pytest.mark.row(32)
def test_row_32_a_slow_fsync_slows_no_polling(plant, shim):
    p = plant()
    p.start().wait_committed(100)
    before = p.daemon.status()["overruns"]
    shim.slow(SYNC, 2.0)
    began, served = time.monotonic(), p.served()
    while time.monotonic() < began + 12:
        asked = time.monotonic()
        status = p.daemon.status()
        assert time.monotonic() - asked < 1.0, "status waits for the disk"
        time.sleep(0.2)
    took = time.monotonic() - began
    assert p.served() - served >= 0.9 * took / 0.2 * 2, "polling became slow"
    assert status["overruns"] == before
    shim.heal()
    p.wait_recovery()
    p.finish()


def damage(path, dice):
    """One of what happens to files; says what."""
    size = os.path.getsize(path)
    kind = dice.choice(["bits", "bits", "bits", "cut", "empty", "zeros"])
    with open(path, "r+b") as file:
        if kind == "bits":
            for _ in range(dice.randrange(1, 9)):
                at = dice.randrange(size)
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 1 << dice.randrange(8)]))
        elif kind == "cut":
            file.truncate(dice.randrange(size))
        elif kind == "empty":
            file.truncate(0)
        else:
            file.seek(dice.randrange(size))
            file.write(bytes(min(4096, size)))
    return f"{kind} in {os.path.basename(path)}"


@pytest.mark.row(36)
def test_row_36_a_damaged_store_is_set_aside_salvaged_and_never_stops_the_start(plant, dice):
    p = plant()
    p.start().wait_committed(400)
    p.daemon.stop()  # so that data.db holds samples
    seq = p.start().status()["committed_seq"]
    p.daemon.wait_committed(seq + 200)
    p.daemon.kill()  # so that there is a WAL
    p.daemon.process.wait(10)
    sound = p.weir.tmp_path / "sound"
    shutil.copytree(p.data_dir, sound, ignore=shutil.ignore_patterns("*.sock"))
    n_sound = p.daemon.sql("select count(*) as n from samples")[0]["n"]
    for _ in range(scaled(15, 100)):  # 500 files of every kind: script/soak damage
        shutil.rmtree(p.data_dir)
        shutil.copytree(sound, p.data_dir)
        number = dice.randrange(2**32)
        one = random.Random(number)
        name = one.choice([f for f in FILES[:2] if (p.data_dir / f).exists()])
        what = damage(p.data_dir / name, one)
        began, began_us = time.monotonic(), int(time.time() * 1e6)
        p.start(wait=False)
        try:
            p.daemon.wait_ready(RECOVERY_LIMIT)
            seq = p.committed()
            wait_until("commits go on", lambda: p.committed() > seq, RECOVERY_LIMIT)
            wait_until("all is looked over", lambda: p.daemon.status()["store"]["checked"], RECOVERY_LIMIT)
        except AssertionError as error:
            raise AssertionError(f"{what} (seed {number}): {error}\n{p.daemon.log()}") from error
        p.recovery = max(p.recovery, time.monotonic() - began)
        p.daemon.stop()
        try:
            check_truth(p.daemon.sql(GOOD), p.device.ledger)
        except AssertionError as error:
            p.invented += 1
            raise AssertionError(f"{what} (seed {number}): {error}") from error
        verified = p.weir.run("store", "verify", "--data-dir", p.data_dir)
        assert verified.returncode == 0, f"{what} (seed {number}): {verified.stdout}{verified.stderr}"
        # A WAL that ends early cannot be told from one that was not written further.
        n_old = p.daemon.sql(f"select count(*) as n from samples where ts < {began_us}")[0]["n"]
        if (p.data_dir / "quarantine").exists() or (name == "data.db" and n_old < n_sound):
            assert p.daemon.sql("select text from events where kind = 'store'"), f"{what} (seed {number}): no event"


@pytest.mark.row(37)
@pytest.mark.parametrize("what", ["files", "directory"])
def test_row_37_what_is_deleted_under_it_is_noticed_and_made_anew(plant, what):
    p = plant()
    p.start().wait_committed(100)
    if what == "files":
        for name in FILES:
            os.unlink(p.data_dir / name)
    else:
        shutil.rmtree(p.data_dir)
    began = time.monotonic()
    p.wait_log("store_failing", "store_gone", "store_lost", "degraded")
    wait_until("data.db is there again", lambda: (p.data_dir / "data.db").exists(), RECOVERY_LIMIT)
    p.daemon.wait_sql("select * from samples limit 1", RECOVERY_LIMIT)
    p.recovery = time.monotonic() - began
    p.wait_polls()
    gone_us = int((time.time() - (time.monotonic() - began)) * 1e6) + 200_000
    p.finish(may_miss=lambda t: t < gone_us)  # what had been committed went with the file


@pytest.mark.row(37)
def test_row_37_a_read_only_disk_is_noticed_and_costs_nothing(plant, shim):
    p = plant()
    p.start().wait_committed(100)
    shim.fail(WRITE | SYNC | TRUNCATE, errno.EROFS)
    p.wait_log("store_failing")
    p.wait_polls(50)
    shim.heal()
    p.wait_recovery()
    p.finish()


def other_reader(p):
    return sqlite3.connect(p.data_dir / "data.db", isolation_level=None, timeout=5)


@pytest.mark.row(38)
def test_row_38_a_reader_that_stays_cannot_make_the_wal_grow_without_end(plant):
    p = plant(store={"wal_max": "1MB"}, points=30)
    p.start().wait_committed(100)
    reader = other_reader(p)
    reader.execute("begin")
    reader.execute("select count(*) from log").fetchall()
    p.wait_event("kind in ('store', 'alarm') and text like '%reader%'", 60)
    p.wait_polls(100)
    assert os.path.getsize(p.data_dir / "data.db-wal") <= 1_500_000
    reader.execute("rollback")
    reader.close()
    p.wait_recovery()
    p.finish()


@pytest.mark.row(38)
def test_row_38_someone_who_locks_the_store_only_delays(plant):
    p = plant()
    p.start().wait_committed(100)
    other = other_reader(p)
    other.execute("begin exclusive")
    p.wait_log("store_failing")
    p.wait_polls(50)
    other.execute("rollback")
    other.close()
    p.wait_recovery()
    p.finish()


@pytest.mark.row(50)
@pytest.mark.parametrize("year", [1970, 2036])
def test_row_50_samples_of_a_clock_that_cannot_be_true_say_so_and_are_put_right(plant, shim, year):
    p = plant()
    began_us = int(time.time() * 1e6)
    shim.set_clock({1970: 3600, 2036: 2082758400}[year] - time.time())
    p.start().wait_committed(200)
    rows = p.daemon.sql("select quality, cause from samples where quality <> 'bad' limit 100")
    assert rows and all((row["quality"], row["cause"]) == ("uncertain", "clock") for row in rows), rows[:3]
    overruns = p.daemon.status()["overruns"]
    shim.set_clock(0)
    began = time.monotonic()
    p.wait_event("kind = 'clock_step'")
    p.daemon.wait_sql(GOOD + " limit 1", RECOVERY_LIMIT)
    p.recovery = time.monotonic() - began
    before = p.served()
    time.sleep(3)
    assert 20 <= p.served() - before <= 40, "a burst, or a stop"
    assert p.daemon.status()["overruns"] == overruns
    p.daemon.stop()
    uncertain = p.daemon.sql("select min(ts) as first, max(ts) as last from samples where cause = 'clock'")[0]
    assert began_us - 2_000_000 <= uncertain["first"] <= uncertain["last"] <= time.time() * 1e6, "not put right"
    rows = p.daemon.sql("select tag, ts, value, seq from samples where quality <> 'bad' order by tag, seq")
    check_truth(rows, p.device.ledger)
