# SPDX-License-Identifier: MIT
"""An InfluxDB 1.x of one's own that asks who one is."""

import base64
import os
import urllib.request

from influx import Influx

PROGRAM = "/usr/bin/influxd"


class InfluxServer(Influx):
    """The administrator is root with the password root."""

    def __init__(self, tmp_path):
        super().__init__(tmp_path, "auth-enabled = true")
        self.port = int(self.url.rsplit(":", 1)[1])
        self.query("CREATE USER root WITH PASSWORD 'root' WITH ALL PRIVILEGES", "")
        self.user = ("root", "root")

    def write(self, database, line):
        request = urllib.request.Request(f"{self.url}/write?db={database}", line.encode())
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(self.user).encode()).decode())
        with urllib.request.urlopen(request, timeout=30):
            pass


def is_installed():
    return os.access(PROGRAM, os.X_OK)
