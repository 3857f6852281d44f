# SPDX-License-Identifier: MIT
"""The sink influxdb against InfluxDB 1.6, VictoriaMetrics (the path of 2.x), and a server that misbehaves on order."""

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from email.utils import formatdate

import pytest

from certificates import KEY
from conftest import BINARY, PYTHON, SUPPORT, Helper, read_line, scaled
from influxserver import Influx, Server, free_port, http, is_installed
from sink_driver import Driver

LATE = 11  # the number of the cause
T0 = 1_700_000_000_000_000  # of every test that does not care


@pytest.fixture
def drive():
    drivers = []
    if not os.access(os.path.join(os.path.dirname(BINARY), "weir-sink-influxdb.so"), os.R_OK):
        pytest.skip("the sink influxdb is not built (libcurl4-openssl-dev, zlib1g-dev)")

    def start(**options):
        drivers.append(Driver("influxdb", **options))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.stop()


@pytest.fixture
def influx(tmp_path):
    if not is_installed():
        pytest.skip("influxd is not installed")
    server = Influx(tmp_path)
    server.query("CREATE DATABASE plant", "")
    yield server
    server.kill()


def row(tag, value, kind="f64", ts=T0, **more):
    return dict(more, tag=tag, kind=kind, value=str(value), ts=ts)


def bits(number):
    return struct.pack(">d", number)


# --- InfluxDB 1.6 ------------------------------------------------------------------------------


def test_each_kind_of_value_arrives_as_the_manual_says(influx, drive):
    text = "q\" \\ \n é \U0001F600 ,= 'x'"
    floats = [1.1, -0.1, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 123456789.123, 0.1 + 0.2, 1e15, 1e-5, 0.0]
    driver = drive(url=influx.url, database="plant")
    rows = [row("m/float", value.hex(), ts=T0 + i) for i, value in enumerate(floats)]
    rows += [row("m/f32", "230.1", "f32"), row("m/decimal", "2301e-1", "decimal"),
             row("m/i64", -2**63, "i64"), row("m/u64", 2**63 - 1, "u64"), row("m/large", 2**64 - 1, "u64"),
             row("m/bool", "true", "bool"), row("m/text", text, "string"), row("m/bytes", "00ff2a", "bytes"),
             row("m/nan", "nan"), row("m/inf", "-inf", "f32"),
             row("m/bad", "", "null", quality="bad", cause=1),
             row("m/late", 7, "i64", quality="uncertain", cause=LATE)]
    assert driver.send(*rows)["result"] == "delivered"
    got = influx.query("SELECT value FROM weir WHERE \"tag\" = 'm/float'")
    assert [(r["time"], bits(r["value"])) for r in got] == [((T0 + i) * 1000, bits(v)) for i, v in enumerate(floats)]

    def one(tag):
        found = [{key: value for key, value in r.items() if value is not None and key not in ("time", "tag", "device")}
                 for r in influx.query(f"SELECT * FROM weir WHERE \"tag\" = 'm/{tag}'")]
        assert len(found) == 1, tag
        return found[0]

    assert one("f32") == {"value": 230.1}  # the shortest text of that float; as f32 its bits
    assert one("decimal") == {"value": 230.1}
    assert one("i64") == {"integer": -2**63}
    assert one("u64") == {"integer": 2**63 - 1}
    assert one("large") == {"text": str(2**64 - 1)}
    assert one("bool") == {"boolean": True}
    assert one("text") == {"text": text}
    assert one("bytes") == {"text": "00 ff 2a"}
    assert one("nan") == one("inf") == {"quality": "uncertain", "cause": "not_a_number"}
    assert one("bad") == {"quality": "bad", "cause": "timeout"}
    assert one("late") == {"integer": 7, "quality": "uncertain", "cause": "late"}


