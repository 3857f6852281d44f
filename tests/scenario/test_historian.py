# SPDX-License-Identifier: MIT
"""Programs that pull: named historians read behind a cursor and acknowledge, by the control socket and the command."""

import json
import socket

import pytest
from conftest import wait_until
from oracle import simdev_config, simdev_points


class Historian:
    """A program that speaks to the control socket."""

    def __init__(self, daemon, name="archive"):
        self.daemon, self.name = daemon, name

    def ask(self, method, **params):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(str(self.daemon.data_dir / "weir.sock"))
            s.sendall(json.dumps({"method": "historian." + method, "params": dict({"name": self.name}, **params)}).encode() + b"\n")
            return json.loads(s.makefile("rb").readline())

    def read(self, **params):
        answer = self.ask("read", **params)
        assert "result" in answer, answer
        return answer["result"]

    def acknowledge(self, **params):
        answer = self.ask("acknowledge", **params)
        assert "result" in answer, answer
        return answer["result"]["cursor"]

    def pull(self, until, limit=300):
        """Reads and acknowledges until it has that seq."""
        taken = []
        while not taken or taken[-1]["seq"] < until:
            result = self.read(limit=limit)
            taken += result["samples"]
            self.acknowledge(store=result["store"], cursor=result["cursor"])
        return taken


@pytest.fixture
def config(peers):
    return simdev_config(peers.simdev().port, "1-3", simdev_points(4), "100ms")


def samples(daemon, until):
    return daemon.sql(f"select tag, ts, value, seq from samples where seq <= {until} order by seq")


def check_same(taken, daemon):
    rows = [{key: row[key] for key in ("tag", "ts", "value", "seq")} for row in taken]
    for row in rows:
        row["value"] = int(row["value"])
    truth = samples(daemon, rows[-1]["seq"])
    for row in truth:
        row["value"] = int(row["value"])
    assert rows == truth


def test_all_that_was_committed_is_taken_once_and_in_order(weir, config):
    daemon = weir.start(config)
    daemon.wait_committed(400)
    archive = Historian(daemon)
    taken = archive.pull(400)
    check_same(taken, daemon)
    daemon.stop()


def test_a_read_gives_the_same_until_it_is_acknowledged(weir, config):
    daemon = weir.start(config)
    daemon.wait_committed(100)
    archive = Historian(daemon)
    first = archive.read(limit=40)
    again = archive.read(limit=40)
    assert first["samples"] and first["samples"] == again["samples"]
    # Who reads ahead acknowledges nothing.
    ahead = archive.read(limit=40, after=first["cursor"])
    assert ahead["samples"][0]["seq"] > first["cursor"] and ahead["acknowledged"] == first["acknowledged"]
    assert archive.acknowledge(store=first["store"], cursor=first["cursor"]) == first["cursor"]
    assert archive.acknowledge(store=first["store"], cursor=1) == first["cursor"], "less changes nothing"
    assert archive.read(limit=40)["samples"][0]["seq"] > first["cursor"]


def test_cursors_survive_a_kill_and_what_was_acknowledged_before_is_not_given_again(weir, config):
    daemon = weir.start(config)
    daemon.wait_committed(200)
    archive = Historian(daemon)
    first = archive.read(limit=100)
    archive.acknowledge(store=first["store"], cursor=first["cursor"])
    # Durable with a commit that comes after it: two from now on.
    daemon.wait_committed(daemon.status()["committed_seq"] + 50)
    daemon.kill()
    daemon.process.wait(10)
    daemon = weir.start(config)
    archive = Historian(daemon)
    assert archive.read(limit=10)["acknowledged"] == first["cursor"]
    check_same(first["samples"] + archive.pull(first["cursor"] + 100), daemon)


