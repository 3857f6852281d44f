# SPDX-License-Identifier: MIT
"""The wrong turns of whoever configures a sink: each is told with its exact cause and the next command, by `weir sink test`,
and no secret is ever shown."""

import json
import shutil
import socket
import threading

import pytest
from certificates import Certificates
from conftest import PYTHON, SUPPORT, Helper, Weir
from influxserver import Influx, is_installed
from pgserver import PgServer, free_port, programs

pytestmark = pytest.mark.xdist_group("wrong turns")  # its servers take longer to start than all of it takes

SECRET = "Hunter2-never-shown"
CONNECT, REFUSED, TIMEOUT = 4, 5, 6


class Fake(Helper):
    """tests/support/fake_http.py."""

    def __init__(self, *words):
        super().__init__(PYTHON, f"{SUPPORT}/fake_http.py", *words)
        self.url = f"http{'s' if words else ''}://127.0.0.1:{self.port}"

    def says(self, **answer):
        self.process.stdin.write(json.dumps({"script": [answer]}).encode() + b"\n")
        self.process.stdout.readline()
        return self.url


# What a role, a database or a table is good for is in its name.
SCHEMA = f"""
CREATE ROLE weir LOGIN PASSWORD '{SECRET}';
CREATE ROLE stranger LOGIN PASSWORD '{SECRET}';
CREATE ROLE reader LOGIN PASSWORD '{SECRET}';
CREATE ROLE frozen LOGIN PASSWORD '{SECRET}';
ALTER ROLE frozen SET default_transaction_read_only = on;
CREATE ROLE crowded LOGIN PASSWORD '{SECRET}' CONNECTION LIMIT 0;
CREATE DATABASE plant OWNER weir"""
HBA = ["host all stranger 127.0.0.1/32 reject", "host all postgres 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256"]


def greet(listener):
    """A mail server, as far as one gets."""
    while True:
        try:
            with listener.accept()[0] as connection:
                connection.sendall(b"220 mail.example ESMTP\r\n")
                connection.recv(1000)
        except OSError:
            return


class World:
    """The servers, and what is wrong with the way to each."""

    def __init__(self, folder):
        self.folder = folder
        self.good, self.other = Certificates(folder / "good"), Certificates(folder / "other", "Another CA")
        self.closed = free_port()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.mail = self.listener.getsockname()[1]
        threading.Thread(target=greet, args=(self.listener,), daemon=True).start()
        self.running = []
        self.postgres = self.influx = None
        if programs():
            certificate, key = self.good.make("database", "DNS:database.example")
            files = {"server.pem": certificate.read_bytes(), "server.key": key.read_bytes()}
            self.postgres = PgServer({"ssl": "on", "ssl_cert_file": "../server.pem", "ssl_key_file": "../server.key"}, HBA, files)
            for statement in SCHEMA.split(";\n"):
                self.postgres.sql(statement)
            self.postgres.sql("CREATE TABLE narrow(tag_id int, ts timestamptz); ALTER TABLE narrow OWNER TO weir; "
                              "CREATE TABLE kept(id int)", "plant")
        if is_installed():
            self.influx = Influx(folder, with_users=True)
            self.influx.query("CREATE DATABASE plant")
            self.influx.query(f"CREATE USER weir WITH PASSWORD '{SECRET}'")
            self.influx.query('GRANT ALL ON "plant" TO "weir"')
            self.influx.query(f"CREATE USER reader WITH PASSWORD '{SECRET}'")
            self.influx.query('GRANT READ ON "plant" TO "reader"')
        self.http = self.keep(Fake())
        self.expired = self.keep(Fake("--tls", *map(str, self.good.make_expired("expired"))))
        self.foreign = self.keep(Fake("--tls", *map(str, self.other.make("foreign"))))

    def keep(self, server):
        self.running.append(server)
        return server

    def stop(self):
        self.listener.close()
        for server in self.running:
            server.stop()
        if self.postgres:
            self.postgres.remove()
        if self.influx:
            self.influx.kill()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.stop()


def pg(role="weir", host="127.0.0.1", port=None, database="plant", password=SECRET, **more):
    def sink(world):
        if not world.postgres:
            pytest.skip("no PostgreSQL is installed")
        url = f"postgresql://{role}@{host}:{port(world) if port else world.postgres.port}/{database}"
        options = {key: value(world) if callable(value) else value for key, value in more.items()}
        return dict({"type": "postgres", "url": url, "sslmode": "disable"}, **options, **({"password": password} if password else {}))
    return sink


