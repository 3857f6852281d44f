#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""simulate-days replays a seed exactly, and finds what is planted: check_days.py SIMULATE-DAYS."""

import re
import subprocess
import sys


def run(*arguments):
    done = subprocess.run([sys.argv[1], *arguments], capture_output=True, text=True, check=False)
    # The folder of a run has a name of its own; nothing else may differ.
    return done.returncode, re.sub(r"weir-simulation-\w+", "FOLDER", done.stdout + done.stderr)


def main():
    first = run("--seed", "11", "--days", "1", "--faults", "30", "--devices", "3")
    assert first[0] == 0, first
    assert run("--seed", "11", "--days", "1", "--faults", "30", "--devices", "3") == first, "the same seed gave another run"
    assert run("--seed", "12", "--days", "1", "--faults", "30", "--devices", "3") != first, "another seed gave the same run"
    planted = run("--seed", "1", "--days", "20", "--devices", "8", "--plant", "no-sync")
    assert planted[0] == 1 and "violation: seed 1, 20" in planted[1], planted
    assert run("--seed", "1", "--days", "20", "--devices", "8", "--plant", "no-sync") == planted, "the violation did not replay"
    forgotten = run("--seed", "1", "--days", "3", "--devices", "4", "--faults", "60", "--sinks", "3", "--plant", "lost-backlog")
    assert forgotten[0] == 1 and "was committed and never arrived" in forgotten[1], forgotten
    assert run("--seed", "1", "--only", "nothing")[0] == 2


if __name__ == "__main__":
    main()
