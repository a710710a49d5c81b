"""mimi beside the boxes: what this laboratory is for.

    memory   one process, in the minion's place, that reaches into the primary
    file     two: the driver's in the primary, the minion's and manager's in the minion

Who moves the traffic depends on the fault. A dead link is the switches' business, so steering is
passive. Where links stay up (blackhole) the manager has to notice, by echo requests over the
boxes' own link, and to steer; a planned move it is asked for.
"""
import json
import shlex
import subprocess
import time
from pathlib import Path

from . import boxes
from .isolation import LabError
from .sampling import cpu_seconds
from .world import BOXES, TALK_IP, urgent, within

READY_WITHIN = 20  # seconds
MOVE_WITHIN = 5

PAIR = """
[pair]
name = "lab"
audit_every = "0s"

[store]
url = "{store}"

[control]
socket = "{place}/{process}.sock"

[log]
level = "debug"
events = "{place}/{process}-events.jsonl"

[primary.driver]
namespace = "/run/netns/primary"
{driver}

[primary.minion]
kind = "netfilter"
namespace = "/run/netns/primary"
interfaces = ["clients", "servers"]
state_directory = "{place}/primary-originals"

[minion]
kind = "netfilter"
namespace = "/run/netns/minion"
interfaces = ["clients", "servers"]
state_directory = "{place}/minion-originals"

[minion.driver]
namespace = "/run/netns/minion"
{driver}
"""

DRIVERS = {
    "conntrack": 'kind = "conntrack"',
    "nflog": 'kind = "nflog"\ngroup = 1\ntranslated_group = 2',
}

PASSIVE = """
[manager]
policy = "manual"

[steering]
kind = "passive"
"""

STEERING = """
[manager]
policy = "{policy}"

[steering]
kind = "command"
divert = ["{place}/steer", "minion"]
restore = ["{place}/steer", "primary"]
observe = ["{place}/steer"]
"""

PROBE = """
[[liveness]]
kind = "icmp"
target = "{target}"
interval = "10ms"
timeout = "10ms"
fall = 3
rise = 3
"""


class Mimi:
    name = "mimi"
    programs = []
    notices = True  # by itself that the primary is dead

    def __init__(self, options, place, switch):
        self.options = options
        self.place = Path(place)
        self.switch = switch
        self.program = options.mimi.resolve()
        if not self.program.exists():
            raise LabError(f"there is no {self.program}; build it, or say where by --mimi")
        self.processes = {}

    def start(self):
        if self.options.driver == "nflog":
            for box in BOXES:
                boxes.log_flows(box)
        if self.options.fault != "link":
            self._write_steering(self.place / "steer")
        if self.options.store == "memory":
            self._run("minion", "driver", "minion", "manager")
        else:
            self._run("primary", "driver")
            self._run("minion", "minion", "manager")
        self._wait_until_ready()

    def _write_steering(self, path):
        """What an operator would write: a program that moves the traffic, and says where it is."""
        lines = ["#!/bin/sh", "set -e", 'case "$1" in']
        for box in BOXES:
            commands = " && ".join(shlex.join(words) for words in self.switch.steer_commands(box))
            lines.append(f"{box}) {commands} ;;")
        lines += ["*)", self.switch.observe_command(), ";;", "esac"]
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o755)

    def _configuration(self, process):
        store = {"memory": "memory:", "file": f"file:{self.place}/store"}[self.options.store]
        text = PAIR.format(place=self.place, process=process, store=store,
                           driver=DRIVERS[self.options.driver])
        if self.options.fault == "link":
            return text + PASSIVE
        policy = "immediate" if self.options.fault == "blackhole" else "manual"
        text += STEERING.format(place=self.place, policy=policy)
        if self.options.fault == "blackhole":
            text += PROBE.format(target=TALK_IP["primary"])
        return text

    def _run(self, box, *roles):
        path = self.place / f"{box}.toml"
        path.write_text(self._configuration(box))
        chosen = [word for role in roles for word in ("--role", role)]
        with open(self.place / f"{box}.log", "w", encoding="utf-8") as log:
            self.processes[box] = subprocess.Popen(
                within(box) + urgent([str(self.program), "run", *chosen, str(path)],
                                     self.options.priority),
                stdout=log, stderr=log)

    def _ask(self, *words):
        return subprocess.run(
            [str(self.program), *words, "--socket", str(self.place / "minion.sock")],
            capture_output=True, text=True)

    def _wait_until_ready(self):
        deadline = time.monotonic() + READY_WITHIN
        while (asked := self._ask("status", "lab")).returncode != 0:
            for box, process in self.processes.items():
                if process.poll() is not None:
                    raise LabError(f"mimi at the {box} has ended: {self._words(box)}")
            if time.monotonic() > deadline:
                raise LabError(f"mimi is not ready after {READY_WITHIN} s: "
                               f"{asked.stdout.strip() or asked.stderr.strip()}")
            time.sleep(0.1)

    def _words(self, box):
        return (self.place / f"{box}.log").read_text(encoding="utf-8").strip()[-2000:]

    def cpu(self):
        return sum(cpu_seconds(process.pid) for process in self.processes.values())

    def move(self, verb):
        """A planned move. While the other box still learns what it has missed it is refused: then
        it is asked for again."""
        deadline = time.monotonic() + MOVE_WITHIN
        while (asked := self._ask(verb, "lab")).returncode != 0:
            if time.monotonic() > deadline:
                raise LabError(f"mimi {verb}: {asked.stderr.strip() or asked.stdout.strip()}")
            time.sleep(0.05)

    def report(self):
        asked = self._ask("status", "lab", "--json")
        return json.loads(asked.stdout) if asked.stdout else {"error": asked.stderr.strip()}

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