def influx(username="weir", password=SECRET, database="plant", url=None, **more):
    def sink(world):
        if not world.influx:
            pytest.skip("influxd is not installed")
        options = {key: value(world) if callable(value) else value for key, value in more.items()}
        return dict({"type": "influxdb", "url": url(world) if url else world.influx.url, "username": username, "password": password,
                     "database": database}, **options)
    return sink


def api(answer=None, server="http", **more):
    """InfluxDB's API, by a server that answers as it is told."""
    def sink(world):
        options = {key: value(world) if callable(value) else value for key, value in more.items()}
        return dict({"type": "influxdb", "url": getattr(world, server).says(**(answer or {})), "bucket": "plant", "token": SECRET},
                    **options)
    return sink


def csv(path):
    return lambda world: {"type": "csv", "path": path(world.folder)}


def csv_through_a_file(folder):
    (folder / "file").write_text("")
    return str(folder / "file" / "out.csv")


# name: the sink, its state, words of the cause, words of the next command, the exit code
TURNS = {
    "postgres: nobody listens": (pg(port=lambda world: world.closed), "offline", ["refused"], ["pg_isready", "-p"], CONNECT),
    "postgres: unknown host": (pg(host="no-such-host.invalid"), "offline", ["no-such-host.invalid"], ["getent hosts"], CONNECT),
    "postgres: wrong password": (pg(password="wrong"), "refused", ["28P01", "weir"], ["password", "psql -h"], REFUSED),
    "postgres: no password": (pg(password=None), "refused", ["password"], ["password_file"], REFUSED),
    "postgres: unknown role": (pg(role="nobody"), "refused", ["28P01", "nobody"], ["psql -h"], REFUSED),
    "postgres: not from here": (pg(role="stranger"), "refused", ["pg_hba.conf", "stranger"], ["pg_hba.conf"], REFUSED),
    "postgres: unknown database": (pg(database="plnt"), "misconfigured", ["3D000", "plnt"], ["createdb"], REFUSED),
    "postgres: table missing": (pg(create_tables=False), "misconfigured", ["weir_samples"], ["weir sink schema"], REFUSED),
    "postgres: column missing": (pg(samples_table="narrow"), "misconfigured", ["narrow", "epoch"], ["ALTER TABLE"], REFUSED),
    "postgres: may not create": (pg(role="reader"), "refused", ["42501"], ["GRANT"], REFUSED),
    "postgres: a server that only reads": (pg(role="frozen"), "misconfigured", ["25006"], ["primary"], REFUSED),
    "postgres: too many connections": (pg(role="crowded"), "busy", ["53300"], ["max_connections"], REFUSED),
    "postgres: wrong authority": (pg(sslmode="verify-ca", ssl_root_cert=lambda world: str(world.other.ca)), "refused",
                                  ["Test CA", "other/ca.pem"], ["ssl_root_cert"], REFUSED),
    "postgres: a certificate for another name": (pg(sslmode="verify-full", ssl_root_cert=lambda world: str(world.good.ca)), "refused",
                                                 ["database.example", "127.0.0.1"], ["verify-ca"], REFUSED),
    "postgres: no file of authorities": (pg(sslmode="verify-ca", ssl_root_cert="/nonexistent/ca.pem"), "misconfigured",
                                         ["/nonexistent/ca.pem"], ["ssl_root_cert"], REFUSED),
    "postgres: the port of something else": (pg(port=lambda world: world.mail), "misconfigured", [], ["port"], REFUSED),
    "influxdb: nobody listens": (influx(url=lambda world: f"http://127.0.0.1:{world.closed}"), "offline", ["refused"],
                                 ["curl"], CONNECT),
    "influxdb: unknown host": (influx(url=lambda world: "http://no-such-host.invalid:8086"), "offline", ["no-such-host.invalid"],
                               ["getent hosts"], CONNECT),
    "influxdb: wrong password": (influx(password="wrong"), "refused", ["401"], ["password"], REFUSED),
    "influxdb: unknown database": (influx(username="root", password="root", database="plnt"), "misconfigured", ["plnt"],
                                   ["CREATE DATABASE"], REFUSED),
    "influxdb: may not write": (influx(username="reader"), "refused", ["403"], ["GRANT"], REFUSED),
    "influxdb: 2.x's way to a 1.x": (lambda world: dict(api()(world), url=influx()(world)["url"]), "misconfigured", ["version 1"],
                                    ["database instead of"], REFUSED),
    "api: a proxy's page": (api({"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html>Sign in"}), "misconfigured",
                            [], ["url"], REFUSED),
    "api: moved": (api({"status": 301, "headers": {"Location": "https://new.example/"}}), "misconfigured", ["new.example"], ["url"],
                   REFUSED),
    "api: unknown bucket": (api({"status": 404, "body": '{"code":"not found","message":"bucket \\"plant\\" not found"}'}),
                            "misconfigured", ["plant"], ["bucket"], REFUSED),
    "api: 413": (api({"status": 413}), "too_large", ["413"], ["proxy"], REFUSED),
    "api: 429": (api({"status": 429, "headers": {"Retry-After": "7"}}), "busy", ["429"], [], REFUSED),
    "api: 503": (api({"status": 503}), "busy", ["503"], [], REFUSED),
    "api: never answers": (api({"fault": "silent"}), "offline", [], [], TIMEOUT),
    "api: an expired certificate": (api(server="expired", ca_file=lambda world: str(world.good.ca)), "refused", ["expired"], [],
                                    REFUSED),
    "api: wrong authority": (api(server="foreign", ca_file=lambda world: str(world.good.ca)), "refused", ["certificate"],
                             ["ca_file"], REFUSED),
    "csv: no such folder": (csv(lambda folder: str(folder / "missing" / "out.csv")), "misconfigured", ["missing"], ["mkdir"],
                            REFUSED),
    "csv: a disk that only reads": (csv(lambda folder: "/proc/out.csv"), "misconfigured", ["/proc"], [], REFUSED),
    "csv: a file where a folder should be": (csv(csv_through_a_file), "misconfigured", ["file"], [], REFUSED),
    "csv: a folder": (csv(str), "misconfigured", ["folder"], ["path"], REFUSED),
}


