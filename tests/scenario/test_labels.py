# SPDX-License-Identifier: MIT
"""Labels of points: over those of their device, in SQL and for sinks, changed while weir runs."""

import csv
import json

from conftest import wait_until


def configuration(tmp_path, labels):
    points = [{"name": name, "register": "holding", "address": i, "type": "uint16", **({"labels": labels} if name == "a" else {})}
              for i, name in enumerate("ab")]
    return {"connections": [{"name": "sim", "uri": "simulated:"}],
            "devices": [{"name": "m", "unit_id": 1, "connection": "sim", "interval": "250ms",
                         "labels": {"building": "A", "watch": "no"}, "points": points}],
            "sinks": [{"name": "watched", "type": "csv", "path": str(tmp_path / "watched.csv"), "labels": {"watch": "yes"},
                       "columns": ["time", "tag", "label:building", "label:watch"]}]}


def test_a_label_of_a_point_says_while_weir_runs_what_a_sink_gets(weir, tmp_path):
    config = weir.write_config(configuration(tmp_path, {"line": "7"}))
    daemon = weir.start(config)
    daemon.wait_sql("SELECT 1 FROM samples WHERE tag = 'm/b' LIMIT 1")
    labels = {row["tag"]: json.loads(row["labels"]) for row in daemon.sql("SELECT tag, labels FROM tags")}
    assert labels == {"m/a": {"building": "A", "line": "7", "watch": "no"}, "m/b": {"building": "A", "watch": "no"}}

    weir.write_config(configuration(tmp_path, {"building": "B", "watch": "yes"}))
    assert weir.run("reload", "--data-dir", daemon.data_dir).returncode == 0
    def delivered():
        if not (tmp_path / "watched.csv").exists():
            return None
        with open(tmp_path / "watched.csv", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    rows = wait_until("the sink gets what it watches", delivered, 20)
    assert {(row["tag"], row["label:building"], row["label:watch"]) for row in rows} == {("m/a", "B", "yes")}
    # What was read before has the labels of then, and nothing was read otherwise for it.
    first, = daemon.sql("SELECT time FROM samples WHERE tag = 'm/a' ORDER BY ts LIMIT 1")
    assert min(row["time"] for row in rows) > first["time"]
    slots = [row["ts"] for row in daemon.sql("SELECT ts FROM samples WHERE tag = 'm/a' ORDER BY ts")]
    assert slots == list(range(slots[0], slots[-1] + 1, 250000))
    daemon.stop()
