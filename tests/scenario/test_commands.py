# SPDX-License-Identifier: MIT
"""Commands on what is stored: export, tag purge, device replace, migrate, store stats, and queries that ask for all."""

import csv
import datetime
import decimal
import fcntl
import io
import json
import math
import os
import pty
import shutil
import signal
import sqlite3
import struct
import subprocess
import time
import zoneinfo

import pytest
from conftest import BINARY, ROOT, wait_until

FIXTURE = os.path.join(ROOT, "tests", "fixtures", "store-v1")


def plant(interval="10s"):
    """m1 and m2 with one counter each, m3 with two."""
    def points(counters):
        return [{"name": "power", "register": "input", "address": 0, "type": "float32", "unit": "kW"}] + [
            {"name": name, "register": "input", "address": 2 + 2 * i, "type": "uint32", "unit": "Wh", "counter": True}
            for i, name in enumerate(counters)]
    return {"connections": [{"name": "sim", "uri": "simulated:"}],
            "devices": [{"name": name, "unit_id": i + 1, "connection": "sim", "interval": interval, "points": points(counters)}
                        for i, (name, counters) in enumerate((("m1", ["energy"]), ("m2", ["energy"]), ("m3", ["import", "export"])))]}


def generate(weir, data_dir, config, *options):
    done = weir.run("generate", weir.write_config(config, "generated.yaml"), "--data-dir", data_dir, *options)
    assert done.returncode == 0, done.stderr
    return data_dir


@pytest.fixture
def history(weir):
    """Three days of the plant, a sample each 10 s; no daemon."""
    return generate(weir, weir.tmp_path / "data", plant(), "--from", "2026-01-05", "--to", "2026-01-08")


def verify(weir, data_dir):
    done = weir.run("store", "verify", "--data-dir", data_dir)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 findings" in done.stderr


# --- export: every value in each format ---------------------------------------------------------

TEXT = 'say "hi", a\\b\nthen 😀'
# name, type, bytes on the wire, more keys
VALUES = [
    ("bit", "bool", b"\x00\x01", {"bit": 0}),
    ("least", "int64", struct.pack(">q", -2**63), {}),
    ("most", "uint64", struct.pack(">Q", 2**64 - 1), {}),
    ("fits", "uint64", struct.pack(">Q", 2**63 - 1), {}),
    ("single", "float32", struct.pack(">f", 0.1), {}),
    ("tiny", "float64", struct.pack(">d", 5e-324), {}),
    ("minus_zero", "float64", struct.pack(">d", -0.0), {}),
    ("nan", "float64", struct.pack(">d", math.nan), {}),
    ("infinite", "float64", struct.pack(">d", -math.inf), {}),
    ("exact", "int32", struct.pack(">i", -1230), {"scale": 0.001}),
    ("wide", "int64", struct.pack(">q", 2**62 + 1), {"scale": 0.001}),
    ("text", "string", TEXT.encode().ljust(28, b"\0"), {"length": 28}),
    ("empty", "string", bytes(4), {"length": 4}),
    ("raw", "bytes", b"\x00,\"\n\xff\xfe", {"length": 6}),
]


@pytest.fixture
def every_value(weir, peers):
    """A store with each kind of value, and one that is always bad."""
    words, points = [], []
    for name, type_name, data, more in VALUES:
        points.append({"name": name, "register": "holding", "address": len(words), "type": type_name, "unit": "m³", **more})
        words += struct.unpack(f">{len(data) // 2}H", data)
    points.append({"name": "beyond", "register": "holding", "address": 60000, "type": "uint16", "unit": "a b,c=d"})
    server = peers.pymodbus({"1": {"holding": words}})
    daemon = weir.start({"connections": [{"name": "bus", "uri": f"tcp://127.0.0.1:{server.port}"}],
                         "devices": [{"name": "dev", "unit_id": 1, "connection": "bus", "interval": "100ms", "points": points}]})
    for point in points:
        daemon.wait_sql(f"SELECT 1 FROM samples WHERE tag='dev/{point['name']}'")
    daemon.stop()
    return daemon.data_dir


def stored_rows(weir, data_dir):
    return weir.sql(data_dir, "SELECT tag, ts, time, kind, hex(bits) AS bits, quality, cause, epoch FROM samples ORDER BY tag, ts")


def value_of_bits(kind, bits):
    """What Python makes of a sample's exact payload."""
    data = bytes.fromhex(bits)
    if kind == "null":
        return None
    if kind == "bool":
        return data == b"\x01"
    if kind == "decimal":
        exponent, mantissa = struct.unpack(">bq", data)
        return decimal.Decimal(mantissa).scaleb(exponent)
    if kind == "string":
        return data.decode()
    if kind == "bytes":
        return data.hex(" ")
    return struct.unpack({"i64": ">q", "u64": ">Q", "f32": ">f", "f64": ">d"}[kind], data)[0]


