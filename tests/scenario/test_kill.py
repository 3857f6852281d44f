# SPDX-License-Identifier: MIT
"""kill -9 at random moments under load: what was said to be committed is there, and the next start needs no help."""

import time

import pytest
from conftest import scaled, wait_until
from oracle import GOOD, check_truth, simdev_config, simdev_points
from simdev import read_ledger

INTERVAL_US = 100_000
MAX_LOSS_US = 1_000_000
UNITS = 8
# Reading the clock, the kill, a reply on its way, and the scheduling of a busy machine.
SLACK_US = 400_000


class Run:
    """One life of the daemon: from its start to its kill."""

    def __init__(self, weir, config, dice):
        self.daemon = weir.start(config)
        first = self.daemon.wait_committed()["committed_seq"]
        self.committed = first
        lifetime = dice.uniform(0.05, 2.5)
        end = time.monotonic() + lifetime
        wait_until("the moment of the kill", lambda: self.look() >= end, lifetime + 10)
        self.daemon.kill()
        self.killed_us = int(time.time() * 1e6)
        self.daemon.process.wait(10)

    def look(self):
        self.committed = max(self.committed, self.daemon.status()["committed_seq"])
        return time.monotonic()


def check_committed(daemon, committed):
    """Every number up to the one seen last is there: seq has no holes but those the events took."""
    samples = daemon.sql(f"select count(*) as n, count(distinct seq) as different from samples where seq <= {committed}")[0]
    events = daemon.sql("select count(*) as n from events")[0]["n"]
    assert samples["n"] == samples["different"]
    assert 0 <= committed - samples["n"] <= events


def check_tail(found, ledger, since_us, killed_us):
    """Of what was served in one life, only the last moments may be missing."""
    for (unit, address), samples in found.items():
        stored = {tick for _, tick, _ in samples}
        served = [(t, tick) for t, u, _, a, n, tick in ledger
                  if u == unit and a <= address < a + n and since_us <= t <= killed_us]
        missing = [t for t, tick in served if tick not in stored]
        oldest = killed_us - MAX_LOSS_US - INTERVAL_US - SLACK_US
        assert all(t >= oldest for t in missing), f"unit {unit} lost {(killed_us - min(missing)) / 1e6} s"


@pytest.mark.alone
def test_a_kill_at_any_moment_costs_at_most_max_loss(weir, peers, dice):
    device = peers.simdev()
    config = simdev_config(device.port, f"1-{UNITS}", simdev_points(10), "100ms", max_loss="1s", timeout="3s")
    for _ in range(scaled(4, 50)):
        since_us = int(time.time() * 1e6)
        run = Run(weir, config, dice)
        check_committed(run.daemon, run.committed)
        found = check_truth(run.daemon.sql(GOOD), device.ledger)
        check_tail(found, read_ledger(device.ledger), since_us, run.killed_us)
        assert weir.run("store", "verify", "--data-dir", run.daemon.data_dir).returncode == 0
    last = weir.start(config)
    last.wait_committed(run.committed + 1)
    last.stop()
    check_truth(last.sql(GOOD), device.ledger)
