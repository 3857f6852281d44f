# SPDX-License-Identifier: MIT
"""Rows 40 to 48 of the fault matrix: `weir run` with real databases, and with a server that misbehaves where these cannot."""

import json
import re
import time

import influxserver
import pgserver
import pytest
from arrived import compare, committed, from_csv, from_influx, from_postgres, from_sqlite
from certificates import Certificates
from conftest import PYTHON, SANITIZERS, SUPPORT, Helper, read_line, report_row, scaled, wait_until
from cut_proxy import CutProxy
from oracle import simdev_config, simdev_points

pytestmark = pytest.mark.skipif(pgserver.programs() is None or not influxserver.is_installed(),
                                reason="PostgreSQL or InfluxDB is not installed")

UNITS, POINTS = 10, 20
LIVE_S = 3.0  # a sink whose server is well is never later than that
SECRET = "Hunter2-never-shown"
# A second, then twice as long each time, and half of that by chance: of four in two and a half seconds none is a loop.
WATCHED_S, ATTEMPTS = scaled((2.5, 4), (5.0, 5))


class Servers:
    def __init__(self, folder):
        self.good, self.other = Certificates(folder / "good"), Certificates(folder / "other", "Another CA")
        self.expired = self.good.make_expired("expired")
        certificate, key = self.good.make("database")
        files = {"server.pem": certificate.read_bytes(), "server.key": key.read_bytes()}
        settings = {"ssl": "on", "ssl_cert_file": "../server.pem", "ssl_key_file": "../server.key", "log_line_prefix": "%d ",
                    "fsync": "off"}  # processes are killed here, not machines
        self.postgres = pgserver.PgServer(settings, ["host all asked 127.0.0.1/32 scram-sha-256"], files)
        self.influx = influxserver.Influx(folder)
        self.names = 0

    def database(self):
        self.names += 1
        name = f"plant{self.names}"
        self.postgres.sql(f"CREATE DATABASE {name}")
        self.influx.query(f"CREATE DATABASE {name}", "")
        return name

    def errors(self, database):
        """How often PostgreSQL refused something."""
        return len(re.findall(rf"^{database} (?:ERROR|FATAL):", self.postgres.read_log(), re.M))

    def stop(self):
        self.postgres.remove()
        self.influx.kill()


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    made = Servers(tmp_path_factory.mktemp("servers"))
    yield made
    made.stop()


class Fake(Helper):
    """tests/support/fake_http.py."""

    def __init__(self, *words):
        super().__init__(PYTHON, f"{SUPPORT}/fake_http.py", *words)
        self.url = f"http{'s' if words else ''}://127.0.0.1:{self.port}"

    def order(self, **order):
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        return json.loads(read_line(self.process.stdout, 60))

    def script(self, *answers):
        self.order(script=list(answers))

    def report(self):
        return self.order(report=True)

    def requests(self):
        return self.report()["requests"]


# measurement,tags fields ns
LINE = re.compile(r"^weir,(?:\S*,)?tag=([^, ]+)\S* (\S+) (\d+)$", re.M)


def from_fake(fake, path):
    """Of the requests that were answered well. A repetition is absorbed as by the real one: by its key."""
    found = {}
    fake.order(save=str(path))
    for request in json.loads(path.read_text())["requests"]:
        if request["answer"] not in (204, "late"):
            continue
        lines = LINE.findall(request["body"])
        assert len(lines) == request["lines"], request["body"][:300]
        for tag, text, ns in lines:
            fields = dict(field.split("=") for field in text.replace('"', "").split(","))
            value = fields.get("integer", fields.get("text"))  # the text is an integer above 2^63
            found[tag, int(ns) // 1000, 0] = (value and int(value.rstrip("i")), fields.get("quality", "good"),
                                              fields.get("cause", "none"))
    return found, len(found)


