#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds the examples outside of the tree, against what `meson install` puts into an empty prefix, and runs them.

    check_outside.py BUILD_DIR PREFIX SANITIZERS             shared, and with our archives
    check_outside.py BUILD_DIR PREFIX none static            without any shared library
    check_outside.py BUILD_DIR PREFIX none memcheck          shared, each program under valgrind

With the flags that pkg-config gives and no others (but the sanitizers that the libraries were built with); every header
alone by a C and a C++ compiler; the exported symbols against the lists beside this file. The programs read a real
`weir simulate`.
"""

import datetime
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "examples")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]

PLANT = """\
connections: [{name: plant, uri: "tcp://127.0.0.1:1"}]
devices:
  - name: meter
    connection: plant
    unit_id: 1
    interval: 1s
    points:
      - {name: power, register: holding, address: 52, type: float32, simulate: {wave: constant, min: 48500, max: 48500}}
      - {name: running, register: coil, address: 3, simulate: {wave: constant, min: 1, max: 1}}
"""

COLLECT = """\
data_dir: DATA
store: {max_loss: 200ms}
connections: [{name: plant, uri: "URI"}]
devices:
  - name: meter
    connection: plant
    unit_id: 1
    interval: 200ms
    points:
      - {name: power, register: holding, address: 52, type: float32, scale: 0.001, unit: kW}
      - {name: running, register: coil, address: 3}
"""


def run(command, **more):
    """Its output; the reason it failed is all that is printed of it."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, **more)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(command)}\nexit {done.returncode}\n{done.stdout}")
    return done.stdout


# Invalid reads and writes, what depends on bytes that were never set, what nobody can free any more.
MEMCHECK = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite"]


class Outside:
    """What was installed. Programs are linked in three ways: "shared"; "archive": our library from its archive, the
    system's stay shared; "static": no shared library at all."""

    def __init__(self, build, prefix, sanitizers, folder, before=()):
        self.build, self.folder, self.before = build, folder, list(before)
        self.prefix = os.path.join(folder, "root") + prefix
        self.sanitize = [] if sanitizers in ("", "none") else ["-fsanitize=" + sanitizers]
        run(["meson", "install", "--no-rebuild", "--quiet", "-C", build, "--destdir", os.path.join(folder, "root")])
        self.pkgconfig = self.find("weir.pc")
        self.libraries = os.path.dirname(self.find("libweir.so.0"))
        self.environment = {**os.environ, "PKG_CONFIG_PATH": self.pkgconfig and os.path.dirname(self.pkgconfig),
                            "LD_LIBRARY_PATH": self.libraries, "WEIR_PROFILE_PATH": ""}

    def find(self, name):
        for folder, _, names in os.walk(self.prefix):
            if name in names:
                return os.path.join(folder, name)
        sys.exit(f"{name} was not installed below {self.prefix}")

    def flags(self, package, *options):
        text = run(["pkg-config", "--define-variable=prefix=" + self.prefix, *options, package], env=self.environment)
        return shlex.split(text)

    def compile(self, source, package="weir", link="shared", compiler="cc", standard="gnu11"):
        """The program's path."""
        name = "-".join([os.path.splitext(os.path.basename(source))[0], package, link])
        program = os.path.join(self.folder, name)
        libraries = self.flags(package, "--libs", *(["--static"] if link != "shared" else []))
        if link == "archive":
            libraries = [self.find("lib" + package + ".a") if flag == "-l" + package else flag for flag in libraries]
        run([compiler, "-std=" + standard, *STRICT, *self.sanitize, *(["-static"] if link == "static" else []),
             *self.flags(package, "--cflags"), source, "-o", program, *libraries])
        dynamic = run(["readelf", "-d", program])
        if (link == "archive" and "libweir" in dynamic) or (link == "static" and "NEEDED" in dynamic):
            sys.exit(f"{program} was to be linked {link}:\n{dynamic}")
        return program

    def run(self, *command, **more):
        return run([*self.before, *command], env={**self.environment, **more.pop("env", {})}, **more)


def check_headers(outside):
    """Each header stands alone, in C11 and C++11, with pedantic warnings."""
    folder = os.path.join(outside.prefix, "include", "weir")
    for name in sorted(os.listdir(folder)):
        for compiler, standard, ending in (("cc", "c11", "c"), ("c++", "c++11", "cc")):
            source = os.path.join(outside.folder, "header." + ending)
            with open(source, "w", encoding="utf-8") as file:
                file.write(f"#include <weir/{name}>\nint main(void) {{ return 0; }}\n")
            run([compiler, "-std=" + standard, *STRICT, "-fsyntax-only", *outside.flags("weir", "--cflags"), source])
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            for other in re.findall(r'#include [<"]([^>"]+)', file.read()):
                if not other.startswith(("weir/", "std")):
                    sys.exit(f"{name} includes {other}")


