# SPDX-License-Identifier: MIT
"""The sink csv: lines that read back the same, each sample once, whatever happens to file and disk."""

import csv
import datetime
import errno
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

import pytest
from conftest import scaled

import shim
from sink_driver import PROGRAM, Driver, rejected

DAY = 86400 * 1000000
T0 = 1700000000000000  # 2023-11-14T22:13:20Z
HARD = ['plain', 'with, delimiter', 'a "quoted" word', 'line\nend', 'CR\r and CRLF\r\nend', ' blanks ', 'Zürich 😀', '"', 'a;b']


def drive(path, environment=None, **options):
    return Driver("csv", environment, path=path, **options)


def rows(first, n, step=1000000, **more):
    """n rows; their value is their number."""
    return [{"tag": f"m/p{i % 3}", "ts": T0 + i * step, "seq": i, "kind": "i64", "value": str(i), **more}
            for i in range(first, first + n)]


def read(path, delimiter=","):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def values(*paths):
    """The values of all of them, without headers; each of our rows has its own number."""
    return [int(line[2]) for path in paths for line in read(path) if line[0] != "time"]


def test_every_kind_reads_back_to_the_last_bit(tmp_path):
    dice = random.Random(4)
    doubles = [struct.unpack("<d", dice.randbytes(8))[0] for _ in range(300)] + [0.1, -0.0, 5e-324, 1.7976931348623157e308]
    doubles += [round(dice.uniform(-1, 1) * 10**dice.randrange(-4, 14), dice.randrange(9)) for _ in range(300)] + [0.1]
    singles = [struct.unpack("<f", dice.randbytes(4))[0] for _ in range(300)] + [0.1, 1e-45]
    singles += [round(dice.uniform(-1, 1) * 10**dice.randrange(-4, 7), dice.randrange(7)) for _ in range(300)]
    singles = [struct.unpack("<f", struct.pack("<f", v))[0] for v in singles]
    doubles, singles = ([v for v in several if math.isfinite(v)] for several in (doubles, singles))
    given = ([("f64", repr(v)) for v in doubles] + [("f32", repr(v)) for v in singles] +
             [("i64", str(v)) for v in (0, -1, -2**63, 2**63 - 1)] + [("u64", str(v)) for v in (2**63, 2**64 - 1)] +
             [("decimal", "12345e-2"), ("decimal", "-9223372036854775807e-3"), ("bool", "true"), ("bool", "false")] +
             [("f64", word) for word in ("nan", "inf", "-inf")] + [("string", text) for text in HARD] +
             [("string", ""), ("bytes", "00ff22")])
    path = tmp_path / "x.csv"
    with drive(path, columns="value,kind") as sink:
        sink.delivered(*[{"tag": "m/p", "ts": i, "kind": kind, "value": value} for i, (kind, value) in enumerate(given)])
        sink.delivered({"tag": "m/p", "ts": 1, "kind": "string", "hex": b"a\0b".hex()})
    lines = read(path)
    assert lines[0] == ["value", "kind"]
    got = lines[1:]
    assert [line[1] for line in got] == [kind for kind, _ in given] + ["string"]
    texts = [line[0] for line in got]
    n = len(doubles)
    assert [struct.pack("<d", float(t)) for t in texts[:n]] == [struct.pack("<d", v) for v in doubles]
    assert [struct.pack("<f", float(t)) for t in texts[n:n + len(singles)]] == [struct.pack("<f", v) for v in singles]
    assert all(len(t) <= 24 for t in texts[:n]) and texts[n - 1] == "0.1"
    rest = texts[n + len(singles):]
    assert rest == (["0", "-1", str(-2**63), str(2**63 - 1), str(2**63), str(2**64 - 1), "123.45", "-9223372036854775.807",
                     "true", "false", "NaN", "Infinity", "-Infinity"] + HARD + ["", "00ff22", "a\0b"])


