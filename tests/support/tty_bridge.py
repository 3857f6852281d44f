#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""socat as a serial device server: a TCP port whose bytes come out of a pty.

Prints 'listening PORT TTY'; ends with its standard input.
"""

import re
import subprocess
import sys
import threading


def main():
    # One socat for a client after the other would lose the pty in between; a pair of ptys stays:
    # a server opens one end, each client's socat the other.
    ptys = subprocess.Popen(["socat", "-d", "-d", "pty,raw,echo=0", "pty,raw,echo=0"], stderr=subprocess.PIPE,
                            text=True)
    names = [wait_for(ptys.stderr, r"PTY is (/dev/\S+)") for _ in range(2)]
    wait_for(ptys.stderr, r"starting data transfer")
    tcp = subprocess.Popen(["socat", "-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1,reuseaddr,fork",
                            f"{names[0]},raw,echo=0"], stderr=subprocess.PIPE, text=True)
    port = wait_for(tcp.stderr, r"listening on .*:(\d+)$")
    for pipe in (ptys.stderr, tcp.stderr):
        threading.Thread(target=pipe.read, daemon=True).start()
    print("listening", port, names[1], flush=True)
    sys.stdin.buffer.read()
    for process in (tcp, ptys):
        process.terminate()
        process.wait()


def wait_for(log, pattern):
    """The first group of the first line that matches."""
    for line in log:
        match = re.search(pattern, line)
        if match:
            return match.group(1) if match.groups() else True
    raise SystemExit("socat ended: is it installed?")


if __name__ == "__main__":
    main()
