"""The peer: conntrackd, FTFW, straight into the kernel, both directions."""
import subprocess
import time
from pathlib import Path

from .sampling import cpu_seconds
from .world import BOXES, TALK_IP, urgent, within

CONFIGURATION = """
Sync {{
  Mode FTFW {{
    DisableExternalCache On
    StartupResync Yes
  }}
  UDP {{
    IPv4_address {mine}
    IPv4_Destination_Address {other}
    Port 3780
    Interface talk
    SndSocketBuffer 24985600
    RcvSocketBuffer 24985600
    Checksum on
  }}
}}
General {{
  HashSize 65536
  HashLimit 524288
  LogFile {place}/conntrackd-{box}.log
  LockFile {place}/conntrackd-{box}.lock
  UNIX {{ Path {place}/conntrackd-{box}.ctl }}
  NetlinkBufferSize 8388608
  NetlinkBufferSizeMaxGrowth 16777216
  Filter From Userspace {{
    Protocol Accept {{ TCP UDP ICMP }}
    Address Ignore {{ IPv4_address 127.0.0.1 IPv4_address 10.3.0.1 IPv4_address 10.3.0.2 }}
  }}
}}
"""


def move_by_hand(switch, verb):
    """Where nobody watches, the laboratory moves the traffic itself, at once: the best case of an
    address that moves (VRRP)."""
    switch.steer("minion" if verb == "divert" else "primary")


class Conntrackd:
    name = "conntrackd"
    notices = False

    @staticmethod
    def programs(_options):
        return ["conntrackd"]

    def __init__(self, options, place, switch):
        self.place = Path(place)
        self.nice = options.nice
        self.switch = switch
        self.processes = []

    def start(self):
        for box, other in zip(BOXES, reversed(BOXES)):
            path = self.place / f"conntrackd-{box}.conf"
            path.write_text(CONFIGURATION.format(mine=TALK_IP[box], other=TALK_IP[other], box=box,
                                                 place=self.place))
            self.processes.append(subprocess.Popen(
                within(box) + urgent(["conntrackd", "-C", str(path)], self.nice),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(1)  # it has no way to say that it is ready

    def cpu(self):
        return sum(cpu_seconds(process.pid) for process in self.processes)

    def move(self, verb):
        move_by_hand(self.switch, verb)

    def report(self):
        return {}

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()


class Nothing:
    """No synchronisation: what a failure costs today."""
    name = "none"
    notices = False

    @staticmethod
    def programs(_options):
        return []

    def __init__(self, options, place, switch):
        self.switch = switch

    def start(self):
        pass

    def cpu(self):
        return 0.0

    def move(self, verb):
        move_by_hand(self.switch, verb)

    def report(self):
        return {}

    def stop(self):
        pass
