"""What happens over time: bytes to the clients, resets seen by them, CPU of processes.

Counters of a host are read through a process that runs in it: /proc/PID/net belongs to the network
namespace of PID.
"""
import os
import threading
import time

PERIOD = 0.1  # seconds
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process so far; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _received_bytes(pid):
    with open(f"/proc/{pid}/net/dev", encoding="ascii") as file:
        for line in file:
            name, _, rest = line.partition(":")
            if name.strip() == "eth0":
                return int(rest.split()[0])
    return 0


def _resets(pid):
    with open(f"/proc/{pid}/net/snmp", encoding="ascii") as file:
        names, values = [line.split() for line in file if line.startswith("Tcp:")]
    found = dict(zip(names[1:], values[1:]))
    return int(found["AttemptFails"]) + int(found["EstabResets"])


class Sampler:
    """Samples each PERIOD until stop(); `series` is a list of (seconds, MB/s, resets)."""

    def __init__(self, client_pids):
        self.pids = list(client_pids)
        self.begin = time.monotonic()
        self.series = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _read(self):
        received = resets = 0
        for pid in self.pids:
            try:
                received += _received_bytes(pid)
                resets += _resets(pid)
            except OSError:
                return None  # a client has ended
        return received, resets

    def _run(self):
        before, at = self._read(), time.monotonic()
        while not self._stop.wait(PERIOD):
            now, then = self._read(), time.monotonic()
            if before and now:
                self.series.append((round(then - self.begin, 3),
                                    round((now[0] - before[0]) / (then - at) / 1e6, 3),
                                    now[1] - before[1]))
            before, at = now, then

    def resets(self):
        """So far."""
        return sum(point[2] for point in self.series)

    def stop(self):
        self._stop.set()
        self._thread.join()
        return self.series
