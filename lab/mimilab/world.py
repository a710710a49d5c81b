"""The network of the paper's figure 2.

      c1 … c5 ── client switch ──┬── primary ──┬── server switch ── s1 … s5
                                 └── minion  ──┘

Primary and minion carry the same addresses and the same MAC addresses on both sides, so that
moving traffic is only a choice of the switches' port. A link between the two, apart from the rest,
is there for their own talk.
"""
import subprocess

from .isolation import LabError

CLIENTS = [f"c{n}" for n in range(1, 6)]
SERVERS = [f"s{n}" for n in range(1, 6)]
BOXES = ["primary", "minion"]

VIRTUAL_IP = "10.1.0.100"
BOX_CLIENT_IP = "10.1.0.1"
BOX_SERVER_IP = "10.2.0.1"
BOX_CLIENT_MAC = "02:00:00:00:01:01"
BOX_SERVER_MAC = "02:00:00:00:02:01"
TALK_IP = {"primary": "10.3.0.1", "minion": "10.3.0.2"}


def client_ip(name):
    return f"10.1.0.{10 + int(name[1:])}"


def server_ip(name):
    return f"10.2.0.{10 + int(name[1:])}"


def run(*command, inside=None, feed=None):
    """Runs a command, in a host of the laboratory or in none; its output. Fails with its words."""
    whole = ([] if inside is None else within(inside)) + [str(part) for part in command]
    done = subprocess.run(whole, input=feed, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"`{' '.join(whole)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def within(host):
    return ["nsenter", f"--net=/run/netns/{host}"]


def urgent(command, nice):
    """A command that gets its turn soon, where that is allowed: `nice` is below 0. Not a real-time
    priority: who preempts the boxes' packet work takes from the requests' latency."""
    first = ["nice", "-n", str(nice)]
    refused = subprocess.run(first + ["true"], capture_output=True, text=True)
    if refused.returncode != 0 or refused.stderr:  # nice warns, and runs the command all the same
        return command
    return first + command


def setting(host, **values):
    """Sets sysctls in a host: `setting("c1", net_ipv4_ip_forward=1)` with __ for a dot inside."""
    for name, value in values.items():
        run("sysctl", "-qw", f"{name.replace('__', '.')}={value}", inside=host)


class Links:
    """Sets links of several hosts up and down within a fraction of a millisecond, as a box dies:
    the programs that do it run already, and only wait for a line."""

    def __init__(self, hosts):
        self.programs = {host: subprocess.Popen(
            within(host) + ["ip", "-batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, bufsize=1) for host in hosts}

    def set(self, device, state):
        for program in self.programs.values():
            program.stdin.write(f"link set {device} {state}\n")

    def stop(self):
        for program in self.programs.values():
            _, words = program.communicate()
            if program.returncode != 0:
                raise LabError(f"a link could not be set: {words.strip()}")


class World:
    """The hosts and links, without anything running on them yet."""

    def __init__(self, switch):
        self.switch = switch
        for host in CLIENTS + SERVERS + BOXES + switch.hosts:
            run("ip", "netns", "add", host)
            run("ip", "link", "set", "lo", "up", inside=host)
            run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                "net.ipv6.conf.default.disable_ipv6=1", inside=host)
        switch.create()
        for host in CLIENTS:
            self._end_host(host, "client", client_ip(host), BOX_CLIENT_MAC)
        for host in SERVERS:
            self._end_host(host, "server", server_ip(host), BOX_SERVER_MAC)
        for box in BOXES:
            self._box(box)
        for box in BOXES:
            self._neighbours(box)
        self._talk()
        switch.ready()

    def _end_host(self, host, side, address, box_mac):
        self.switch.attach(side, host, "eth0", host)
        run("ip", "address", "add", f"{address}/24", "dev", "eth0", inside=host)
        run("ip", "link", "set", "eth0", "up", inside=host)
        box = VIRTUAL_IP if side == "client" else BOX_SERVER_IP
        run("ip", "neighbour", "replace", box, "lladdr", box_mac, "dev", "eth0", "nud",
            "permanent", inside=host)
        if side == "server":
            run("ip", "route", "add", "default", "via", BOX_SERVER_IP, inside=host)
        # Closed loops open ports quickly; a client must not run out of them.
        setting(host, net__ipv4__ip_local_port_range="1024 65535", net__ipv4__tcp_tw_reuse=1)

    def _box(self, box):
        for side, device, mac, addresses in (
                ("client", "clients", BOX_CLIENT_MAC, [BOX_CLIENT_IP, VIRTUAL_IP]),
                ("server", "servers", BOX_SERVER_MAC, [BOX_SERVER_IP])):
            self.switch.attach(side, box, device, box)
            run("ip", "link", "set", device, "address", mac, inside=box)
            for address in addresses:
                run("ip", "address", "add", f"{address}/24", "dev", device, inside=box)
            run("ip", "link", "set", device, "up", inside=box)
        setting(box, net__ipv4__ip_forward=1)

    def _neighbours(self, box):
        """Both boxes know everybody: no address resolution in the middle of a take-over."""
        for names, device, address_of in ((CLIENTS, "clients", client_ip),
                                          (SERVERS, "servers", server_ip)):
            for name in names:
                run("ip", "neighbour", "replace", address_of(name), "lladdr", self._mac(name),
                    "dev", device, "nud", "permanent", inside=box)

    @staticmethod
    def remove(switch):
        for host in CLIENTS + SERVERS + BOXES + switch.hosts:
            run("ip", "netns", "delete", host)

    @staticmethod
    def _mac(host):
        words = run("ip", "-o", "link", "show", "eth0", inside=host).split()
        return words[words.index("link/ether") + 1]

    @staticmethod
    def _talk():
        run("ip", "link", "add", "talk", "netns", "primary", "type", "veth", "peer", "name",
            "talk", "netns", "minion")
        for box in BOXES:
            run("ip", "address", "add", f"{TALK_IP[box]}/24", "dev", "talk", inside=box)
            run("ip", "link", "set", "talk", "up", inside=box)
