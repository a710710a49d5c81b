#!/usr/bin/env python3
"""Two Linux boxes under load, and the parts of mimi that die in the middle of it: kill -9, again and again.

A box A translates for clients that come and go, and for some that stay; a driver process learns it, a minion
process holds it in box B's kernel, a store is between them. Whatever was killed and started again, in the
end B's table is what it ought to be: the audit finds nothing missing, nothing left over.

Usage: netfilter_crash_test.py MIMI, as root. The namespaces and the directory are removed.
"""

import os
import random
import shutil
import subprocess
import time
import unittest

from program_testing import MIMI, ProgramTest

CONFIG = """
[pair]
name = "edge1"
[store]
url = "{store}"
[primary.driver]
kind = "conntrack"
[minion]
kind = "netfilter"
state_directory = "state-b"
"""

RULES = """
table ip nat {
  chain pre { type nat hook prerouting priority dstnat; ip daddr 203.0.113.1 dnat to 10.2.0.2; }
  chain post { type nat hook postrouting priority srcnat; oifname "inner" masquerade; }
}
"""

SERVER = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(64):
            self.request.sendall(data)
socketserver.ThreadingTCPServer.request_queue_size = 500
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("10.2.0.2", 80), Echo).serve_forever()
"""

# Some stay, the others ask once and go, as fast as it goes, until standard input ends.
CLIENT = """
import select, socket, sys
def connect():
    line = socket.create_connection(("203.0.113.1", 80), timeout=10)
    line.sendall(b"?")
    assert line.recv(64) == b"?"
    return line
stay = [connect() for _ in range(100)]
print("begun", flush=True)
short = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    connect().close()
    short += 1
for line in stay:
    line.sendall(b"!")
    assert line.recv(64) == b"!"
print(short, flush=True)
sys.stdin.readline()
sys.stdin.readline()
"""

STAY = 100


def can_make_namespaces():
    made = subprocess.run(["ip", "netns", "add", f"mimi-can-{os.getpid()}"], capture_output=True,
                          check=False).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", f"mimi-can-{os.getpid()}"], check=True)
    return made


class NetfilterCrash(ProgramTest):
    def setUp(self):
        super().setUp()
        self.name = f"mimi-crash-{os.getpid()}"
        self.helpers = []
        for box in ("client", "a", "b", "server"):
            self.ip("netns", "add", self.space(box))
            self.ip("-n", self.space(box), "link", "set", "lo", "up")
        self.connect("client", "c0", "a", "outer", "10.1.0.2", "10.1.0.1")
        self.connect("server", "s0", "a", "inner", "10.2.0.2", "10.2.0.1")
        self.inside("a", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        subprocess.run(["ip", "netns", "exec", self.space("a"), "nft", "-f", "-"], input=RULES,
                       text=True, check=True)
        self.inside("client", "sysctl", "-qw", "net.ipv4.tcp_tw_reuse=1")

    def tearDown(self):
        for helper in self.helpers:
            helper.kill()
            helper.wait()
            for stream in (helper.stdin, helper.stdout):
                if stream is not None:
                    stream.close()
        super().tearDown()
        for box in ("client", "a", "b", "server"):
            subprocess.run(["ip", "netns", "del", self.space(box)], capture_output=True,
                           check=False)

    def space(self, box):
        return f"{self.name}-{box}"

    @staticmethod
    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)

    def inside(self, box, *command):
        self.ip("netns", "exec", self.space(box), *command)

    def connect(self, end, device, box, box_device, address, box_address):
        self.ip("link", "add", device, "netns", self.space(end), "type", "veth", "peer", "name",
                box_device, "netns", self.space(box))
        for space, name, ip in ((end, device, address), (box, box_device, box_address)):
            self.ip("-n", self.space(space), "addr", "add", ip + "/24", "dev", name)
            self.ip("-n", self.space(space), "link", "set", name, "up")
        self.ip("-n", self.space(end), "route", "add", "default", "via", box_address)

    def helper(self, box, *command, **streams):
        process = subprocess.Popen(["ip", "netns", "exec", self.space(box), *command], text=True,
                                   **streams)
        self.helpers.append(process)
        return process

    def start_in(self, box, role):
        log = open(self.path(f"log{len(self.processes)}"), "w+", encoding="utf-8")
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.space(box), MIMI, "run", "edge1.toml", "--role", role],
            cwd=self.directory, env=self.environment, stderr=log)
        process.stderr = log
        self.processes.append(process)
        return process

    def start_load(self):
        self.helper("server", "python3", "-c", SERVER)
        client = None

        def begun():
            nonlocal client
            client = self.helper("client", "python3", "-c", CLIENT, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            return client.stdout.readline() == "begun\n"  # the server may not be there yet

        self.until("the load", begun)
        return client

    def stop_load(self, client):
        client.stdin.write("\n")
        client.stdin.flush()
        short = int(client.stdout.readline())
        self.assertGreater(short, 100)

    def audit_is_clean(self):
        self.until_ready()
        self.until("the rows of those that stay at B",
                   lambda: (self.status()["minion"]["sink"] or {}).get("rows") == STAY)
        audit = self.mimi("audit", "edge1")
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)
        self.assertIn(f"{STAY} rows compared: 0 missing, 0 extra, 0 different", audit.stdout)

    def test_driver_and_minion_are_killed_under_load(self):
        self.write("edge1.toml", CONFIG.format(store="file:store"))
        alive = {"driver": self.start_in("a", "driver"), "minion": self.start_in("b", "minion")}
        self.until_ready()
        client = self.start_load()
        seed = random.randrange(1 << 32)
        print("seed", seed)
        chance = random.Random(seed)
        for role in ("driver", "minion", "driver", "minion", "both"):
            time.sleep(chance.uniform(0.3, 1))
            for one in alive if role == "both" else [role]:
                alive[one].kill()
                alive[one].wait()
            time.sleep(chance.uniform(0, 0.5))
            for one in alive if role == "both" else [role]:
                alive[one] = self.start_in("a" if one == "driver" else "b", one)
            self.until_ready()
        self.stop_load(client)
        self.audit_is_clean()

    @unittest.skipUnless(shutil.which("redis-server"), "needs redis-server")
    def test_the_store_is_killed_under_load(self):
        def start_redis():
            return self.helper("a", "redis-server", "--port", "0", "--unixsocket",
                               self.path("redis"), "--dir", self.directory, "--appendonly", "yes",
                               "--save", "", "--loglevel", "warning", stdout=subprocess.DEVNULL)

        redis = start_redis()
        self.write("edge1.toml", CONFIG.format(store="unix://" + self.path("redis")))
        self.start_in("a", "driver")
        self.start_in("b", "minion")
        self.until_ready()
        client = self.start_load()
        for _ in range(2):
            time.sleep(0.7)
            redis.kill()
            redis.wait()
            time.sleep(0.3)
            redis = start_redis()
            self.until("it is missed, or back", lambda: self.status() is not None)
            time.sleep(1)
            self.until_ready()
        self.stop_load(client)
        self.audit_is_clean()


if __name__ == "__main__":
    if os.geteuid() != 0 or not can_make_namespaces():
        print("skipped: needs root and network namespaces")
        raise SystemExit(77)
    unittest.main()
