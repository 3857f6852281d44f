# SPDX-License-Identifier: MIT
"""The sink sqlite: rows that read back the same, each sample once, in tables of weir's and of others."""

import errno
import math
import os
import random
import sqlite3
import struct
import subprocess
import threading
import time

import pytest
from conftest import scaled

import shim
from sink_driver import Driver, rejected

T0 = 1700000000000000  # 2023-11-14T22:13:20Z
STORE = "00000000-0000-4000-8000-000000000001"
HARD = ["plain", 'a "quoted" word', "it's", "line\nend", "Zürich 😀", "", "a\0b"]


def drive(path, environment=None, **options):
    return Driver("sqlite", environment, path=path, **options)


def rows(first, n, **more):
    return [{"tag": f"m/p{i % 3}", "uid": i % 3 + 1, "ts": T0 + i * 1000000, "seq": i, "kind": "i64", "value": str(i), **more}
            for i in range(first, first + n)]


def query(path, sql, *values):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def values(path):
    return [value for (value,) in query(path, "SELECT value FROM weir_samples ORDER BY value")]


def string(text):
    return {"kind": "string", "hex": text.encode().hex()}


def test_every_kind_reads_back_to_the_last_bit(tmp_path):
    dice = random.Random(4)
    doubles = [struct.unpack("<d", dice.randbytes(8))[0] for _ in range(300)] + [0.1, -0.0, 5e-324, 1e22, 3.0]
    singles = [struct.unpack("<f", dice.randbytes(4))[0] for _ in range(300)] + [1e-45]
    singles = [struct.unpack("<f", struct.pack("<f", v))[0] for v in singles]
    doubles, singles = ([v for v in several if math.isfinite(v)] for several in (doubles, singles))
    given = ([({"kind": "f64", "value": repr(v)}, v) for v in doubles] + [({"kind": "f32", "value": repr(v)}, v) for v in singles] +
             [({"kind": "i64", "value": str(v)}, v) for v in (0, -1, -2**63, 2**63 - 1)] +
             [({"kind": "u64", "value": str(2**63 - 1)}, 2**63 - 1), ({"kind": "u64", "value": str(2**63)}, str(2**63)),
              ({"kind": "u64", "value": str(2**64 - 1)}, str(2**64 - 1)), ({"kind": "decimal", "value": "12345e-2"}, 123.45),
              ({"kind": "decimal", "value": "-9223372036854775807e-3"}, "-9223372036854775.807"),
              ({"kind": "bool", "value": "true"}, 1), ({"kind": "bool", "value": "false"}, 0),
              ({"kind": "f64", "value": "inf"}, "Infinity"), ({"kind": "f32", "value": "-inf"}, "-Infinity"),
              ({"kind": "f64", "value": "nan"}, None), ({"kind": "bytes", "value": "00ff22"}, b"\0\xff\x22"),
              ({"kind": "bytes", "value": ""}, b"")] + [(string(text), text) for text in HARD])
    path = tmp_path / "x.db"
    with drive(path) as sink:
        sink.delivered(*[{"tag": "m/p", "ts": i, **row} for i, (row, _) in enumerate(given)])
    got = query(path, "SELECT value, kind, quality, cause FROM weir_samples ORDER BY ts")
    assert len(got) == len(given)
    for (value, kind, quality, cause), (row, want) in zip(got, given):
        assert kind == row["kind"] and type(value) is type(want)
        assert (struct.pack("<d", value) == struct.pack("<d", want)) if isinstance(want, float) else value == want
        assert (quality, cause) == (("uncertain", "not_a_number") if want is None else ("good", "none"))