def is_equal(text, kind, bits):
    """Whether a value's text gives the payload back, bit for bit."""
    if kind in ("f32", "f64"):
        return struct.pack(">f" if kind == "f32" else ">d", float(text)).hex().upper() == bits
    want = value_of_bits(kind, bits)
    if kind == "bool":
        return text == ("true" if want else "false")
    return (decimal.Decimal(text) if kind == "decimal" else int(text) if kind in ("i64", "u64") else text) == want


def test_csv_has_each_value_as_it_is_stored(weir, every_value):
    want = stored_rows(weir, every_value)
    done = weir.run("export", "--data-dir", every_value)
    assert done.returncode == 0 and done.stderr == ""
    got = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert len(got) == len(want) and {row["kind"] for row in want} == {
        "null", "bool", "i64", "u64", "f32", "f64", "decimal", "string", "bytes"}
    for row, sample in zip(got, want):
        assert [row[key] for key in ("time", "tag", "quality", "cause", "epoch")] == [
            sample["time"], sample["tag"], sample["quality"], sample["cause"], str(sample["epoch"])]
        if sample["kind"] == "null":
            assert row["value"] == "" and sample["quality"] == "bad"
        else:
            assert is_equal(row["value"], sample["kind"], sample["bits"]), (row, sample)
    assert {row["unit"] for row in got} == {"m³", "a b,c=d"}
    assert {row["value"] for row in got if row["tag"] == "dev/text"} == {TEXT}
    # No text and an empty one are told apart.
    assert ',dev/empty,"",' in done.stdout and ",dev/beyond,," in done.stdout


def test_jsonl_has_each_value_with_its_type(weir, every_value):
    want = stored_rows(weir, every_value)
    lines = weir.run("export", "--data-dir", every_value, "--format", "jsonl").stdout.splitlines()
    got = [json.loads(line, parse_float=decimal.Decimal) for line in lines]
    assert len(got) == len(want)
    for row, sample in zip(got, want):
        assert (row["time"], row["tag"], row["quality"]) == (sample["time"], sample["tag"], sample["quality"])
        assert row.get("cause", "none") == sample["cause"]
        value, kind = row["value"], sample["kind"]
        if kind == "null":
            assert value is None
        elif kind == "bool":
            assert value is value_of_bits(kind, sample["bits"])
        else:
            assert is_equal(str(value), kind, sample["bits"]), (row, sample)
            # JSON has no such numbers, and many readers have 64 signed bits.
            is_text = kind in ("string", "bytes") or row["tag"] in ("dev/most", "dev/nan", "dev/infinite")
            assert isinstance(value, str) == is_text, row


def parse_line(line):
    """Of the line protocol: the tags, the fields as text, the time."""
    words, word, quoted, i = [[]], "", False, 0
    while i < len(line):
        c = line[i]
        if c == "\\" and i + 1 < len(line) and line[i + 1] in ('"\\' if quoted else ", =\\"):
            word, i = word + line[i + 1], i + 1
        elif c == '"':
            quoted, word = not quoted, word + ("" if quoted else "\0")
        elif not quoted and c in ", ":
            words[-1].append(word)
            word = ""
            if c == " ":
                words.append([])
        else:
            word += c
        i += 1
    assert not quoted
    (_, *tags), fields, _ = words
    return dict(tag.split("=", 1) for tag in tags), dict(field.split("=", 1) for field in fields), int(word)


def test_line_protocol_has_a_field_for_each_kind(weir, every_value):
    want = stored_rows(weir, every_value)
    done = weir.run("export", "--data-dir", every_value, "--format", "line", "--measurement", "my plant")
    # A line break within a text belongs to the line: all others end with the time.
    lines = done.stdout.replace(TEXT.split("\n", maxsplit=1)[0].replace("\\", "\\\\").replace('"', '\\"') + "\n", "@@").splitlines()
    assert len(lines) == len(want) and all(line.startswith("my\\ plant,device=dev,tag=dev/") for line in lines)
    for line, sample in zip(lines, want):
        tags, fields, ns = parse_line(line.replace("@@", 'say \\"hi\\", a\\\\b\n'))
        assert tags["tag"] == sample["tag"] and ns == sample["ts"] * 1000
        assert tags["unit"] == ("a b,c=d" if sample["tag"] == "dev/beyond" else "m³")
        kind, bits, name = sample["kind"], sample["bits"], sample["tag"]
        assert fields.pop("quality", "\0good")[1:] == ("uncertain" if name in ("dev/nan", "dev/infinite") else sample["quality"])
        cause = fields.pop("cause", "\0none")[1:]
        if kind == "null" or name in ("dev/nan", "dev/infinite"):
            assert fields == {} and cause != "none"
        elif kind == "bool":
            assert fields == {"boolean": "true"}
        elif kind in ("i64", "u64") and name != "dev/most":
            assert is_equal(fields.pop("integer").removesuffix("i"), kind, bits) and not fields
        elif kind in ("f32", "f64", "decimal"):
            assert is_equal(fields.pop("value"), kind, bits) and not fields
        else:
            text = fields.pop("text")
            assert text[0] == "\0" and is_equal(text[1:], kind, bits) and not fields


