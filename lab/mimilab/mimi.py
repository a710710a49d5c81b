"""mimi beside the boxes: what this laboratory is for.

    memory   one process, in the minion's place, that reaches into the primary
    file     two: the driver's in the primary, the minion's and manager's in the minion
    redis    the same two, and a Redis server between them

With the syslog driver the primary is closed, as in the paper: nothing of mimi is on it, its log
goes to the minion's place, and state goes one way. So what was born on the minion dies at the
return.

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
from .log_chain import LogChain
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

[minion]
kind = "netfilter"
namespace = "/run/netns/minion"
interfaces = ["clients", "servers"]
state_directory = "{place}/minion-originals"
"""

BOTH_WAYS = """
[primary.driver]
namespace = "/run/netns/primary"
{driver}

[primary.minion]
kind = "netfilter"
namespace = "/run/netns/primary"
interfaces = ["clients", "servers"]
state_directory = "{place}/primary-originals"

[minion.driver]
namespace = "/run/netns/minion"
{driver}
"""

ONE_WAY = """
[primary.driver]
{driver}
"""

LOG_PORT = 5514

DRIVERS = {
    "conntrack": 'kind = "conntrack"',
    "nflog": 'kind = "nflog"\ngroup = 1\ntranslated_group = 2',
    "syslog": f'kind = "syslog"\nlisten = ["udp:{TALK_IP["minion"]}:{LOG_PORT}"]\n'
              f'allow = ["{TALK_IP["primary"]}"]\npacks = ["iptables"]',
}
STORES = {"memory": "memory:", "file": "file:{place}/store", "redis": "unix://{place}/redis.sock"}

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
    notices = True  # by itself that the primary is dead

    def __init__(self, options, place, switch):
        self.options = options
        self.place = Path(place)
        self.switch = switch
        self.program = options.mimi.resolve()
        if not self.program.exists():
            raise LabError(f"there is no {self.program}; build it, or say where by --mimi")
        self.processes = {}
        self.log_chain = None

    @staticmethod
    def programs(options):
        return (["ulogd", "iptables"] if options.driver == "syslog" else []) + \
            (["redis-server"] if options.store == "redis" else [])

    def start(self):
        if self.options.driver == "nflog":
            for box in BOXES:
                boxes.log_flows(box)
        if self.options.store == "redis":
            self._run_redis()
        if self.options.fault != "link":
            self._write_steering(self.place / "steer")
        if self.options.driver == "syslog":
            self.log_chain = LogChain("primary", self.place, TALK_IP["minion"], LOG_PORT,
                                      self.options.nice)
        # A closed box's driver is where its log goes to.
        if self.options.store == "memory" or self.log_chain:
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
        text = PAIR.format(place=self.place, process=process,
                           store=STORES[self.options.store].format(place=self.place))
        text += (ONE_WAY if self.log_chain else BOTH_WAYS).format(
            place=self.place, driver=DRIVERS[self.options.driver])
        if self.options.fault == "link":
            return text + PASSIVE
        policy = "immediate" if self.options.fault == "blackhole" else "manual"
        text += STEERING.format(place=self.place, policy=policy)
        if self.options.fault == "blackhole":
            text += PROBE.format(target=TALK_IP["primary"])
        return text

    def _run_redis(self):
        socket = self.place / "redis.sock"
        with open(self.place / "redis.log", "w", encoding="utf-8") as log:
            self.processes["redis"] = subprocess.Popen(
                urgent(["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "",
                        "--dir", str(self.place)], self.options.nice), stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while not socket.exists():
            if time.monotonic() > deadline:
                raise LabError(f"redis-server does not start: {self._words('redis')}")
            time.sleep(0.02)

    def _run(self, box, *roles):
        path = self.place / f"{box}.toml"
        path.write_text(self._configuration(box))
        chosen = [word for role in roles for word in ("--role", role)]
        with open(self.place / f"{box}.log", "w", encoding="utf-8") as log:
            self.processes[box] = subprocess.Popen(
                within(box) + urgent([str(self.program), "run", *chosen, str(path)],
                                     self.options.nice),
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
                    raise LabError(f"{box} has ended: {self._words(box)}")
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
        if self.log_chain:
            self.log_chain.stop()
        # mimi first, then what it needs.
        for process in reversed(self.processes.values()):
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
