# SPDX-License-Identifier: MIT
"""What was committed, what arrived at each target, and the difference, by key and bit for bit."""

import csv
import decimal
import math
import sqlite3
import struct

SAMPLES = "select tag, ts, epoch, kind, hex(bits) as bits, quality, cause from samples"


# --- what was committed ------------------------------------------------------------------------


def exact(kind, payload):
    """The value behind the SQL column bits."""
    raw = bytes.fromhex(payload or "")
    if kind == "decimal":
        return decimal.Decimal(int.from_bytes(raw[1:], "big", signed=True)).scaleb(int.from_bytes(raw[:1], "big", signed=True))
    number = {"bool": ">B", "i64": ">q", "u64": ">Q", "f32": ">f", "f64": ">d"}.get(kind)
    return struct.unpack(number, raw)[0] if number else raw.decode()


def committed(daemon):
    """{(tag, ts, epoch): (kind, value, quality, cause)}"""
    return {(row["tag"], row["ts"], row["epoch"]): (row["kind"], None if row["quality"] == "bad" else exact(row["kind"], row["bits"]),
                                                    row["quality"], row["cause"])
            for row in daemon.sql(SAMPLES)}


def parsed(kind, text):
    """A value that a target has as text."""
    if kind in ("f32", "f64"):
        return struct.unpack(">f", struct.pack(">f", float(text)))[0] if kind == "f32" else float(text)
    if kind == "bool":
        return int(text in ("true", "t", "1"))
    return {"i64": int, "u64": int, "decimal": decimal.Decimal}.get(kind, str)(text)


# --- what arrived: {(tag, ts, epoch): (value, quality, cause)}, and how many rows -----------------


def from_csv(path, truth):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(key := (row["tag"], int(row["ts"]), int(row["epoch"]))):
            (parsed(truth[key][0], row["value"]) if key in truth and row["value"] else None, row["quality"], row["cause"])
            for row in rows}, len(rows)


def from_sqlite(path, truth):
    database = sqlite3.connect(path)
    rows = database.execute("SELECT t.name, s.ts, s.epoch, s.value, s.quality, s.cause FROM weir_samples s"
                            " JOIN weir_tags t ON t.id = s.tag_id").fetchall()
    database.close()
    found = {}
    for tag, ts, epoch, value, quality, cause in rows:
        kind = truth.get((tag, ts, epoch), ("?",))[0]
        if kind in ("f32", "f64") and isinstance(value, str):
            value = float(value)
        if value is not None and kind in ("u64", "decimal"):
            value = parsed(kind, str(value)) if kind == "u64" or isinstance(value, str) else decimal.Decimal(repr(value))
        found[tag, ts, epoch] = (value, quality, cause)
    return found, len(rows)


def from_postgres(server, truth, database="plant"):
    rows = server.sql("SELECT t.name, round(extract(epoch FROM s.ts) * 1000000)::bigint, s.epoch, s.num, s.exact, s.txt, s.quality,"
                      " s.cause FROM weir_samples s JOIN weir_tags t ON t.id = s.tag_id", database)
    found = {}
    for tag, ts, epoch, num, exactly, text, quality, cause in rows:
        key = (tag, int(ts), int(epoch))
        kind = truth.get(key, ("?",))[0]
        value = text if text is not None else exactly if exactly is not None else num
        if value is not None and kind in ("i64", "u64") and exactly is None:
            value = str(int(float(value)))
        found[key] = (None if value is None else parsed(kind, value), quality, cause or "none")
    return found, len(rows)


def from_influx(server, truth, database="plant"):
    rows = server.query('SELECT *::field FROM weir GROUP BY "tag", "epoch"', database)
    found = {}
    for row in rows:
        key = (row["tag"], row["time"] // 1000, int(row.get("epoch") or 0))
        kind = truth.get(key, ("?",))[0]
        value = next((row[field] for field in ("value", "integer", "boolean", "text") if row.get(field) is not None), None)
        if isinstance(value, str):
            value = parsed(kind, value)
        if isinstance(value, bool):
            value = int(value)
        if kind in ("f32", "decimal") and value is not None:  # an f32 is written in the fewest digits that are this f32
            value = parsed(kind, repr(value))
        found[key] = (value, row.get("quality") or "good", row.get("cause") or "none")
    return found, len(rows)


def held(name, kind, value, quality, cause):
    """What is left of a sample in a target that cannot hold its value (docs/sinks.md)."""
    is_special = kind in ("f32", "f64") and value is not None and not math.isfinite(value)
    if is_special and name == "influxdb":
        return (None, "uncertain", "not_a_number") if quality == "good" else (None, quality, cause)
    if is_special and math.isnan(value):
        return None if name == "sqlite" else "nan", quality, cause
    return value, quality, cause


def compare(name, found, n, truth):
    """(lost, invented, why): what is missing, and what is not what was committed or is there twice."""
    missing, more = truth.keys() - found.keys(), found.keys() - truth.keys()
    expected = {key: held(name, *sample) for key, sample in truth.items()}
    wrong = [(key, found[key], truth[key]) for key in truth.keys() & found.keys()
             if ("nan" if found[key][0] != found[key][0] else found[key][0], *found[key][1:]) != expected[key]]
    twice = n - len(found)
    return len(missing), len(more) + len(wrong) + twice, (
        f"{name}: lost {len(missing)} {sorted(missing)[:3]}, more {len(more)} {sorted(more)[:3]}, different {len(wrong)} {wrong[:3]},"
        f" twice {twice}")


def check_arrived(name, found, n, truth):
    lost, invented, why = compare(name, found, n, truth)
    assert lost == invented == 0, why