class Case:
    """A self-verifying plant, its daemon and its sinks; what it measured is reported at the end."""

    def __init__(self, weir, peers, servers):
        self.weir, self.servers, self.peers = weir, servers, peers
        self.device = peers.simdev(f"1-{UNITS}")
        self.database = servers.database()
        self.targets, self.sinks = {}, []
        self.daemon = None
        self.recovery, self.lost, self.invented = 0.0, 0, 0

    # Each adds a sink, and how what arrived there is read.

    def add(self, name, kind, target, **options):
        self.targets[name] = target
        self.sinks.append(dict({"name": name, "type": kind}, **options))

    def csv(self, name="files"):
        path = self.weir.tmp_path / f"{name}.csv"
        self.add(name, "csv", lambda truth: from_csv(path, truth), path=str(path),
                 columns=["ts", "tag", "value", "quality", "cause", "epoch"])

    def sqlite(self, name="rows"):
        path = self.weir.tmp_path / f"{name}.db"
        self.add(name, "sqlite", lambda truth: from_sqlite(path, truth), path=str(path))

    def postgres(self, name="office", port=None, role="postgres", database=None, **options):
        database = database or self.database
        url = f"postgresql://{role}@127.0.0.1:{port or self.servers.postgres.port}/{database}"
        self.add(name, "postgres", lambda truth: from_postgres(self.servers.postgres, truth, database),
                 **dict({"url": url, "sslmode": "disable"}, **options))

    def influx(self, name="charts", port=None, **options):
        url = f"http://127.0.0.1:{port}" if port else self.servers.influx.url
        self.add(name, "influxdb", lambda truth: from_influx(self.servers.influx, truth, self.database), url=url,
                 database=self.database, **options)

    def fake(self, name="cloud", *words, **options):
        fake = self.peers.keep(Fake(*words))
        path = self.weir.tmp_path / f"{name}.json"
        self.add(name, "influxdb", lambda truth: from_fake(fake, path), url=fake.url, bucket="plant", token=SECRET, **options)
        return fake

    # Its life.

    def start(self, interval="100ms", **changes):
        """changes: of all sinks; None takes an option away."""
        config = simdev_config(self.device.port, f"1-{UNITS}", simdev_points(POINTS), interval or "1s", max_loss="200ms",
                               timeout="2s", enabled=interval is not None)
        sinks = [{key: value for key, value in {**sink, **changes}.items() if value is not None} for sink in self.sinks]
        path = self.weir.write_config(dict(config, sinks=sinks))
        path.chmod(0o600)  # there may be passwords in it
        self.daemon = self.weir.start(path)
        return self.daemon

    def status(self, name=None):
        """Of one sink, or of all."""
        sinks = {sink["name"]: sink for sink in (self.daemon.status() or {"sinks": []})["sinks"]}
        return sinks.get(name) if name else sinks

    def wait_state(self, name, state, deadline=20.0):
        return wait_until(f"{name} is {state}", lambda: (sink := self.status(name)) and sink["state"] == state and sink, deadline)

    def committed(self):
        return self.daemon.wait_committed()["committed_seq"]

    def check_live(self, *names):
        for name, sink in self.status().items():
            assert name not in names or sink["oldest_unsent_s"] <= LIVE_S, sink

    def wait_growth(self, n, *live):
        """Until n more are committed; these sinks are live meanwhile."""
        goal = self.committed() + n
        end = time.monotonic() + scaled(30, 3600)
        while self.committed() < goal:
            self.check_live(*live)
            assert time.monotonic() < end
            time.sleep(0.1)

    def watch(self, seconds, *live):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check_live(*live)
            time.sleep(0.1)

    def drain(self, *names):
        """Nothing is read from the device any more, and all, or these, have all that was committed. That is a recovery."""
        if self.daemon:
            self.daemon.stop(10)
        began = time.monotonic()
        self.start(None, backlog_rate=None)
        while True:
            sinks = [sink for name, sink in self.status().items() if not names or name in names]
            if sinks and all(sink["backlog"] == 0 for sink in sinks):
                break
            assert time.monotonic() < began + scaled(30, 600), sinks
            time.sleep(0.05)
        # A million rows take their time.
        self.recovery = max(self.recovery, scaled(time.monotonic() - began, 0))

    def recovered(self, since):
        self.recovery = max(self.recovery, time.monotonic() - since)

    def judge(self, *names, without=()):
        """without: keys of samples that must not be there."""
        truth = {key: sample for key, sample in committed(self.daemon).items() if key not in without}
        assert truth
        whys = []
        for name in names or self.targets:
            lost, invented, why = compare(self.kind(name), *self.targets[name](truth), truth)
            self.lost, self.invented = self.lost + lost, self.invented + invented
            whys += [why] if lost or invented else []
        assert not whys, whys

    def kind(self, name):
        return next(sink["type"] for sink in self.sinks if sink["name"] == name)

    def order(self, *words):
        done = self.weir.run("sink", *words, "--data-dir", self.daemon.data_dir)
        assert done.returncode == 0, done.stderr
        return done

    def sql(self, query, database=None):
        return self.servers.postgres.sql(query, database or self.database)


