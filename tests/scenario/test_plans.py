# SPDX-License-Identifier: MIT
"""Plans of a running weir against a device that keeps a ledger: what is read, when, for whom, and that it is read once."""

import json
import os
import time

import pytest
from conftest import wait_until
from oracle import check_truth, simdev_config, simdev_points
from simdev import read_ledger

DEFAULT = 1
QUICK = "300ms"


@pytest.fixture
def device(peers):
    return peers.simdev(units="1-2")


def config_of(device, *plans):
    """v0 has an interval of its own, v4 and v8 have none; an hour is never due here but at the start."""
    config = simdev_config(device.port, "1-2", simdev_points(3))
    for entry in config["devices"]:
        del entry["interval"]
        entry["points"][0]["interval"] = QUICK
    config["plans"] = list(plans) + [{"name": "rare", "tags": "*", "interval": "365d"}]
    return config


def plans(weir, daemon):
    return {plan["name"]: plan for plan in weir.json("plan", "list", "--data-dir", daemon.data_dir)}


def plan(weir, daemon, *words, code=0):
    done = weir.run("plan", *words, "--data-dir", daemon.data_dir)
    assert done.returncode == code, done.stderr
    return done


def bit(weir, daemon, name):
    return 1 << plans(weir, daemon)[name]["bit"]


def count(daemon, tag, mask):
    return daemon.sql(f"select count(*) n from samples where tag = '{tag}' and plans & {mask}")[0]["n"]


def test_a_plan_reads_its_tags_at_its_times_and_what_several_want_once(weir, device):
    daemon = weir.start(config_of(device, {"name": "both", "tags": "u1/v4", "interval": "100ms", "enabled": False},
                                  {"name": "quick", "tags": ["u1/*", "!*/v8"], "interval": "200ms"}))
    mask = bit(weir, daemon, "quick")
    wait_until("ten samples", lambda: count(daemon, "u1/v4", mask) >= 10, 20)
    rows = daemon.sql("select tag, ts, plans from samples where read_ts - ts >= 0")
    names = {row["plan"]: row["plans"] for row in daemon.sql("select distinct plan, plans from samples")}
    daemon.stop()
    rare = {"rare": names["rare"]} if "rare" in names else {}  # its first read, at the start
    assert names == {"default": DEFAULT, "quick": mask, "default,quick": DEFAULT | mask, **rare}
    slots = {}
    for row in rows:
        assert slots.setdefault((row["tag"], row["ts"]), row["plans"]) == row["plans"], "one slot, one sample"
        if row["plans"] & mask and row["ts"] % 1000 == 0:
            assert row["ts"] % 200000 == 0 and row["tag"] in ("u1/v0", "u1/v4"), row
        if row["plans"] & DEFAULT:
            assert row["tag"].endswith("/v0") and row["ts"] % 300000 == 0, row
    # Where 200 ms and 300 ms meet, every 600 ms, one read serves both.
    both = [ts for (tag, ts), plan in slots.items() if tag == "u1/v0" and plan & mask and plan & DEFAULT]
    assert both and all(ts % 600000 == 0 for ts in both)
    check_truth(daemon.sql("select tag, ts, value, seq from samples where quality = 'good' order by tag, ts"),
                device.ledger)
    # Nobody asked the second device for more than v0, but once at the start.
    second = [line for line in read_ledger(device.ledger) if line[1] == 2]
    assert sum(count > 4 or address != 0 for _, _, _, address, count, _ in second) <= 2


def test_a_hand_starts_pauses_resumes_and_stops_and_each_is_an_event(weir, device):
    daemon = weir.start(config_of(device, {"name": "waits", "tags": "u1/v8", "interval": "100ms", "enabled": False}))
    mask = bit(weir, daemon, "waits")
    assert plans(weir, daemon)["waits"]["state"] == "ready"
    assert count(daemon, "u1/v8", mask) == 0
    plan(weir, daemon, "start", "waits")
    wait_until("samples", lambda: count(daemon, "u1/v8", mask) >= 5, 20)
    plan(weir, daemon, "pause", "waits")
    paused = daemon.sql("select max(ts) ts from samples where tag = 'u1/v8'")[0]["ts"]
    state = plans(weir, daemon)["waits"]
    assert state["state"] == "paused" and state["next_due"] is None
    default = count(daemon, "u1/v0", DEFAULT)
    wait_until("the plan default goes on", lambda: count(daemon, "u1/v0", DEFAULT) > default + 2, 20)
    late = daemon.sql(f"select ts from samples where tag = 'u1/v8' and ts > {paused + 400000}")
    assert not late, "read while it was paused"
    plan(weir, daemon, "resume", "waits")
    n = count(daemon, "u1/v8", mask)
    wait_until("samples again", lambda: count(daemon, "u1/v8", mask) > n + 3, 20)
    plan(weir, daemon, "stop", "waits")
    assert "is stopped: only one that runs" in plan(weir, daemon, "pause", "waits", code=2).stderr
    assert "always runs" in plan(weir, daemon, "stop", "default", code=2).stderr
    plan(weir, daemon, "start", "nobody", code=1)
    told = [row["text"] for row in daemon.wait_sql("select text from events where subject = 'waits' order by ts")]
    assert told == [f"plan 'waits' {what}" for what in ("started", "paused", "resumed", "stopped")]
    daemon.stop()