def test_all_columns_say_what_is_known(tmp_path):
    path = tmp_path / "x.csv"
    row = {"tag": "meter/power", "ts": T0 + 5, "kind": "f64", "value": "1.5", "quality": "uncertain", "cause": 11, "epoch": 2,
           "seq": 77, "received": T0 + 1234567, "unit": "kW", "description": 'the "main" one', "type": "float32",
           "labels": {"building": "A", "floor": "2, west"}, "address": "holding 52", "uid": 9}
    columns = ("time,ts,tag,device,point,value,unit,kind,quality,cause,detail,id,type,address,description,labels,"
               "label:floor,label:none,epoch,seq,received,received_ts,replayed")
    with drive(path, columns=columns, time_zone="Europe/Berlin") as sink:
        sink.delivered(row)
    header, line = read(path)
    assert ",".join(header) == columns
    assert dict(zip(header, line)) == {
        "time": "2023-11-14T23:13:20.000005+01:00", "ts": str(T0 + 5), "tag": "meter/power", "device": "meter", "point": "power",
        "value": "1.5", "unit": "kW", "kind": "f64", "quality": "uncertain", "cause": "late", "detail": "0", "id": "9",
        "type": "float32", "address": "holding 52", "description": 'the "main" one',
        "labels": '{"building":"A","floor":"2, west"}', "label:floor": "2, west", "label:none": "", "epoch": "2", "seq": "77",
        "received": "2023-11-14T23:13:21.234567+01:00", "received_ts": str(T0 + 1234567), "replayed": "false"}


def test_bad_samples_and_the_form_of_lines(tmp_path):
    with drive(tmp_path / "a.csv", delimiter="tab", line_end="crlf", header="false") as sink:
        sink.delivered({"tag": "m/p", "ts": T0, "quality": "bad", "cause": 4, "unit": "a;b"},
                        {"tag": "m/q", "ts": T0, "kind": "string", "value": "a\tb"})
    assert (tmp_path / "a.csv").read_bytes() == (b"2023-11-14T22:13:20.000000Z\tm/p\t\ta;b\tbad\texception\r\n"
                                                 b'2023-11-14T22:13:20.000000Z\tm/q\t"a\tb"\t\tgood\tnone\r\n')


@pytest.mark.parametrize("options,words", [
    ({"columns": "time,valeu"}, ["valeu", "did you mean value"]),
    ({"delimiter": "ab"}, ["delimiter"]),
    ({"time_zone": "Europe/Berln"}, ["time_zone", "Europe/Berlin"]),
    ({"path": "/tmp/%Q.csv"}, ["%Q", "%Y"]),
    ({"path": "/tmp/"}, ["folder"]),
    ({"rotate_size": "100B"}, ["4096"]),
    ({"keep_files": "3"}, ["rotate_size"]),
])
def test_options_that_make_no_sense_are_named(options, words):
    said = rejected("csv", **{"path": "/tmp/x.csv", **options})
    assert all(word in said for word in words), said


def test_killed_at_any_moment_nothing_is_lost_or_twice(tmp_path):
    dice = random.Random(50)
    path, done = tmp_path / "x.csv", 0
    kills = scaled(50, 500)
    for _ in range(kills):
        with drive(path, columns="seq,ts,tag,value,quality", rotate_size="300kB") as sink:
            done = sink.do("resume")["seq"]
            sink.order("generate", n=1000000, batch=dice.choice([50, 500, 5000]), tags=10, after=done)
            time.sleep(dice.uniform(0, 0.12))
            sink.kill()
    with drive(path, columns="seq,ts,tag,value,quality", rotate_size="300kB") as sink:
        last = sink.do("resume")["seq"]
    numbers = []
    for file in tmp_path.glob("*.csv"):
        text = file.read_text()
        assert text.endswith("\n") and os.path.getsize(file) <= 300000
        lines = [line for line in read(file) if line[0] != "seq"]
        assert all(len(line) == 5 and line[4] == "good" for line in lines)
        numbers += [int(line[0]) for line in lines]
    assert sorted(numbers) == list(range(1, last + 1))
    assert last > kills * 50, "too few rows arrived to have killed any send"


def test_the_end_of_a_send_that_was_not_answered_is_cut_off(tmp_path):
    path = tmp_path / "x.csv"
    with drive(path) as sink:
        sink.delivered(*rows(1, 10))
    with open(path, "a", encoding="ascii") as file:
        file.write("2023-11-14T22:13:20.0000")
    with drive(path) as sink:
        assert sink.do("resume")["seq"] == 10
        sink.delivered(*rows(11, 5))
    assert "24 bytes that were not acknowledged" in sink.log
    assert values(path) == list(range(1, 16))


