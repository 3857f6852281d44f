# SPDX-License-Identifier: MIT
"""Wrong configurations: exit code 3, and each mistake at its line and column with what to do about it.

In the texts » marks the place that must be named; it is taken out before the file is written.
"""

import pytest

GOOD = """\
connections:
  - name: hall
    uri: tcp://127.0.0.1:1502
devices:
  - name: meter
    connection: hall
    unit_id: 1
    interval: 1s
    points:
      - {name: power, register: holding, address: 52, type: float32}
      - {name: running, register: coil, address: 3}
"""


def change(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


# what is wrong: the text with its mark, words that must be in the message
WRONG = {
    "unknown key": (change("    interval: 1s", "    »intervall: 1s"), ["intervall", "interval"]),
    "unknown key of a point": (change("address: 52,", "»adress: 52,"), ["adress", "address"]),
    "unknown section": (change("devices:", "»device:"), ["device", "devices"]),
    "no unit of a duration": (change("interval: 1s", "interval: »1"), ["1"]),
    "unknown type": (change("float32", "»flot32"), ["flot32", "float32"]),
    "unknown order": (change("type: float32", "type: float32, order: »ABDC"), ["ABDC"]),
    "unknown register": (change("holding", "»holdings"), ["holdings", "holding"]),
    "address too large": (change("address: 52", "address: »65536"), ["65536", "65535"]),
    "address not a number": (change("address: 52", "address: »fifty"), ["fifty"]),
    "unit out of range": (change("unit_id: 1", "unit_id: »256"), ["256", "255"]),
    "text for a number": (change("unit_id: 1", "unit_id: 1\n    max_registers_per_request: »many"), ["many"]),
    "limit out of range": (change("unit_id: 1", "unit_id: 1\n    max_registers_per_request: »126"), ["126", "125"]),
    "unknown scheme": (change("tcp://127.0.0.1:1502", "»tpc://127.0.0.1:1502"), ["tpc"]),
    "scheme of a later version": (change("tcp://127.0.0.1:1502", "»rtu:///dev/ttyUSB0"),
                                  ["not supported by this version"]),
    "key of a later version": (change("connections:",
                                      "»scripts: []\nconnections:"), ["not supported by this version"]),
    "port out of range": (change("1502", "70000").replace("uri: ", "uri: »"), ["70000"]),
    "dangling connection": (change("connection: hall", "connection: »hell"), ["hell", "hall"]),
    "connection twice": (change("devices:", "  - name: »hall\n    uri: tcp://127.0.0.1:1503\ndevices:"),
                         ["hall"]),
    "point twice": (change("name: running", "name: »power"), ["power"]),
    "key twice": (change("    unit_id: 1\n", "    unit_id: 1\n    »unit_id: 2\n"), ["unit_id"]),
    "no interval": (change("    interval: 1s\n", ""), ["interval", "power"]),
    "points overlap in part": (change("- {name: running, register: coil, address: 3}",
                                      "- {name: »other, register: holding, address: 53, type: float32}"),
                               ["other", "power", "allow_overlap"]),
    "unknown profile": (change("    points:", "    profile: »eastron-sdm630x\n    points:"),
                        ["eastron-sdm630x", "eastron-sdm630"]),
    "a tab": (change("    interval: 1s", "»\tinterval: 1s"), ["tab"]),
    "minimum above maximum": (change("type: float32", "type: float32, »min: 5, max: 1"), ["min", "max"]),
}
# Messages about a whole thing may stand at its name or at its first character.
LOOSE = {"no interval", "points overlap in part", "minimum above maximum", "connection twice", "point twice"}


def place_of(marked):
    before = marked[:marked.index("»")]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def check(weir, text):
    path = weir.write_config(text)
    return weir.run("check", "-c", path), path


def test_a_good_configuration_passes(weir):
    done, _ = check(weir, GOOD)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_found_with_its_place_and_remedy(weir, name):
    marked, words = WRONG[name]
    done, path = check(weir, marked.replace("»", ""))
    assert done.returncode == 3, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if f"{path}:" in line]
    assert lines, done.stderr
    if "»" in marked:
        line, column = place_of(marked)
        place = f"{path}:{line}:" if name in LOOSE else f"{path}:{line}:{column}:"
        lines = [text for text in lines if place in text]
        assert lines, f"nothing at {place}\n{done.stderr}"
    assert any(all(word in text for word in words) for text in lines), (words, done.stderr)


def test_all_mistakes_are_told_at_once(weir):
    text = change("interval: 1s", "intervall: 1s").replace("float32", "flot32").replace("unit_id: 1", "unit_id: 256")
    done, path = check(weir, text)
    assert done.returncode == 3
    for line in (7, 8, 10):
        assert f"{path}:{line}:" in done.stderr, done.stderr


def test_an_overlap_can_be_allowed(weir):
    marked, _ = WRONG["points overlap in part"]
    text = marked.replace("»", "").replace("address: 53,", "address: 53, allow_overlap: true,")
    assert check(weir, text)[0].returncode == 0


def test_run_refuses_what_check_refuses(weir):
    path = weir.write_config(change("float32", "flot32"))
    done = weir.run("run", "-c", path, "--data-dir", weir.tmp_path / "data")
    assert done.returncode == 3
    assert f"{path}:10:" in done.stderr
    assert not (weir.tmp_path / "data").exists()


def test_a_missing_file_is_named(weir):
    done = weir.run("check", "-c", weir.tmp_path / "gone.yaml")
    assert done.returncode == 3
    assert "gone.yaml" in done.stderr


def test_the_requests_of_a_poll_are_shown(weir):
    rows = weir.json("check", "--requests", "-c", weir.write_config(GOOD))
    requests = {(row["unit_id"], row["function"], row["address"], row["count"]) for row in rows}
    assert requests == {(1, 3, 52, 2), (1, 1, 3, 1)}