# Rows of the fault matrix that some of them belong to.
ROWS = {
    44: ["postgres: wrong password", "postgres: no password", "postgres: wrong authority", "postgres: a certificate for another name",
         "influxdb: wrong password", "api: an expired certificate", "api: wrong authority"],
    45: ["api: 413", "api: 429", "api: 503"],
    47: ["postgres: table missing", "postgres: column missing", "postgres: unknown database", "influxdb: unknown database"],
}


def marked(name):
    return pytest.param(name, marks=[pytest.mark.row(row) for row, names in ROWS.items() if name in names])


@pytest.mark.parametrize("name", map(marked, TURNS))
def test_a_wrong_turn_is_told_with_its_cause_and_the_next_command(weir: Weir, world, name):
    make, state, cause, following, code = TURNS[name]
    config = weir.write_config({"sinks": [dict(make(world), name="office")]})
    config.chmod(0o600)
    done = weir.run("sink", "test", "-c", config, "--format", "json", "--timeout", "2s" if code == TIMEOUT else "20s")
    assert SECRET not in done.stdout + done.stderr and "wrong" not in (done.stdout + done.stderr).split()
    row, = json.loads(done.stdout)
    if state:
        assert row["state"] == state, row
    assert row["state"] != "ok" and row["cause"] and row["remedy"], row
    for word in cause:
        assert word in row["cause"], row
    for word in following:
        assert word in row["remedy"], row
    if code:
        assert done.returncode == code, row


def test_the_right_way_is_taken(weir: Weir, world):
    """So that none of the above is refused for a reason of its own."""
    sinks = [pg()(world), influx()(world), api({"status": 204})(world), csv(lambda folder: str(folder / "good.csv"))(world)]
    config = weir.write_config({"sinks": [dict(sink, name=f"s{i}") for i, sink in enumerate(sinks)]})
    done = weir.run("sink", "test", "-c", config, "--format", "json")
    assert [row["state"] for row in json.loads(done.stdout)] == ["ok"] * len(sinks), done.stdout
    assert done.returncode == 0


def test_there_are_twenty_five():
    assert len(TURNS) >= 25 and all(name in TURNS for names in ROWS.values() for name in names)
    assert shutil.which("openssl")