def test_a_replay_does_not_move_what_is_noted(tmp_path):
    path = tmp_path / "x.csv"
    with drive(path) as sink:
        sink.delivered(*rows(1, 10))
        sink.delivered(*rows(100, 5, replayed=True))
        assert sink.do("resume")["seq"] == 10
    assert len(values(path)) == 15


def test_what_somebody_else_wrote_is_left_alone(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("mine\n", encoding="ascii")
    with drive(path) as sink:
        sink.delivered(*rows(1, 3))
        with open(tmp_path / "x-2.csv", "a", encoding="ascii") as file:  # another writes to ours
            file.write("intruder\n")
        sink.delivered(*rows(4, 3))
    assert path.read_text(encoding="ascii") == "mine\n"
    assert (tmp_path / "x-2.csv").read_text(encoding="ascii").endswith("intruder\n")
    assert values(tmp_path / "x-3.csv") == [4, 5, 6]
    assert "x-2.csv is written instead" in sink.log and "changed by another program" in sink.log


def test_the_file_of_another_store_is_left_alone(tmp_path):
    path = tmp_path / "x.csv"
    with drive(path) as sink:
        sink.delivered(*rows(1, 3))
    before = path.read_bytes()
    with drive(path, {"DRIVE_STORE": "00000000-0000-4000-8000-000000000002"}) as sink:
        assert sink.do("resume")["seq"] == 0
        sink.delivered(*rows(1, 2))
    assert path.read_bytes() == before and values(tmp_path / "x-2.csv") == [1, 2]
    assert "another store" in sink.log


@pytest.mark.parametrize("act", ["delete", "move", "truncate", "notes", "folder"])
def test_a_file_that_is_taken_away_is_begun_anew(tmp_path, act):
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "x.csv"
    with drive(path) as sink:
        sink.delivered(*rows(1, 3))
        if act == "delete":
            path.unlink()
        elif act == "move":
            path.rename(folder / "old")
        elif act == "truncate":
            os.truncate(path, 0)
        elif act == "notes":
            (folder / "x.csv.weir").unlink()
        else:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
            assert "folder" in sink.later("misconfigured", *rows(4, 3))
            folder.mkdir()
        sink.delivered(*rows(4, 3))
        sink.delivered(*rows(7, 3))
    assert values(path) == (list(range(1, 10)) if act == "notes" else list(range(4, 10)))
    assert (path.read_bytes().count(b"time,tag")) == 1
    with drive(path) as sink:
        assert sink.do("resume")["seq"] == 9


def test_only_one_writes(tmp_path):
    path = tmp_path / "x.csv"
    with drive(path) as sink, drive(path) as second:
        sink.delivered(*rows(1, 3))
        assert "another weir" in second.later("busy", *rows(1, 3))
    with drive(path) as sink:
        sink.delivered(*rows(4, 1))
    assert values(path) == [1, 2, 3, 4]


def test_other_columns_begin_another_file(tmp_path):
    path = tmp_path / "x.csv"
    with drive(path) as sink:
        sink.delivered(*rows(1, 3))
    with drive(path, columns="seq,value") as sink:
        sink.delivered(*rows(4, 3))
    assert read(path) == [["seq", "value"], ["4", "4"], ["5", "5"], ["6", "6"]]
    assert values(tmp_path / "x-20231114T221321.csv") == [1, 2, 3]


def test_rotation_by_size_never_splits_a_line(tmp_path):
    path = tmp_path / "x.csv"
    with drive(path, rotate_size="5kB", keep_files="3") as sink:
        for first in range(1, 2001, 250):
            sink.delivered(*rows(first, 250))
    finished = sorted(file for file in tmp_path.glob("x-*.csv"))
    assert len(finished) == 3
    got = values(*finished, path)
    assert got == list(range(got[0], 2001))
    for file in finished:
        assert 4900 < os.path.getsize(file) <= 5000 and read(file)[0][0] == "time"


def test_rotation_by_time_is_that_of_the_zone(tmp_path):
    start = int(datetime.datetime(2023, 3, 25, 12, tzinfo=datetime.timezone.utc).timestamp()) * 1000000
    given = [{"tag": "m/p", "ts": start + i * 3600 * 1000000, "kind": "i64", "value": str(i), "seq": i} for i in range(1, 60)]
    with drive(tmp_path / "%Y" / "%m-%d.csv", time_zone="Europe/Berlin") as sink:
        sink.delivered(*given)
    days = {file.name: read(file)[1:] for file in (tmp_path / "2023").glob("*.csv")}
    assert sorted(days) == ["03-25.csv", "03-26.csv", "03-27.csv", "03-28.csv"]
    assert len(days["03-26.csv"]) == 23  # the clock goes forward
    assert all(line[0][5:10] == name[:5] for name, lines in days.items() for line in lines)
    with drive(tmp_path / "h.csv", rotate_interval="1d", time_zone="Europe/Berlin") as sink:
        sink.delivered(*given)
    assert len(values(tmp_path / "h-20230326T000000.csv")) == 23


def test_late_samples_and_a_clock_ahead_open_no_other_file(tmp_path):
    now = {"DRIVE_NOW": str(T0 + 10)}
    with drive(tmp_path / "%F.csv", now) as sink:
        sink.delivered(*([{"tag": "m/p", "ts": ts, "kind": "i64", "value": str(i + 1), "seq": i + 1}
                        for i, ts in enumerate((T0, T0 - 5 * DAY, T0 + 3650 * DAY, T0 + 1))]))
    assert values(tmp_path / "2023-11-14.csv") == [1, 2, 3, 4]
    # It was ten years ahead, and is right again.
    with drive(tmp_path / "y-%F.csv", {"DRIVE_NOW": str(T0 + 3650 * DAY)}) as sink:
        sink.delivered(*rows(1, 1, step=3650 * DAY))
    with drive(tmp_path / "y-%F.csv", now) as sink:
        sink.delivered(*rows(2, 1, step=0))
    assert values(tmp_path / "y-2023-11-14.csv") == [2]


def test_a_period_that_ends_in_silence_is_finished(tmp_path):
    path = tmp_path / "x.csv"
    with drive(path, rotate_interval="1h") as sink:
        sink.delivered(*rows(1, 2))
        sink.do("idle")
        assert not path.exists() and values(tmp_path / "x-20231114T221321.csv") == [1, 2]
        sink.delivered(*rows(3, 1))
    assert values(path) == [3]


def test_a_full_disk_keeps_whole_lines_and_goes_on(disk):
    path, ballast = disk / "x.csv", disk / "ballast"
    ballast.write_bytes(bytes(600000))
    with drive(path) as sink:
        sink.delivered(*rows(1, 100))
        before = path.read_bytes()
        said = sink.later("full", *rows(101, 20000))
        assert "No space left" in said and "df -h" in said
        assert path.read_bytes() == before
        sink.later("full", *rows(101, 20000))
        ballast.unlink()
        sink.delivered(*rows(101, 10000))
    assert values(path) == list(range(1, 10101))


def test_a_disk_that_fills_up_between_two_files_repeats_nothing(disk):
    path = disk / "x.csv"
    (disk / "ballast").write_bytes(bytes(500000))
    with drive(path, rotate_size="100kB") as sink:
        said = sink.later("full", *rows(1, 20000))
        assert "No space left" in said
        (disk / "ballast").unlink()
        sink.delivered(*rows(1, 12000))
    assert values(*sorted(disk.glob("x-*.csv")), path) == list(range(1, 12001))


@pytest.mark.parametrize("operation", [shim.SYNC, shim.WRITE, shim.WRITE | shim.TRUNCATE | shim.SYNC])
def test_whichever_call_fails_nothing_is_lost_or_twice(tmp_path, operation):
    dice, made = random.Random(operation), shim.Shim(str(tmp_path), "*/x*")
    environment = {**made.environment, "ASAN_OPTIONS": "exitcode=99:verify_asan_link_order=0"}
    failures, tries = 0, range(0, 24, scaled(4, 1))
    for after in tries:
        folder = tmp_path / str(after)
        folder.mkdir()
        done, sink = 0, drive(folder / "x.csv", environment, rotate_size="5kB")
        made.fail(operation, dice.choice([errno.EIO, errno.ENOSPC]), after, dice.choice([1, 2, 3]), dice.random() < 0.5)
        while done < 400:
            answer = sink.send(*rows(done + 1, 80))
            if answer["result"] == "delivered":
                done += 80
                continue
            failures += 1
            assert answer["trouble"] in ("full", "offline"), answer
            if dice.random() < 0.5:
                sink.kill()
                sink = drive(folder / "x.csv", environment, rotate_size="5kB")
                while (answer := sink.do("resume"))["result"] != "delivered":
                    failures += 1
                done = answer["seq"]
        made.heal()
        with sink:
            pass
        assert values(*sorted(folder.glob("x-*.csv")), folder / "x.csv") == list(range(1, done + 1))
    assert failures >= len(tries) * 2 / 3


def test_a_read_only_disk_is_named(disk):
    path = disk / "x.csv"
    with drive(path) as sink:
        sink.delivered(*rows(1, 3))
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with drive(path) as sink:
        assert "read-write" in sink.later("misconfigured", *rows(4, 3))
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        sink.delivered(*rows(4, 3))
    assert values(path) == list(range(1, 7))


def test_what_comes_after_its_day_was_finished_goes_to_the_file_of_now(tmp_path):
    with drive(tmp_path / "%F.csv", {"DRIVE_NOW": str(T0 + 10000000)}) as sink:
        sink.delivered(*rows(1, 3))
    with drive(tmp_path / "%F.csv", {"DRIVE_NOW": str(T0 + DAY)}) as sink:
        sink.do("resume")
        sink.do("idle")
        sink.delivered(*(rows(4, 2) + rows(DAY // 1000000 - 1, 1)))
    assert values(tmp_path / "2023-11-14.csv") == [1, 2, 3]
    assert values(tmp_path / "2023-11-15.csv") == [4, 5, DAY // 1000000 - 1]
    assert len(list(tmp_path.glob("*.csv"))) == 2


@pytest.mark.parametrize("make,word", [(os.mkdir, "a folder"), (os.mkfifo, "a FIFO")])
def test_what_is_no_file_is_named(tmp_path, make, word):
    path = tmp_path / "x.csv"
    make(path)
    with drive(path) as sink:
        assert word in sink.later("misconfigured", *rows(1, 3))
        assert sink.do("test")["result"] == "later"
        (os.rmdir if word == "a folder" else os.unlink)(path)
        sink.delivered(*rows(1, 3))
    assert values(path) == [1, 2, 3]


def test_a_foreign_file_with_the_name_of_the_notes_is_named(tmp_path):
    (tmp_path / "x.csv.weir").write_bytes(b"x" * 16384)
    with drive(tmp_path / "x.csv") as sink:
        assert "not weir's notes" in sink.later("misconfigured", *rows(1, 3))
    assert (tmp_path / "x.csv.weir").read_bytes() == b"x" * 16384


def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    folder = tmp_path
    command = [PROGRAM, "csv"]
    if os.getuid() == 0:  # who may write everywhere, and whose temporary folder nobody else may enter
        folder = pathlib.Path(tempfile.mkdtemp())
        command = ["setpriv", "--reuid", "65534", "--clear-groups", *command]
        if subprocess.run([*command[:4], "test", "-x", command[4]], check=False).returncode != 0:
            pytest.skip("another user cannot run the program from here")
    os.chmod(folder, 0o555)
    answer = subprocess.run([*command, f"path={folder}/x.csv"], input=b'{"op":"send","rows":[{"ts":1}]}\n', capture_output=True,
                            check=True).stdout
    os.chmod(folder, 0o755)
    assert b'"refused"' in answer and b"Permission denied" in answer and b"chmod" in answer


def test_trying_leaves_nothing_behind(tmp_path):
    with drive(tmp_path / "x.csv") as sink:
        answer = sink.do("test")
        assert answer["result"] == "delivered" and "free" in answer["peer"] and not list(tmp_path.iterdir())
        sink.delivered(*rows(1, 3))
        assert sink.do("test")["result"] == "delivered"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.csv", "x.csv.weir"]
    with drive(tmp_path / "none" / "x.csv") as sink:
        answer = sink.do("test")
        assert answer["trouble"] == "misconfigured" and "mkdir" in answer["remedy"]


def test_a_name_of_64_kib_is_a_line_like_any_other(tmp_path):
    path = tmp_path / "x.csv"
    csv.field_size_limit(sys.maxsize)
    with drive(path, rotate_size="4096B") as sink:
        sink.delivered({"tag": "m/" + "x" * 65536, "ts": T0, "kind": "i64", "value": "1", "seq": 1})
        sink.delivered(*rows(2, 2))
    assert values(*sorted(tmp_path.glob("x-*.csv")), path) == [1, 2, 3]