def test_export_takes_tags_and_times(weir, history):
    def export(*options):
        done = weir.run("export", "--data-dir", history, *options)
        assert done.returncode == 0, done.stderr
        return list(csv.DictReader(io.StringIO(done.stdout)))
    day = export("-t", "m1/*", "--tag", "m3/power", "--from", "2026-01-06", "--to", "2026-01-07T00:00:00+00:00")
    assert len(day) == 3 * 8640 and {row["tag"] for row in day} == {"m1/energy", "m1/power", "m3/power"}
    assert {row["time"][:10] for row in day} == {"2026-01-06"}
    # 06:00 in Berlin is 05:00 in UTC; to is exclusive.
    hour = export("-t", "m1/power", "--from", "2026-01-06T06:00:00+01:00", "--to", "2026-01-06T06:00Z")
    assert [hour[0]["time"], hour[-1]["time"]] == ["2026-01-06T05:00:00.000000Z", "2026-01-06T05:59:50.000000Z"]
    assert export("-t", "m1/power", "--from", "-1h") == []
    for options, code, text in ((["--from", "yesterday"], 2, "--from: 'yesterday' is no time"),
                                (["--from", "2026-01-06", "--to", "2026-01-06"], 2, "nothing lies between"),
                                (["-t", "nix"], 1, "no tag matches 'nix'"),
                                (["--data-dir", weir.tmp_path / "nix"], 1, "nix"),
                                (["-o", weir.tmp_path], 2, "is a folder")):
        done = weir.run("export", "--data-dir", history, *options)
        assert done.returncode == code and text in done.stderr and done.stdout == "", done.stderr


def test_who_has_read_enough_ends_it_quietly(weir, history):
    for format_name in ("csv", "jsonl", "line"):
        command = f"{BINARY} export --data-dir {history} --format {format_name} | head -n 3; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, env=weir.environment, check=True)
        assert done.stderr == "" and len(done.stdout.splitlines()) == 4 and done.stdout.endswith("\n0\n")


# --- export: the file ---------------------------------------------------------------------------

def test_a_file_is_replaced_when_the_new_one_is_complete(weir, history):
    folder = weir.tmp_path / "out"
    folder.mkdir()
    target, link = folder / "all.csv", folder / "link.csv"
    target.write_text("before")
    link.symlink_to("all.csv")
    # What fails leaves what was there.
    done = weir.run("export", "--data-dir", history, "-t", "nix", "-o", link)
    assert done.returncode == 1 and target.read_text() == "before" and len(os.listdir(folder)) == 2
    done = weir.run("export", "--data-dir", history, "-o", link)
    assert done.returncode == 0 and link.is_symlink() and len(os.listdir(folder)) == 2
    assert target.read_text() == weir.run("export", "--data-dir", history).stdout
    assert done.stderr == f"weir export: {7 * 3 * 8640} samples of 7 tags are in {link}\n"
    # A device is no file to be replaced.
    done = weir.run("export", "--data-dir", history, "-o", "/dev/full")
    assert done.returncode == 1 and "No space left" in done.stderr
    assert not os.path.exists("/dev/full.part") and not os.path.isfile("/dev/full")


def test_a_full_disk_leaves_nothing_behind(weir, history):
    disk = weir.tmp_path / "small"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, check=False).returncode:
        pytest.skip("may not mount")
    try:
        (disk / "all.csv").write_text("before")
        done = weir.run("export", "--data-dir", history, "-o", disk / "all.csv")
        assert done.returncode == 1 and "No space left on device" in done.stderr
        assert os.listdir(disk) == ["all.csv"] and (disk / "all.csv").read_text() == "before"
    finally:
        subprocess.run(["umount", disk], check=True)