def test_a_tag_is_a_row_that_follows_its_changes(tmp_path):
    path = tmp_path / "x.db"
    row = {"tag": "meter/power", "uid": 9, "ts": T0, "unit": "kW", "description": "Feeder", "labels": {"building": "A"},
           "address": "holding 52", "type": "float32", "quality": "uncertain", "cause": 11, "epoch": 2, "seq": 7}
    with drive(path) as sink:
        sink.delivered(row, {**row, "tag": "meter/main-power", "unit": "W", "ts": T0 + 1, "seq": 8})
    assert query(path, "SELECT store, uid, name, unit, type, address, labels, description FROM weir_tags") == [
        (STORE, 9, "meter/main-power", "W", "float32", "holding 52", '{"building":"A"}', "Feeder")]
    assert query(path, "SELECT t.uid, s.ts, epoch, seq, quality, cause FROM weir_samples s JOIN weir_tags t ON t.id = s.tag_id") == [
        (9, T0, 2, 7, "uncertain", "late"), (9, T0 + 1, 2, 8, "uncertain", "late")]
    with drive(path, {"DRIVE_STORE": STORE[:-1] + "2"}) as sink:  # its tag 9 is another
        assert sink.do("resume")["seq"] == 0
        sink.delivered({**row, "tag": "press/power"})
    assert query(path, "SELECT name FROM weir_tags ORDER BY id") == [("meter/main-power",), ("press/power",)]
    assert len(query(path, "SELECT * FROM weir_samples")) == 3


def test_of_one_key_the_highest_seq_counts(tmp_path):
    path = tmp_path / "x.db"
    def version(seq, value):
        return {"tag": "m/p", "ts": T0, "seq": seq, "kind": "i64", "value": str(value)}
    with drive(path) as sink:
        sink.delivered(version(5, 50))
        sink.delivered(version(4, 40))
        assert values(path) == [50]
        sink.delivered(version(6, 60), version(7, 70))
        sink.delivered({**version(8, 80), "epoch": 1})
        assert sink.do("resume")["seq"] == 8
    assert values(path) == [70, 80]


def test_killed_at_any_moment_nothing_is_lost_or_twice(tmp_path):
    dice = random.Random(50)
    path, done = tmp_path / "x.db", 0
    for _ in range(scaled(50, 500)):
        with drive(path) as sink:
            done = sink.do("resume")["seq"]
            sink.order("generate", n=1000000, batch=dice.choice([50, 500, 5000]), tags=10, after=done,
                       **{"from": T0 + done * 1000000})
            time.sleep(dice.uniform(0, 0.12))
            sink.kill()
    with drive(path) as sink:
        last = sink.do("resume")["seq"]
    assert [seq for (seq,) in query(path, "SELECT seq FROM weir_samples ORDER BY seq")] == list(range(1, last + 1))
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    assert last > scaled(50, 500) * 50, "too few rows arrived to have killed any send"


ORIGINAL = """
    CREATE TABLE RequestedData (paramID INTEGER UNIQUE PRIMARY KEY NOT NULL, comment TEXT);
    CREATE TABLE ResultsRaw (paramID INTEGER NOT NULL, timestamp INTEGER NOT NULL CHECK (timestamp >= 0), rawresult BLOB,
        FOREIGN KEY (paramID) REFERENCES RequestedData (paramID) ON DELETE CASCADE ON UPDATE CASCADE,
        UNIQUE (paramID, timestamp));
    CREATE UNIQUE INDEX ResultIdx ON ResultsRaw (paramID ASC, timestamp ASC);"""  # as its first start makes it


def execute(path, script):
    connection = sqlite3.connect(path, timeout=20)
    connection.executescript(script)
    connection.close()


def raw_row(uid, second, kind, value, tag_type, **more):
    return {"tag": f"m/p{uid}", "uid": uid, "ts": T0 + second * 1000000, "kind": kind, "value": value, "type": tag_type, **more}


def result(parameter, second, value, **more):
    """A result of two registers of a request."""
    return raw_row(parameter, second, "bytes", value, "bytes", address=f"holding {parameter}-{parameter + 1} bytes AB on c unit 1",
                   labels={"paramID": str(parameter)}, **more)


