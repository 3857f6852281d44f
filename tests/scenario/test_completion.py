# SPDX-License-Identifier: MIT
"""weir completion: real shells, asked what they would offer."""

import json
import os
import pty
import select
import shutil
import subprocess
import time

import pytest
from conftest import BINARY, ROOT

CONFIG = """\
connections:
  - {name: hall, uri: "tcp://10.0.0.7:502"}
devices:
  - {name: feeder, connection: hall, unit_id: 1, interval: 1s, profile: eastron-sdm630, only: [power, "voltage_*"]}
  - {name: pump 1, connection: hall, unit_id: 2, interval: 1s, points: [{name: on, register: coil, address: 1}]}
plans:
  - {name: night, tags: "feeder/*", cron: "0 0 22 * * *", zone: UTC}
sinks:
  - {name: office, type: influxdb, url: "http://h", database: d, password: "${NOT_SET_ANYWHERE}"}
  - {name: files, type: csv, path: out.csv}
"""

BASH = """\
source <("$1" completion bash)
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_weir "$1" "${@: -1}" ""
printf '%s\\n' "${COMPREPLY[@]}"
"""

# What zsh would add is told instead: compadd and _files work within a completion only.
ZSH = """\
compdef() { : }
compadd() { local -a given; given=("$@"); print -rl -- "${(@P)given[-1]}" }
_files() { [[ "$*" == -/ ]] && print -rl -- *(/N) || print -rl -- *(N) }
source <("$1" completion zsh)
shift
words=("$@") CURRENT=$#
_weir
"""

FISH = """\
$argv[1] completion fish | source
complete -C "$argv[2]"
"""


class Shells:
    def __init__(self, weir, folder):
        self.folder = folder
        # A name without its path, as it is typed.
        tools = folder.parent / "tools"
        tools.mkdir()
        (tools / "weir").symlink_to(BINARY)
        self.environment = dict(weir.environment, PATH=f"{tools}:{os.environ['PATH']}", HOME=str(folder.parent),
                                TERM="dumb", WEIR_PROFILE_PATH=f"{ROOT}/profiles")

    def ask(self, *command):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=self.folder, timeout=60,
                              env=self.environment, check=False, stdin=subprocess.DEVNULL)
        assert done.stderr == "", done.stderr
        return sorted(line for line in done.stdout.splitlines() if line)

    def bash(self, *words):
        return self.ask("bash", "--norc", "--noprofile", "-c", BASH, "bash", "weir", "weir", *words)

    def zsh(self, *words):
        return self.ask("zsh", "-f", "-c", ZSH, "zsh", "weir", "weir", *words)

    def fish(self, *words):
        line = " ".join(word.replace(" ", "\\ ") for word in ("weir", *words))
        return [answer.split("\t")[0] for answer in self.ask("fish", "--no-config", "-c", FISH, "weir", line)]


@pytest.fixture
def shells(weir, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "weir.yaml").write_text(CONFIG)
    (folder / "other.yaml").write_text(CONFIG.replace("feeder", "tower"))
    (folder / "data").mkdir()
    return Shells(weir, folder)


def shell(name):
    return pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed"))


EVERY = [shell("bash"), shell("zsh"), shell("fish")]

# What is typed, the last word being completed: what is offered, all of it.
OFFERS = {
    "commands": (["st"], ["status", "store"]),
    "help": (["help", "si"], ["simulate", "sink", "sinks"]),
    "subcommands": (["sink", "re"], ["replay", "resume"]),
    "deeper subcommands": (["sink", "quarantine", ""], ["drop", "export", "list", "retry"]),
    "options": (["check", "--l"], ["--live"]),
    "an option after another": (["check", "--live", "--re"], ["--requests"]),
    "words of an option": (["sql", "--format", ""], ["auto", "csv", "json", "table"]),
    "words of another": (["init", "--sink", "p"], ["postgres"]),
    "profiles": (["simulate", "eas"], ["eastron-sdm630"]),
    "profiles of an option": (["init", "-p", "ea"], ["eastron-sdm630", "eaton-power-xpert-meter-4000"]),
    "devices": (["device", "replace", "fe"], ["feeder", "feeder/"]),
    "tags": (["tag", "purge", "feeder/vol"], ["feeder/voltage_l1", "feeder/voltage_l2"]),
    "tags of another file": (["export", "-c", "other.yaml", "--tag", "tower/po"], ["tower/power"]),
    "tags of another file, one word": (["export", "--config=other.yaml", "-t", "to"], ["tower/"]),
    "sinks": (["sink", "test", ""], ["files", "office"]),
    "a second sink": (["sink", "test", "office", "f"], ["files"]),
    "plans": (["plan", "pause", "n"], ["night"]),
    "parts": (["config", "show", "connections/hall/time"], ["connections/hall/timeout"]),
    "schemas": (["config", "schema", ""], ["config", "profile"]),
    "shells": (["completion", "z"], ["zsh"]),
    "files": (["backup", "ot"], ["other.yaml"]),
    "files of an option": (["run", "-c", "we"], ["weir.yaml"]),
    "folders": (["run", "--data-dir", "da"], ["data"]),
    "no options behind --": (["check", "--", "--li"], []),
    "nothing": (["status", ""], []),
    "an unknown command": (["frobnicate", ""], []),
}