@pytest.fixture
def case(request, weir, peers, servers):
    made = Case(weir, peers, servers)
    yield made
    if made.daemon:
        made.daemon.clean_up()
    for server in (servers.postgres, servers.influx):
        if server.process.poll() is not None:
            server.start()
    for mark in request.node.iter_markers("row"):
        report_row(mark.args[0], made.recovery, made.lost, made.invented)


def resident(daemon):
    """Bytes of memory."""
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))


# --- away, or slow ---------------------------------------------------------------------------------


@pytest.mark.row(40)
def test_after_a_long_outage_live_rows_go_first_and_the_backlog_at_its_rate(case):
    n, rate = scaled(5000, 1_000_000), scaled(300, 5000)
    case.postgres(backlog_rate=f"{rate}/s")
    case.csv()
    case.start()
    case.wait_state("office", "online")
    case.servers.postgres.kill()
    first = case.committed()
    case.wait_growth(n, "files")
    down = case.wait_state("office", "offline")
    assert down["backlog"] >= n - 2000 and down["oldest_unsent_s"] >= 1 and down["remedy"], down
    case.daemon.kill()
    case.daemon.process.wait(10)
    # What is freed is to be free, not kept by the sanitizer to see whether it is still used.
    case.weir.environment["ASAN_OPTIONS"] = SANITIZERS["ASAN_OPTIONS"] + ":quarantine_size_mb=1"
    case.start("1s")
    last = case.committed()
    before = resident(case.daemon)
    case.servers.postgres.start()
    began = time.monotonic()

    def newest():
        found = case.sql("SELECT max(seq) FROM weir_samples")[0][0]
        return int(found) if found else 0

    def old():
        """How many, and when the server saw that many."""
        n, at = case.sql("SELECT count(*), extract(epoch FROM statement_timestamp()) FROM weir_samples "
                         f"WHERE seq BETWEEN {first} AND {last}")[0]
        return int(n), float(at)

    wait_until("rows again", lambda: newest() > last, 30)
    case.recovered(began)
    arrived, since = old()
    for _ in range(scaled(2, 20)):  # what is live is there in time, whatever waits
        goal = case.committed()
        wait_until("live rows", lambda: newest() >= goal, LIVE_S)
        case.watch(1.0)
    arrived_then, then = old()
    speed = (arrived_then - arrived) / (then - since)
    assert rate * 0.6 < speed < rate * 1.4, speed
    assert case.status("office")["backlog"] > n / 2
    text = case.weir.run("status", "--data-dir", case.daemon.data_dir, "--format", "table").stdout
    shown = re.search(r"sink office .*; (\d+) waiting, the oldest for .*, done in about (\S+)", text)
    assert shown, text
    assert int(shown[1]) > n / 4
    growth = resident(case.daemon) - before
    case.drain()
    assert growth < 24 << 20 and resident(case.daemon) - before < 24 << 20, "memory grows with the backlog"
    case.judge()


@pytest.mark.row(41)
def test_a_slow_sink_delays_itself_alone(case):
    fake = case.fake()
    case.csv()
    case.postgres()
    fake.script({"fault": "late", "seconds": 1.0})
    case.start()
    wait_until("two are sent", lambda: len(fake.requests()) >= 2)
    wait_until("five are sent", lambda: len(fake.requests()) >= 5)  # a second each
    case.watch(scaled(0.5, 60), "files", "office")
    slow = case.status("cloud")
    assert slow["oldest_unsent_s"] >= 1 and slow["rtt_ms"] >= 1000 and slow["state"] == "online", slow
    # The way there and back takes a second whatever is sent: less at a time would be less a second.
    lines = [request["lines"] for request in fake.requests()]
    assert min(lines[2:]) >= 20 and max(lines[3:]) > min(lines[2:]), lines
    case.drain()
    case.judge()


