# SPDX-License-Identifier: MIT
"""A PostgreSQL server of one's own: in a scratch folder, on a free port, and nothing else of this machine's."""

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def programs():
    """The folder with initdb and postgres of the newest version installed; None: there is none."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    return os.path.dirname(found[-1]) if found else None


def as_nobody(command):
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *command] if os.geteuid() == 0 else command


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_alive(pid):
    """Neither gone nor dead and not yet fetched by its parent."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def template(programs_folder):
    """A fresh cluster that others are copied from: to make one takes seconds. One for each version, in the build folder."""
    version = programs_folder.split("/")[-2]
    path = os.path.join(ROOT, "build", "postgresql", f"{version}-{os.geteuid()}")
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        folder = tempfile.mkdtemp(prefix="weir-pg-", dir="/tmp")
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody", "nogroup")
        made = os.path.join(folder, "data")
        subprocess.run(as_nobody([os.path.join(programs_folder, "initdb"), "-D", made, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                                  "--locale", "C", "--no-sync"]), check=True, stdout=subprocess.DEVNULL, cwd=folder)
        # Under its name only when it is whole; of two that were made at once the second is thrown away.
        whole = tempfile.mkdtemp(dir=os.path.dirname(path))
        subprocess.run(["cp", "-a", made, os.path.join(whole, "data")], check=True)
        try:
            os.rename(os.path.join(whole, "data"), path)
        except OSError:
            shutil.rmtree(os.path.join(whole, "data"))
        os.rmdir(whole)
        shutil.rmtree(folder)
    return path


class PgServer:
    """Role postgres may all without a password, through the socket file in .folder; `hba` are the lines before that.

    `standby_of` another server: a copy of it that follows it until promote()."""

    def __init__(self, settings=None, hba=(), files=None, standby_of=None):
        self.bin = programs()
        self.folder = tempfile.mkdtemp(prefix="weir-pg-", dir="/tmp")  # short: a socket's path has 107 bytes
        self.data, self.log = os.path.join(self.folder, "data"), os.path.join(self.folder, "log")
        self.port = free_port()
        self.process = self.disk = None
        for name, content in (files or {}).items():
            with open(os.path.join(self.folder, name), "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(content)
        if os.geteuid() == 0:
            for path in (self.folder, *(os.path.join(self.folder, name) for name in files or {})):
                shutil.chown(path, "nobody", "nogroup")
        if standby_of:
            subprocess.run(as_nobody([os.path.join(self.bin, "pg_basebackup"), "-D", self.data, "-d", standby_of.conninfo(), "-R", "-c", "fast",
                                      "--no-sync"]), check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
        else:
            subprocess.run(["cp", "-a", "--reflink=auto", template(self.bin), self.data], check=True)
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            for key, value in (settings or {}).items():
                file.write(f"{key} = '{value}'\n")
        with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="utf-8") as file:
            file.write("\n".join([*hba, "local all,replication all trust", "host all all 127.0.0.1/32 trust", ""]))
        self.start()

    def promote(self):
        """The standby is a server of its own from here on."""
        self.sql("SELECT pg_promote()")

    def start(self, wait=True):
        command = [os.path.join(self.bin, "postgres"), "-D", self.data, "-p", str(self.port), "-k", self.folder, "-c",
                   "listen_addresses=127.0.0.1"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(as_nobody(command), stdout=log, stderr=log, cwd=self.folder)
        if wait:
            self.wait_ready()

    def wait_ready(self, deadline=60.0):
        end = time.monotonic() + deadline
        while subprocess.run(["psql", "-XAtc", "SELECT 1", self.conninfo()], capture_output=True, check=False).returncode != 0:
            assert self.process.poll() is None and time.monotonic() < end, self.read_log()
            time.sleep(0.05)

    def conninfo(self, database="postgres", user="postgres"):
        return f"host={self.folder} port={self.port} dbname={database} user={user}"

    def sql(self, query, database="postgres", check=True):
        """Rows as lists of text; NULL is None."""
        done = subprocess.run(["psql", "-XAtq", "-F", "\x1f", "-R", "\x1e", "-P", "null=\x1d", "-v", "ON_ERROR_STOP=1", "-c", query,
                               self.conninfo(database)], capture_output=True, text=True, check=False, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        rows = done.stdout.removesuffix("\n")
        return [[None if field == "\x1d" else field for field in row.split("\x1f")] for row in rows.split("\x1e")] if rows else []

    def read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def add_small_disk(self, megabytes):
        """A disk of its own for what `default_tablespace = small` makes. False: nothing can be mounted here."""
        self.disk = os.path.join(self.folder, "disk")
        os.mkdir(self.disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,uid=nobody,gid=nogroup,mode=700", "tmpfs", self.disk],
                          capture_output=True, check=False).returncode != 0:
            os.rmdir(self.disk)
            self.disk = None
            return False
        self.sql(f"CREATE TABLESPACE small LOCATION '{self.disk}'")
        return True

    def resize_small_disk(self, megabytes):
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", self.disk], check=True)

    def kill(self):
        """As by a power cut of the server alone: each of its processes, at once."""
        os.kill(self.process.pid, signal.SIGSTOP)  # it makes no more of them: one left over would keep the next server out
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False)
        pids = [self.process.pid, *map(int, children.stdout.split())]
        for pid in pids:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        self.process.wait()
        end = time.monotonic() + 60
        while any(map(is_alive, pids)):  # until then they hold the shared memory
            assert time.monotonic() < end
            time.sleep(0.005)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(2)  # fast shutdown
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def remove(self):
        self.stop()
        if self.disk:
            subprocess.run(["umount", "-l", self.disk], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
