"""Two Linux bridges; the primary's port has the minion's as its `backup_port`.

A link that goes down at the switch's end moves its traffic to the minion's port within the kernel,
as a fast-failover group does. The boxes' ports learn nothing: their MAC address is at two ports.
"""
import shlex

from .world import BOX_CLIENT_MAC, BOX_SERVER_MAC, Links, run, within

MAC = {"client": BOX_CLIENT_MAC, "server": BOX_SERVER_MAC}


class BridgeSwitch:
    name = "bridge"
    hosts = ["clientswitch", "serverswitch"]
    programs = []

    @staticmethod
    def host(side):
        return f"{side}switch"

    def __init__(self, place):
        self.links = None

    def create(self):
        for host in self.hosts:
            run("ip", "link", "add", "sw", "type", "bridge", inside=host)
            run("ip", "link", "set", "sw", "up", inside=host)

    def attach(self, side, host, device, port):
        switch = self.host(side)
        run("ip", "link", "add", port, "netns", switch, "type", "veth", "peer", "name", device,
            "netns", host)
        run("ip", "link", "set", port, "master", "sw", "up", inside=switch)

    def ready(self):
        for side in ("client", "server"):
            switch = self.host(side)
            for port in ("primary", "minion"):
                run("bridge", "link", "set", "dev", port, "learning", "off", "flood", "off",
                    "mcast_flood", "off", "bcast_flood", "off", inside=switch)
            run("ip", "link", "set", "dev", "primary", "type", "bridge_slave", "backup_port",
                "minion", inside=switch)
        self.steer("primary")
        self.links = Links(self.hosts)

    def steer(self, box):
        """Where the boxes' MAC address is, on both switches: what an operator's steering does."""
        for command in self.steer_commands(box):
            run(*command)

    def steer_commands(self, box):
        return [within(self.host(side)) + ["bridge", "fdb", "replace", MAC[side], "dev", box,
                                           "master", "static"] for side in ("client", "server")]

    def observe_command(self):
        """A line for a shell that prints "primary" or "minion"."""
        ask = within(self.host("client")) + ["bridge", "fdb", "get", MAC["client"], "br", "sw"]
        return shlex.join(ask) + " | grep -ow 'primary\\|minion'"

    def link(self, box, state):
        """Both of a box's links, up or down, at the switch's end."""
        self.links.set(box, state)

    def stop(self):
        if self.links:
            self.links.stop()