def test_acknowledging_by_time_never_passes_over_what_is_later(weir, config):
    daemon = weir.start(config)
    daemon.wait_committed(300)
    archive = Historian(daemon)
    given = archive.read(limit=200)["samples"]
    middle = given[len(given) // 2]["ts"]
    cursor = archive.acknowledge(before=middle)
    assert cursor == next(row["seq"] for row in given if row["ts"] > middle) - 1
    assert archive.acknowledge(before=middle) == cursor, "saying it again changes nothing"
    assert archive.acknowledge(before=given[0]["ts"] - 1) == cursor
    rest = archive.read(limit=10)["samples"]
    assert rest[0]["seq"] > cursor and rest[0]["ts"] > middle
    # A time to come: no more than what was given.
    assert archive.acknowledge(before=given[-1]["ts"] + 10**12) <= archive.read(limit=1)["committed_seq"]


def test_two_historians_do_not_know_of_each_other_and_sinks_neither(weir, config, tmp_path):
    config["sinks"] = [{"name": "out", "type": "csv", "path": str(tmp_path / "out.csv")}]
    daemon = weir.start(config)
    daemon.wait_committed(200)
    one, two = Historian(daemon, "one"), Historian(daemon, "two")
    first = one.read(limit=100)
    one.acknowledge(store=first["store"], cursor=first["cursor"])
    assert two.read(limit=100)["samples"] == first["samples"]
    assert "historian" not in json.dumps(daemon.status()["sinks"])
    daemon.stop()
    daemon = weir.start(config)
    assert Historian(daemon, "two").read(limit=100)["samples"] == first["samples"], "a start leaves its cursor alone"
    assert Historian(daemon, "one").read(limit=1)["acknowledged"] == first["cursor"]


def test_only_tags_that_match_and_only_what_is_new(weir, config):
    daemon = weir.start(config)
    daemon.wait_committed(100)
    archive = Historian(daemon)
    assert {row["tag"] for row in archive.read(tags="u2/*", limit=50)["samples"]} == {f"u2/v{4 * i}" for i in range(4)}
    fresh = Historian(daemon, "fresh")
    seen = daemon.status()["committed_seq"]
    assert all(row["seq"] >= seen for row in fresh.read(**{"from": "now"})["samples"])
    rows = wait_until("something new", lambda: fresh.read()["samples"])
    assert rows[0]["seq"] > seen


@pytest.mark.parametrize("method, params, says", [
    ("read", {"name": "a/b"}, "letters, digits"),
    ("read", {"name": ""}, "letters, digits"),
    ("read", {"limit": -1}, "whole number"),
    ("read", {"from": "yesterday"}, '"log" or "now"'),
    ("read", {"tags": 5}, "pattern"),
    ("read", {"after": 10**15}, "another store"),
    ("acknowledge", {}, "either"),
    ("acknowledge", {"cursor": 1, "before": 1}, "either"),
    ("acknowledge", {"cursor": 10**15}, "another store"),
    ("acknowledge", {"cursor": 1, "store": "0e3b7c1a-0000-4000-8000-000000000000"}, "read again"),
    ("acknowledge", {"name": "unheard", "cursor": 1}, "has read yet"),
    ("remove", {"name": "unheard"}, "has read yet"),
])
def test_what_makes_no_sense_is_said(weir, config, method, params, says):
    daemon = weir.start(config)
    daemon.wait_committed(10)
    archive = Historian(daemon)
    archive.read()
    assert says in archive.ask(method, **params)["error"]


def test_the_command_does_what_a_program_does(weir, config):
    daemon = weir.start(config)
    daemon.wait_committed(100)
    place = ("--data-dir", daemon.data_dir)
    read = weir.run("historian", "read", "hand", "--limit", "30", *place, "--format", "json")
    rows = json.loads(read.stdout)
    assert len(rows) >= 30 and "weir historian acknowledge hand --cursor" in read.stderr
    cursor = read.stderr.split("--cursor ")[1].split()[0]
    assert weir.run("historian", "acknowledge", "hand", "--cursor", cursor, *place).returncode == 0
    assert weir.json("historian", "read", "hand", *place)[0]["seq"] == rows[-1]["seq"] + 1
    assert weir.run("historian", "acknowledge", "hand", *place).returncode == 2
    assert weir.run("historian", "remove", "hand", *place).returncode == 0
    assert weir.run("historian", "acknowledge", "hand", "--cursor", cursor, *place).returncode == 1
    anew = weir.json("historian", "read", "hand", "--limit", "30", *place)
    assert anew[0]["seq"] <= rows[0]["seq"], "it begins anew"
    daemon.stop()
    gone = weir.run("historian", "read", "hand", *place)
    assert gone.returncode == 4 and "weir run" in gone.stderr