def test_names_with_anything_in_them_arrive(influx, drive):
    names = ["m/ends with \\", "m/back\\,slash", "m/a b,c=d", "m/é\U0001F600", "m/quo\"te'", "m/#x", "m/" + "long" * 4000]
    driver = drive(url=influx.url, database="plant")
    for name in names:
        assert driver.send(row(name, 1, labels={"a b": "c,d=e\\", "time": "t"}, unit="°C"))["result"] == "delivered", name
    got = {r["tag"] for r in influx.query("SELECT * FROM weir")}
    expected = {name.replace("with \\", "with \\_").replace("back\\,", "back\\_,") for name in names}
    assert got == expected
    assert {(r["a b"], r["label_time"], r["unit"]) for r in influx.query("SELECT * FROM weir")} == {("c,d=e\\_", "t", "°C")}
    refused = driver.send(row("m/ok", 1), row("m/" + "x" * 65530, 1))
    assert (refused["result"], refused["first_bad"]) == ("rejected", 1) and "65535" in refused["why"]


def test_a_repetition_replaces_itself(influx, drive):
    driver = drive(url=influx.url, database="plant")
    rows = [row("m/p", i, ts=T0 + i) for i in range(500)] + [row("m/p", 9, ts=T0, epoch=1)]
    for _ in range(3):
        assert driver.send(*rows)["result"] == "delivered"
    assert influx.query("SELECT count(value) FROM weir")[0]["count"] == 501
    assert influx.query("SELECT value FROM weir WHERE epoch = '1'") == [{"time": T0 * 1000, "value": 9}]


@pytest.mark.row(42)
def test_the_row_that_is_refused_is_named_and_the_others_are_stored(influx, drive):
    driver = drive(url=influx.url, database="plant", layout="telegraf")
    assert driver.send(row("m/p", 1.5))["result"] == "delivered"
    answer = driver.send(row("m/q", 1, "i64"), row("m/p", 2.5, ts=T0 + 1), row("m/p", 3, "i64", ts=T0 + 2), row("m/p", 4.5, ts=T0 + 3))
    assert (answer["result"], answer["first_bad"]) == ("rejected", 2)
    assert "already exists as type float" in answer["why"]
    assert [r["p"] for r in influx.query("SELECT p FROM modbus")] == [1.5, 2.5, 4.5]


def test_what_the_retention_policy_drops_is_rejected_with_that_reason(influx, drive):
    influx.query("CREATE RETENTION POLICY short ON plant DURATION 1h REPLICATION 1")
    driver = drive(url=influx.url, database="plant", retention_policy="short")
    now = time.time_ns() // 1000
    answer = driver.send(row("m/p", 1, ts=now), row("m/p", 2, ts=now - 2 * 3600 * 10**6), row("m/p", 3, ts=now - 1))
    assert (answer["result"], answer["first_bad"]) == ("rejected", 1)
    assert "older than the retention policy" in answer["why"]
    assert driver.send(row("m/p", 1, ts=now), row("m/p", 3, ts=now - 1))["result"] == "delivered"
    assert influx.query("SELECT count(value) FROM plant.short.weir")[0]["count"] == 2


def test_a_database_that_is_missing_is_named_or_made(influx, drive):
    driver = drive(url=influx.url, database="no such")
    for answer in (driver.do("test"), driver.send(row("m/p", 1))):
        assert (answer["result"], answer["trouble"]) == ("later", "misconfigured")
        assert "CREATE DATABASE \"no such\"" in answer["remedy"]
    assert driver.do("schema")["schema"] == "CREATE DATABASE \"no such\"\n"
    maker = drive(url=influx.url, database="no such", create_database="true", retention_policy="year")
    assert maker.send(row("m/p", 1))["result"] == "delivered"
    assert influx.query('SELECT value FROM "no such".year.weir', "") == [{"time": T0 * 1000, "value": 1}]
    other = drive(url=influx.url, database="plant", retention_policy="nix").send(row("m/p", 1))
    assert other["trouble"] == "misconfigured" and "retention policy" in other["why"]


def test_test_leaves_nothing_behind(influx, drive):
    answer = drive(url=influx.url, database="plant").do("test")
    assert answer["result"] == "delivered" and answer["latency_us"] > 0
    assert answer["peer"].startswith("InfluxDB 1.6") and influx.url.rsplit(":", 1)[1] in answer["peer"]
    assert influx.query("SHOW MEASUREMENTS") == []
    answer = drive(url=influx.url, bucket="plant").send(row("m/p", 1))
    assert answer["trouble"] == "misconfigured" and "database instead of org and bucket" in answer["remedy"]


