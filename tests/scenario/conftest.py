# SPDX-License-Identifier: MIT
"""What the scenario tests share: the program, the servers beside it, and waiting without blind sleeps.

WEIR        the program to test (build-asan/weir)
WEIR_SCALE  full: the counts of script/soak instead of the small ones of script/test
WEIR_ROWS   only tests of these rows of the fault matrix: "40,41"; script/faults sets it
WEIR_REPORT a file; who is of such a row appends 'row recovery_s lost invented' to it
"""

import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUPPORT = os.path.join(ROOT, "tests", "support")
sys.path.insert(0, SUPPORT)

BINARY = os.path.abspath(os.environ.get("WEIR", os.path.join(ROOT, "build-asan", "weir")))
IS_FULL = os.environ.get("WEIR_SCALE") == "full"
PYTHON = "/usr/bin/python3"  # Debian's: pymodbus is installed for it

# A job in the background of a script inherits that SIGINT is ignored, and its programs would in turn.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A first finding ends the program, with a code of its own and not with one of weir's.
SANITIZERS = {
    "ASAN_OPTIONS": "exitcode=99:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
    "TSAN_OPTIONS": "exitcode=99:halt_on_error=1",
}


def pytest_configure(config):
    config.addinivalue_line("markers", "threads: a daemon under load; script/test runs it with ThreadSanitizer too")
    config.addinivalue_line("markers", "alone: measures time; runs while nothing else does")
    config.addinivalue_line("markers", "row(number): of the fault matrix")


def pytest_collection_modifyitems(config, items):
    """Leaves the rows that are asked for, and writes into the results of which row each is."""
    wanted = {int(row) for row in os.environ.get("WEIR_ROWS", "").split(",") if row}
    left_out = []
    for item in items:
        rows = {mark.args[0] for mark in item.iter_markers("row")}
        item.user_properties += [("row", str(row)) for row in sorted(rows)]
        if wanted and not wanted & rows:
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def report_row(row, recovery=0.0, lost=0, invented=0):
    """What script/faults sums up."""
    path = os.environ.get("WEIR_REPORT")
    if path:
        with open(path, "a", encoding="ascii") as file:
            file.write(f"{row} {recovery:.3f} {lost} {invented}\n")


def scaled(small, full):
    """The count for script/test, or for script/soak."""
    return full if IS_FULL else small


def wait_until(what, condition, deadline=20.0):
    """Asks again and again until condition() is true, and returns that; fails when it never is."""
    end = time.monotonic() + deadline
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"after {deadline} s still not: {what}"
        time.sleep(0.03)


def read_line(pipe, deadline=20.0):
    """One line, or a failure instead of waiting for ever. For pipes opened unbuffered."""
    line = b""
    end = time.monotonic() + deadline
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"no line within {deadline} s, only {line!r}"
        byte = os.read(pipe.fileno(), 1)
        assert byte, f"ended after {line!r}"
        line += byte
    return line.decode().rstrip("\n")


