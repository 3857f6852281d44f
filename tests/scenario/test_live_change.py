# SPDX-License-Identifier: MIT
"""The configuration changes while weir polls: what is not concerned does not notice.

200 devices (80 in script/test) with 50 tags each are behind servers of the test's own, which count connections. One device more is
added, changed, renamed, disabled and removed, again and again.
"""

import asyncio
import json
import os
import signal
import socket
import struct
import threading
import time

import pytest
from conftest import BINARY, scaled, wait_until
from heap import Heap

SERVERS, UNITS, POINTS = scaled(8, 20), 10, 50
CHANGES = scaled(20, 500)


class Plant:
    """Modbus TCP servers in a thread: register N of unit U is U * 256 + N, read again and again."""

    def __init__(self, servers):
        self.accepted = [0] * servers
        self.requests = {}
        self.ports = []
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(servers, ready), daemon=True)
        self.thread.start()
        ready.wait()

    def _run(self, servers, ready):
        asyncio.set_event_loop(self.loop)
        for i in range(servers):
            server = self.loop.run_until_complete(
                asyncio.start_server(lambda r, w, i=i: self._serve(i, r, w), "127.0.0.1", 0))
            self.ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        self.loop.run_forever()

    async def _serve(self, i, reader, writer):
        self.accepted[i] += 1
        try:
            while True:
                tid, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                function, address, count = struct.unpack(">BHH", await reader.readexactly(length - 1))
                self.requests[i, unit] = self.requests.get((i, unit), 0) + 1
                words = b"".join(struct.pack(">H", (unit * 256 + address + k) & 0xFFFF) for k in range(count))
                writer.write(struct.pack(">HHHBBB", tid, 0, len(words) + 3, unit, function, len(words)) + words)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        writer.close()

    async def _end(self):
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self):
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


@pytest.fixture
def plant():
    plant = Plant(SERVERS)
    yield plant
    plant.stop()


def points(n):
    return [{"name": f"p{i:02}", "register": "holding", "address": i, "type": "uint16"} for i in range(n)]


def configuration(plant, extra=None):
    """One template a server, and the device that changes."""
    devices = [{"name": f"s{i:02}-{{unit_id:02}}", "connection": f"c{i:02}", "unit_id": f"1-{UNITS}", "interval": "1s",
                "points": points(POINTS)} for i in range(SERVERS)]
    return {"store": {"max_loss": "500ms"},
            "connections": [{"name": f"c{i:02}", "uri": f"tcp://127.0.0.1:{port}"} for i, port in enumerate(plant.ports)],
            "devices": devices + ([extra] if extra else [])}


def changes(n):
    """The life of one device after the other, on changing servers: added, changed, renamed, disabled, removed."""
    for i in range(n):
        life, step = divmod(i, 5)
        device = {"name": f"x{life}", "connection": f"c{life % SERVERS:02}", "unit_id": 20, "interval": "200ms",
                  "points": points(10)}
        if step >= 1:
            device["points"] = points(20)
        if step >= 2:
            device.update(name=f"y{life}", was=f"x{life}")
        if step >= 3:
            device["enabled"] = False
        yield device if step < 4 else None


