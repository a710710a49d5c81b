#!/usr/bin/env python3
"""Managers as an operator meets them: moves, deaths, and who acts, with real processes over a file store.

Where traffic goes stands in the file `traffic`, which the steering's programs write; each also notes
the process that ran it in `moves`. Usage: manager_test.py MIMI.
"""

import json
import os
import shutil
import signal
import socket
import unittest

from program_testing import PAIR, SCHEMA, ProgramTest

WAYS_BACK = """
[primary.minion]
kind = "table"
table = "lb.flow"
[minion.driver]
kind = "rows_file"
table = "lb.flow"
path = "rows.jsonl"
"""

STEERING = """
[steering]
kind = "command"
shell = true
divert = ["echo $PPID minion >> moves; echo minion > traffic.$$; mv traffic.$$ traffic"]
restore = ["echo $PPID primary >> moves; echo primary > traffic.$$; mv traffic.$$ traffic"]
observe = ["cat traffic"]
"""


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Managers(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("traffic", "primary\n")
        self.write("moves", "")
        self.write("key", "0123456789abcdef0123456789abcdef")
        os.chmod(self.path("key"), 0o600)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def moves(self):
        return [(int(pid), to) for pid, to in map(str.split, self.read("moves").splitlines())]

    def configure(self, policy="manual", managers=("a",), **steering):
        """edge1.toml for the boxes, and a file and a control socket for each manager."""
        ports = {(name, box): free_port() for name in managers for box in ("primary", "minion")}
        pair = PAIR.replace('name = "edge1"', 'name = "edge1"\nreport_every = "50ms"') + SCHEMA
        pair += WAYS_BACK + "".join(
            f'[{box}.beacon]\nkey_file = "key"\ninterval = "50ms"\ntargets = ' +
            str([f"127.0.0.1:{ports[name, box]}" for name in managers]) + "\n"
            for box in ("primary", "minion"))
        self.write("edge1.toml", pair)
        how = STEERING
        for key, value in steering.items():
            how += f"{key} = {value}\n"
        for name in managers:
            manager = f'[manager]\npolicy = "{policy}"\nnode = "{name}"\nlease_ttl = "1s"\n'
            manager += "".join(f'[[liveness]]\nkind = "heartbeat"\nbox = "{box}"\n'
                               f'listen = "127.0.0.1:{ports[name, box]}"\nkey_file = "key"\n'
                               for box in ("primary", "minion"))
            control = f'[control]\nsocket = "{self.socket(name)}"\n'
            self.write(f"{name}.toml", pair + manager + how + control)
        os.makedirs(self.path("run"), exist_ok=True)

    def socket(self, name):
        return self.path(f"run/edge1.{name}.sock")

    def start_manager(self, name):
        return self.start("--role", "manager", config=f"{name}.toml")

    def start_boxes(self):
        return self.start("--role", "driver"), self.start("--role", "minion")

    def ask(self, name):
        """A manager's status; without it, as of a process that does not answer, nobody acts."""
        status = self.status("--socket", self.socket(name))
        return status or {"process": {"acting": False}, "moves": []}

    def acting(self, *names):
        return [name for name in names if self.ask(name)["process"]["acting"]]

    def until_ready_at(self, name):
        self.until("ready, and a manager that sees both boxes", lambda: (
            (status := self.ask(name))["process"]["acting"] and status["readiness"] == "ready" and
            status["primary"]["health"] == "up" and status["minion"]["health"] == "up"))

    def traffic(self):
        return self.read("traffic").strip()

    def move(self, name, verb, *arguments):
        return self.mimi(verb, "edge1", "--socket", self.socket(name), *arguments)

    def test_planned_divert_and_return(self):
        self.configure()
        self.start_boxes()
        self.start_manager("a")
        self.until_ready_at("a")
        would = self.move("a", "divert", "--dry-run")
        self.assertEqual((would.returncode, would.stdout),
                         (0, "would divert: announce, drain, activate, steer, drain-tail, claim, "
                             "commit\n"))
        self.assertEqual(self.move("a", "restore", "--dry-run").stdout,
                         "nothing to do: traffic is there, or on its way\n")
        self.assertEqual((self.traffic(), self.moves()), ("primary", []))

        moved = self.move("a", "divert")
        self.assertEqual((moved.returncode, moved.stdout), (0, "traffic is at the minion\n"),
                         moved.stderr)
        self.assertEqual(self.traffic(), "minion")
        self.assertEqual(self.move("a", "divert").stdout, "traffic is at the minion\n")
        self.assertEqual(len(self.moves()), 1)
        screen = self.mimi("status", "edge1", "--socket", self.socket("a")).stdout
        for words in ("traffic at the minion", "▶ minion   up for ", "heartbeat", "rows     driver 2",
                      "age      p50 ", "lost     0; resyncs completed ", "last moves",
                      "to the minion   planned   done", "asked for by an operator",
                      "(manager, acting manager)"):
            self.assertIn(words, screen)

        self.until_ready_at("a")
        back = self.move("a", "restore", "--dry-run")
        self.assertIn("catch-up", back.stdout)
        back = self.move("a", "restore")
        self.assertEqual((back.returncode, back.stdout), (0, "traffic is at the primary\n"),
                         back.stderr)
        self.assertEqual([to for _, to in self.moves()], ["minion", "primary"])
        self.until_ready_at("a")
        self.assertEqual(self.flows(), ["198.51.100.1", "198.51.100.2"])
        moves = self.ask("a")["moves"]
        self.assertEqual([(move["to"], move["planned"], move["succeeded"]) for move in moves],
                         [("minion", True, True), ("primary", True, True)])
        events = [json.loads(line) for line in
                  self.mimi("events", "edge1", "--json", "--socket",
                            self.socket("a")).stdout.splitlines()]
        kinds = {event["kind"] for event in events}
        self.assertLessEqual({"lease", "liveness", "readiness", "phase", "step", "claim"}, kinds)
        steps = [event["detail"] for event in events if event["kind"] == "step"]
        self.assertIn("to the minion: steer done", steps)

    def test_a_divert_that_cannot_be_is_refused(self):
        self.configure()
        self.start("--role", "driver")
        self.start_manager("a")
        self.until("acting", lambda: self.acting("a"))
        for arguments in (["--dry-run"], []):
            refused = self.move("a", "divert", *arguments)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("minion is", refused.stderr)
        self.assertEqual(self.moves(), [])

    def test_programs_that_fail_leave_the_traffic_where_it_is(self):
        self.configure()
        self.write("a.toml", self.read("a.toml").replace(
            "echo $PPID minion >> moves;", "echo the router is away >&2; exit 3;"))
        self.start_boxes()
        self.start_manager("a")
        self.until_ready_at("a")
        moved = self.move("a", "divert")
        self.assertEqual(moved.returncode, 1)
        self.assertIn("ended with 3: the router is away", moved.stderr)
        self.assertEqual(self.traffic(), "primary")
        self.assertFalse(self.ask("a")["moves"][-1]["succeeded"])
        self.until_ready_at("a")

    def test_the_box_dies_and_comes_back(self):
        self.configure(policy="immediate")
        primary, _ = self.start_boxes()
        self.start_manager("a")
        self.until_ready_at("a")
        primary.kill()
        primary.wait()
        self.until("diverted", lambda: self.traffic() == "minion" and self.ask("a")["moves"])
        status = self.until("the move's end", lambda: (
            (now := self.ask("a"))["phase"] == "on-minion" and now))
        self.assertEqual(status["primary"]["health"], "down")
        move = status["moves"][-1]
        self.assertEqual((move["to"], move["planned"], move["succeeded"]), ("minion", False, True))
        self.assertIn("primary down", move["reason"])
        refused = self.move("a", "restore")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("primary is down", refused.stderr)

        self.start("--role", "driver")  # as a follower now
        self.until_ready_at("a")
        self.assertEqual(self.traffic(), "minion")
        self.until("the new primary can take it back",
                   lambda: self.move("a", "restore", "--dry-run").returncode == 0)
        back = self.move("a", "restore")
        self.assertEqual((back.returncode, self.traffic()), (0, "primary"), back.stderr)
        self.until_ready_at("a")
        self.assertEqual(self.flows(), ["198.51.100.1", "198.51.100.2"])

    def test_of_several_managers_one_acts(self):
        names = ("a", "b", "c")
        self.configure(policy="immediate", managers=names)
        primary, _ = self.start_boxes()
        managers = {name: self.start_manager(name) for name in names}
        self.until("one acts", lambda: self.acting(*names))
        first, = self.acting(*names)
        self.until_ready_at(first)
        other = next(name for name in names if name != first)
        refused = self.move(other, "divert")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("not the acting manager", refused.stderr)

        primary.kill()
        primary.wait()
        self.until("diverted", lambda: self.traffic() == "minion")
        self.until("settled", lambda: self.ask(first)["phase"] == "on-minion")
        self.assertEqual(self.moves(), [(managers[first].pid, "minion")])

        managers[first].kill()
        managers[first].wait()
        left = [name for name in names if name != first]
        second, = self.until("another acts", lambda: self.acting(*left))
        self.assertEqual(self.ask(second)["phase"], "on-minion")
        self.start("--role", "driver")
        self.until_ready_at(second)
        self.until("the new primary can take it back",
                   lambda: self.move(second, "restore", "--dry-run").returncode == 0)
        back = self.move(second, "restore")
        self.assertEqual(back.returncode, 0, back.stderr)
        self.assertEqual(self.moves(), [(managers[first].pid, "minion"),
                                        (managers[second].pid, "primary")])

    def test_a_manager_that_stood_still_past_its_lease_moves_nothing(self):
        names = ("a", "b")
        self.configure(policy="immediate", managers=names)
        primary, _ = self.start_boxes()
        stopped = self.start_manager("a")
        self.until_ready_at("a")
        second = self.start_manager("b")
        stopped.send_signal(signal.SIGSTOP)
        self.until("the other acts", lambda: self.acting("b"))
        self.until_ready_at("b")
        primary.kill()
        primary.wait()
        self.until("diverted", lambda: self.traffic() == "minion")
        self.until("settled", lambda: self.ask("b")["phase"] == "on-minion")
        self.start("--role", "driver")
        self.until_ready_at("b")
        self.until("the new primary can take it back",
                   lambda: self.move("b", "restore", "--dry-run").returncode == 0)
        self.assertEqual(self.move("b", "restore").returncode, 0)
        # To the one that slept the primary has been silent for seconds: it would divert.
        stopped.send_signal(signal.SIGCONT)
        self.until("it knows that it acts no more", lambda: not self.acting("a"))
        self.until("it has seen what is",
                   lambda: self.ask("a")["phase"] == "on-primary" and self.acting("b"))
        self.assertEqual(self.moves(), [(second.pid, "minion"), (second.pid, "primary")])


class Example(ProgramTest):
    """examples/failover_pair.toml does what its first lines say."""

    def test_failover_pair(self):
        examples = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples")
        for name in ("failover_pair.toml", "failover_pair_rows.jsonl"):
            shutil.copy(os.path.join(examples, name), self.path(name))
        self.environment["TMPDIR"] = self.directory
        checked = self.mimi("check", "failover_pair.toml")
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.start(config="failover_pair.toml")
        self.until_ready()
        self.until("three rows at the minion",
                   lambda: (self.status()["minion"]["sink"] or {}).get("rows") == 3)
        self.assertIn("would divert: announce", self.mimi("divert", "edge1", "--dry-run").stdout)
        for verb, side in (("divert", "minion"), ("restore", "primary")):
            moved = self.mimi(verb, "edge1")
            self.assertEqual((moved.returncode, moved.stdout), (0, f"traffic is at the {side}\n"),
                             moved.stderr)
            with open(self.path("mimi-edge1-traffic"), encoding="utf-8") as file:
                self.assertEqual(file.read(), side + "\n")
            self.until_ready()


if __name__ == "__main__":
    unittest.main()
