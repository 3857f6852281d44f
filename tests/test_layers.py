# SPDX-License-Identifier: MIT
"""script/check_layers finds what it must, in small trees made for it, and nothing in ours."""

import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAYERS = "lib/base:\nlib/model: lib/base\nstore: lib/model lib/base\nuv.h: store\nthreads.h: -\n"


def check(root):
    done = subprocess.run([os.path.join(ROOT, "script", "check_layers"), str(root)],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def make_tree(root, files):
    for path, text in {"script/layers.txt": LAYERS, **files}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_the_tree_keeps_its_layers():
    code, out = check(ROOT)
    assert out == ""
    assert code == 0


def test_downward_includes_pass(tmp_path):
    make_tree(tmp_path, {"lib/base/text.h": "", "lib/model/tag.c": '#include "base/text.h"\n',
                         "store/log.c": "#include <uv.h>\n"})
    assert check(tmp_path) == (0, "")


@pytest.mark.parametrize("files, breach", [
    ({"lib/base/a.c": '#include "model/tag.h"\n', "lib/model/tag.h": ""},
     "lib/base/a.c:1: lib/base may not include lib/model"),
    ({"lib/model/a.c": "\n#include <uv.h>\n"}, "lib/model/a.c:2: lib/model may not include uv.h"),
    ({"store/a.c": "#include <threads.h>\n"}, "store/a.c:1: store may not include threads.h (only: none)"),
    ({"store/a.c": '#include "../lib/base/text.h"\n', "lib/base/text.h": ""}, "not with '../'"),
    ({"store/a.c": '#include "base/gone.h"\n'}, "no such header"),
    ({"odd/a.c": ""}, "odd/a.c: its folder is not in script/layers.txt"),
    ({"store/a.c": "#include <cmocka.h>\n"}, "cmocka.h belongs into tests"),
])
def test_a_breach_is_named_with_its_line(tmp_path, files, breach):
    code, out = check(make_tree(tmp_path, files))
    assert code == 1
    assert breach in out
