# SPDX-License-Identifier: MIT
"""Drives tests/preload/shim.c: a disk that fails or is slow and a wall clock that is wrong, for a program that runs."""

import errno
import mmap
import os
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "preload", "shim.c")

# The order of struct control in shim.c; each field is a native int64.
FIELDS = ("ops", "code", "after", "times", "is_short", "delay_us", "clock_us", "calls", "hits")
SYNC, WRITE, TRUNCATE = 1, 2, 4


def build(folder):
    """The library, made anew: a second's work that needs nothing but a compiler."""
    library = os.path.join(folder, "weir-shim.so")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
                    "-o", library, SOURCE, "-ldl"], check=True)
    return library


class Shim:
    """One program's. Put .environment into its environment, which must have no sanitizer."""

    def __init__(self, folder, pattern="*/data.db*"):
        path = os.path.join(folder, "shim-control")
        with open(path, "wb") as file:
            file.write(bytes(4096))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 4096)
        self.environment = {"LD_PRELOAD": build(folder), "WEIR_SHIM_CONTROL": path, "WEIR_SHIM_PATH": pattern}

    def __getitem__(self, field):
        return struct.unpack_from("=q", self.memory, 8 * FIELDS.index(field))[0]

    def __setitem__(self, field, value):
        struct.pack_into("=q", self.memory, 8 * FIELDS.index(field), value)

    def fail(self, ops, code=errno.EIO, after=0, times=-1, is_short=False):
        """From now on (after so many more calls) `times` calls fail; -1: all."""
        self["ops"] = 0
        self["code"], self["after"], self["times"], self["is_short"] = code, after, times, int(is_short)
        self["ops"] = ops

    def slow(self, ops, seconds):
        self["code"], self["delay_us"] = 0, int(seconds * 1e6)
        self["ops"] = ops

    def heal(self):
        """The disk. The clock stays as it was set."""
        self["ops"] = self["code"] = self["delay_us"] = 0

    def set_clock(self, ahead_seconds):
        self["clock_us"] = int(ahead_seconds * 1e6)
