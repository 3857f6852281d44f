# SPDX-License-Identifier: MIT
"""One sink without a daemon: drive-sink as an object. Every answer is what the sink answered."""

import json
import os
import signal
import subprocess

SANITIZERS = {"ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99"}


class Driver:
    """`with Driver(binary, "csv", path=...) as sink: sink.send([...])`; the exit code is checked at the end."""

    def __init__(self, binary, sink_type, environment=None, **options):
        program = os.path.join(os.path.dirname(binary), "tests", "drive-sink")
        words = [f"{key}={value}" for key, value in options.items()]
        self.process = subprocess.Popen([program, sink_type, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={**os.environ, **SANITIZERS, **(environment or {})})
        self.log = ""

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            _, log = self.process.communicate(timeout=60)
            self.log += log.decode()
        if kind is None and self.process.returncode != -signal.SIGKILL:
            assert self.process.returncode == 0, self.log

    def order(self, **order):
        """Gives an order without waiting for its answer."""
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def do(self, **order):
        self.order(**order)
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read().decode()
        return json.loads(line)

    def send(self, rows, **order):
        return self.do(op="send", rows=rows, **order)

    def delivered(self, rows):
        answer = self.send(rows)
        assert answer["result"] == "delivered", answer
        return answer

    def later(self, rows, trouble):
        """A send that cannot be: the cause and the remedy in one text."""
        answer = self.send(rows)
        assert (answer["result"], answer["trouble"]) == ("later", trouble), answer
        assert answer["remedy"], answer
        return answer["why"] + ": " + answer["remedy"]

    def kill(self):
        self.process.kill()
        _, log = self.process.communicate()
        self.log += log.decode()


def rejected(binary, sink_type, **options):
    """What is wrong with these options."""
    with Driver(binary, sink_type, **options) as sink:
        _, log = sink.process.communicate(timeout=60)
        assert sink.process.returncode == 2, log
        sink.process.returncode = 0
        return log.decode()