def check_symbols(outside):
    """What is exported is what the lists say: one more is a promise, one less breaks programs."""
    for library in ("libweir", "libweir-core"):
        lines = run(["nm", "-D", "--defined-only", os.path.join(outside.libraries, library + ".so.0")]).splitlines()
        # What sanitizers and the linker add is not ours.
        exported = {line.split()[-1] for line in lines if line.split()[-1].lower().startswith("weir")}
        with open(os.path.join(HERE, library + ".symbols"), encoding="utf-8") as file:
            wanted = set(file.read().split())
        if exported != wanted:
            sys.exit(f"{library}: not in the list: {sorted(exported - wanted)}; not exported: {sorted(wanted - exported)}")
        dynamic = run(["readelf", "-d", os.path.join(outside.libraries, library + ".so.0")])
        if f"[{library}.so.0]" not in dynamic or re.search(r"NEEDED.*(libpq|libcurl)", dynamic):
            sys.exit(f"{library}: SONAME or what it needs is wrong\n{dynamic}")


def check_manual(outside):
    """Every function has its place in a page, and the pages are as man wants them."""
    folder = os.path.dirname(outside.find("weir_collector.3"))
    text = ""
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as file:
            text += file.read()
        if shutil.which("groff"):
            said = run(["groff", "-man", "-Tutf8", "-ww", "-z", path])
            if said:
                sys.exit(f"{name}:\n{said}")
    with open(os.path.join(HERE, "libweir.symbols"), encoding="utf-8") as file:
        missing = [symbol for symbol in file.read().split() if not re.search(symbol + r"\b", text)]
    if missing:
        sys.exit(f"no page of section 3 has {missing}")


