# SPDX-License-Identifier: MIT
"""An InfluxDB 1.x of one's own, with users: in a scratch folder, on a free port."""

import base64
import json
import os
import subprocess
import time
import urllib.parse
import urllib.request

from pgserver import free_port

PROGRAM = "/usr/bin/influxd"
CONFIG = """reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = true
  log-enabled = false
"""


class InfluxServer:
    """The administrator is root with the password root."""

    def __init__(self, folder):
        folder.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "config").write_text(CONFIG.format(rpc=free_port(), port=self.port, folder=folder))
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen([PROGRAM, "-config", str(folder / "config")], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=folder)
        self.wait_ready(folder / "log")
        self.query("CREATE USER root WITH PASSWORD 'root' WITH ALL PRIVILEGES")

    def wait_ready(self, log, deadline=60.0):
        end = time.monotonic() + deadline
        while True:
            try:
                with urllib.request.urlopen(self.url + "/ping", timeout=5):
                    return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.05)

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, body)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"root:root").decode())
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.read()

    def query(self, statement, database=""):
        answer = json.loads(self.post(f"/query?db={database}", urllib.parse.urlencode({"q": statement}).encode()))
        assert "error" not in answer["results"][0], answer
        return answer["results"][0].get("series", [])

    def write(self, database, line):
        self.post(f"/write?db={database}", line.encode())

    def stop(self):
        self.process.kill()
        self.process.wait()


def is_installed():
    return os.access(PROGRAM, os.X_OK)