def test_precision_is_kept_and_samples_that_fall_together_are_told(influx, drive):
    for unit, ns in (("us", 10**3), ("ms", 10**6), ("s", 10**9)):
        driver = drive(url=influx.url, database="plant", precision=unit, measurement="p_" + unit)
        assert driver.send(row("m/p", 1, ts=T0 + 1_999_999), row("m/p", 2, ts=T0 + 1_999_998))["result"] == "delivered"
        times = {(T0 + us) * 1000 // ns * ns for us in (1_999_999, 1_999_998)}
        assert {r["time"] for r in influx.query(f"SELECT value FROM p_{unit}")} == times
        assert ("precision" in driver.stop()) == (len(times) == 1)


@pytest.mark.row(44)
def test_users_passwords_and_rights(tmp_path, drive):
    server = Influx(tmp_path, with_users=True)
    try:
        for statement in ("CREATE DATABASE plant", "CREATE USER joe WITH PASSWORD 'joes-secret'"):
            server.query(statement, "")
        secret = tmp_path / "secret"
        secret.write_text("wrong-secret\n")
        driver = drive(url=server.url, database="plant", username="joe", password_file=secret)
        answer = driver.send(row("m/p", 1))
        assert answer["trouble"] == "refused" and "wrong-secret" not in json.dumps(answer)
        secret.write_text("joes-secret\n")
        answer = driver.send(row("m/p", 1))
        assert answer["trouble"] == "refused" and answer["remedy"].endswith("'GRANT WRITE ON \"plant\" TO \"joe\"'")
        server.query("GRANT WRITE ON plant TO joe", "")
        assert driver.send(row("m/p", 1))["result"] == "delivered"
        assert driver.do("test")["result"] == "delivered"
        secret.unlink()
        other = drive(url=server.url, database="plant", username="joe", password_file=secret).send(row("m/p", 1))
        assert other["trouble"] == "misconfigured" and str(secret) in other["why"]
    finally:
        server.kill()


@pytest.mark.row(45)
def test_a_batch_larger_than_the_server_takes_is_told(tmp_path, drive):
    server = Influx(tmp_path, "max-body-size = 20000")
    try:
        server.query("CREATE DATABASE plant", "")
        driver = drive(url=server.url, database="plant", gzip="false")
        answer = driver.do("generate", n=1000, **{"from": T0})
        assert answer["result"] == "too_large"
        assert driver.do("generate", n=1000, batch=100, **{"from": T0})["result"] == "delivered"
    finally:
        server.kill()


def test_predecessor_001s_panels_find_their_data(influx, drive):
    """The README's preconfigured register and meter; the query of both panels of its dashboard."""
    driver = drive(url=influx.url, database="plant", layout="energy_monitoring")
    meter = {"description": "test_energy_meter", "labels": {"id": "0"}}
    assert driver.send(row("virtual/test_measurement", "3.14", "f32", T0, unit="t-unit", **meter),
                       row("virtual/test_measurement", "4.14", "f32", T0 + 10_000_000, unit="t-unit", **meter),
                       row("virtual/bare", 5, "i64", **meter),
                       row("virtual/test_measurement", "", "null", T0 + 20_000_000, quality="bad", cause=1,
                           **meter))["result"] == "delivered"
    panel = ("SELECT mean(\"value\") FROM \"test_measurement\" WHERE (\"description\" = 'test_energy_meter') "
             f"AND time >= {T0 * 1000 - 10**9} AND time < {T0 * 1000 + 60 * 10**9} GROUP BY time(20s) fill(none)")
    assert [r["mean"] for r in influx.query(panel)] == [pytest.approx(3.64)]
    everything = influx.query("SELECT * FROM test_measurement")
    assert everything == [dict(time=(T0 + us) * 1000, value=value, dataunit="t-unit", description="test_energy_meter", id="0")
                          for us, value in ((0, 3.14), (10_000_000, 4.14))]
    assert influx.query("SELECT * FROM bare")[0]["dataunit"] == "None"
    fields = influx.query("SHOW FIELD KEYS")
    assert {(r["fieldKey"], r["fieldType"]) for r in fields} == {("value", "float")}


def test_telegraf_layout_is_the_plugins(influx, drive):
    driver = drive(url=influx.url, database="plant", layout="telegraf")
    labels = {"labels": {"slave_id": "1"}}
    assert driver.send(row("Device/Voltage", "123.9", "f32", address="input 3", **labels),
                       row("Device/Current", 0, "i64", address="input 5", **labels),
                       row("Device/Run", "true", "bool", address="coil 1", **labels))["result"] == "delivered"
    got = influx.query("SELECT * FROM modbus WHERE type = 'input_register'")
    assert got == [dict(time=T0 * 1000, name="Device", slave_id="1", type="input_register", host=socket.gethostname(),
                        Voltage=123.9, Current=0, Run=None)]
    assert influx.query("SELECT Run FROM modbus WHERE type = 'coil'")[0]["Run"] == 1
    kinds = {r["fieldKey"]: r["fieldType"] for r in influx.query("SHOW FIELD KEYS")}
    assert kinds == {"Voltage": "float", "Current": "integer", "Run": "integer"}


def test_a_server_killed_under_load_has_what_was_acknowledged(influx, drive, dice):
    """Each batch again until it is acknowledged, as delivery does it; by key nothing is lost or invented."""
    kills, batches, size = scaled(3, 20), scaled(60, 400), 500
    driver = drive(url=influx.url, database="plant", timeout="5s")
    stop = threading.Event()
    done = [0]

    def killer():
        while done[0] < kills and not stop.is_set():
            time.sleep(dice.uniform(0.1, 0.4))
            influx.kill()
            time.sleep(dice.uniform(0, 0.2))
            influx.start()
            done[0] += 1

    thread = threading.Thread(target=killer)
    thread.start()
    sent, answers, batch = {}, [], 0
    try:
        while batch < batches or done[0] < kills:
            rows = [row(f"m/p{i % 20}", dice.uniform(-1e6, 1e6), ts=T0 + batch * 10**6 + i) for i in range(size)]
            while True:
                answer = driver.send(*rows)
                if answer["result"] == "delivered":
                    break
                assert (answer["result"], answer["trouble"]) in (("later", "offline"), ("later", "busy")), answer
                answers.append(answer["why"])
                time.sleep(0.05)
            sent.update({(r["tag"], r["ts"] * 1000): bits(float(r["value"])) for r in rows})
            batch += 1
    finally:
        stop.set()
        thread.join()
    assert answers, "no send met a server that was away"
    got = {(r["tag"], r["time"]): bits(r["value"]) for r in influx.query("SELECT value, \"tag\" FROM weir")}
    assert got == sent


# --- VictoriaMetrics: the path of 2.x ------------------------------------------------------------


@pytest.fixture
def victoria(tmp_path):
    if not shutil.which("victoria-metrics"):
        pytest.skip("victoria-metrics is not installed")
    folder = tmp_path / "victoria"
    folder.mkdir()
    url = f"http://127.0.0.1:{free_port()}"
    server = Server(folder, ["/usr/bin/victoria-metrics", f"-storageDataPath={folder}/data", "-retentionPeriod=100y",
                             "-httpListenAddr=" + url[len("http://"):], "-memory.allowedBytes=100MB"], url + "/health")
    server.url = url
    yield server
    server.kill()


def test_victoria_metrics_takes_lines_by_the_path_of_version_2(victoria, drive, tmp_path):
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    driver = drive(url=victoria.url, bucket="plant", org="x", token_file=token)
    assert driver.do("test")["result"] == "delivered"
    now = time.time_ns() // 10**9 * 10**6
    rows = [row("m/p", 230.1 + i, ts=now - i * 10**6, labels={"building": "A 1"}) for i in range(100)]
    for _ in range(2):
        assert driver.send(*rows, row("m/n", 5, "i64", ts=now), row("m/bad", "", "null", ts=now, quality="bad", cause=1))["result"] == "delivered"
    http(victoria.url + "/internal/force_flush")

    def exported(name):
        lines = http(f"{victoria.url}/api/v1/export?reduce_mem_usage=0&match[]={name}").splitlines()
        return [json.loads(line) for line in lines]

    found = exported("weir_value")
    assert [(f["metric"]["tag"], f["metric"]["building"], f["metric"]["device"]) for f in found] == [("m/p", "A 1", "m")]
    points = dict(zip(found[0]["timestamps"], found[0]["values"]))
    assert points == {(now - i * 10**6) // 1000: pytest.approx(230.1 + i, rel=1e-15) for i in range(100)}
    assert exported("weir_integer")[0]["values"][-1] == 5


# --- a server that misbehaves on order ------------------------------------------------------------


class Fake(Helper):
    def __init__(self, *arguments):
        super().__init__(PYTHON, os.path.join(SUPPORT, "fake_http.py"), *arguments)
        self.url = f"http://127.0.0.1:{self.port}"

    def order(self, **order):
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        return json.loads(read_line(self.process.stdout))

    def script(self, *answers):
        self.order(script=list(answers))

    def requests(self):
        return self.order(report=True)["requests"]


@pytest.fixture
def fake(peers):
    return peers.keep(Fake())


PAGE = {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html>Log in</html>"}
FAKE_ANSWERS = [
    ("late 204", {"fault": "late", "seconds": 0.3}, "delivered", "online", ""),
    ("429", {"status": 429, "headers": {"Retry-After": "7"}}, "later", "busy", "wait"),
    ("503", {"status": 503, "headers": {"Retry-After": "120"}, "body": "{}"}, "later", "busy", "wait"),
    ("413", {"status": 413, "body": "<html>nginx</html>"}, "too_large", "online", "more than"),
    ("page", PAGE, "later", "misconfigured", "web server"),
    ("redirect", {"status": 302, "headers": {"Location": "http://127.0.0.1:1/login?ticket=s3cret"}}, "later", "misconfigured", "/login"),
    ("page of a login", {"status": 401, "body": "<html>401</html>"}, "later", "refused", "token"),
    ("silent", {"fault": "silent"}, "later", "offline", "no answer in time"),
    ("close", {"fault": "close"}, "later", "offline", "closed the connection"),
    ("cut", {"fault": "cut", "status": 400}, "later", "offline", "closed the connection"),
    ("chunks", {"fault": "chunks", "status": 200}, "later", "offline", ""),
    ("garbage", {"fault": "garbage"}, "later", "misconfigured", "does not speak HTTP"),
    ("huge page", {"fault": "huge", "status": 500, "bytes": 50_000_000}, "later", "busy", "500"),
    ("huge success", {"fault": "huge", "status": 200, "bytes": 50_000_000}, "later", "misconfigured", ""),
    ("secret", {"status": 400, "body": '{"error":"partial write: s3cret-token"}'}, "rejected", "online", "*****"),
]


@pytest.mark.parametrize("answer, result, trouble, says", [a[1:] for a in FAKE_ANSWERS], ids=[a[0] for a in FAKE_ANSWERS])
def test_each_odd_answer_is_understood(fake, drive, answer, result, trouble, says):
    driver = drive(url=fake.url, bucket="b", token="s3cret-token", timeout="1s")
    fake.script(answer)
    began = time.monotonic()
    got = driver.send(row("m/p", 1), row("m/q", 2))
    assert (got["result"], got["trouble"]) == (result, trouble), got
    assert says in got["why"] and "s3cret" not in json.dumps(got)
    assert time.monotonic() - began < 5
    if "headers" in answer and "Retry-After" in answer["headers"]:
        assert got["retry_after_us"] == int(answer["headers"]["Retry-After"]) * 10**6
    fake.script({})
    assert driver.send(row("m/p", 1))["result"] == "delivered"  # nothing of it remains
    assert "s3cret" not in driver.stop()


@pytest.mark.row(45)
def test_retry_after_as_a_date(fake, drive):
    fake.script({"status": 503, "headers": {"Retry-After": formatdate(time.time() + 90, usegmt=True)}},
                {"status": 503, "headers": {"Retry-After": formatdate(time.time() - 90, usegmt=True)}},
                {"status": 503, "headers": {"Retry-After": "soon"}})
    driver = drive(url=fake.url, bucket="b")
    assert 80 < driver.send(row("m/p", 1))["retry_after_us"] / 10**6 <= 91
    assert driver.send(row("m/p", 1))["retry_after_us"] == 0
    assert driver.send(row("m/p", 1))["retry_after_us"] == 0


def test_one_connection_and_one_write_for_a_batch(fake, drive):
    driver = drive(url=fake.url + "/prefix/", bucket="b", org="o", token="t0ken")
    assert driver.do("generate", n=200_000, batch=50_000, tags=100, **{"from": T0})["result"] == "delivered"
    report = fake.order(report=True)
    assert report["connections"] == 1 and len(report["requests"]) == 4
    first = report["requests"][0]
    assert first["path"] == "/prefix/api/v2/write?precision=ns&bucket=b&org=o"
    assert first["headers"]["authorization"] == "Token t0ken" and "expect" not in first["headers"]
    assert first["headers"]["content-encoding"] == "gzip" and first["lines"] == 50_000
    plain = drive(url=fake.url, database="d", username="joe", password="pw", gzip="false")
    assert plain.do("generate", n=30_000, batch=30_000, **{"from": T0})["result"] == "delivered"
    last = fake.requests()[-1]
    assert last["path"] == "/write?precision=n&db=d" and "content-encoding" not in last["headers"]
    assert last["headers"]["authorization"] == "Basic " + base64.b64encode(b"joe:pw").decode() and "expect" not in last["headers"]


def test_a_kept_connection_that_the_server_dropped_costs_nothing(fake, drive):
    driver = drive(url=fake.url, bucket="b")
    fake.script({}, {"fault": "close"}, {})
    assert driver.send(row("m/p", 1))["result"] == "delivered"
    assert driver.send(row("m/p", 2))["result"] == "delivered"  # sent again on another connection
    assert len(fake.requests()) == 3


def test_a_sink_that_shall_end_gives_up_within_200_ms(fake, drive):
    fake.script({"fault": "silent"})
    driver = drive(url=fake.url, bucket="b")
    for order in ({"op": "send", "rows": [row("m/p", 1)]}, {"op": "test"}):
        began = time.monotonic()
        answer = driver.do(**order, ending_ms=300)
        assert 0.3 <= time.monotonic() - began < 0.5 + 1  # a second for a machine that is busy
        assert (answer["result"], answer["trouble"]) == ("later", "offline") and "ends" in answer["why"]


def test_a_token_file_is_read_again_after_a_refusal(fake, drive, tmp_path):
    token = tmp_path / "token"
    token.write_text("first\n")
    driver = drive(url=fake.url, bucket="b", token_file=token)
    fake.script({}, {"status": 401}, {})
    for expected, text in (("delivered", "second"), ("later", "second"), ("delivered", "second")):
        assert driver.send(row("m/p", 1))["result"] == expected
        token.write_text(text + "\n")
    assert [r["headers"]["authorization"] for r in fake.requests()] == ["Token first", "Token first", "Token second"]


def test_proxies_only_when_asked_for(fake, drive):
    proxy = {"http_proxy": fake.url, "no_proxy": ""}
    port = free_port()
    answer = drive(environment=proxy, url=f"http://127.0.0.1:{port}", bucket="b").send(row("m/p", 1))
    assert answer["trouble"] == "offline" and "refused" in answer["why"] and not fake.requests()
    assert drive(environment=proxy, url=f"http://127.0.0.1:{port}", bucket="b", proxy="true").send(row("m/p", 1))["result"] == "delivered"
    assert fake.requests()[0]["path"].startswith(f"http://127.0.0.1:{port}/api/v2/write")


def test_what_cannot_be_reached_says_why(drive, fake):
    with socket.socket() as mute:  # takes connections, and is no TLS server
        mute.bind(("127.0.0.1", 0))
        mute.listen(16)
        cases = [(f"http://127.0.0.1:{free_port()}", "offline", "connection refused"),
                 ("http://no-such-name.invalid:8086", "offline", "no-such-name.invalid is not known"),
                 (f"https://127.0.0.1:{fake.port}", "misconfigured", "does not speak TLS"),
                 (f"https://127.0.0.1:{mute.getsockname()[1]}", "offline", "TLS handshake"),
                 (f"http://127.0.0.1:{mute.getsockname()[1]}", "offline", "no answer in time")]
        for url, trouble, says in cases:
            # Only who never answers is waited for; who answers may take his time on a busy machine.
            patience = "500ms" if str(mute.getsockname()[1]) in url else "10s"
            driver = drive(url=url, bucket="b", timeout=patience)
            answer = driver.send(row("m/p", 1))
            assert (answer["result"], answer["trouble"]) == ("later", trouble), answer
            assert says in answer["why"] and answer["remedy"], answer
            test = driver.do("test")
            assert test["trouble"] == trouble


# --- TLS -------------------------------------------------------------------------------------------


class Authority:
    """Certificates for 127.0.0.1, made with openssl."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.ca = self.make("ca", ["-x509", "-subj", "/CN=Plant CA", "-days", "30"])

    def run(self, *words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=self.folder)

    def make(self, name, words):
        self.run("req", "-newkey", *KEY, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", *words)
        return self.folder / f"{name}.pem"

    def sign(self, name, names="IP:127.0.0.1", dates=("-days", "30")):
        self.make(name + ".req", ["-subj", f"/CN={name}"])
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
        if dates[0] == "-days":
            self.run("x509", "-req", "-in", f"{name}.req.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                     "-extfile", f"{name}.ext", "-out", f"{name}.pem", *dates)
        else:
            (self.folder / "index").write_text("")
            (self.folder / "ca.conf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\n"
                                                 "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
            self.run("ca", "-batch", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.req.pem",
                     "-extfile", f"{name}.ext", "-out", f"{name}.pem", "-notext", *dates)
        return [self.folder / f"{name}.pem", self.folder / f"{name}.req.key"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


EXPIRED = ("-startdate", "20200101000000Z", "-enddate", "20210203040506Z")
FUTURE = ("-startdate", "20900101000000Z", "-enddate", "20910101000000Z")
TLS_CASES = [
    ("right", {}, True, "delivered", ""),
    ("expired", {"dates": EXPIRED}, True, "refused", "has expired on Feb  3 04:05:06 2021 GMT"),
    ("not yet", {"dates": FUTURE}, True, "refused", "only from Jan  1 00:00:00 2090 GMT"),
    ("wrong name", {"names": "DNS:other.example"}, True, "refused", "for another name: DNS:other.example"),
    ("unknown CA", {}, False, "refused", "not from an authority that this system trusts"),
]


@pytest.mark.parametrize("name, words, has_ca, trouble, says", TLS_CASES, ids=[c[0] for c in TLS_CASES])
@pytest.mark.row(44)
def test_a_certificate_is_verified_and_the_cause_named(authority, peers, drive, name, words, has_ca, trouble, says):
    server = peers.keep(Fake("--tls", *authority.sign(name.replace(" ", "-"), **words)))
    options = {"ca_file": authority.ca} if has_ca else {}
    answer = drive(url=f"https://127.0.0.1:{server.port}", bucket="b", token="s3cret", **options).send(row("m/p", 1))
    assert answer["result"] == ("delivered" if trouble == "delivered" else "later")
    assert trouble in (answer["result"], answer["trouble"]) and says in answer["why"], answer
    assert len(server.requests()) == (trouble == "delivered")  # nothing is sent to whom is not trusted
    if trouble == "refused":
        assert answer["remedy"]


@pytest.mark.row(44)
def test_another_authority_and_files_that_are_none(authority, peers, drive, tmp_path):
    server = peers.keep(Fake("--tls", *authority.sign("right-again")))
    other = Authority(tmp_path / "other")
    cases = [(other.ca, "refused", "not from an authority that ca_file names"),
             (tmp_path / "missing", "misconfigured", "ca_file cannot be read")]
    for ca, trouble, says in cases:
        answer = drive(url=f"https://127.0.0.1:{server.port}", bucket="b", ca_file=ca).send(row("m/p", 1))
        assert answer["trouble"] == trouble and says in answer["why"], answer
    assert server.requests() == []


def test_a_certificate_of_the_client(authority, peers, drive):
    server = peers.keep(Fake("--tls", *authority.sign("mutual"), authority.ca))
    url = f"https://127.0.0.1:{server.port}"
    answer = drive(url=url, bucket="b", ca_file=authority.ca).send(row("m/p", 1))
    assert answer["trouble"] == "refused" and "cert_file" in answer["remedy"], answer
    cert, key = authority.sign("client")
    assert drive(url=url, bucket="b", ca_file=authority.ca, cert_file=cert, key_file=key).send(row("m/p", 1))["result"] == "delivered"
    bad = drive(url=url, bucket="b", ca_file=authority.ca, cert_file=cert, key_file=authority.folder / "ca.key").send(row("m/p", 1))
    assert bad["trouble"] == "misconfigured" and "cert_file" in bad["remedy"], bad