def test_a_plan_from_the_command_line_expires(weir, device):
    daemon = weir.start(config_of(device))
    plan(weir, daemon, "start", "look", "--tags", "u2/v4,u2/v8", "--interval", "100ms", "--lifetime", "1s")
    look = plans(weir, daemon)["look"]
    assert (look["state"], look["tags"], look["configured"]) == ("running", 2, False)
    wait_until("it is over", lambda: plans(weir, daemon)["look"]["state"] == "expired", 20)
    mask = bit(weir, daemon, "look")
    times = wait_until("its samples", lambda: daemon.sql(
        f"select ts from samples where tag = 'u2/v8' and plans & {mask} order by ts"), 20)
    assert len(times) <= 11 and times[-1]["ts"] - times[0]["ts"] <= 1000000
    assert 'hour "24"' in plan(weir, daemon, "start", "bad", "--tags", "*", "--cron", "* 24 * * *", code=3).stderr
    plan(weir, daemon, "start", "none", "--tags", "zz*", "--interval", "1s", code=1)
    day = json.loads(plan(weir, daemon, "start", "day", "--tags", "u1/v4", "--interval", "1s").stdout or "null")
    assert day is None
    assert plans(weir, daemon)["day"]["expires"] is not None, "24 h when nothing is said"
    daemon.stop()


def test_collect_now_reads_so_many_cycles(weir, device):
    daemon = weir.start(config_of(device))
    before = count(daemon, "u2/v8", ~0 >> 1)
    plan(weir, daemon, "collect", "rare", "--cycles", "4", "--wait", "50ms")
    wait_until("four samples of every tag", lambda: count(daemon, "u2/v8", ~0 >> 1) - before >= 4, 20)
    started = time.monotonic()
    plan(weir, daemon, "collect", "default", "--cycles", "2", "--wait", "300ms")
    assert time.monotonic() - started >= 0.3
    daemon.stop()
    rows = daemon.sql("select tag, ts, value, seq from samples where quality = 'good' order by tag, ts")
    check_truth(rows, device.ledger)


def test_cron_follows_the_clock_and_gcd_the_divisor(weir, device):
    daemon = weir.start(config_of(
        device, {"name": "even", "tags": "u1/v8", "cron": "*/2 * * * * *", "zone": "Europe/Berlin"},
        {"name": "a", "tags": "u2/v4", "interval": "300ms", "merge": "gcd"},
        {"name": "b", "tags": "u2/v4", "interval": "200ms", "merge": "gcd"}))
    even = bit(weir, daemon, "even")
    wait_until("samples by cron", lambda: count(daemon, "u1/v8", even) >= 2, 20)
    rows = daemon.sql(f"select ts from samples where tag = 'u1/v8' and plans & {even}")
    assert all(row["ts"] % 2000000 == 0 for row in rows)
    merged = bit(weir, daemon, "a") | bit(weir, daemon, "b")
    rows = daemon.sql(f"select ts from samples where tag = 'u2/v4' and plans = {merged} order by ts")
    gaps = [y["ts"] - x["ts"] for x, y in zip(rows, rows[1:])]
    assert gaps and min(gaps) == 100000
    daemon.stop()


def test_a_plan_keeps_its_bit_and_a_reload_its_state(weir, device):
    first = {"name": "first", "tags": "u1/v4", "interval": "200ms"}
    second = {"name": "second", "tags": "u1/v8", "interval": "200ms"}
    daemon = weir.start(config_of(device, first, second))
    bits = {name: row["bit"] for name, row in plans(weir, daemon).items()}
    plan(weir, daemon, "pause", "first")
    # Another order, one changed, one more: names tell which is which.
    third = {"name": "third", "tags": "u2/v8", "interval": "200ms"}
    weir.write_config(config_of(device, third, dict(second, interval="100ms"), first))
    done = weir.run("reload", "--data-dir", daemon.data_dir)
    assert done.returncode == 0, done.stderr
    now = plans(weir, daemon)
    assert now["first"]["state"] == "paused" and now["second"]["rhythm"] == "100ms"
    assert now["third"]["state"] == "running"
    assert {name: now[name]["bit"] for name in bits} == bits
    mask = 1 << now["third"]["bit"]
    wait_until("samples of the new plan", lambda: count(daemon, "u2/v8", mask) >= 3, 20)
    daemon.stop()
    daemon = weir.start(config_of(device, third, first))
    now = plans(weir, daemon)
    assert now["first"]["bit"] == bits["first"] and "second" not in now
    daemon.stop()


def test_a_sink_gets_what_its_plans_asked_for(weir, device):
    config = config_of(device, {"name": "quick", "tags": "u1/v4", "interval": "200ms"})
    path = weir.tmp_path / "quick.csv"
    config["sinks"] = [{"name": "book", "type": "csv", "path": str(path), "plans": ["quick"]}]
    daemon = weir.start(config)
    wait_until("rows", lambda: os.path.exists(path) and path.read_text().count("u1/v4") >= 5, 30)
    daemon.stop()
    text = path.read_text()
    assert "u1/v0" not in text and "u2/" not in text