def test_results_raw_has_values_as_they_were_on_the_wire(tmp_path):
    path = tmp_path / "x.db"
    given = [raw_row(1, 0, "u64", "4660", "uint16"), raw_row(2, 0, "i64", "-2", "int16"), raw_row(3, 0, "decimal", "2301e-1", "uint16"),
             raw_row(4, 0, "f32", "1.5", "float32"), raw_row(5, 0, "bool", "true", "bool"), raw_row(6, 0, "u64", "305419896", "uint32"),
             raw_row(7, 0, "f64", "1", "uint16", labels={"paramID": "77"}), raw_row(8, 0, "f64", "0", "float64", quality="bad"),
             raw_row(9, 0, "bytes", "000102", "raw"),
             # Modbus Application Protocol 1.1b3, 6.1: coils 20-38.
             raw_row(10, 0, "bytes", "cd6b05", "bytes", address="coil 19-37 bytes on c unit 1"),
             raw_row(11, 0, "bytes", "01", "bytes", address="discrete 7 bytes on c unit 1"),
             raw_row(12, 0, "bytes", "cd6b05", "bytes", address="holding 19-37 bytes AB on c unit 1"),
             raw_row(13, 0, "u64", "1", "uint16", flags=2)]  # read at the start, at no slot
    for row in given:
        row["ts"] += 999999
    with drive(path, layout="results_raw") as sink:
        sink.delivered(*given)
        sink.delivered(*given)  # again: the key absorbs it
        answer = sink.send({"tag": "m/p1", "uid": 1, "ts": -1})
        assert answer["result"] == "rejected" and answer["first_bad"] == 0 and "CHECK" in answer["why"]
        assert sink.do("resume")["seq"] == 2 * len(given)
    bits = [1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1]
    assert query(path, "SELECT * FROM ResultsRaw ORDER BY paramID") == [
        (1, 1700000000, b"\x12\x34"), (2, 1700000000, b"\xff\xfe"), (3, 1700000000, struct.pack(">H", 2301)),
        (4, 1700000000, struct.pack(">f", 1.5)), (5, 1700000000, b"\0\1"), (6, 1700000000, b"\x12\x34\x56\x78"),
        (9, 1700000000, b"\0\1\2"), (10, 1700000000, struct.pack(">19H", *bits)), (11, 1700000000, b"\0\1"),
        (12, 1700000000, b"\xcd\x6b\x05"), (77, 1700000000, struct.pack(">d", 1))]
    sql = dict(query(path, "SELECT name, sql FROM sqlite_master"))
    assert "FOREIGN KEY" not in sql["ResultsRaw"] and "CHECK (timestamp >= 0)" in sql["ResultsRaw"]
    assert sql["ResultIdx"].startswith("CREATE UNIQUE INDEX ResultIdx") and "paramID ASC, timestamp ASC" in sql["ResultIdx"]


def test_results_of_the_original_are_never_changed(tmp_path):
    path = tmp_path / "Logging.db"
    execute(path, ORIGINAL + "INSERT INTO RequestedData VALUES (1, NULL), (2, NULL);"
            "INSERT INTO ResultsRaw VALUES (1, 1700000000, x'00010002'), (1, 1699999999, NULL), (2, 5, x'');")
    before = query(path, "SELECT name, sql FROM sqlite_master ORDER BY name")
    with drive(path, layout="results_raw") as sink:
        sink.delivered(result(1, 0, "ffffffff"), result(1, 1, "00030004"), result(2, 0, "00050006"))
    assert query(path, "SELECT * FROM ResultsRaw ORDER BY paramID, timestamp") == [
        (1, 1699999999, None), (1, 1700000000, b"\0\1\0\2"), (1, 1700000001, b"\0\3\0\4"), (2, 5, b""), (2, 1700000000, b"\0\5\0\6")]
    after = query(path, "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%weir_sinks%' ORDER BY name")
    assert after == before


