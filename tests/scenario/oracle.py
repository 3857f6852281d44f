# SPDX-License-Identifier: MIT
"""Set arithmetic between what simdev.py served and what the store shows."""

from simdev import read_ledger, read_value

FUNCTIONS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
GOOD = "select tag, ts, value, seq from samples where quality = 'good' order by tag, ts"


def simdev_points(n, table="holding"):
    """n self-verifying points one behind the other: v0 at address 0, v4 at 4, ..."""
    return [{"name": f"v{4 * i}", "register": table, "address": 4 * i, "type": "uint64"} for i in range(n)]


def simdev_config(port, units, points, interval="200ms", max_loss="100ms", **connection):
    """Devices u1, u2, ... on one connection. Commits come quickly, so that tests need not wait for them."""
    return {
        "store": {"max_loss": max_loss},
        "connections": [{"name": "sim", "uri": f"tcp://127.0.0.1:{port}", "timeout": "300ms", **connection}],
        "devices": [{"name": "u{unit_id}", "unit_id": units, "connection": "sim", "interval": interval,
                     "points": points}],
    }


def decode_samples(rows, table=3):
    """{(unit, address): [(ts, tick, seq)]}; fails on a value that is of another place, or torn."""
    found = {}
    for row in rows:
        device, point = row["tag"].split("/")
        unit, address = int(device[1:]), int(point[1:])
        value = read_value(row["value"])
        assert value is not None, f"torn or invented: {row}"
        assert value[:3] == (unit, table, address), f"of another place: {row}"
        found.setdefault((unit, address), []).append((row["ts"], value[3], row["seq"]))
    return found


def check_truth(rows, ledger):
    """No value that was not served for this tag, and each at most once: none is stale or repeated."""
    served = {(unit, tick) for _, unit, _, _, _, tick in read_ledger(ledger)}
    found = decode_samples(rows)
    for (unit, address), samples in found.items():
        ticks = [tick for _, tick, _ in samples]
        assert all((unit, tick) in served for tick in ticks), (unit, address)
        assert all(a < b for a, b in zip(ticks, ticks[1:])), f"stale or repeated: {unit} {address} {ticks}"
    return found
