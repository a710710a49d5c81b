#!/usr/bin/env python3
"""The program as an operator meets it: real processes, a file store, exit codes.

Usage: program_test.py MIMI. Everything happens in a directory of its own, which is removed.
"""

import json
import os
import shutil
import signal
import subprocess
import unittest
import urllib.error
import urllib.request

from program_testing import PAIR, SCHEMA, ProgramTest, row


class Program(ProgramTest):
    def test_one_process_with_all_roles(self):
        process = self.start()
        self.until_ready()
        self.until("two rows at the minion",
                   lambda: (self.status()["minion"]["sink"] or {}).get("rows") == 2)
        self.assertEqual(self.flows(), ["198.51.100.1", "198.51.100.2"])
        self.assertEqual(self.status()["store"]["rows"], 2)
        screen = self.mimi("status")
        self.assertIn("edge1   READY", screen.stdout)
        self.assertNotIn("\x1b", screen.stdout)
        audit = self.mimi("audit", "edge1")
        self.assertEqual(audit.returncode, 0, audit.stderr)
        self.assertIn("2 rows compared: 0 missing", audit.stdout)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        self.assertFalse(os.path.exists(self.path("run/edge1.sock")))
        gone = self.mimi("status", "edge1")
        self.assertEqual(gone.returncode, 1)
        self.assertIn("no process of pair", gone.stderr)

    def test_one_process_per_role_and_kill_9(self):
        driver = self.start("--role", "driver")
        minion = self.start("--role", "minion")
        self.until_ready()
        minion.kill()
        minion.wait()
        self.until("the minion's silence is seen", lambda: self.status()["readiness"] == "blind")
        self.assertEqual(self.mimi("status", "edge1").returncode, 1)
        self.write("rows.jsonl", row("198.51.100.9", "10.0.0.7"))
        driver.send_signal(signal.SIGHUP)
        again = self.start("--role", "minion")  # takes the dead one's socket over
        self.until_ready()
        self.until("the row that came meanwhile", lambda: self.flows() == ["198.51.100.9"])
        self.until("one row at the minion",
                   lambda: (self.status()["minion"]["sink"] or {}).get("rows") == 1)
        for process in (driver, again):
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(30), 0)

    def test_reload_puts_what_is_new_and_erases_what_is_gone(self):
        process = self.start()
        self.until_ready()
        self.write("rows.jsonl", row("198.51.100.2", "10.0.0.9") + row("198.51.100.3", "10.0.0.5"))
        self.assertEqual(self.mimi("reload", "edge1").returncode, 0)
        self.until("the rows of the new file",
                   lambda: self.flows() == ["198.51.100.2", "198.51.100.3"])
        self.write("rows.jsonl", "{\"client_ip\": 7}\n")
        wrong = self.mimi("reload", "edge1")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("rows.jsonl:1:", wrong.stderr)
        self.assertEqual(self.flows(), ["198.51.100.2", "198.51.100.3"])
        self.assertIsNone(process.poll())

    def test_http(self):
        self.write("token", "0123456789abcdef\n")
        os.chmod(self.path("token"), 0o600)
        self.write("edge1.toml",
                   PAIR + SCHEMA + "[http]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"token\"\n")
        process = self.start()
        self.until_ready()
        port = self.log(process).split("http at 127.0.0.1:")[1].split()[0]

        def fetch(path, method="GET", token=None):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method,
                                             headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        self.assertEqual(fetch("/healthz"), (200, "ok\n"))
        self.assertEqual(fetch("/readyz"), (200, "ready\n"))
        self.assertEqual(json.loads(fetch("/status")[1])["pair"], "edge1")
        self.assertEqual(fetch("/nothing")[0], 404)
        self.assertEqual(fetch("/divert", "POST")[0], 401)
        self.assertEqual(fetch("/divert", "POST", "0123456789abcdeX")[0], 401)
        code, body = fetch("/divert", "POST", "0123456789abcdef")
        self.assertEqual((code, json.loads(body)["code"]), (409, "unimplemented"))
        self.assertEqual(fetch("/divert", "PUT", "0123456789abcdef")[0], 405)
        code, metrics = fetch("/metrics")
        self.assertEqual(code, 200)
        self.assertIn('mimi_pair_readiness{pair="edge1",word="ready"} 1\n', metrics)
        promtool = shutil.which("promtool")
        if promtool:
            checked = subprocess.run([promtool, "check", "metrics"], input=metrics, text=True,
                                     capture_output=True, timeout=60, check=False)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_control_socket(self):
        process = self.start()
        self.until_ready()
        self.assertEqual(os.stat(self.path("run/edge1.sock")).st_mode & 0o777, 0o600)
        second = self.start()
        self.assertEqual(second.wait(30), 1)
        self.assertIn("another process listens there", self.log(second))
        moved = self.mimi("divert", "edge1", "--dry-run")
        self.assertEqual(moved.returncode, 1)
        self.assertIn("does not manage", moved.stderr)
        events = self.mimi("events", "edge1", "--json").stdout.splitlines()
        self.assertIn("claim", [json.loads(event)["kind"] for event in events])
        self.assertIsNone(process.poll())

    def test_service_manager_is_told(self):
        import socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(self.path("notify"))
            listener.settimeout(30)
            process = self.start(NOTIFY_SOCKET=self.path("notify"), WATCHDOG_USEC="200000")
            self.assertIn("READY=1", listener.recv(4096).decode())
            while "WATCHDOG=1" not in listener.recv(4096).decode():
                pass
            process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in listener.recv(4096).decode():
                pass
        self.assertEqual(process.wait(30), 0)

    def test_store_info(self):
        process = self.start()
        self.until_ready()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        info = self.mimi("store", "info", "file:store", "--json")
        tables = {table["name"]: table["rows"] for table in json.loads(info.stdout)["tables"]}
        self.assertEqual(tables["lb.flow"], 2)
        missing = self.mimi("store", "info", "file:nothing-here")
        self.assertEqual(missing.returncode, 1)
        self.assertFalse(os.path.exists(self.path("nothing-here")))

    def test_usage_and_configuration(self):
        self.assertEqual(self.mimi().returncode, 2)
        self.assertEqual(self.mimi("divret", "edge1").returncode, 2)
        self.assertEqual(self.mimi("--help").returncode, 0)
        self.assertEqual(self.mimi("--version").returncode, 0)
        self.assertEqual(self.mimi("check", "edge1.toml").returncode, 0)
        self.write("edge1.toml", PAIR.replace("kind = \"table\"", "kind = \"tabel\"") + SCHEMA)
        for command in ("check", "run"):
            wrong = self.mimi(command, "edge1.toml")
            self.assertEqual(wrong.returncode, 2)
            self.assertIn("edge1.toml:11:8: minion.kind: unknown kind \"tabel\", did you mean "
                          "\"table\"?", wrong.stderr)
        self.assertEqual(self.mimi("run", "nowhere.toml").returncode, 2)
        self.assertEqual(self.mimi("store", "info", "reids://x").returncode, 2)


if __name__ == "__main__":
    unittest.main()