def test_results_belong_to_a_row_of_requested_data(tmp_path):
    path = tmp_path / "Logging.db"
    execute(path, "CREATE TABLE RequestedData (paramID INTEGER UNIQUE PRIMARY KEY NOT NULL, comment TEXT);"
            "INSERT INTO RequestedData VALUES (1, NULL), (2, NULL)")
    with drive(path, layout="results_raw") as sink:
        assert sink.do("test")["result"] == "delivered"
        # 3 was deleted with its samples on their way; the tag 2 of somebody else has no label.
        sink.delivered(result(1, 0, "00010002"), result(3, 0, "00010002"), raw_row(2, 0, "u64", "1", "uint16", tag="x/y"))
        assert query(path, "SELECT paramID FROM ResultsRaw") == [(1,)]
        execute(path, "PRAGMA foreign_keys = ON; DELETE FROM RequestedData WHERE paramID = 1; INSERT INTO RequestedData VALUES (4, NULL)")
        assert query(path, "SELECT * FROM ResultsRaw") == []
        sink.delivered(result(1, 1, "00010002"), result(4, 1, "00010002"))
        execute(path, "PRAGMA foreign_keys = ON; UPDATE RequestedData SET paramID = 5 WHERE paramID = 4")
        assert query(path, "SELECT paramID, timestamp FROM ResultsRaw") == [(5, 1700000001)]
        assert sink.do("resume")["seq"] == 5  # what is left out is done, and not sent again
        log = sink.stop()
    assert log.count("sqlite_left_out") == 1 and "2 samples were left out" in log, log
    assert "ON DELETE CASCADE ON UPDATE CASCADE" in dict(query(path, "SELECT name, sql FROM sqlite_master"))["ResultsRaw"]


def test_requested_data_may_come_and_go_while_results_are_written(tmp_path):
    path = tmp_path / "Logging.db"
    with drive(path, layout="results_raw") as sink:
        sink.delivered(result(1, 0, "0001"), result(2, 0, "0001"))
        execute(path, "CREATE TABLE RequestedData (paramID INTEGER PRIMARY KEY); INSERT INTO RequestedData VALUES (1)")
        sink.delivered(result(1, 1, "0001"), result(2, 1, "0001"))
        execute(path, "DROP TABLE RequestedData")
        assert "RequestedData" in sink.later("misconfigured", result(2, 2, "0001"))
        sink.delivered(result(2, 2, "0001"))
    assert query(path, "SELECT paramID, timestamp - 1700000000 FROM ResultsRaw ORDER BY timestamp, paramID") == [
        (1, 0), (2, 0), (1, 1), (2, 2)]


def test_current_is_one_row_a_tag(tmp_path):
    path = tmp_path / "x.db"
    def row(tag, ts, kind, value, **more):
        return {"tag": tag, "ts": T0 + ts, "kind": kind, "value": value, **more}
    with drive(path, layout="current") as sink:
        sink.delivered(row("b", 0, "bool", "true"), row("i", 0, "i64", "-5"), row("f", 0, "f64", "0.1"),
                        row("s", 0, "string", "on"), row("u", 0, "u64", str(2**64 - 1)), row("n", 0, "f64", "nan"),
                        row("x", 0, "f64", "1", quality="bad"), row("i", 5, "i64", "6"), row("inf", 0, "f64", "inf"))
        sink.delivered(row("i", 3, "i64", "7"))  # late
        sink.delivered(row("f", 9, "decimal", "25e-1"))
    first = "2023-11-14 22:13:20.000000"
    assert query(path, 'SELECT * FROM "current" ORDER BY tag_id') == [
        ("b", first, 0, 1, None, None, None), ("f", first[:-1] + "9", 0, None, None, 2.5, None),
        ("i", first[:-1] + "5", 0, None, 6, None, None), ("inf", first, 0, None, None, None, "Infinity"),
        ("n", first, -1, None, None, None, None),
        ("s", first, 0, None, None, None, "on"), ("u", first, 0, None, None, None, str(2**64 - 1)),
        ("x", first, -1, None, None, None, None)]


def test_given_tables_that_fit_are_used(tmp_path):
    path = tmp_path / "x.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE plant_values (note TEXT DEFAULT 'mine', TAG_ID INTEGER, ts INTEGER, epoch INTEGER, seq INTEGER, "
                       "value NUMERIC, kind TEXT, quality TEXT, cause TEXT)")
    connection.execute("CREATE UNIQUE INDEX plant_key ON plant_values (tag_id, ts, epoch)")
    connection.close()
    with drive(path, table="plant_values") as sink:
        sink.delivered(*rows(1, 2))
    assert query(path, "SELECT note, value FROM plant_values") == [("mine", 1), ("mine", 2)]