class Plant:
    """weir simulate, from the prefix."""

    def __init__(self, outside):
        path = os.path.join(outside.folder, "plant.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(PLANT)
        self.process = subprocess.Popen([os.path.join(outside.prefix, "bin", "weir"), "simulate", path, "--listen", "tcp://127.0.0.1:0"],
                                        stdout=subprocess.PIPE, text=True, env=outside.environment)
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            sys.exit(f"weir simulate said {line!r}")
        self.uri = line.split()[1]
        self.port = self.uri.rsplit(":", 1)[1]

    def configuration(self, outside, more="", data="memory"):
        file, path = tempfile.mkstemp(".yaml", dir=outside.folder)
        os.close(file)
        with open(path, "w", encoding="utf-8") as file:
            file.write(COLLECT.replace("URI", self.uri).replace("DATA", data) + more)
        return path

    def end(self):
        self.process.terminate()
        self.process.wait(10)


def expect(text, pattern, least=1):
    if len(re.findall(pattern, text, re.MULTILINE)) < least:
        sys.exit(f"not {least} times {pattern!r} in\n{text}")


def check_cplusplus(outside):
    outside.run(outside.compile(os.path.join(HERE, "every_header.cc"), compiler="c++", standard="c++11"))


def check_smallest(outside, plant, link):
    program = outside.compile(os.path.join(EXAMPLES, "smallest.c"), link=link)
    with subprocess.Popen([*outside.before, program, plant.configuration(outside)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=outside.environment) as process:
        time.sleep(15 if outside.before else 1.5)  # it collects until it is told to end, and prints when its buffer is full or it ends
        text, _ = process.communicate("\n", timeout=30)
    if process.returncode != 0:
        sys.exit(f"smallest: exit {process.returncode}\n{text}")
    expect(text, r"^meter/power = 48\.5\d* kW \(good\)$", 3)
    expect(text, r"^meter/running = (true|1)  \(good\)$", 3)


def check_own_source(outside, link):
    expect(outside.run(outside.compile(os.path.join(EXAMPLES, "own_source.c"), link=link), "3"),
           r"^\S+Z load/1min = \d+(\.\d+)?$", 2)


def check_own_sink(outside, plant, link):
    lines = os.path.join(outside.folder, f"lines-{link}.txt")
    sinks = f"sinks: [{{name: mine, type: lines, options: {{file: '{lines}'}}}}]\n"
    configuration = plant.configuration(outside, sinks, os.path.join(outside.folder, "data-" + link))
    outside.run(outside.compile(os.path.join(EXAMPLES, "own_sink.c"), link=link), configuration, "2")
    with open(lines, encoding="utf-8") as file:
        text = file.read()
    expect(text, r"^\d+ \S+Z meter/power 48\.5\d* good$", 3)
    seqs = [int(line.split()[0]) for line in text.splitlines()]
    if seqs != sorted(set(seqs)):
        sys.exit(f"seqs do not grow: {seqs}")


def check_pause(outside, plant):
    text = outside.run(outside.compile(os.path.join(EXAMPLES, "pause.c")), plant.configuration(outside))
    expect(text, r"^0 samples while paused$")
    expect(text, r"^[1-9]\d* samples while running$")
    expect(text, r"^[1-9]\d* samples while running again$")
    expect(text, "before start\nafter start\n(.*\n)before pause\nafter pause\n(.*\n)before resume\nafter resume\n(.*\n)"
                 "before close\nbefore stop\nafter stop\nafter close")


def check_plan_control(outside, plant):
    program = outside.compile(os.path.join(EXAMPLES, "plan_control.c"))
    text = outside.run(program, plant.configuration(outside), "meter/p*")
    expect(text, r"^plan fast is running, 1 tags\n[1-9]\d* samples for the plan while it runs$")
    expect(text, r"^plan fast is paused, 1 tags\n0 samples for the plan while it is paused$")
    expect(text, r"^[1-9]\d* samples for the plan while it runs again\nplan fast is stopped")


def check_data_collector(outside):
    """What was read when is in the file: with both contexts each 100 ms, alone as each wants."""
    program = outside.compile(os.path.join(EXAMPLES, "data-collector", "data_collector.c"))
    path = os.path.join(outside.folder, "values.csv")
    text = outside.run(program, path)
    expect(text, r"^A stopped: 0 samples in 1\.2 s$")
    expect(text, r"^before pause of A\nafter pause of A$")
    with open(path, encoding="utf-8") as file:
        rows = [line.split(",") for line in file.read().splitlines()[1:]]
    times = [round(datetime.datetime.fromisoformat(row[0].replace("Z", "+00:00")).timestamp() * 1000) for row in rows]
    if any(time % 100 for time in times) or not all(15 <= float(row[2]) <= 18 for row in rows):
        sys.exit(f"times or values are wrong: {rows}")
    gaps = [after - before for before, after in zip(times, times[1:])]
    steady = [gap for i, gap in enumerate(gaps[1:], 1) if gap == gaps[i - 1]]
    phases = [gap for i, gap in enumerate(steady) if i == 0 or gap != steady[i - 1]]
    if phases != [300, 100, 200, 100, 300]:
        sys.exit(f"intervals were {phases}: {gaps}")


def check_own_loop(outside, plant, package, link):
    program = outside.compile(os.path.join(EXAMPLES, "own_loop.c"), package, link)
    text = outside.run(program, "127.0.0.1", plant.port, "3")
    expect(text, r"^\S+Z device 0 tag 1 = 48\.5\d* \(good\)$", 3)
    expect(text, r"^\S+Z device 0 tag 2 = true \(good\)$", 3)
    if package == "weir-core" and re.search("libuv|libsqlite3|libpthread|libzstd", run(["readelf", "-d", program])):
        sys.exit("libweir-core needs more than libc")


def check_python(outside, plant):
    """A sanitized library needs its sanitizer in the interpreter; what that leaks is not ours."""
    more = {"LIBWEIR": os.path.join(outside.libraries, "libweir.so.0")}
    if outside.sanitize and "address" not in outside.sanitize[0]:
        return
    if outside.sanitize:
        more["LD_PRELOAD"] = run(["cc", "-print-file-name=libasan.so"]).strip()
        more["ASAN_OPTIONS"] = "detect_leaks=0"
    text = outside.run(sys.executable, os.path.join(EXAMPLES, "collect.py"), plant.configuration(outside), "1.5", env=more)
    expect(text, r"^meter/power = 48\.5\d* kW \(good\)$")


def all_checks(plant):
    checks = [(check_headers,), (check_symbols,), (check_manual,), (check_cplusplus,), (check_pause, plant),
              (check_plan_control, plant), (check_data_collector,), (check_python, plant),
              (check_own_loop, plant, "weir", "shared")]
    for link in ("shared", "archive"):
        checks += [(check_smallest, plant, link), (check_own_source, link), (check_own_sink, plant, link),
                   (check_own_loop, plant, "weir-core", link)]
    return checks


def static_checks(plant):
    return [(check_smallest, plant, "static"), (check_own_source, "static"), (check_own_sink, plant, "static"),
            (check_own_loop, plant, "weir", "static"), (check_own_loop, plant, "weir-core", "static")]


def memory_checks(plant):
    return [(check_cplusplus,), (check_smallest, plant, "shared"), (check_own_source, "shared"), (check_own_sink, plant, "shared"),
            (check_pause, plant), (check_plan_control, plant), (check_own_loop, plant, "weir-core", "shared")]


def main():
    build, prefix, sanitizers = sys.argv[1:4]
    kind = sys.argv[4] if len(sys.argv) > 4 else "all"
    choose = {"all": all_checks, "static": static_checks, "memcheck": memory_checks}[kind]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2 if kind == "memcheck" else 6) as pool:
        outside = Outside(build, prefix, sanitizers, folder, MEMCHECK if kind == "memcheck" else ())
        plant = Plant(outside)
        # Most of them wait for a collector most of the time.
        try:
            for done in [pool.submit(check, outside, *more) for check, *more in choose(plant)]:
                done.result()
        finally:
            plant.end()


if __name__ == "__main__":
    main()
