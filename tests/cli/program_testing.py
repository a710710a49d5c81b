"""What tests of the program share: a directory of their own, processes, and waiting.

The program is the first argument of the command line. Everything happens in a directory of its own,
which is removed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

MIMI = os.path.abspath(sys.argv.pop(1))

SCHEMA = """
[schema.lb_flow]
name = "lb.flow"
[schema.lb_flow.key]
client_ip = "ipv4"
client_port = "port"
[schema.lb_flow.value]
backend_ip = "ipv4"
"""

PAIR = """
[pair]
name = "edge1"
[store]
url = "file:store"
[primary.driver]
kind = "rows_file"
table = "lb.flow"
path = "rows.jsonl"
[minion]
kind = "table"
table = "lb.flow"
"""


def row(client, backend):
    return json.dumps({"client_ip": client, "client_port": 40000, "backend_ip": backend}) + "\n"


class ProgramTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="mimi-program-")
        self.processes = []
        self.environment = dict(os.environ, MIMI_RUNTIME_DIR=self.path("run"))
        self.write("rows.jsonl", row("198.51.100.1", "10.0.0.5") + row("198.51.100.2", "10.0.0.6"))
        self.write("edge1.toml", PAIR + SCHEMA)

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stderr.close()
        shutil.rmtree(self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name) + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.path(name) + ".new", self.path(name))

    def mimi(self, *arguments):
        return subprocess.run([MIMI, *arguments], cwd=self.directory, env=self.environment,
                              capture_output=True, text=True, timeout=60, check=False)

    def start(self, *arguments, config="edge1.toml", **environment):
        log = open(self.path(f"log{len(self.processes)}"), "w+", encoding="utf-8")
        process = subprocess.Popen([MIMI, "run", config, *arguments], cwd=self.directory,
                                   env=dict(self.environment, **environment), stderr=log)
        process.stderr = log
        self.processes.append(process)
        return process

    def log(self, process):
        process.stderr.flush()
        with open(process.stderr.name, encoding="utf-8") as file:
            return file.read()

    def until(self, what, condition):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        logs = "\n".join(self.log(process) for process in self.processes)
        self.fail(f"not within 30 s: {what}\n{logs}")

    def status(self, *arguments):
        asked = self.mimi("status", "edge1", "--json", *arguments)
        return json.loads(asked.stdout) if asked.stdout else None

    def until_ready(self):
        return self.until("ready", lambda: self.mimi("status", "edge1").returncode == 0)

    def flows(self):
        shown = self.mimi("flows", "edge1", "--json")
        return sorted(json.loads(line)["client_ip"] for line in shown.stdout.splitlines())
