# SPDX-License-Identifier: MIT
"""Every type, order and register table, read from other people's servers: equal bit for bit, none missing."""

import struct

import pytest
from conftest import scaled, wait_until

ORDERS = {
    1: ["AB", "BA"],
    2: ["AB", "BA"],
    4: ["ABCD", "CDAB", "BADC", "DCBA"],
    8: ["ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "CDABGHEF", "EFGHABCD", "DCBAHGFE", "FEHGBADC"],
}
# bytes on the wire, or of them used
NUMBERS = {
    "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
    "float16": 2, "float32": 4, "float64": 8, "bcd16": 2, "bcd32": 4, "bcd64": 8, "bitfield": 2,
}
TEXTS = ["alpha", "Zähler 7", "0123456789ab", "°C", "x"]
TEXT_LENGTH = 12


def arrange(data, order):
    """The bytes of a value, most significant first, in the order in which they travel."""
    return bytes(data[ord(letter) - ord("A")] for letter in order)


def widen_half(half):
    """The bits of a binary16 number as those of the same binary32, also of a NaN."""
    sign, exponent, fraction = half >> 15 << 31, half >> 10 & 31, half & 1023
    if exponent == 31:
        return sign | 0x7F800000 | fraction << 13
    number = struct.unpack(">e", struct.pack(">H", half))[0]
    return struct.unpack(">I", struct.pack(">f", number))[0]


class Point:
    """One point of the catalog with the words a server holds for it and what weir must make of them."""

    def __init__(self, type_name, order, address, dice):
        self.type, self.order, self.address, self.dice = type_name, order, address, dice
        self.name = f"{type_name}_{order}"
        self.extra = {}
        self.value = None  # as in the column `value`; unchecked where it is not fixed
        self.bits = None  # as in the column `bits`
        self.quality = "good"
        getattr(self, "draw_" + ("number" if type_name in NUMBERS else type_name))()

    def set_words(self, data, order):
        """data in the value's own order, a whole number of registers."""
        wire = arrange(data, order) if len(order) == len(data) else data
        self.words = [hi << 8 | lo for hi, lo in zip(wire[::2], wire[1::2])]

    def draw_number(self):
        width = NUMBERS[self.type]
        data = self.dice.randbytes(max(width, 2))
        if self.type.startswith("bcd"):
            data = bytes(self.dice.randrange(10) << 4 | self.dice.randrange(10) for _ in range(width))
        self.set_words(data, self.order)
        raw = int.from_bytes(data[-width:], "big")
        if self.type.startswith("float"):
            return self.expect_float(width, raw)
        if self.type.startswith("int"):
            raw = int.from_bytes(data[-width:], "big", signed=True)
        elif self.type.startswith("bcd"):
            raw = int(data.hex())
        self.value = raw if raw < 2**63 else str(raw)
        self.bits = (raw % 2**64).to_bytes(8, "big")

    def expect_float(self, width, raw):
        if width == 2:
            width, raw = 4, widen_half(raw)
        self.bits = raw.to_bytes(width, "big")
        number = struct.unpack(">f" if width == 4 else ">d", self.bits)[0]
        if number != number:
            self.quality = "uncertain"
        elif number in (float("inf"), -float("inf")):
            self.value = None  # a text
        else:
            self.value = number

    def draw_bool(self):
        bit = self.dice.randrange(16)
        self.extra = {"bit": bit}
        data = self.dice.randbytes(2)
        self.set_words(data, self.order)
        self.value = int.from_bytes(data, "big") >> bit & 1
        self.bits = bytes([self.value])

    def draw_string(self):
        text = self.dice.choice(TEXTS)
        self.set_text(text.encode().ljust(TEXT_LENGTH, b"\0"))
        self.value, self.bits = text, text.encode()

    def draw_bytes(self):
        self.bits = self.dice.randbytes(TEXT_LENGTH)
        self.set_text(self.bits)

    def set_text(self, data):
        self.extra = {"length": TEXT_LENGTH}
        wire = data if self.order == "AB" else b"".join(data[i + 1:i - 1 if i else None:-1] for i in range(0, len(data), 2))
        self.set_words(wire, "")


def draw_register_points(dice):
    """One point for each type and order, with gaps of unused registers now and then."""
    points, address = [], dice.randrange(4)
    kinds = [(name, order) for name, width in NUMBERS.items() for order in ORDERS[width]]
    kinds += [(name, order) for name in ("bool", "string", "bytes") for order in ("AB", "BA")]
    for name, order in kinds:
        point = Point(name, order, address, dice)
        points.append(point)
        address += len(point.words) + dice.choice([0, 0, 0, 1, 5, 40])
    return points


class Unit:
    """One unit's tables, and what is expected of each tag. The layout is the same for all units."""

    def __init__(self, layout, dice):
        self.tables, self.expected = {}, {}
        for table in ("holding", "input"):
            words = [dice.randrange(65536) for _ in range(2000)]
            for slot in layout[table]:
                point = redraw(slot, dice)
                words[point.address:point.address + len(point.words)] = point.words
                self.expected[f"{table}_{point.name}"] = point
            self.tables[table] = words
        for table in ("coil", "discrete"):
            self.tables[table] = [dice.randrange(2) for _ in range(300)]
            for address in layout[table]:
                self.expected[f"{table}_{address}"] = BitPoint(self.tables[table][address])
            for address, n in layout["runs"]:
                self.expected[f"{table}_{address}_{n}"] = BitRun(self.tables[table][address:address + n])


def redraw(slot, dice):
    """Another value for the same point. The bit of a bool is part of the point and stays."""
    point = Point(slot.type, slot.order, slot.address, dice)
    while point.extra != slot.extra:
        point = Point(slot.type, slot.order, slot.address, dice)
    return point


class BitPoint:
    """What is expected of a coil or a discrete input."""

    def __init__(self, value):
        self.value, self.bits, self.quality = value, bytes([value]), "good"


class BitRun:
    """What is expected of many of them as bytes: the first is the lowest bit of the first byte."""

    def __init__(self, bits):
        self.value, self.quality = None, "good"
        self.bits = sum(bit << i for i, bit in enumerate(bits)).to_bytes((len(bits) + 7) // 8, "little")


def draw_layout(dice):
    layout = {table: draw_register_points(dice) for table in ("holding", "input")}
    for table in ("coil", "discrete"):
        layout[table] = sorted(dice.sample(range(300), 16))
    layout["runs"] = [(first, dice.randrange(1, 301 - first)) for first in dice.sample(range(300), 6)]
    return layout


def make_points(layout):
    points = []
    for table in ("holding", "input"):
        points += [{"name": f"{table}_{p.name}", "register": table, "address": p.address, "type": p.type,
                    "order": p.order, **p.extra} for p in layout[table]]
    for table in ("coil", "discrete"):
        points += [{"name": f"{table}_{a}", "register": table, "address": a, "type": "bool"} for a in layout[table]]
        points += [{"name": f"{table}_{a}_{n}", "register": table, "address": a, "type": "bytes", "length": n,
                    "allow_overlap": True} for a, n in layout["runs"]]
    return points


def make_config(uri, units, layout, interval):
    return {
        "connections": [{"name": "peer", "uri": uri, "timeout": "5s"}],
        "devices": [{"name": "u{unit_id:02}", "unit_id": units, "connection": "peer", "interval": interval,
                     "points": make_points(layout)}],
    }


def check_samples(rows, units, polls):
    """Every tag has the expected value in every slot; returns how many samples were compared."""
    by_tag = {}
    for row in rows:
        by_tag.setdefault(row["tag"], []).append(row)
    expected = {f"u{unit:02}/{name}": point for unit, it in units.items() for name, point in it.expected.items()}
    assert by_tag.keys() == expected.keys()
    for tag, point in expected.items():
        samples = by_tag[tag]
        assert len(samples) >= polls, tag
        assert len({row["ts"] for row in samples}) == len(samples), tag
        for row in samples:
            # On a busy machine a reply may come when the next slot has begun. Its value is none the worse.
            quality = "good" if row["cause"] == "late" else row["quality"]
            assert (quality, row["bits"]) == (point.quality, point.bits.hex().upper()), (tag, row)
            if point.value is not None:
                assert row["value"] == point.value, (tag, row)
            if point.quality == "uncertain":
                assert (row["value"], row["cause"]) == (None, "not_a_number"), (tag, row)
    return len(rows)


def check_slots(rows, interval_us, overruns):
    """Every tag was read in every slot. The last one may have been cut short by the stop."""
    slots = sorted({row["ts"] for row in rows})[:-1]
    assert all(ts % interval_us == 0 for ts in slots)
    skipped = (slots[-1] - slots[0]) // interval_us + 1 - len(slots)
    assert skipped <= overruns
    by_slot = {ts: set() for ts in slots}
    for row in rows:
        if row["ts"] in by_slot:
            by_slot[row["ts"]].add(row["tag"])
    tags = len(by_slot[slots[0]])
    # Units are separate devices: one may have had an overrun in a slot in which another had none.
    missing = sum(tags - len(seen) for seen in by_slot.values())
    assert missing == 0 or overruns > 0


def collect(weir, config, polls):
    """Runs until every tag has been read so often; the samples in order, and the overruns."""
    daemon = weir.start(config)
    rows = wait_until(f"{polls} readings of every tag", lambda: has_polls(daemon, polls), 60 + 3 * polls)
    assert rows
    overruns = daemon.status()["overruns"]
    daemon.stop()
    return daemon.sql("select tag, ts, value, quality, cause, hex(bits) as bits from samples order by tag, ts"), overruns


def has_polls(daemon, polls):
    counts = daemon.sql("select count(*) as n from samples group by tag order by n limit 1")
    return counts and counts[0]["n"] >= polls


@pytest.mark.parametrize("framing", ["tcp", "rtu+tcp"])
def test_pymodbus_with_16_units(weir, peers, dice, framing):
    layout = draw_layout(dice)
    units = {unit: Unit(layout, dice) for unit in range(1, 17)}
    server = peers.pymodbus({str(unit): it.tables for unit, it in units.items()}, framing)
    config = make_config(f"{framing}://127.0.0.1:{server.port}", "1-16", layout, "1s")
    polls = scaled(3, 40)
    rows, overruns = collect(weir, config, polls)
    n = check_samples(rows, units, polls)
    check_slots(rows, 1_000_000, overruns)
    assert n >= scaled(5_000, 100_000)


@pytest.mark.parametrize("framing", ["tcp", "rtu+tcp"])
def test_libmodbus_with_one_unit(weir, peers, dice, framing):
    layout = draw_layout(dice)
    units = {7: Unit(layout, dice)}
    server = peers.libmodbus(units[7].tables, 7, framing)
    config = make_config(f"{framing}://127.0.0.1:{server.port}", 7, layout, "200ms" if framing == "tcp" else "1s")
    polls = scaled(3, 600 if framing == "tcp" else 100)
    rows, overruns = collect(weir, config, polls)
    check_samples(rows, units, polls)
    check_slots(rows, 200_000 if framing == "tcp" else 1_000_000, overruns)
