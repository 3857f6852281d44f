# SPDX-License-Identifier: MIT
"""A backlog drained into a real PostgreSQL, while the plant goes on: memory, time, and how late live rows are.

Two runs of weir with one store. The first polls 10 000 tags each 100 ms while the server is down, until enough waits: that takes
minutes, where the plant that is meant would take hours. The second polls that plant, 2000 tags each second; the server comes
back 10 s later, with its stock settings. Live rows are judged at the server: the newest time of the tag that is furthest behind
against the server's clock, which includes the second between two polls and the second until a commit.
"""

import json
import os
import signal
import subprocess
import time

from bench_postgres import PgServer

POINTS = 50  # of a device
FILL_DEVICES, FILL_INTERVAL = 200, "100ms"
LIVE_DEVICES, LIVE_INTERVAL = 40, "1s"
LIVE_TAGS = LIVE_DEVICES * POINTS
WARM_S = 10  # until memory is what a plant without a backlog would need
LOOK_S = 0.73  # between two looks: no divisor of the interval, or each would see the same moment between two polls
SETTLE_S = 5  # live rows may be late so long after the server is back
DRAINED = 2 * LIVE_TAGS  # what two seconds of the plant leave waiting
STUCK_S = 120  # more than the longest pause between two tries

LATE_MAX_S = 3.0  # the limit of the project's delivery milestone
# Flat: room for a chunk and a batch of rows. 10 M samples held in memory would be more than ten times that.
GROWTH_MAX_MB = 32

LATE = ("SELECT count(*) FILTER (WHERE last IS NOT NULL), extract(epoch FROM clock_timestamp() - min(last))::float8 FROM "
        "(SELECT (SELECT max(ts) FROM weir_samples WHERE tag_id = id) AS last FROM weir_tags WHERE device LIKE 'live-%') AS newest")


def config_of(kind, devices, interval, server):
    """Simulated devices: what is measured is what comes behind them. JSON is YAML."""
    points = [{"name": f"p{i}", "register": "holding", "address": i, "type": "uint16", "scale": 0.01,
               "simulate": {"wave": "random_walk", "min": 220, "max": 240, "period": "600s", "resolution": 0.01}} for i in range(POINTS)]
    return {
        # More than the log of 10 M samples takes. A limit that drops samples would show as rows that are missing.
        "store": {"max_size": "30GB"},
        "connections": [{"name": f"{kind}-{n}", "uri": "simulated:"} for n in range(4)],
        "devices": [{"name": f"{kind}-{n}-{{unit_id}}", "connection": f"{kind}-{n}", "unit_id": f"1-{devices // 4}",
                     "interval": interval, "points": points} for n in range(4)],
        "sinks": [{"name": "office", "type": "postgres", "url": server.conninfo()}],
    }