# --- what is refused ---------------------------------------------------------------------------------


def quarantine(case, name):
    return json.loads(case.order("quarantine", "list", name, "--format", "json").stdout)


@pytest.mark.row(42)
def test_poison_rows_are_set_aside_with_their_reason_and_delivered_once_the_table_is_mended(case):
    telegraf = {"layout": "telegraf", "measurement": "modbus"}
    case.postgres()
    case.influx(**telegraf)
    # From here on the field is a text in this database.
    case.servers.influx.write(case.database, 'modbus,name=other v8="text"')
    case.start()
    wait_until("the table", lambda: case.sql("SELECT to_regclass('weir_samples')") != [[None]] and
               case.sql("SELECT count(*) > 100 FROM weir_samples") == [["t"]])
    first = case.committed() + 2000  # a second, in which the constraint is there
    case.sql(f"ALTER TABLE weir_samples ADD CONSTRAINT sane CHECK (seq NOT BETWEEN {first} AND {first + 2})")
    aside = wait_until("rows in quarantine", lambda: (rows := quarantine(case, "office")) and rows)
    case.wait_growth(200)
    aside = quarantine(case, "office")
    assert 0 < len(aside) <= 3 and {row["seq"] for row in aside} <= {first, first + 1, first + 2}, aside
    assert all("sane" in row["why"] and "23514" in row["why"] for row in aside), aside
    charts = wait_until("rows in the other quarantine", lambda: quarantine(case, "charts"))
    assert all(row["tag"].endswith("/v8") and "type" in row["why"] for row in charts), charts[:3]
    case.drain()
    aside = quarantine(case, "office")
    keys = {(row["tag"], row["ts"], 0) for row in aside}
    case.judge("office", without=keys)
    # All others have arrived at InfluxDB, whose layout of Telegraf has the device as a tag and the point as a field.
    n_others = sum(1 for tag, *_ in committed(case.daemon) if tag == "u1/v4")
    counted = case.servers.influx.query("SELECT count(v4) AS n FROM modbus WHERE \"name\" = 'u1'", case.database)
    assert counted[0]["n"] == n_others, counted
    case.order("quarantine", "retry", "office")  # nothing is mended: they stay
    case.watch(0.5)
    assert {row["seq"] for row in quarantine(case, "office")} == {row["seq"] for row in aside}
    case.sql("ALTER TABLE weir_samples DROP CONSTRAINT sane")
    case.order("quarantine", "retry", "office")
    wait_until("nothing set aside", lambda: not quarantine(case, "office"))
    case.judge("office")


# --- killed between the commit and its answer ---------------------------------------------------------


@pytest.mark.row(43)
def test_a_server_killed_after_the_commit_before_the_answer_has_each_row_once(case):
    postgres, influx = case.servers.postgres, case.servers.influx
    cut = CutProxy(postgres.port), CutProxy(int(influx.url.rsplit(":", 1)[1]))
    case.postgres(port=cut[0].port)
    case.influx(port=cut[1].port)
    case.csv()
    case.start()
    case.wait_state("office", "online")
    case.wait_state("charts", "online")
    for _ in range(scaled(1, 20)):
        for proxy, server, needle, name in ((cut[0], postgres, b"COMMIT\0", "office"), (cut[1], influx, b"HTTP/1.1 204", "charts")):
            broken, sent = proxy.broken, case.status(name)["sent"]
            proxy.on_cut, proxy.needle = server.kill, needle
            wait_until(f"{name} is killed", lambda: proxy.broken > broken)
            case.wait_state(name, "offline")
            began = time.monotonic()
            server.start()
            wait_until(f"{name} gets rows again", lambda: case.status(name)["sent"] > sent + 500)
            case.recovered(began)
            case.check_live("files")
    case.drain()
    case.judge()
    for proxy in cut:
        proxy.close()


