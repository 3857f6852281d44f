# SPDX-License-Identifier: MIT
"""One sink without a daemon: drive-sink as an object. Every answer is what the sink answered."""

import json
import os
import signal
import subprocess

import pytest
from conftest import BINARY, SANITIZERS, read_line

BUILD = os.path.dirname(BINARY)
PROGRAM = os.path.join(BUILD, "tests", "drive-sink")


class Driver:
    """`with Driver("csv", path=...) as sink: sink.send(row, ...)`; the exit code is checked at the end."""

    def __init__(self, sink_type, environment=None, **options):
        if not os.access(PROGRAM, os.X_OK):
            pytest.skip(f"{PROGRAM} is not built")
        words = [f"{key}={value}" for key, value in options.items()]
        self.process = subprocess.Popen([PROGRAM, sink_type, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0,
                                        env={**os.environ, **SANITIZERS, "WEIR_MODULE_PATH": BUILD, **(environment or {})})
        self.log = ""

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.end()
        if kind is None and self.process.returncode != -signal.SIGKILL:
            assert self.process.returncode == 0, self.log

    def end(self):
        if not self.process.stdin.closed:
            _, log = self.process.communicate(timeout=60)
            self.log += log.decode()

    def stop(self):
        """What it had to say."""
        self.__exit__(None)
        return self.log

    def kill(self):
        self.process.kill()
        self.end()

    def order(self, op, **more):
        """Gives an order without waiting for its answer."""
        self.process.stdin.write(json.dumps(dict(more, op=op)).encode() + b"\n")

    def answer(self, patience=60):
        try:
            return json.loads(read_line(self.process.stdout, patience))
        except AssertionError as error:
            if self.process.poll() is not None:
                self.end()
            raise AssertionError(self.log or str(error)) from error

    def do(self, op, **more):
        self.order(op, **more)
        return self.answer()

    def send(self, *rows, **more):
        return self.do("send", rows=list(rows), **more)

    def delivered(self, *rows):
        answer = self.send(*rows)
        assert answer["result"] == "delivered", answer
        return answer

    def later(self, trouble, *rows):
        """A send that cannot be: the cause and the remedy in one text."""
        answer = self.send(*rows)
        assert (answer["result"], answer["trouble"]) == ("later", trouble), answer
        assert answer["remedy"], answer
        return answer["why"] + ": " + answer["remedy"]


def rejected(sink_type, **options):
    """What is wrong with these options."""
    sink = Driver(sink_type, **options)
    sink.end()
    assert sink.process.returncode == 2, sink.log
    return sink.log