def is_offered(found, wanted, name):
    found = [word.rstrip("/") if name == "folders" else word for word in found]
    if name == "tags":  # some of many
        return set(found) >= set(wanted) and all(word.startswith("feeder/voltage_") for word in found)
    return sorted(set(found)) == wanted


@pytest.mark.parametrize("which", EVERY)
@pytest.mark.parametrize("name", OFFERS)
def test_a_shell_offers(shells, which, name):
    words, wanted = OFFERS[name]
    found = getattr(shells, which)(*words)
    if which == "zsh":  # leaves it to compadd
        found = [word for word in found if word.startswith(words[-1])]
    assert is_offered(found, wanted, name), found


def test_every_command_and_option_is_offered(weir, shells):
    """From the tables, so none can be forgotten; bash stands for all."""
    commands = shells.bash("")
    overview = weir.run("--help").stdout.split("Commands:\n")[1].split("\n\n")[0]
    assert set(commands) == {line.split()[0] for line in overview.splitlines()} | {"help"}
    for command in commands:
        if command == "help":
            continue
        text = weir.run("help", command).stdout
        listed = {word.rstrip(",") for line in text.splitlines() if line.startswith(("  -", "      --"))
                  for word in line.split() if word.startswith("--")}
        offered = set(shells.bash(command, "--"))
        assert {word for word in listed if word in offered} == listed & offered and "--help" in offered
        first = {line.split()[0].rstrip(",") if line.startswith("      --") else line.split()[1]
                 for line in text.splitlines() if line.startswith(("  -", "      --")) and len(line.split()) > 1}
        assert first <= offered, (command, first - offered)


def test_bash_gets_what_follows_where_it_cuts_words(shells):
    assert shells.bash("sql", "--format", "=", "js") == ["json"]
    assert shells.bash("sql", "--format", "=", "") == ["auto", "csv", "json", "table"]
    assert shells.bash("read", "tcp", ":", "//10") == ["//10.0.0.7:502"]
    assert shells.bash("check", "--config", "=", "ot") == ["other.yaml"]


@pytest.mark.parametrize("which", EVERY[1:])
def test_others_get_the_whole_word(shells, which):
    found = getattr(shells, which)("sql", "--format=js")
    assert found == ["--format=json"]
    assert getattr(shells, which)("read", "tcp://10") == ["tcp://10.0.0.7:502"]


def test_a_name_with_a_blank_stays_one_word(shells):
    assert shells.bash("tag", "purge", "pu") == ["pump\\ 1/"]
    assert shells.bash("tag", "purge", "'pump 1/") == ["pump 1/on"]
    if shutil.which("fish"):
        assert shells.fish("tag", "purge", "pump 1/") == ["pump 1/on"]


def test_a_broken_configuration_is_no_reason_to_speak(shells):
    (shells.folder / "weir.yaml").write_text("devices: {")
    for words in (["tag", "purge", ""], ["sink", "test", ""], ["config", "show", ""], ["read", ""]):
        assert shells.bash(*words) == []
    assert shells.bash("simulate", "eas") == ["eastron-sdm630"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
@pytest.mark.parametrize("typed, line", [("weir stat\t", "weir status "), ("weir tag purge fe\t", "weir tag purge feeder/"),
                                         ("weir sql --format=js\t", "weir sql --format=json ")])
def test_zsh_completes_at_its_own_prompt(weir, shells, typed, line):
    """Its completion system has no way to be asked without a terminal."""
    (shells.folder.parent / ".zfunc").mkdir()
    (shells.folder.parent / ".zfunc" / "_weir").write_text(weir.run("completion", "zsh").stdout)
    master, terminal = pty.openpty()
    process = subprocess.Popen(["zsh", "-f", "-i"], stdin=terminal, stdout=terminal, stderr=terminal, cwd=shells.folder,
                               env=shells.environment, start_new_session=True)
    os.close(terminal)
    text = ""

    def until(wanted):
        nonlocal text
        end = time.monotonic() + 20
        while wanted not in text:
            ready, _, _ = select.select([master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"no {wanted!r} in {text!r}"
            text += os.read(master, 4096).decode(errors="replace")
        text = text.split(wanted, 1)[1]

    # The buffer as the line editor has it, without what the screen is told.
    for command in ("PS1='> '; unsetopt zle_bracketed_paste", "fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit -u -D",
                    "show() { print -r -- \"<$BUFFER>\"; BUFFER=; zle accept-line }; zle -N show; bindkey '^X' show",
                    "print re''ady"):
        os.write(master, command.encode() + b"\n")
    until("ready\r\n")
    os.write(master, typed.encode() + b"\x18")
    until(f"<{line}>")
    os.write(master, b"exit\n")
    process.wait(20)
    os.close(master)


def test_another_shell_is_told_which_there_are(weir):
    done = weir.run("completion", "fsh")
    assert done.returncode == 2 and "fish" in done.stderr


def test_meson_puts_the_scripts_where_the_shells_look():
    plan = os.path.join(os.path.dirname(BINARY), "meson-info", "intro-installed.json")
    if not os.path.exists(plan):
        pytest.skip("not in a build folder")
    with open(plan, encoding="utf-8") as file:
        installed = json.load(file).values()
    for path in ("share/bash-completion/completions/weir", "share/zsh/site-functions/_weir",
                 "share/fish/vendor_completions.d/weir.fish", "share/weir/weir.schema.json"):
        assert any(name.endswith(path) for name in installed), path