# --- refused by password or certificate -----------------------------------------------------------------


@pytest.mark.row(44)
def test_who_is_refused_says_why_is_not_retried_fast_and_sends_nothing_in_the_clear(case):
    servers = case.servers
    servers.postgres.sql(f"DROP ROLE IF EXISTS asked; CREATE ROLE asked LOGIN SUPERUSER PASSWORD '{SECRET}'")
    proxies = CutProxy(servers.postgres.port), CutProxy(servers.postgres.port)
    ca = case.weir.tmp_path / "ca.pem"
    ca.write_bytes(servers.other.ca.read_bytes())
    password = case.weir.tmp_path / "password"
    password.write_text("wrong-" + SECRET)
    second = servers.database()
    case.postgres("password", proxies[0].port, "asked", password_file=str(password))
    case.postgres("authority", proxies[1].port, database=second, sslmode="verify-ca", ssl_root_cert=str(ca))
    expired = case.fake("expired", "--tls", *map(str, servers.expired), ca_file=str(servers.good.ca))
    case.csv()
    case.start()
    says = {"password": ("28P01", "asked"), "authority": ("Test CA", str(ca)), "expired": ("expired", "2020")}
    for name, words in says.items():
        sink = case.wait_state(name, "refused")
        assert all(word in sink["error"] for word in words) and sink["remedy"], sink
    began = [proxies[0].connections, proxies[1].connections, expired.report()["connections"]]
    case.watch(WATCHED_S, "files")
    attempts = [proxies[0].connections, proxies[1].connections, expired.report()["connections"]]
    # What is wrong with a certificate is asked on a connection of its own, so these are two at a time.
    assert all(0 < after <= before + n * ATTEMPTS for n, before, after in zip((1, 2, 2), began, attempts)), (began, attempts)
    assert b"user\0" not in proxies[1].said and SECRET.encode() not in proxies[0].said + proxies[1].said
    assert not expired.requests() and SECRET not in case.daemon.log()
    # Mended: the next attempt succeeds, and nothing was lost. The certificate of the third is for its owner to renew.
    password.write_text(SECRET)
    ca.write_bytes(servers.good.ca.read_bytes())
    case.drain("password", "authority", "files")
    case.judge("password", "authority", "files")
    assert case.status("expired")["backlog"] > 0
    for proxy in proxies:
        proxy.close()


# --- not now, and too large --------------------------------------------------------------------------------


@pytest.mark.row(45)
def test_retry_after_is_honoured_and_what_is_too_large_is_halved(case):
    fake = case.fake()
    case.csv()
    fake.script({"status": 429, "headers": {"Retry-After": "2"}}, {"status": 503, "headers": {"Retry-After": "1"}},
                {"status": 413}, {"status": 413}, {})
    case.start()
    busy = case.wait_state("cloud", "busy")
    assert "429" in busy["error"] or "503" in busy["error"], busy
    wait_until("it is taken", lambda: len(fake.requests()) >= 6)
    case.check_live("files")
    requests = fake.requests()
    assert [request["answer"] for request in requests[:5]] == [429, 503, 413, 413, 204]
    waits = [b["at"] - a["at"] for a, b in zip(requests, requests[1:])]
    assert 1.99 < waits[0] < 4 and 0.99 < waits[1] < 3, waits
    lines = [request["lines"] for request in requests]
    assert lines[2] >= 50 and 1 <= lines[3] <= lines[2] / 2 + 1 and 1 <= lines[4] <= lines[3] / 2 + 1, lines
    case.drain()
    case.judge()


# --- the other side's tables and disk -------------------------------------------------------------------------


FULL = """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END$$;
CREATE TRIGGER full_disk BEFORE INSERT ON weir_samples FOR EACH ROW EXECUTE FUNCTION full_disk()"""
# name: what breaks it, its state, words of the cause, words of the next command, what mends it
BROKEN = {
    "table": ("ALTER TABLE weir_samples RENAME TO aside", "misconfigured", ["weir_samples"], ["weir sink schema"],
              "ALTER TABLE aside RENAME TO weir_samples"),
    "column": ("ALTER TABLE weir_samples DROP COLUMN raw", "misconfigured", ["raw"], ["ADD COLUMN raw bytea"],
               "ALTER TABLE weir_samples ADD COLUMN raw bytea"),
    "disk": (FULL, "full", ["53100"], ["room"], "DROP TRIGGER full_disk ON weir_samples"),
}


