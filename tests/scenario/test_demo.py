# SPDX-License-Identifier: MIT
"""weir demo: values move without any preparation, and it ends when told."""

import os
import signal
import subprocess

import pytest
from conftest import BINARY, read_line


@pytest.fixture
def demo(weir, tmp_path):
    """`weir demo` with its output in a pipe."""
    with open(tmp_path / "demo.log", "wb") as log:
        process = subprocess.Popen([BINARY, "demo", "--data-dir", str(tmp_path / "data")], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=log, bufsize=0, env=weir.environment)
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()
    process.stdout.close()
    log = (tmp_path / "demo.log").read_text()
    assert "Sanitizer" not in log, log


def test_piped_it_prints_a_line_for_each_change(demo):
    header = read_line(demo.stdout).split(",")
    lines = [dict(zip(header, read_line(demo.stdout).split(","))) for _ in range(60)]
    by_tag = {}
    for line in lines:
        by_tag.setdefault(line["tag"], []).append(line["value"])
    assert len(by_tag) >= 10
    devices = {tag.split("/")[0] for tag in by_tag}
    assert len(devices) == 5, devices
    moved = [tag for tag, values in by_tag.items() if len(set(values)) > 1]
    assert moved, "nothing moves"
    assert all(a != b for values in by_tag.values() for a, b in zip(values, values[1:]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_within_five_seconds(demo, number):
    read_line(demo.stdout)
    read_line(demo.stdout)
    demo.send_signal(number)
    assert demo.wait(5) == 0


def test_a_reader_that_leaves_ends_it(demo):
    read_line(demo.stdout)
    demo.stdout.close()
    demo.stdout = open(os.devnull, "rb")
    assert demo.wait(20) == 0


def test_its_data_can_be_queried(weir, demo, tmp_path):
    for _ in range(40):
        read_line(demo.stdout)
    demo.send_signal(signal.SIGTERM)
    assert demo.wait(5) == 0
    rows = weir.sql(tmp_path / "data", "select device, count(distinct tag) as n from tags group by device")
    assert len(rows) == 5
    bad = weir.sql(tmp_path / "data", "select tag, cause from samples where quality <> 'good'")
    assert bad == []