class Slowly:
    """Runs `weir ... -o FIFO` with a terminal for its messages, and reads the rows bit by bit."""

    def __init__(self, weir, *arguments):
        self.fifo = weir.tmp_path / "fifo"
        os.mkfifo(self.fifo)
        self.terminal, theirs = pty.openpty()
        environment = {key: value for key, value in weir.environment.items() if key != "NO_COLOR"}
        self.process = subprocess.Popen([BINARY, *map(str, arguments), "-o", str(self.fifo)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=theirs, env=dict(environment, TERM="xterm"))
        os.close(theirs)
        self.rows = os.open(self.fifo, os.O_RDONLY)
        os.set_blocking(self.terminal, False)
        self.said = ""

    def listen(self):
        try:
            self.said += os.read(self.terminal, 65536).decode()
        except OSError:
            pass  # nothing new, or it has ended
        return self.said

    def finish(self):
        while os.read(self.rows, 1 << 20):
            self.listen()
        self.process.wait(20)
        self.listen()
        os.close(self.rows)
        os.close(self.terminal)


def test_progress_is_shown_on_a_terminal_and_goes_away(weir, history):
    export = Slowly(weir, "export", "--data-dir", history)
    wait_until("progress", lambda: os.read(export.rows, 4096) and "exporting [" in export.listen())
    export.finish()
    assert export.process.returncode == 0
    assert "samples, " in export.said and "left" in export.said and "%" in export.said
    last = export.said.replace("\r\n", "\n").split("\r\033[K")[-1]
    assert last.startswith("weir export: ") and last.count("\n") == 1
    # A line as wide as the terminal (80) would leave a copy of itself at each redrawing.
    drawn = [line for line in export.said.split("\r\033[K") if line.startswith("exporting [")]
    assert drawn and max(map(len, drawn)) < 80


def test_who_interrupts_an_export_finds_nothing_of_it(weir, history):
    export = Slowly(weir, "export", "--data-dir", history)
    os.read(export.rows, 1)
    export.process.send_signal(signal.SIGINT)
    export.finish()
    assert export.process.returncode == 1 and "interrupted" in export.said
    assert sorted(os.listdir(weir.tmp_path)) == ["data", "fifo", "generated.yaml"]


# --- tag purge and device replace: with and without a daemon ------------------------------------

# Arguments, the exit code, and words of the message.
EDITS = [
    (["tag", "purge", "nix/*", "--yes"], 1, "no tag matches 'nix/*'"),
    (["tag", "purge", "m1/*"], 2, "give --yes"),
    (["tag", "purge"], 2, "missing"),
    (["tag", "list", "x"], 2, "list takes no name"),
    (["tag", "forget", "x"], 2, "'forget' is none of add, set, remove, list, show, purge"),
    (["device", "replace", "m9", "--final", "1"], 1, "no device and no tag is named 'm9'"),
    (["device", "replace", "m1"], 2, "--final must be a reading"),
    (["device", "replace", "m1", "--final", "nan"], 2, "--final must be a reading such as 48211.3, not 'nan'"),
    (["device", "replace", "m1", "--final", "1", "--first", "1e999"], 2, "--first must be a reading"),
    (["device", "replace", "m1", "--final", "1", "--at", "noon"], 2, "--at: 'noon' is no time"),
    (["device", "replace", "m1", "--final", "1", "--at", "2126-01-01"], 2, "is to come"),
    (["device", "replace", "m3", "--final", "1"], 2, "m3 has 2 counters: name the one that is meant (m3/import, m3/export)"),
    (["device", "replace", "m2/power", "--final", "1"], 1, "m2/power is no counter"),
    (["device", "replace", "m2", "--final", "48211.3", "--first", "0.5", "--at", "2026-01-06T12:00:00+01:00"], 0, "m2 goes on from 0.5"),
    (["device", "replace", "m3/import", "--final", "7", "--at", "2026-01-07"], 0, "m3/import goes on from 0"),
    (["tag", "purge", "m1/*", "--yes"], 0, "the history of 2 tags is gone"),
    (["tag", "purge", "m3/export", "-y"], 0, "the history of 1 tag is gone"),
]


@pytest.mark.parametrize("running", [False, True], ids=["alone", "with a daemon"])
def test_edits_do_and_say_the_same_with_a_daemon_and_without(weir, history, running):
    daemon = weir.start(plant("1s"), history) if running else None
    if running:
        daemon.wait_sql("SELECT 1 FROM samples WHERE tag='m3/export' AND ts > 1775000000000000")
    before = weir.sql(history, "SELECT sum(delta) AS d FROM buckets('m2/energy','1d') WHERE time < '2026-02-01'")[0]["d"]
    for arguments, code, words in EDITS:
        done = weir.run(*arguments, "--data-dir", history)
        assert (done.returncode, done.stdout) == (code, ""), (arguments, done.stderr)
        assert words in done.stderr and done.stderr.startswith(f"weir {arguments[0]}: "), done.stderr
    old = "ts < 1775000000000000"
    assert weir.sql(history, f"SELECT tag, count(*) AS n FROM samples WHERE {old} GROUP BY tag") == [
        {"tag": tag, "n": 3 * 8640} for tag in ("m2/energy", "m2/power", "m3/import", "m3/power")]
    for table in ("buckets('m1/power','1h')", f"history('m1/power',0,{1775000000 * 10**6},9)"):
        assert weir.sql(history, f"SELECT * FROM {table} WHERE {old}") == []
    assert weir.sql(history, "SELECT count(*) AS n FROM events WHERE kind='config' AND subject IN ('m1/*','m3/export','m2','m3/import')") == [{"n": 4}]
    # To the old meter's last reading, and from the new one's first.
    jump = weir.sql(history, "SELECT value FROM samples WHERE tag='m2/energy' AND time<'2026-01-06T11:00:00Z' ORDER BY ts DESC LIMIT 1")
    after = weir.sql(history, "SELECT value FROM samples WHERE tag='m2/energy' AND time>='2026-01-06T11:00:00Z' ORDER BY ts LIMIT 1")
    growth = weir.sql(history, "SELECT sum(delta) AS d FROM buckets('m2/energy','1d') WHERE time < '2026-02-01'")[0]["d"]
    assert growth - before == pytest.approx(48211.3 - jump[0]["value"] + after[0]["value"] - 0.5 - (after[0]["value"] - jump[0]["value"]))
    if running:
        # What comes afterwards stays.
        daemon.wait_sql("SELECT 1 FROM current WHERE tag='m1/power' AND value IS NOT NULL")
        daemon.wait_sql("SELECT 1 FROM samples WHERE tag='m1/energy'")
        daemon.stop()
    else:
        assert weir.sql(history, "SELECT tag FROM current WHERE value IS NOT NULL ORDER BY tag") == [
            {"tag": tag} for tag in ("m2/energy", "m2/power", "m3/import", "m3/power")]
    assert weir.json("store", "stats", "--data-dir", history)[0]["purged_tags"] == 3
    verify(weir, history)


def test_a_last_reading_below_what_was_shown_is_doubted(weir, history):
    had = weir.sql(history, "SELECT value FROM samples WHERE tag='m2/energy' AND ts<=1767700000000000 ORDER BY ts DESC LIMIT 1")[0]["value"]
    at = ["--at", "2026-01-06T11:46:40Z", "--data-dir", history]
    for subject in ("m2", "m2/energy"):
        done = weir.run("device", "replace", subject, "--final", str(had - 1), *at)
        assert done.returncode == 0 and f"the old one had shown {had:.0f} already" in done.stderr, done.stderr
        done = weir.run("device", "replace", subject, "--final", str(had + 1), *at)
        assert done.returncode == 0 and "already" not in done.stderr, done.stderr


def test_edits_where_there_is_no_store(weir):
    (weir.tmp_path / "none").mkdir()
    for arguments in (["tag", "purge", "*", "--yes"], ["device", "replace", "m", "--final", "1"]):
        done = weir.run(*arguments, "--data-dir", weir.tmp_path / "none")
        assert done.returncode == 1 and "there is no store" in done.stderr
        done = weir.run(*arguments, "--data-dir", "memory")
        assert done.returncode == 2 and "data_dir is memory" in done.stderr
    assert os.listdir(weir.tmp_path / "none") == []


def test_purge_asks_on_a_terminal(weir, history):
    def purge(answer):
        ours, theirs = pty.openpty()
        with subprocess.Popen([BINARY, "tag", "purge", "m1/power", "--data-dir", str(history)], stdin=theirs,
                              stderr=subprocess.PIPE, bufsize=0, env=weir.environment) as process:
            os.write(ours, answer + b"\n")
            said = process.stderr.read().decode()
        os.close(theirs)
        os.close(ours)
        return process.returncode, said
    code, said = purge(b"no")
    assert code == 1 and "will be gone for good. Go on? [y/N]" in said
    assert weir.sql(history, "SELECT count(*) AS n FROM samples WHERE tag='m1/power'") == [{"n": 3 * 8640}]
    code, said = purge(b"y")
    assert code == 0 and "the history of 1 tag is gone" in said
    assert weir.sql(history, "SELECT count(*) AS n FROM samples WHERE tag='m1/power'") == [{"n": 0}]


# --- migrate ------------------------------------------------------------------------------------

@pytest.fixture
def old(weir):
    """A store of version 1, as weir 0.1.0 left it."""
    data_dir = weir.tmp_path / "old"
    shutil.copytree(FIXTURE, data_dir)
    os.remove(data_dir / "samples.csv")
    return data_dir


def assert_old_samples(weir, data_dir):
    """They are what that version said of them."""
    with open(os.path.join(FIXTURE, "samples.csv"), encoding="utf-8") as file:
        want = file.read()
    columns = want.splitlines()[0]
    assert weir.run("sql", "--data-dir", data_dir, f"SELECT {columns} FROM samples ORDER BY seq").stdout == want


def test_an_old_store_is_read_then_migrated_and_reads_the_same(weir, old):
    before = (old / "data.db").read_bytes()
    assert_old_samples(weir, old)
    plan = weir.json("migrate", "--dry-run", "--data-dir", old)[0]
    assert (plan["state"], plan["version"], plan["to"]) == ("older", 1, 4)
    assert plan["file_bytes"] == len(before) and plan["space_bytes"] > 0 and plan["time_ms"] > 0
    assert (old / "data.db").read_bytes() == before
    done = weir.json("migrate", "--data-dir", old)[0]
    assert (done["state"], done["version"], done["to"]) == ("migrated", 1, 4)
    assert (old / "data.db").stat().st_size - len(before) <= plan["space_bytes"]
    assert_old_samples(weir, old)
    verify(weir, old)
    with sqlite3.connect(old / "data.db") as after, sqlite3.connect(f"file:{FIXTURE}/data.db?immutable=1", uri=True) as fixture:
        rows = "SELECT first_seq, count, head, body FROM log ORDER BY 1"
        assert after.execute(rows).fetchall() == fixture.execute(rows).fetchall()
    # Once more there is nothing to do, also beside a daemon.
    with open(old / "weir.lock", "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert weir.json("migrate", "--data-dir", old)[0]["state"] == "current"


def test_migrate_refuses_what_runs_what_is_newer_and_what_is_no_store(weir, old):
    before = (old / "data.db").read_bytes()
    with open(old / "weir.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert weir.json("migrate", "-n", "--data-dir", old)[0]["state"] == "older"
        done = weir.run("migrate", "--data-dir", old)
        assert done.returncode == 3 and "data directory" in done.stderr and done.stdout == "", done.stderr
    assert (old / "data.db").read_bytes() == before
    with sqlite3.connect(old / "data.db") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    newer = (old / "data.db").read_bytes()
    for options in ([], ["--dry-run"]):
        done = weir.run("migrate", "--data-dir", old, *options)
        assert done.returncode == 3 and "newer weir (store version 99" in done.stderr and done.stdout == ""
    assert (old / "data.db").read_bytes() == newer
    (old / "data.db").write_bytes(b"no database " * 1000)
    assert weir.run("migrate", "--data-dir", old).returncode == 9
    assert weir.run("migrate", "--data-dir", weir.tmp_path / "none").returncode == 1
    assert not (weir.tmp_path / "none").exists()


def test_a_daemon_goes_on_with_a_migrated_store(weir, old):
    assert weir.run("migrate", "--data-dir", old).returncode == 0
    daemon = weir.start(plant("1s"), old)
    daemon.wait_committed(29)
    daemon.stop()
    verify(weir, old)
    assert weir.sql(old, "SELECT count(*) AS n FROM samples WHERE tag GLOB 'm01/*'") == [{"n": 28}]


# --- store stats --------------------------------------------------------------------------------

def test_stats_can_be_read_by_people_and_programs(weir, history):
    stats = weir.json("store", "stats", "--data-dir", history)[0]
    assert stats["samples"] == 7 * 3 * 8640 and stats["tags"] == 7 and stats["file_bytes"] == (history / "data.db").stat().st_size
    assert sum(stats[f"tier{i}_parts"] for i in range(5)) > 0 and len(stats["instance"]) == 36
    text = weir.run("store", "stats", "--data-dir", history, "--format", "table").stdout
    assert f"store {stats['uuid']}, version 4" in text and "181440 samples of 7 tags" in text
    assert "history, 8 days " in text and "history, 512 days" not in text and "write-ahead log" in text
    assert max(map(len, text.splitlines())) <= 80


# --- queries ------------------------------------------------------------------------------------

ALL = "SELECT a.tag, a.time, b.value FROM samples a, samples b"  # 33 G rows


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def test_a_query_for_everything_takes_little_memory_and_ends_when_told(weir, history):
    # A sanitizer keeps what was freed; here only a little of it.
    environment = dict(weir.environment, ASAN_OPTIONS=weir.environment["ASAN_OPTIONS"] + ":quarantine_size_mb=4")
    with subprocess.Popen([BINARY, "sql", "--data-dir", str(history), ALL], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment) as process:
        process.stdout.read(4_000_000)
        early = rss(process.pid)
        process.stdout.read(40_000_000)
        assert rss(process.pid) < early + 8_000
        told = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT  # 130 in a shell
        assert time.monotonic() - told < 2
        assert process.stderr.read() == b""
    verify(weir, history)


@pytest.mark.parametrize("query, words", [
    ("WITH RECURSIVE r(x) AS (SELECT zeroblob(1000000) UNION ALL SELECT x||x FROM r) SELECT length(x) FROM r", "256 MB of memory"),
    ("SELECT zeroblob(100000000)", "a value may have 64 MB"),
    ("SELECT * FROM sink_states", "there are samples, current, tags, devices, events, gaps, sinks, rejected, buckets and history"),
])
def test_a_query_that_asks_for_too_much_is_told_what_to_ask_for(weir, history, query, words):
    done = weir.run("sql", "--data-dir", history, query)
    assert done.returncode == 1 and words in done.stderr, done.stderr


def flip_history(data_dir):
    """Zeros over pages behind the midst, where segments are."""
    path = data_dir / "data.db"
    size = path.stat().st_size // 4096
    with open(path, "r+b") as file:
        file.seek(size // 2 * 4096)
        file.write(bytes(size // 3 * 4096))


def test_whoever_finds_damage_is_told_the_next_command(weir, history):
    flip_history(history)
    repair = f"`weir store repair --data-dir {history}` keeps all that can be read"
    for command in (["sql", "SELECT sum(value) FROM samples"], ["export"], ["backup", str(weir.tmp_path / "x.tar")], ["store", "verify"]):
        done = weir.run(*command, "--data-dir", history)
        assert done.returncode == 9 and repair in done.stderr, done.stderr
    assert not (weir.tmp_path / "x.tar").exists()
    # What opens it for writing repairs it if it cannot be opened else, and says so.
    with open(history / "data.db", "r+b") as file:
        file.truncate((history / "data.db").stat().st_size // 8192 * 4096)
    for command in (["sql", "SELECT 1"], ["store", "stats"]):
        done = weir.run(*command, "--data-dir", history)
        assert done.returncode == 9 and "`weir store repair`" in done.stderr, done.stderr
    done = weir.run("tag", "purge", "m1/*", "--yes", "--data-dir", history)
    assert done.returncode == 0 and "the store was damaged (data.db is cut short" in done.stderr and "brought over" in done.stderr


def test_verify_says_nothing_on_a_terminal_where_nothing_is_wrong(weir, history):
    master, slave = pty.openpty()
    with subprocess.Popen([BINARY, "store", "verify", "--data-dir", str(history)], stdout=slave, stderr=subprocess.PIPE,
                          text=True, env=weir.environment) as process:
        os.close(slave)
        assert " 0 findings" in process.stderr.read() and process.wait(60) == 0
    with pytest.raises(OSError):
        assert os.read(master, 100) == b""
    os.close(master)


def test_a_query_ends_when_nobody_reads_any_more(weir, history):
    for format_name in ("csv", "json", "table"):
        command = f"{BINARY} sql --data-dir {history} --format {format_name} '{ALL}' | head -n 2; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, env=weir.environment, check=True)
        assert done.stderr == "" and done.stdout.endswith("\n0\n") and len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize("zone, days", [
    ("Europe/Berlin", {"2025-03-30": 23, "2025-10-26": 25, "2025-03-31": 24}),
    ("America/New_York", {"2025-03-09": 23, "2025-11-02": 25, "2025-11-03": 24}),
    ("Australia/Lord_Howe", {"2025-04-06": 24.5, "2025-10-05": 23.5}),
    ("UTC", {"2025-03-30": 24, "2025-10-26": 24}),
])
def test_calendar_steps_across_both_changes_of_the_clock(weir, zone, days):
    config = plant("15min")
    data_dir = generate(weir, weir.tmp_path / "data", config, "--from", "2025-01-01", "--to", "2026-01-01")
    def local(step, when):
        return weir.sql(data_dir, f"SELECT ts, count, delta FROM buckets('m1/energy','{step}','{zone}') WHERE {when} ORDER BY ts")
    tz = zoneinfo.ZoneInfo(zone)
    def us(date, plus=0):
        day = datetime.date.fromisoformat(date) + datetime.timedelta(days=plus)
        return round(datetime.datetime(day.year, day.month, day.day, tzinfo=tz).timestamp() * 1e6)
    for date, hours in days.items():
        first, end = us(date), us(date, 1)
        assert end - first == hours * 3600e6
        between = f"ts >= {first} AND ts < {end}"
        [day] = local("1d", between)
        assert day["ts"] == first and day["count"] == hours * 4
        quarters = local("15min", between)
        assert [row["count"] for row in quarters] == [1] * round(hours * 4)
        assert sum(row["count"] for row in local("1h", between)) == day["count"]
        assert sum(row["delta"] for row in quarters) == day["delta"]
    months = local("1mo", f"ts >= {us('2025-02-01')} AND ts < {us('2025-12-01')}")
    assert [row["ts"] for row in months] == [us(f"2025-{month:02}-01") for month in range(2, 12)]
    assert [row["count"] for row in months] == [
        (us(f"2025-{month + 1:02}-01") - us(f"2025-{month:02}-01")) / 900e6 for month in range(2, 12)]


@pytest.mark.parametrize("table, remedy", [
    ("buckets('m1/power','1d','Europe/Berln')", "did you mean Europe/Berlin"),
    ("buckets('m1/power','1d','Mars/Olympus')", "no time zone 'Mars/Olympus'"),
    ("buckets('m1/power','1d','../../../etc/passwd')", "names are like Europe/Berlin"),
    ("buckets('m1/power','1fortnight')", "such as 15min, 1h, 1d or 1mo"),
    ("buckets('m1/power','0d')", "such as 15min, 1h, 1d or 1mo"),
    ("buckets('m1/power','-1d')", "such as 15min, 1h, 1d or 1mo"),
    ("buckets('m1/power','1.5h')", "such as 15min, 1h, 1d or 1mo"),
    ("buckets('m1/power',900)", "such as 15min, 1h, 1d or 1mo"),
    ("buckets('m1/power')", "it is like '15min', '1h', '1d', '1mo'"),
    ("buckets('m1/power','999999y')", "longer than"),
    ("history('m1/power')", "from_ts and to_ts are microseconds since 1970"),
    ("history('m1/power','2026-01-05','noon',5)", "times like '2026-01-31 12:00'"),
    ("history('m1/power',0,1000,0)", "n is a number of slots"),
])
def test_a_wrong_step_zone_or_time_is_named_with_its_remedy(weir, history, table, remedy):
    done = weir.run("sql", "--data-dir", history, f"SELECT * FROM {table}")
    assert done.returncode == 1 and done.stdout == "" and remedy in done.stderr, done.stderr


# --- the README ---------------------------------------------------------------------------------

def test_what_the_readme_says_of_history_works_when_pasted(weir):
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        section = file.read().split("## Looking at history", 1)[1]
    commands = section.split("```sh\n", 1)[1].split("```", 1)[0].splitlines()
    assert len(commands) > 6
    environment = dict(weir.environment, PATH=f"{os.path.dirname(BINARY)}:{os.environ['PATH']}")
    said = {}
    for command in commands:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, env=environment,
                              cwd=weir.tmp_path, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, command + "\n" + done.stderr
        said[command] = done.stdout.splitlines()
        assert len(said[command]) > 1 or not command.startswith("weir sql"), command
    energy = weir.sql(weir.tmp_path / "sample", "SELECT count(*) AS n FROM samples WHERE tag GLOB 'eastron-sdm630-2/*'")
    assert energy == [{"n": 0}]
    week = (weir.tmp_path / "week.csv").read_text().splitlines()
    assert 2 * 7 * 1440 - 4 <= len(week) <= 2 * 7 * 1440 + 4


def test_a_store_whose_making_was_interrupted_is_said_to_be_none_and_made(weir):
    """As a kill leaves it: pages written, and the journal that takes them back."""
    data_dir = weir.tmp_path / "data"
    data_dir.mkdir()
    made = sqlite3.connect(weir.tmp_path / "made.db", isolation_level=None)
    made.execute("PRAGMA cache_size = 2")
    made.execute("BEGIN")
    made.execute("CREATE TABLE a (b)")
    made.execute("INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT randomblob(500) FROM n")
    for end in ("", "-journal"):
        shutil.copy(weir.tmp_path / f"made.db{end}", data_dir / f"data.db{end}")
    made.close()
    for command in (["store", "verify"], ["store", "stats"], ["sql", "SELECT 1 FROM samples"]):
        done = weir.run(*command, "--data-dir", data_dir)
        assert done.returncode == 1 and "making it was interrupted. `weir run` makes it" in done.stderr, (command, done)
    weir.start(plant("100ms"), data_dir).wait_committed(10)
