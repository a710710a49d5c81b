"""How a box's log comes to mimi: the kernel's log (NFLOG) to ulogd2, which writes lines into a pipe;
from there logger sends them, by syslog over UDP. All of it runs on the box."""
import os
import subprocess
import time

from .boxes import LOG_GROUP
from .isolation import LabError
from .sampling import cpu_seconds
from .world import run, urgent, within

ULOGD = """
[global]
logfile="{place}/ulogd.log"
stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU
[log1]
group={group}
netlink_socket_buffer_size=8388608
netlink_socket_buffer_maxsize=33554432
[emu1]
file="{pipe}"
sync=1
"""


class LogChain:
    def __init__(self, box, place, address, port, nice):
        pipe = place / f"{box}-lines"
        os.mkfifo(pipe)
        configuration = place / f"{box}-ulogd.conf"
        configuration.write_text(ULOGD.format(place=place, group=LOG_GROUP, pipe=pipe))
        # logger opens the pipe when ulogd does, and ends with it.
        send = ["logger", "--udp", "--server", address, "--port", str(port), "--tag", "ulogd"]
        self.processes = [
            subprocess.Popen(within(box) + urgent(command, nice), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
            for command in (["sh", "-c", 'exec "$@" <"$0"', str(pipe), *send],
                            ["ulogd", "-c", str(configuration)])]
        try:
            self._wait(box)
        except LabError:
            self.stop()
            raise

    def _wait(self, box):
        deadline = time.monotonic() + 10
        while f" {LOG_GROUP} " not in run("cat", "/proc/net/netfilter/nfnetlink_log", inside=box):
            if time.monotonic() > deadline:
                raise LabError(f"ulogd at the {box} does not listen to the kernel's log")
            time.sleep(0.05)

    def cpu(self):
        return sum(cpu_seconds(process.pid) for process in self.processes)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait()
