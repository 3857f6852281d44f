# SPDX-License-Identifier: MIT
"""The fault matrix with the real program: what its rows share. script/faults runs them.

WEIR          the program to test, without sanitizers (build/weir): the shim is preloaded into it
WEIR_SEED     one number everything is drawn from
WEIR_REPORT   a file; each row appends 'row recovery_s lost invented' to it
WEIR_SCALE    full: the counts of script/soak
"""

import importlib.util
import os
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIO = os.path.join(os.path.dirname(HERE), "scenario")
os.environ.setdefault("WEIR", os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "weir"))
sys.path.insert(0, SCENARIO)
SPEC = importlib.util.spec_from_file_location("scenario", os.path.join(SCENARIO, "conftest.py"))
scenario = importlib.util.module_from_spec(SPEC)
sys.modules["scenario"] = scenario
SPEC.loader.exec_module(scenario)

import shim as shim_module  # noqa: E402  (its folder is on the path only now)
from oracle import GOOD, check_truth, simdev_config, simdev_points  # noqa: E402
from scenario import dice, peers, pytest_collection_modifyitems, report_row, seed, wait_until, weir  # noqa: E402,F401  (fixtures)
from simdev import read_ledger  # noqa: E402

RECOVERY_LIMIT = 30.0  # seconds; promise G6


def pytest_configure(config):
    config.addinivalue_line("markers", "row(number): of the fault matrix")


@pytest.fixture
def shim(weir, tmp_path):
    """The disk and the clock of the programs that this test starts from now on."""
    made = shim_module.Shim(str(tmp_path))
    weir.environment.update(made.environment)
    return made


@pytest.fixture
def small_disk(request, tmp_path):
    """16 MB of memory as a file system of its own; or as many as request.param says."""
    path = tmp_path / "disk"
    path.mkdir()
    size = getattr(request, "param", 16)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", path], capture_output=True, text=True,
                             check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=False)


class Plant:
    """A self-verifying device, polled five times a second and committed as often."""

    def __init__(self, request, weir, peers, data_dir=None, store=None, points=10, units="1-2"):
        self.request, self.weir = request, weir
        self.device = peers.simdev()
        self.config = simdev_config(self.device.port, units, simdev_points(points))
        self.config["store"].update(store or {})
        self.data_dir = data_dir or weir.tmp_path / "data"
        self.recovery = 0.0
        self.lost = self.invented = 0
        self.daemon = None

    def start(self, wait=True):
        self.daemon = self.weir.start(self.config, data_dir=self.data_dir, wait=wait)
        return self.daemon

    def committed(self):
        status = self.daemon.status()
        return status["committed_seq"] if status else 0

    def served(self):
        return len(read_ledger(self.device.ledger))

    def wait_polls(self, n=20):
        """Polling goes on."""
        began = self.served()
        wait_until(f"{n} more polls", lambda: self.served() >= began + n)

    def wait_log(self, *words, deadline=10.0):
        """Until one of the words was said; the line."""
        def find():
            return next((line for line in self.daemon.log().splitlines() if any(word in line for word in words)), None)
        return wait_until(f"the log says one of {words}", find, deadline)

    def wait_event(self, where, deadline=10.0):
        return self.daemon.wait_sql(f"select * from events where {where}", deadline)

    def wait_recovery(self, since=None):
        """From now, or since, until commits go on."""
        began = since or time.monotonic()
        seq = self.committed()
        wait_until("commits go on", lambda: self.committed() > seq, RECOVERY_LIMIT)
        self.recovery = max(self.recovery, time.monotonic() - began)

    def finish(self, may_miss=None):
        """Stops. All served is there, but for reads under way at the stop and those may_miss(time_us) excuses."""
        self.daemon.stop()
        try:
            found = check_truth(self.daemon.sql(GOOD), self.device.ledger)
        except AssertionError:
            self.invented += 1
            raise
        for (unit, address), samples in found.items():
            stored = {tick for _, tick, _ in samples}
            served = [(t, tick) for t, u, _, a, n, tick in read_ledger(self.device.ledger) if u == unit and a <= address < a + n]
            missing = [t for t, tick in served[:-1] if tick not in stored and not (may_miss and may_miss(t))]
            self.lost += len(missing)
        assert found and self.lost == 0, f"{self.lost} samples are lost"
        verified = self.weir.run("store", "verify", "--data-dir", self.data_dir)
        assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.fixture
def plant(request, weir, peers):
    """plant(store={...}, ...) makes one; what it measured is reported at the end, however the test went."""
    made = []

    def make(**options):
        made.append(Plant(request, weir, peers, **options))
        return made[-1]

    yield make
    row = request.node.get_closest_marker("row").args[0]
    for one in made:
        report_row(row, one.recovery, one.lost, one.invented)
