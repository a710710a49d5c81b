#!/usr/bin/env python3
"""The WEB experiment in short: what dies with the box, and what does not with mimi.

Usage: lab_test.py MIMI. Exit code 77: cannot run here, and why.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

MIMI = os.path.abspath(sys.argv.pop(1))
LAB = pathlib.Path(__file__).resolve().parents[2] / "lab/lab"
SHORT = ["web", "--mimi", MIMI, "--connections", "100", "--duration", "10", "--period", "3.5",
         "--outage", "1.5", "--runs", "1"]
CANNOT_RUN = 2


def descendants(pid):
    """All processes below one, also those of other namespaces."""
    found = []
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child)] + descendants(child)
    return found


def failed(result):
    return sum(result[kind] for kind in ("connect", "read", "write", "timeout", "hung"))


class Lab(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="mimi-lab-test-")
        self.addCleanup(directory.cleanup)
        self.out = pathlib.Path(directory.name) / "out"

    def test_connections_die_with_the_box_and_not_with_mimi(self):
        done = subprocess.run([LAB, *SHORT, "--scenarios", "fail,failover", "--out", self.out],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        results = {result["scenario"]: result
                   for result in json.loads((self.out / "results.json").read_text())["results"]}
        self.assertGreater(failed(results["fail"]), 20, done.stdout)
        self.assertEqual(failed(results["failover"]), 0, done.stdout)
        self.assertGreater(results["failover"]["requests"], 1000, done.stdout)
        self.assertIn("<svg", (self.out / "report.html").read_text())

    @unittest.skipUnless(shutil.which("ulogd", path=os.environ["PATH"] + ":/usr/sbin"),
                         "ulogd2 is not installed")
    def test_a_closed_box_is_followed_by_its_log(self):
        done = subprocess.run([LAB, *SHORT, "--driver", "syslog", "--scenarios", "failover",
                               "--out", self.out], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        result, = json.loads((self.out / "results.json").read_text())["results"]
        self.assertLessEqual(result["failed_before_return"], 5, done.stdout)
        self.assertGreater(result["requests"], 1000, done.stdout)

    def test_nothing_is_left_when_it_is_killed(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
            with self.subTest(signal=number):
                lab = subprocess.Popen([LAB, *SHORT, "--scenarios", "copied", "--out", self.out],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                started = self.wait_for(lambda: self.running(lab.pid, "wrk"))
                lab.send_signal(number)
                self.assertEqual(lab.wait(timeout=30), code)
                self.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in started))

    def running(self, pid, name):
        """The processes below the laboratory, once one of that name is among them."""
        below = descendants(pid)
        names = [pathlib.Path(f"/proc/{one}/comm").read_text().strip() for one in below]
        return below if name in names else None

    def wait_for(self, what):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if answer := what():
                    return answer
            except (FileNotFoundError, ProcessLookupError):
                pass  # a process has ended while we looked
            time.sleep(0.05)
        self.fail("nothing came of it within 30 s")


def main():
    trial = subprocess.run([LAB, "check"], capture_output=True, text=True)
    if trial.returncode == CANNOT_RUN:
        print(f"skipped: {trial.stderr.strip()}")
        return 77
    return 0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