class Daemon:
    """`weir run` in a folder."""

    def __init__(self, build, folder, config):
        self.weir, self.data_dir = os.path.join(build, "weir"), os.path.join(folder, "data")
        path, self.log = os.path.join(folder, "weir.yaml"), os.path.join(folder, "log")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.weir, "run", "-c", path, "--data-dir", self.data_dir], stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.log

    def ask(self, *arguments):
        """What a command answers; None while weir does not."""
        done = subprocess.run([self.weir, *arguments, "--data-dir", self.data_dir, "--format", "json"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False)
        assert self.process.poll() is None, self.log
        return json.loads(done.stdout) if done.returncode == 0 else None

    def sink(self):
        """Of `weir status`."""
        status = self.ask("status")
        status = status[0] if isinstance(status, list) else status
        return status["sinks"][0] if status and status.get("sinks") else {"state": "starting", "backlog": 0, "sent": 0}

    def memory_mb(self):
        """(now, and at most since the last reset)"""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as lines:
            words = dict(line.split(":", 1) for line in lines)
        return tuple(int(words[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))

    def reset_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # man 5 proc: VmHWM begins anew


def fill(build, folder, server, samples):
    """Until so many wait for the server, which is down. How many that are exactly, and the seconds."""
    began = time.monotonic()
    with Daemon(build, folder, config_of("fill", FILL_DEVICES, FILL_INTERVAL, server)) as daemon:
        while (waiting := daemon.sink()["backlog"]) < samples:
            assert time.monotonic() - began < STUCK_S or waiting > samples / 100, f"only {waiting} wait"
            time.sleep(0.2)
        seconds = time.monotonic() - began
    answer = subprocess.run([daemon.weir, "sql", "--data-dir", daemon.data_dir, "--format", "json",
                             "SELECT count(*) AS n FROM samples WHERE tag GLOB 'fill-*'"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout)[0]["n"], seconds


def late_s(server):
    """How old the newest row of the live tag that is furthest behind is; infinite while one has none."""
    found, seconds = server.sql(LATE)[0]
    return float(seconds) if int(found) == LIVE_TAGS else float("inf")


def drain(daemon, server, bench):
    """The second run, from the moment the server is back: a list of (seconds, waiting, late, MB, state) of each look."""
    seen, online, moved = [], None, time.monotonic()
    while not seen or online is None or seen[-1][1] > DRAINED:
        sink, now = daemon.sink(), time.monotonic()
        if sink["state"] == "online" and online is None:
            online = now
        if online is not None:
            if not seen or sink["backlog"] < min(row[1] for row in seen):
                moved = now
            seen.append((now - online, sink["backlog"], late_s(server), daemon.memory_mb()[0], sink["state"]))
            if bench.is_verbose:
                print("  {:5.1f} s: {:,} wait, live rows {:.2f} s late, {:.1f} MB, {}".format(*seen[-1]), flush=True)
        assert time.monotonic() - moved < STUCK_S, "the backlog does not shrink"
        time.sleep(max(0.0, LOOK_S - (time.monotonic() - now)))
    return seen


def judge(verdict, seen, memory, samples, arrived):
    before, peak = memory
    seconds = seen[-1][0]
    late = sorted(row[2] for row in seen if row[0] > SETTLE_S)
    print(f"backlog: drained in {seconds:.0f} s, {seen[0][1] / seconds + LIVE_TAGS:,.0f} rows/s with the live ones; memory "
          f"{before:.1f} MB before, {peak:.1f} MB at most")
    verdict.expect_least("backlog, rows that arrived / committed", arrived / samples, 1)
    verdict.expect_least("backlog, state online, share of the looks", sum(row[4] == "online" for row in seen) / len(seen), 1)
    verdict.expect("backlog, growth of memory", peak - before, GROWTH_MAX_MB, " MB")
    if not late:
        print(f"MISS backlog, live rows: it was drained within {SETTLE_S} s, too soon to judge them (--samples)")
        verdict.holds = False
        return
    print(f"backlog: live rows {late[len(late) // 2]:.2f} s late in the median of {len(late)} looks")
    verdict.expect("backlog, live rows late at most", late[-1], LATE_MAX_S, " s")


def bench_backlog(bench, verdict):
    folder = bench.fresh_folder()
    server = PgServer()
    try:
        server.stop()
        samples, seconds = fill(bench.build, folder, server, bench.samples)
        print(f"backlog: {samples:,} samples of {FILL_DEVICES * POINTS:,} tags waiting after {seconds:.0f} s")
        with Daemon(bench.build, folder, config_of("live", LIVE_DEVICES, LIVE_INTERVAL, server)) as daemon:
            time.sleep(WARM_S)
            daemon.reset_peak()
            before = daemon.memory_mb()[0]
            server.start()
            seen = drain(daemon, server, bench)
            memory = (before, daemon.memory_mb()[1])
        arrived = int(server.sql("SELECT count(*) FROM weir_samples JOIN weir_tags ON id = tag_id WHERE device LIKE 'fill-%'")[0][0])
        judge(verdict, seen, memory, samples, arrived)
    finally:
        server.remove()