class Helper:
    """A program of tests/support that prints 'listening X' and ends with its standard input."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0)
        word, self.address = read_line(self.process.stdout).split(" ", 1)
        assert word == "listening"

    @property
    def port(self):
        return int(self.address)

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Proxy(Helper):
    """tests/support/fault_proxy.py before a server."""

    def __init__(self, upstream):
        super().__init__(PYTHON, os.path.join(SUPPORT, "fault_proxy.py"), upstream)

    def order(self, order):
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        return json.loads(read_line(self.process.stdout))

    def fault(self, name, **details):
        self.order(dict(details, fault=name))

    def report(self):
        return self.order({"report": True})

    def wait_for_faults(self, n, deadline=20.0):
        """Until n more requests have met the fault."""
        first = self.report()["faults"]
        wait_until(f"{n} faults", lambda: self.report()["faults"] >= first + n, deadline)


class Daemon:
    """`weir run`, its data and its log."""

    def __init__(self, weir, data_dir, command, log_path):
        self.weir, self.data_dir, self.log_path = weir, data_dir, log_path
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=weir.environment)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def socket(self):
        """Its control socket; that of a store in memory is elsewhere."""
        if str(self.data_dir) == "memory":
            return os.path.join(self.weir.environment["XDG_RUNTIME_DIR"], f"weir-{self.process.pid}.sock")
        return os.path.join(self.data_dir, "weir.sock")

    def ask(self, method, patience=20.0, **params):
        """The control socket's answer, as `weir` commands get it; None while nobody listens there."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(patience)
            try:
                connection.connect(self.socket())
            except (FileNotFoundError, ConnectionRefusedError):
                assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log()}"
                return None
            connection.sendall(json.dumps({"method": method, "params": params}).encode() + b"\n")
            with connection.makefile(encoding="utf-8") as lines:
                return json.loads(lines.readline() or "null")

    def status(self):
        """What `weir status` shows, without a program for each look; None while nobody answers."""
        answer = self.ask("status")
        return answer and answer["result"]

    def wait_ready(self, deadline=20.0):
        wait_until("weir status answers", self.status, deadline)
        return self

    def wait_committed(self, seq=1, deadline=20.0):
        """Until so much is on disk; returns the status that said so."""
        def is_committed():
            status = self.status()
            return status if status and status["committed_seq"] >= seq else None
        return wait_until(f"committed_seq {seq}", is_committed, deadline)

    def sql(self, query):
        return self.weir.sql(self.data_dir, query)

    def wait_sql(self, query, deadline=20.0):
        """Until a query has rows; returns them."""
        return wait_until(query, lambda: self.sql(query), deadline)

    def kill(self, signal_number=signal.SIGKILL):
        self.process.send_signal(signal_number)

    def stop(self, seconds=5.0):
        """SIGTERM; the promise is exit code 0 within 5 s."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(seconds)
        assert self.process.returncode == 0, f"exit code {self.process.returncode}:\n{self.log()}"

    def clean_up(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Weir:
    """The program under test."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.environment = dict(os.environ, **SANITIZERS, NO_COLOR="1", XDG_RUNTIME_DIR=str(tmp_path))
        self.daemons = []

    def run(self, *arguments, timeout=60, **options):
        """Runs to the end; a sanitizer's finding fails the test whatever is expected."""
        done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              env=self.environment, check=False, stdin=subprocess.DEVNULL, **options)
        assert done.returncode != 99 and done.returncode >= 0, done.stderr
        return done

    def json(self, *arguments, **options):
        done = self.run(*arguments, "--format", "json", **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def sql(self, data_dir, query):
        return self.json("sql", "--data-dir", data_dir, query)

    def start(self, config, data_dir=None, wait=True, *more):
        """`weir run` with a configuration: a dictionary, or the path of a file."""
        if isinstance(config, dict):
            config = self.write_config(config)
        data_dir = data_dir or self.tmp_path / "data"
        command = [BINARY, "run", "-c", str(config), "--data-dir", str(data_dir), *more]
        log_path = self.tmp_path / f"weir-{len(self.daemons)}.log"
        daemon = Daemon(self, data_dir, command, log_path)
        self.daemons.append(daemon)
        return daemon.wait_ready() if wait else daemon

    def write_config(self, config, name="weir.yaml"):
        """JSON is YAML; and so the files in these tests are data, not text."""
        path = self.tmp_path / name
        path.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
        return path


@pytest.fixture
def weir(tmp_path):
    if not os.access(BINARY, os.X_OK):
        pytest.fail(f"{BINARY} is missing: script/test builds it, or set WEIR")
    program = Weir(tmp_path)
    yield program
    for daemon in program.daemons:
        daemon.clean_up()
    for daemon in program.daemons:
        # What a sanitizer found in a daemon that was killed or never stopped.
        assert "Sanitizer" not in daemon.log(), daemon.log()


class Peers:
    """Starts servers, and ends them with the test."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.running = []

    def keep(self, helper):
        self.running.append(helper)
        return helper

    def support(self, name, *arguments):
        return self.keep(Helper(PYTHON, os.path.join(SUPPORT, name), *arguments))

    def simdev(self, units="1-16"):
        """A device with values that prove themselves; .ledger is the file of all it served."""
        ledger = self.tmp_path / f"ledger-{len(self.running)}"
        device = self.support("simdev.py", "--units", units, "--ledger", ledger)
        device.ledger = ledger
        return device

    def proxy(self, device):
        return self.keep(Proxy(device.port))

    def pymodbus(self, tables, framing="tcp"):
        path = self.tmp_path / f"tables-{len(self.running)}.json"
        path.write_text(json.dumps(tables))
        return self.support("pymodbus_server.py", path, "--framing", framing)

    def libmodbus(self, tables, unit, framing="tcp"):
        """libmodbus for one unit; its RTU server sits behind a TCP-to-pty bridge."""
        # A build without tests has none of its own.
        places = [os.path.join(build, "tests", "libmodbus-server")
                  for build in (os.path.dirname(BINARY), os.path.join(ROOT, "build-asan"))]
        server = next((place for place in places if os.access(place, os.X_OK)), None)
        if server is None:
            pytest.skip("libmodbus-server is not built (libmodbus-dev)")
        path = self.tmp_path / f"tables-{len(self.running)}.txt"
        path.write_text("".join(f"{name} {' '.join(map(str, values))}\n" for name, values in tables.items()))
        if framing == "tcp":
            return self.keep(Helper(server, "tcp", 0, unit, path))
        bridge = self.support("tty_bridge.py")
        port, tty = bridge.address.split(" ")
        helper = self.keep(Helper(server, "rtu", tty, unit, path))
        helper.address = port
        return helper

    def stop(self):
        for helper in reversed(self.running):
            helper.stop()


@pytest.fixture
def peers(tmp_path):
    servers = Peers(tmp_path)
    yield servers
    servers.stop()


@pytest.fixture
def disk(tmp_path):
    """1 MB of memory as a file system of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], capture_output=True, text=True,
                             check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=False)


@pytest.fixture
def seed(request):
    """One number a test draws everything from; WEIR_SEED repeats a run."""
    number = int(os.environ.get("WEIR_SEED", random.SystemRandom().randrange(2**32)))
    print(f"WEIR_SEED={number} {request.node.nodeid}")
    return number


@pytest.fixture
def dice(seed):
    return random.Random(seed)