@pytest.mark.row(47)
def test_a_table_a_column_or_room_that_is_missing_is_named_and_waited_for(case):
    databases = {name: case.servers.database() for name in BROKEN}
    for name, database in databases.items():
        case.postgres(name, database=database)
    case.sinks[0]["create_tables"] = False
    ddl = case.weir.run("sink", "schema", "table", "-c", case.weir.write_config(dict(sinks=case.sinks), "ddl.yaml")).stdout
    case.sql(ddl, databases["table"])
    case.csv()
    case.start()
    for name in BROKEN:
        case.wait_state(name, "online")
    for name, (breaks, *_) in BROKEN.items():
        case.sql(breaks, databases[name])
    for name, (_, state, cause, remedy, _) in BROKEN.items():
        def is_told(name=name, state=state, cause=cause, remedy=remedy):
            sink = case.status(name)
            return sink["state"] == state and all(word in sink["error"] for word in cause) and all(
                word in sink["remedy"] for word in remedy)
        wait_until(f"{name} is told", is_told)
    before = {name: case.servers.errors(database) for name, database in databases.items()}
    case.watch(WATCHED_S, "files")
    after = {name: case.servers.errors(database) for name, database in databases.items()}
    assert all(before[name] > 0 or name == "table" for name in before), before
    assert all(after[name] <= before[name] + ATTEMPTS for name in before), (before, after)
    for name, (*_, mends) in BROKEN.items():
        case.sql(mends, databases[name])
    case.drain()
    case.judge()
    assert not any(sink["quarantined"] for sink in case.status().values())


@pytest.fixture
def small_disk(servers):
    if servers.postgres.disk:
        servers.postgres.resize_small_disk(1)
    elif not servers.postgres.add_small_disk(1):
        pytest.skip("no tmpfs can be mounted here")
    return servers.postgres


@pytest.mark.row(47)
def test_a_real_disk_that_fills_is_named_and_waited_for(case, small_disk):
    case.sql(f"ALTER DATABASE {case.database} SET default_tablespace = small")
    case.postgres()
    case.csv()
    case.start()
    case.wait_state("office", "online")
    full = case.wait_state("office", "full", 60)
    assert "53100" in full["error"] and "No space left on device" in full["error"] and "make room" in full["remedy"], full
    before = case.servers.errors(case.database)
    case.watch(WATCHED_S, "files")
    assert case.servers.errors(case.database) <= before + ATTEMPTS
    assert case.status("office")["state"] == "full" and case.status("office")["backlog"] > 0
    small_disk.resize_small_disk(256)
    began = time.monotonic()
    case.wait_state("office", "online")
    case.recovered(began)
    case.drain()
    case.judge()
    assert not any(sink["quarantined"] for sink in case.status().values())
    case.sql("DROP TABLE weir_samples, weir_tags")  # what comes next on the small disk has room


# --- one of four ---------------------------------------------------------------------------------------------------


@pytest.mark.row(48)
def test_one_of_four_is_down_and_the_others_do_not_notice(case):
    case.csv()
    case.sqlite()
    case.postgres()
    case.influx()
    case.start()
    for name in case.targets:
        case.wait_state(name, "online")
    others = ("files", "rows", "charts")
    case.servers.postgres.kill()
    case.wait_state("office", "offline")
    end = time.monotonic() + scaled(20, 200)
    while case.status("office")["backlog"] <= scaled(2000, 50_000):
        assert time.monotonic() < end
        case.watch(scaled(0.5, 5), *others)
    sinks = case.status()
    assert all(sinks[name]["backlog"] < sinks["office"]["backlog"] / 4 for name in others), sinks
    case.servers.postgres.start()
    began = time.monotonic()
    case.wait_state("office", "online")
    case.recovered(began)
    case.check_live(*others)
    case.drain()
    case.judge()
