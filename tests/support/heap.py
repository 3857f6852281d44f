# SPDX-License-Identifier: MIT
"""Drives tests/preload/heap.c: how many bytes a program that runs has allocated."""

import mmap
import os
import re
import struct
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "preload", "heap.c")


def sanitizer_of(binary):
    """The sanitizer's library that a program needs, which must be loaded first; "": none."""
    done = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True)
    found = re.search(r"(/\S*lib[at]san\.so\S*)", done.stdout)
    return found[1] if found else ""


class Heap:
    """Of the next program that is started with .environment; one that ThreadSanitizer watches has none."""

    def __init__(self, folder, binary):
        library, path, first = os.path.join(folder, "weir-heap.so"), os.path.join(folder, "heap-report"), sanitizer_of(binary)
        self.environment, self.is_known = {}, "tsan" not in first
        if not self.is_known:
            return
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", library,
                        SOURCE, "-lpthread"], check=True)
        with open(path, "wb") as file:
            file.write(bytes(4096))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 4096)
        self.environment = {"LD_PRELOAD": " ".join(filter(None, [first, library])), "WEIR_HEAP_REPORT": path}

    def allocated(self, seconds=2.0):
        """The least within so long: batches and answers come and go."""
        least, end = None, time.monotonic() + seconds
        while time.monotonic() < end:
            now, = struct.unpack_from("=q", self.memory, 0)
            least = now if least is None else min(least, now)
            time.sleep(0.1)
        return least