def replace_file(path, text):
    """As an editor does."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(f"{path}.new", path)


def ask_reload(weir, daemon):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(str(daemon.data_dir / "weir.sock"))
        s.sendall(b'{"method": "reload"}\n')
        answer = json.loads(s.makefile().readline())
    assert "result" in answer, answer
    return answer["result"]


def start_watched(weir, folder, *arguments):
    """A daemon, and how much it has allocated; the commands beside it are not looked at."""
    heap = Heap(str(folder), BINARY)
    kept = dict(weir.environment)
    weir.environment.update(heap.environment)
    try:
        return weir.start(*arguments, False), heap
    finally:
        weir.environment.clear()
        weir.environment.update(kept)


# The store's pages come in the first minutes, and the tags that were there once keep their uids; a catalog that stayed each time would be 100 MB.
GROWTH_MAX = 4 * 1024 * 1024


def assert_memory_returns(heap, warm):
    if heap.is_known:
        now = heap.allocated()
        print(f"allocated: {warm} bytes after the first changes, {now} after the last")
        assert now - warm < GROWTH_MAX, (warm, now)


def assert_no_slot_missed(daemon, since_us):
    """Each tag of the devices that stay has one good sample a second."""
    def sql(query):  # of millions of samples, at full scale
        return daemon.weir.json("sql", "--data-dir", daemon.data_dir, query, timeout=900)
    wrong = sql(
        "SELECT tag, count(*) AS n, min(ts) AS a, max(ts) AS b, sum(quality <> 'good') AS bad FROM samples "
        f"WHERE tag GLOB 's*' AND ts >= {since_us} GROUP BY tag "
        "HAVING n <> (b - a) / 1000000 + 1 OR bad > 0 LIMIT 5")
    assert wrong == []
    span = sql("SELECT count(DISTINCT tag) AS tags, max(ts) - min(ts) AS us FROM samples "
               f"WHERE tag GLOB 's*' AND ts >= {since_us}")[0]
    assert span["tags"] == SERVERS * UNITS * POINTS
    return span["us"]


def committed(daemon):
    return int(daemon.status()["committed_ts"])


@pytest.mark.threads
@pytest.mark.alone
def test_changes_under_load_disturb_nobody(weir, plant, tmp_path):
    config = weir.write_config(configuration(plant))
    daemon, heap = start_watched(weir, tmp_path, config, tmp_path / "data")
    daemon.wait_ready()
    wait_until("all are read", lambda: len(plant.requests) == SERVERS * UNITS, 30)
    daemon.wait_sql("SELECT 1 FROM samples WHERE ts > (SELECT min(ts) FROM samples) + 2000000 LIMIT 1", 30)
    since = committed(daemon) - 1000000
    accepted = list(plant.accepted)
    warm = None
    for i, extra in enumerate(changes(CHANGES)):
        replace_file(config, json.dumps(configuration(plant, extra)))
        result = ask_reload(weir, daemon)
        expected = ["1 added, 0 changed, 0 removed", "0 added, 1 changed, 0 removed", "0 added, 1 changed, 0 removed",
                    "0 added, 1 changed, 0 removed", "0 added, 0 changed, 1 removed"][i % 5]
        assert result["summary"] == expected, (i, result)
        time.sleep(0.2)
        if i == min(19, CHANGES // 2 - 1):  # one is removed: as at the end
            warm = heap.is_known and heap.allocated()
    last = int(time.time() * 1000000)
    wait_until("the last is committed", lambda: committed(daemon) > last, 30)
    assert plant.accepted == accepted
    assert [d for d in daemon.status()["devices"] if d["overruns"] or d["timeouts"]] == []
    assert_no_slot_missed(daemon, since)
    # A tag's renaming keeps its samples together; what is gone keeps its history.
    rows = daemon.sql("SELECT tag, count(*) AS n, min(ts) AS a, max(ts) AS b FROM samples WHERE tag = 'y0/p00'")
    assert rows[0]["n"] >= 2
    assert daemon.sql("SELECT 1 FROM samples WHERE tag GLOB 'x[0-9]*' LIMIT 1") == []
    assert_memory_returns(heap, warm)
    daemon.stop()


def test_each_way_to_say_so_applies_the_change(weir, plant, tmp_path):
    config = weir.write_config(configuration(plant))
    daemon = weir.start(config, tmp_path / "data", True, "--watch-config")
    extra = {"name": "extra", "connection": "c00", "unit_id": 77, "interval": "200ms", "points": points(2)}

    def is_there(name):
        return any(device["name"] == name for device in daemon.status()["devices"])

    replace_file(config, json.dumps(configuration(plant, extra)))
    wait_until("the watched file is applied", lambda: is_there("extra"), 10)
    extra["name"], extra["was"] = "renamed", "extra"
    replace_file(config, json.dumps(configuration(plant, extra)))
    done = weir.run("reload", "--data-dir", daemon.data_dir)
    assert done.returncode == 0, done.stderr
    assert is_there("renamed") and not is_there("extra")
    replace_file(config, json.dumps(configuration(plant)))
    daemon.kill(signal.SIGHUP)
    wait_until("the signal is obeyed", lambda: not is_there("renamed"), 10)
    events = daemon.wait_sql("SELECT text FROM events WHERE kind = 'config' AND text GLOB '*removed: device*'")
    assert "device renamed removed" in events[-1]["text"]
    daemon.stop()


def test_other_timing_of_a_connection_keeps_its_socket(weir, plant, tmp_path):
    text = configuration(plant)
    config = weir.write_config(text)
    daemon = weir.start(config, tmp_path / "data")
    wait_until("all are read", lambda: len(plant.requests) == SERVERS * UNITS, 30)
    daemon.wait_sql("SELECT 1 FROM samples WHERE ts > (SELECT min(ts) FROM samples) + 2000000 LIMIT 1", 30)
    since, accepted = committed(daemon) - 1000000, list(plant.accepted)
    for settings in ({"timeout": "2s", "max_in_flight": 4}, {"retries": 3, "pause_between_requests": "2ms"}, {"max_in_flight": 2}, {}):
        for connection in text["connections"]:
            for key in ("timeout", "max_in_flight", "retries", "pause_between_requests"):
                connection.pop(key, None)
            connection.update(settings)
        replace_file(config, json.dumps(text))
        assert ask_reload(weir, daemon)["summary"] == f"0 added, {SERVERS} changed, 0 removed"
        assert "c00 changed (timing)" in daemon.log()
        time.sleep(1)
    last = int(time.time() * 1000000)
    wait_until("the last is committed", lambda: committed(daemon) > last, 30)
    assert plant.accepted == accepted
    assert_no_slot_missed(daemon, since)
    daemon.stop()


def test_what_is_wrong_changes_nothing_and_is_told(weir, plant, tmp_path):
    config = weir.write_config(configuration(plant))
    daemon = weir.start(config, tmp_path / "data")
    requests = dict(plant.requests)
    # 10 000 mistakes, the first 50 are shown; then half a file.
    lines = "\n".join(f"  - {{name: w{i}, connection: none}}" for i in range(10000))
    replace_file(config, f"connections: []\ndevices:\n{lines}\n")
    done = weir.run("reload", "-c", config, "--data-dir", daemon.data_dir)
    assert done.returncode == 3
    assert len([line for line in done.stderr.splitlines() if line.startswith(str(config))]) == 50, done.stderr
    assert " more, which are not shown" in done.stderr
    replace_file(config, json.dumps(configuration(plant))[:-300])
    done = weir.run("reload", "-c", config, "--data-dir", daemon.data_dir)
    assert done.returncode == 3
    refused = daemon.wait_sql("SELECT text FROM events WHERE kind = 'config' AND text GLOB '*refused*'")
    assert str(config) in refused[0]["text"]
    accepted = list(plant.accepted)
    wait_until("it polls on", lambda: all(plant.requests[key] > n + 1 for key, n in requests.items()), 20)
    assert plant.accepted == accepted
    # data_dir cannot change while it runs: said, and the rest is applied.
    whole = configuration(plant, {"name": "extra", "connection": "c00", "unit_id": 77, "interval": "1s",
                                  "points": points(2)})
    whole["clock"] = {"trust": "ntp"}
    replace_file(config, json.dumps(whole))
    done = weir.run("reload", "-c", config, "--data-dir", daemon.data_dir)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 added, 0 changed, 0 removed\n"
    assert "clock.trust needs a restart" in done.stderr
    daemon.stop()


def test_sinks_come_and_go(weir, plant, tmp_path):
    def sinks(*names):
        config = configuration(plant)
        config["sinks"] = [{"name": name, "type": "csv", "path": str(tmp_path / f"{name}.csv")} for name in names]
        return json.dumps(config)

    config = weir.write_config(sinks("one", "two"))
    daemon = weir.start(config, tmp_path / "data")
    size = lambda name: os.path.exists(tmp_path / f"{name}.csv") and os.path.getsize(tmp_path / f"{name}.csv")
    wait_until("both write", lambda: size("one") and size("two"), 20)
    replace_file(config, sinks("one", "three"))
    assert ask_reload(weir, daemon)["summary"] == "1 added, 0 changed, 1 removed"
    wait_until("the new one writes", lambda: size("three"), 20)
    before = size("one"), size("two")
    wait_until("the one that stays writes on", lambda: size("one") > before[0], 20)
    assert size("two") == before[1]
    assert {sink["name"] for sink in daemon.status()["sinks"]} == {"one", "three"}
    assert "subject=one" not in daemon.log().split("1 added, 0 changed, 1 removed")[1]
    daemon.stop()
