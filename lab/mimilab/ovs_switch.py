"""Two switches of Open vSwitch in userspace, with OpenFlow 1.3 fast-failover groups.

Group 1 watches the primary's port and falls back to the minion's: the switch moves the traffic by
itself, as in the paper. Static layer 2: every address is known, nothing is learnt.
"""
import os
import shlex
import subprocess
import time
from pathlib import Path

from .isolation import LabError
from .world import BOX_CLIENT_MAC, BOX_SERVER_MAC, CLIENTS, SERVERS, Links, run, within

MAC = {"client": BOX_CLIENT_MAC, "server": BOX_SERVER_MAC}
ENDS = {"client": CLIENTS, "server": SERVERS}
PORTS = {"primary": 1, "minion": 2}


class OvsSwitch:
    name = "ovs"
    hosts = ["clientswitch", "serverswitch"]
    programs = ["ovs-vswitchd"]

    def __init__(self, place):
        self.place = Path(place)
        self.processes = []
        self.links = None

    @staticmethod
    def host(side):
        return f"{side}switch"

    def _environment(self, side):
        directory = str(self.place / f"ovs-{side}")
        return {**os.environ, "OVS_RUNDIR": directory, "OVS_DBDIR": directory,
                "OVS_LOGDIR": directory}

    def _command(self, side, *command):
        done = subprocess.run(within(self.host(side)) + list(command), capture_output=True,
                              text=True, env=self._environment(side))
        if done.returncode != 0:
            raise LabError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
        return done.stdout

    def _database(self, side):
        return f"unix:{self.place}/ovs-{side}/db.sock"

    def _start(self, side, *command):
        self.processes.append(subprocess.Popen(
            within(self.host(side)) + list(command), env=self._environment(side),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def create(self):
        for side in ("client", "server"):
            directory = self.place / f"ovs-{side}"
            directory.mkdir()
            self._command(side, "ovsdb-tool", "create", str(directory / "conf.db"),
                          "/usr/share/openvswitch/vswitch.ovsschema")
            self._start(side, "ovsdb-server", str(directory / "conf.db"),
                        f"--remote=punix:{directory}/db.sock")
            self._wait_for(directory / "db.sock")
            self._vsctl(side, "--no-wait", "init")
            self._vsctl(side, "--no-wait", "set", "Open_vSwitch", ".",
                        "other_config:userspace-tso-enable=true")
            self._start(side, "ovs-vswitchd", self._database(side))
            self._vsctl(side, "add-br", "sw", "--", "set", "bridge", "sw", "datapath_type=netdev",
                        "protocols=OpenFlow13", "fail_mode=secure")

    @staticmethod
    def _wait_for(path):
        deadline = time.monotonic() + 10
        while not path.exists():
            if time.monotonic() > deadline:
                raise LabError(f"Open vSwitch did not make {path.name} within 10 s")
            time.sleep(0.02)

    def _vsctl(self, side, *arguments):
        return self._command(side, "ovs-vsctl", "--timeout=10", f"--db={self._database(side)}",
                             *arguments)

    def _ofctl_command(self, side, verb, *arguments):
        return ["ovs-ofctl", "-O", "OpenFlow13", verb,
                f"unix:{self.place}/ovs-{side}/sw.mgmt", *arguments]

    def _ofctl(self, side, *arguments):
        return self._command(side, *self._ofctl_command(side, *arguments))

    def attach(self, side, host, device, port):
        switch = self.host(side)
        run("ip", "link", "add", port, "netns", switch, "type", "veth", "peer", "name", device,
            "netns", host)
        run("ip", "link", "set", port, "up", inside=switch)
        self._vsctl(side, "add-port", "sw", port, "--", "set", "interface", port,
                    f"ofport_request={self._number(side, port)}")

    @staticmethod
    def _number(side, port):
        return PORTS.get(port) or 10 + ENDS[side].index(port)

    def ready(self):
        for side in ("client", "server"):
            self._ofctl(side, "add-group", self._group("primary"))
            self._ofctl(side, "add-flow", f"priority=10,dl_dst={MAC[side]},actions=group:1")
            for name in ENDS[side]:
                words = run("ip", "-o", "link", "show", "eth0", inside=name).split()
                self._ofctl(side, "add-flow",
                            f"priority=10,dl_dst={words[words.index('link/ether') + 1]},"
                            f"actions=output:{self._number(side, name)}")
        self.links = Links(self.hosts)

    @staticmethod
    def _group(first):
        order = [first, "minion" if first == "primary" else "primary"]
        buckets = ",".join(f"bucket=watch_port:{PORTS[box]},actions=output:{PORTS[box]}"
                           for box in order)
        return f"group_id=1,type=ff,{buckets}"

    def steer(self, box):
        for command in self.steer_commands(box):
            run(*command)

    def steer_commands(self, box):
        return [self._ofctl_command(side, "mod-group", self._group(box))
                for side in ("client", "server")]

    def observe_command(self):
        """A line for a shell that prints "primary" or "minion"."""
        ask = shlex.join(self._ofctl_command("client", "dump-groups"))
        return (f"case $({ask} | grep -o 'watch_port:[a-z0-9]*' | head -n 1) in\n"
                "  *:1 | *:primary) echo primary ;;\n  *) echo minion ;;\nesac")

    def link(self, box, state):
        self.links.set(box, state)

    def stop(self):
        if self.links:
            self.links.stop()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