@pytest.mark.parametrize("ddl,words", [
    ("CREATE TABLE weir_samples (tag_id, ts, value, kind, quality, cause)", ["weir_samples", "epoch, seq", "weir sink schema"]),
    ("CREATE TABLE weir_samples (tag_id, ts, epoch, seq, value, kind, quality, cause)", ["UNIQUE"]),
    ("CREATE TABLE weir_tags (id INTEGER PRIMARY KEY, store, uid, name, UNIQUE (store, uid))", ["weir_tags", "unit"]),
    ("CREATE VIEW weir_sinks AS SELECT 1 AS store, 2 AS sink, 3 AS seq", ["weir_sinks"]),
])
def test_tables_that_do_not_fit_are_named_until_they_do(tmp_path, ddl, words):
    path = tmp_path / "x.db"
    connection = sqlite3.connect(path)
    connection.execute(ddl)
    with drive(path) as sink:
        said = sink.later("misconfigured", *rows(1, 2))
        assert all(word in said for word in words), said
        connection.execute(f"DROP {ddl.split()[1]} {ddl.split()[2]}")
        sink.delivered(*rows(1, 2))
    connection.close()
    assert values(path) == [1, 2]


def test_a_trigger_of_the_users_rejects_its_row_alone(tmp_path):
    path = tmp_path / "x.db"
    with drive(path) as sink:
        sink.delivered(*rows(1, 1))
        connection = sqlite3.connect(path)
        connection.execute("CREATE TRIGGER limits BEFORE INSERT ON weir_samples WHEN new.value = 4 "
                           "BEGIN SELECT raise(ABORT, 'no fours here'); END")
        connection.close()
        answer = sink.send(*rows(2, 5))
        assert answer["result"] == "rejected" and answer["first_bad"] == 2 and "no fours here" in answer["why"]
        assert values(path) == [1]
        sink.delivered(*[row for row in rows(2, 5) if row["value"] != "4"])
    assert values(path) == [1, 2, 3, 5, 6]


def test_a_lock_of_another_program_is_waited_for(tmp_path):
    path = tmp_path / "x.db"
    with drive(path, busy_timeout="300ms") as sink:
        sink.delivered(*rows(1, 1))
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert "locked by another program" in sink.later("busy", *rows(2, 1))
        assert 0.25 < time.monotonic() - began < 5
        other.execute("ROLLBACK")
        other.execute("BEGIN")
        other.execute("SELECT * FROM weir_samples").fetchall()  # a reader holds up the commit
        assert "locked" in sink.later("busy", *rows(2, 1))
        assert sink.send(*rows(2, 1), deadline=0)["trouble"] == "busy"
        other.execute("COMMIT")
        sink.delivered(*rows(2, 1))
    other.close()
    with drive(path, busy_timeout="20s") as sink:
        sink.delivered(*rows(3, 1))
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
        sink.delivered(*rows(4, 1))
    other.close()
    assert values(path) == [1, 2, 3, 4]


def test_the_journal_is_one_that_other_programs_can_read_beside(tmp_path):
    path = tmp_path / "x.db"
    with drive(path) as sink:
        sink.delivered(*rows(1, 3))
        assert query(path, "PRAGMA journal_mode") == [("delete",)]
        assert [file.name for file in tmp_path.iterdir()] == ["x.db"]
        query(path, "PRAGMA journal_mode = wal")  # who wants that may have it
        sink.delivered(*rows(4, 3))
    assert query(path, "PRAGMA journal_mode") == [("wal",)] and values(path) == list(range(1, 7))


@pytest.mark.parametrize("act", ["delete", "replace"])
def test_a_database_that_is_taken_away_is_made_anew(tmp_path, act):
    path = tmp_path / "x.db"
    with drive(path) as sink:
        sink.delivered(*rows(1, 3))
        path.unlink()
        if act == "replace":
            query(path, "CREATE TABLE mine (a)")
        sink.delivered(*rows(4, 3))
    assert values(path) == [4, 5, 6] and "deleted or replaced" in sink.log


def test_a_full_disk_is_told_and_goes_on(disk):
    path, ballast = disk / "x.db", disk / "ballast"
    ballast.write_bytes(bytes(500000))
    with drive(path) as sink:
        sink.delivered(*rows(1, 100))
        said = sink.later("full", *rows(101, 15000))
        assert "No space left" in said and "df -h" in said
        assert values(path) == list(range(1, 101))
        ballast.unlink()
        sink.delivered(*rows(101, 5000))
    assert values(path) == list(range(1, 5101))


