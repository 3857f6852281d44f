# SPDX-License-Identifier: MIT
"""weir init: a first configuration from options, and from questions on a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from conftest import BINARY, read_line

SIMULATED = ["init", "--simulated"]


@pytest.fixture
def folder(weir, tmp_path):
    """An empty folder in which weir runs."""
    path = tmp_path / "here"
    path.mkdir()
    weir.here = lambda *arguments, **options: weir.run(*arguments, cwd=path, **options)
    return path


class Dialogue:
    """weir with a terminal of its own; what is asked is waited for, then answered."""

    def __init__(self, weir, folder, *arguments):
        self.master, terminal = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen([BINARY, *arguments], stdin=terminal, stdout=terminal, stderr=terminal,
                                        cwd=folder, env=dict(weir.environment, TERM="xterm"), start_new_session=True)
        os.close(terminal)

    def expect(self, pattern, deadline=20.0):
        end = time.monotonic() + deadline
        while not (match := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"no {pattern!r} in:\n{self.text}"
            try:
                got = os.read(self.master, 4096)
            except OSError:
                got = b""
            assert got, f"ended without {pattern!r}:\n{self.text}"
            self.text += got.decode()
        before = self.text[:match.end()]
        self.text = self.text[match.end():]
        return before

    def answer(self, pattern, text=""):
        before = self.expect(pattern)
        os.write(self.master, text.encode() + b"\n")
        return before

    def end(self):
        try:
            while got := os.read(self.master, 4096):
                self.text += got.decode()
        except OSError:
            pass
        os.close(self.master)
        return self.process.wait(20)


@pytest.fixture
def simulator(weir):
    """A meter of the profile eastron-sdm630, unit 1 of a real socket."""
    process = subprocess.Popen([BINARY, "simulate", "eastron-sdm630", "--listen", "tcp://127.0.0.1:0"],
                               stdout=subprocess.PIPE, bufsize=0, env=weir.environment)
    yield read_line(process.stdout).split(" ", 1)[1]
    process.terminate()
    process.wait(10)
    process.stdout.close()


def test_a_simulated_starter_is_checked_strictly_and_runs(weir, folder):
    done = weir.here(*SIMULATED)
    assert done.returncode == 0, done.stderr
    assert [line.strip().split(" -")[0] for line in done.stdout.splitlines()][:2] == ["weir check", "weir run"]
    assert len(done.stdout.splitlines()) == 3
    checked = weir.here("check", "--strict")
    assert checked.returncode == 0 and "warning" not in checked.stderr, checked.stderr
    once = weir.here("run", "--once")
    assert once.returncode == 0 and "meter/voltage_l1" in once.stdout


def test_its_next_commands_work_as_printed(weir, folder):
    commands = weir.here(*SIMULATED).stdout.splitlines()
    daemon = weir.start(folder / "weir.yaml", folder / "weir-data")
    daemon.wait_sql("select 1 from samples limit 1")
    path = f"{os.path.dirname(BINARY)}:{os.environ['PATH']}"
    for command in (commands[0], commands[2]):
        done = subprocess.run(command, shell=True, cwd=folder, env=dict(weir.environment, PATH=path),
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    assert "meter/voltage_l1" in done.stdout


def test_a_file_that_is_there_stays(weir, folder):
    file = folder / "weir.yaml"
    file.write_text("mine")
    done = weir.here(*SIMULATED)
    assert done.returncode == 1 and "--force" in done.stderr
    assert file.read_text() == "mine"
    assert weir.here(*SIMULATED, "--force").returncode == 0
    assert "simulated:" in file.read_text()
    assert os.listdir(folder) == ["weir.yaml"]


def test_what_cannot_be_written_leaves_nothing(weir, folder):
    done = weir.here(*SIMULATED, "-c", "no/such/folder/weir.yaml")
    assert done.returncode == 1 and "no/such/folder" in done.stderr
    assert os.listdir(folder) == []


def test_standard_output_gets_the_file_alone(weir, folder):
    done = weir.here(*SIMULATED, "-c", "-")
    assert done.returncode == 0 and os.listdir(folder) == []
    (folder / "weir.yaml").write_text(done.stdout)
    assert weir.here("check", "--strict").returncode == 0


@pytest.mark.parametrize("arguments, flags", [
    ([], ["--uri", "--profile", "--simulated", "eastron-sdm630"]),
    (["--uri", "tcp://127.0.0.1"], ["--profile"]),
    (["--profile", "none"], ["--uri"]),
    (["--uri", "tpc://127.0.0.1", "--profile", "none"], ["--uri", "tcp://"]),
    (["--uri", "tcp://127.0.0.1", "--profile", "sdm630"], ["--profile", "eastron-sdm630"]),
    (["--uri", "tcp://127.0.0.1", "--profile", "eastron-sdm63"], ["--profile", "eastron-sdm630"]),
    (["--simulated", "--unit-id", "300"], ["--unit-id", "255"]),
    (["--simulated", "--interval", "5"], ["--interval", "duration"]),
    (["--simulated", "--device", "a/b"], ["--device", "/"]),
    (["--simulated", "--device", "a\nb"], ["--device", "control character"]),
    (["--simulated", "--sink", "influx"], ["--sink", "influxdb"]),
    (["--simulated", "--target", "x"], ["--sink"]),
    (["--simulated", "--uri", "tcp://127.0.0.1"], ["--uri", "--simulated"]),
])
def test_where_nobody_answers_the_flag_is_named(weir, folder, arguments, flags):
    done = weir.here("init", *arguments)
    assert done.returncode == 2, done.stderr
    assert all(flag in done.stderr for flag in flags), done.stderr
    assert done.stdout == "" and os.listdir(folder) == []


@pytest.mark.parametrize("more, words", [
    (["--sink", "csv"], ["type: csv", "path: ./samples.csv"]),
    (["--sink", "sqlite", "--target", "a b: c.db"], ["type: sqlite", 'path: "a b: c.db"']),
    (["--sink", "postgres"], ["type: postgres", "url: postgresql://"]),
    (["--sink", "influxdb", "--target", "http://10.0.0.9:8086"], ["url: http://10.0.0.9:8086", "database: weir"]),
    (["--unit-id", "1,3,5-8"], ['"meter-{unit_id}"', "unit_id: 1,3,5-8"]),
    (["--device", "Zähler: \"1\" # a"], ['"Zähler: \\"1\\" # a"']),
    (["--profile", "none"], ["points:"]),
])
def test_every_starter_is_accepted_without_change(weir, folder, more, words):
    done = weir.here(*SIMULATED, *more)
    if "no sink type" in done.stderr:
        pytest.skip("its module is not built")
    assert done.returncode == 0, done.stderr
    text = (folder / "weir.yaml").read_text()
    assert all(word in text for word in words), text
    checked = weir.here("check", "--strict")
    assert checked.returncode == 0 and "warning" not in checked.stderr, checked.stderr


def test_a_device_that_answers_is_told(weir, folder, simulator):
    done = weir.here("init", "--uri", simulator, "--profile", "eastron-sdm630", "--device", "main", "--test")
    assert done.returncode == 0, done.stderr
    assert re.search(r"main: 85 of 85 values good, slowest reply [\d.]+ ms", done.stderr), done.stderr
    assert re.search(r"main/voltage_l1 +2\d\d", done.stderr), done.stderr


def test_a_device_that_does_not_answer_is_told_with_its_cause(weir, folder, peers):
    device = peers.simdev(units="7")
    done = weir.here("init", "--uri", f"tcp://127.0.0.1:{device.port}", "--profile", "none", "--test")
    assert done.returncode == 8
    assert "0 of 1 value good" in done.stderr and "unit id" in done.stderr, done.stderr
    assert f"weir read tcp://127.0.0.1:{device.port} --unit 1" in done.stderr
    assert weir.here("check").returncode == 0, "it is written all the same"


def test_enter_alone_makes_a_configuration_that_runs(weir, folder):
    dialogue = Dialogue(weir, folder, "init")
    for question in (r"URI \[simulated:\]: ", r"Unit id.*\[1\]: ", r"Profile \[eastron-sdm630\]: ",
                     r"read \[1s\]: ", r"Name.*\[meter\]: ", r"Deliver to \[none\]: ", r"now \[yes\]: "):
        dialogue.answer(question)
    dialogue.expect("85 of 85 values good")
    assert dialogue.end() == 0, dialogue.text
    assert weir.here("check", "--strict").returncode == 0


def test_wrong_answers_are_said_and_asked_again(weir, folder, simulator):
    dialogue = Dialogue(weir, folder, "init", "-c", "plant.yaml")
    dialogue.answer(r"URI .*: ", "htp://x")
    dialogue.expect("tcp://")
    dialogue.answer(r"URI .*: ", f"  {simulator}  ")
    dialogue.answer(r"Unit id.*: ", "one")
    dialogue.answer(r"Unit id.*: ", "1")
    shown = dialogue.answer(r"Profile \[none\]: ", "eastron-sdn630")
    assert "three-phase meter" in shown and "electro-industries-nexus-1272" in shown
    dialogue.expect("did you mean 'eastron-sdm630'")
    dialogue.answer(r"Profile .*: ", "sdm630")
    dialogue.answer(r"read \[5s\]: ", "100")
    dialogue.answer(r"read .*: ", "10s")
    dialogue.answer(r"Name.*: ", "feeder")
    dialogue.answer(r"Deliver to .*: ", "cvs")
    dialogue.expect("did you mean csv")
    dialogue.answer(r"Deliver to .*: ", "csv")
    dialogue.answer(r"File \[./samples.csv\]: ")
    dialogue.answer(r"now \[yes\]: ", "y")
    dialogue.expect("feeder: 85 of 85 values good")
    dialogue.expect("weir run -c plant.yaml")
    assert dialogue.end() == 0
    text = (folder / "plant.yaml").read_text()
    for word in (simulator, "eastron-sdm630", "interval: 10s", "name: feeder", "path: ./samples.csv"):
        assert word in text


def test_what_options_say_is_not_asked(weir, folder):
    dialogue = Dialogue(weir, folder, "init", "--uri", "simulated:", "--profile", "2", "--sink", "none", "--unit-id", "3")
    dialogue.answer(r"read \[1s\]: ")
    dialogue.answer(r"Name.*: ")
    dialogue.answer(r"now \[yes\]: ", "no")
    assert dialogue.end() == 0
    assert "unit_id: 3" in (folder / "weir.yaml").read_text()


@pytest.mark.parametrize("n_answers", [0, 3, 6])
def test_ctrl_c_leaves_nothing(weir, folder, n_answers):
    dialogue = Dialogue(weir, folder, "init")
    for _ in range(n_answers):
        dialogue.answer(r"\[[^]]*\]: ")
    dialogue.expect(r"\[[^]]*\]: ")
    dialogue.process.send_signal(signal.SIGINT)
    assert dialogue.end() != 0
    assert os.listdir(folder) == []


def test_the_end_of_input_leaves_nothing(weir, folder):
    dialogue = Dialogue(weir, folder, "init")
    dialogue.expect(r"\[simulated:\]: ")
    os.write(dialogue.master, b"\x04")
    assert dialogue.end() == 1
    assert "nothing is written" in dialogue.text and os.listdir(folder) == []


def test_a_file_that_came_while_it_asked_stays(weir, folder):
    dialogue = Dialogue(weir, folder, "init")
    for _ in range(6):
        dialogue.answer(r"\[[^]]*\]: ")
    dialogue.expect(r"now \[yes\]: ")
    (folder / "weir.yaml").write_text("mine")
    os.write(dialogue.master, b"no\n")
    assert dialogue.end() == 1 and "--force" in dialogue.text
    assert (folder / "weir.yaml").read_text() == "mine" and os.listdir(folder) == ["weir.yaml"]
