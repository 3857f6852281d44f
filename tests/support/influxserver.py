# SPDX-License-Identifier: MIT
"""InfluxDB and VictoriaMetrics in folders and on ports of one's own."""

import base64
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from pgserver import free_port

PROGRAM = "/usr/bin/influxd"
ROOT = ("root", "root")


def is_installed():
    return os.access(PROGRAM, os.X_OK)


def http(url, form=None, user=None):
    """The answer to a GET; form: to a POST of these fields, or of these bytes."""
    data = urllib.parse.urlencode(form).encode() if isinstance(form, dict) else form
    request = urllib.request.Request(url, data)
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(user).encode()).decode())
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.read().decode()


class Server:
    """A database in a folder of its own, on a port of its own."""

    def __init__(self, folder, command, ready):
        self.folder, self.command, self.ready, self.process = folder, command, ready, None
        self.start()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        end = time.monotonic() + 60
        while not self.is_ready():
            assert time.monotonic() < end, f"{self.command[0]} does not answer"
            time.sleep(0.03)

    def is_ready(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            http(self.ready)
            return True
        except (OSError, urllib.error.URLError):
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


INFLUX_CONF = """
reporting-disabled = true
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
  log-enabled = false
  {http}
"""


class Influx(Server):
    """InfluxDB 1.x; with users it asks who one is, and root has the password root."""

    def __init__(self, tmp_path, http_options="", with_users=False):
        folder = tmp_path / "influx"
        folder.mkdir()
        port = free_port()
        self.port, self.url, self.user = port, f"http://127.0.0.1:{port}", None
        http_options += "\n  auth-enabled = true" if with_users else ""
        (folder / "conf").write_text(INFLUX_CONF.format(rpc=free_port(), port=port, folder=folder, http=http_options))
        super().__init__(folder, [PROGRAM, "-config", str(folder / "conf")], self.url + "/ping")
        if with_users:
            self.query("CREATE USER root WITH PASSWORD 'root' WITH ALL PRIVILEGES", "")
            self.user = ROOT

    def query(self, statement, database="plant"):
        """The rows of the one series that answers, as dictionaries."""
        answer = json.loads(http(f"{self.url}/query?db={database}&epoch=ns", {"q": statement}, self.user))
        assert "error" not in answer["results"][0], answer
        return [dict(zip(series["columns"], row), **series.get("tags", {}))
                for series in answer["results"][0].get("series", []) for row in series["values"]]

    def write(self, database, line):
        http(f"{self.url}/write?db={database}", line.encode(), self.user)