def test_whichever_call_fails_nothing_is_lost_or_twice(tmp_path):
    dice, made = random.Random(8), shim.Shim(str(tmp_path), "*/x*")
    environment = {**made.environment, "ASAN_OPTIONS": "exitcode=99:verify_asan_link_order=0"}
    failures, tries = 0, range(0, 48, scaled(4, 1))
    for after in tries:
        folder = tmp_path / str(after)
        folder.mkdir()
        done, sink = 0, drive(folder / "x.db", environment)
        made.fail(shim.SYNC | shim.WRITE | shim.TRUNCATE, dice.choice([errno.EIO, errno.ENOSPC]), after, dice.choice([1, 2, 3]))
        while done < 400:
            answer = sink.send(*rows(done + 1, 80))
            if answer["result"] == "delivered":
                done += 80
                continue
            failures += 1
            assert answer["trouble"] in ("full", "offline"), answer
            if dice.random() < 0.5:
                sink.kill()
                sink = drive(folder / "x.db", environment)
                while (answer := sink.do("resume"))["result"] != "delivered":
                    failures += 1
                done = answer["seq"]
        made.heal()
        with sink:
            pass
        assert values(folder / "x.db") == list(range(1, done + 1))
    assert failures >= len(tries) * 2 / 3


def test_a_read_only_disk_is_named(disk):
    path = disk / "x.db"
    with drive(path) as sink:
        sink.delivered(*rows(1, 3))
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with drive(path) as sink:
        assert "read-write" in sink.later("misconfigured", *rows(4, 3))
        assert sink.do("test")["trouble"] == "misconfigured"
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        sink.delivered(*rows(4, 3))
    assert values(path) == list(range(1, 7))


def test_what_is_no_database_is_named(tmp_path):
    path = tmp_path / "x.db"
    for make, remove, word in ((os.mkdir, os.rmdir, "a folder"), (os.mkfifo, os.unlink, "a FIFO"),
                               (lambda p: p.write_text("a text, not a database\n" * 50, encoding="ascii"), os.unlink,
                                "no SQLite database")):
        make(path)
        with drive(path) as sink:
            said = sink.later("misconfigured", *rows(1, 3))
            assert word in said, said
            assert sink.do("test")["trouble"] == "misconfigured"
            remove(path)
            sink.delivered(*rows(1, 3))
        os.unlink(path)
    with drive(tmp_path / "none" / "x.db") as sink:
        assert "mkdir" in sink.later("misconfigured", *rows(1, 3))


def test_trying_leaves_nothing_behind(tmp_path):
    path = tmp_path / "x.db"
    with drive(path) as sink:
        answer = sink.do("test")
        assert answer["result"] == "delivered" and "SQLite 3" in answer["peer"] and not list(tmp_path.iterdir())
        sink.delivered(*rows(1, 3))
        assert sink.do("test")["result"] == "delivered"
    assert values(path) == [1, 2, 3] and len(query(path, "SELECT * FROM weir_tags")) == 3


def test_the_schema_is_what_a_dba_can_run(tmp_path):
    for layout in ("weir", "results_raw", "current"):
        path = tmp_path / f"{layout}.db"
        with drive(path, layout=layout, table="plant") as sink:
            schema = sink.do("schema")["schema"]
            connection = sqlite3.connect(path)
            connection.executescript(schema)
            before = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
            connection.close()
            sink.delivered(*rows(1, 3))
            assert query(path, "SELECT sql FROM sqlite_master ORDER BY name") == before
        assert query(path, "SELECT count(*) FROM plant") == [(3,)]


@pytest.mark.parametrize("options,word", [
    ({"path": "/tmp/"}, "folder"), ({"path": ":memory:"}, "file"), ({"table": "a b"}, "letters"), ({"table": "sqlite_x"}, "letters"),
    ({"table": "weir_tags"}, "other tables"), ({"layout": "wier"}, "weir"),
])
def test_options_that_make_no_sense_are_named(options, word):
    assert word in rejected("sqlite", **{"path": "/tmp/x.db", **options})
