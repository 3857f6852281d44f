# SPDX-License-Identifier: MIT
"""What the benches share: processes pinned to a core, their CPU time, medians."""

import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The slave on one core, what is measured on the other.
SLAVE_CPU, MASTER_CPU = 0, 1


def pinned(cpu, *command, **options):
    """Starts a process that stays on one core."""
    return subprocess.Popen(["taskset", "-c", str(cpu % os.cpu_count()), *map(str, command)], **options)


class Slave:
    """ref-slave: as a context, its port; afterwards `report`, and `ledger` {second: requests}."""

    def __init__(self, build, ledger=None):
        self.ledger_path, self.report, self.ledger = ledger, None, {}
        command = [os.path.join(build, "bench", "ref-slave")] + ([ledger] if ledger else [])
        self.process = pinned(SLAVE_CPU, *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        word, self.port = self.process.stdout.readline().split()
        assert word == "listening"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        out, _ = self.process.communicate("")
        self.report = json.loads(out)
        if self.ledger_path:
            with open(self.ledger_path, encoding="ascii") as file:
                self.ledger = {int(second): int(n) for second, n in map(str.split, file)}


def run_master(build, mode, port, connections, registers, seconds, warmup):
    """ref-master to its end; its answer."""
    process = pinned(MASTER_CPU, os.path.join(build, "bench", "ref-master"), mode, port, connections, registers, seconds,
                     warmup, stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate()
    answer = json.loads(out)
    assert answer["bad"] == 0, answer
    return answer


def thread_times(pid):
    """{(thread id, name): microseconds on a CPU}. schedstat counts nanoseconds where stat counts ticks."""
    times = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        folder = f"/proc/{pid}/task/{task}"
        with open(f"{folder}/schedstat", encoding="ascii") as file, open(f"{folder}/comm", encoding="utf-8") as comm:
            times[int(task), comm.read().strip()] = int(file.read().split()[0]) / 1000
    return times


def time_between(before, after):
    """{name: microseconds}, threads of one name together."""
    spent = {}
    for key, us in after.items():
        spent[key[1]] = spent.get(key[1], 0) + us - before.get(key, 0)
    return spent


def peak_memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def median(numbers):
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


class Verdict:
    """Prints what was asked for and what came; remembers whether all held."""

    def __init__(self):
        self.holds = True

    def expect(self, name, value, limit, unit=""):
        ok = value <= limit
        self.holds &= ok
        print(f"{'ok  ' if ok else 'MISS'} {name}: {value:.6g}{unit} (at most {limit:g}{unit})")

    def expect_least(self, name, value, limit, unit=""):
        ok = value >= limit
        self.holds &= ok
        print(f"{'ok  ' if ok else 'MISS'} {name}: {value:.6g}{unit} (at least {limit:g}{unit})")
