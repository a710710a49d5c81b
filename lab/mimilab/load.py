"""Web servers (lighttpd) and clients (wrk), and what becomes of the connections.

wrk counts a time-out only when a late answer ends after it: a connection that hangs for ever is
never counted. So sockets that are established and silent are counted beside it.
"""
import json
import os
import re
import subprocess
import time
from pathlib import Path

from .isolation import LabError
from .world import CLIENTS, SERVERS, VIRTUAL_IP, run, within

OBJECTS = {"1k": 1024, "617k": 617 * 1024}
SILENT_MS = 3000  # an established connection that has heard nothing for this long hangs
ERRORS = ("connect", "read", "write", "timeout")

LIGHTTPD = """
server.document-root = "{root}"
server.port = 80
server.pid-file = "{root}/{name}.pid"
server.errorlog = "{root}/{name}.log"
server.max-keep-alive-requests = 16
server.max-keep-alive-idle = 30
server.max-fds = 8192
server.max-connections = 4096
server.event-handler = "linux-sysepoll"
"""

# Each client prints one line of JSON when it has done.
WRK = """
{delay}
{headers}
done = function(summary, latency, requests)
  io.write(string.format(
    '\\n{{"requests": %d, "bytes": %d, "duration_us": %d, "connect": %d, "read": %d, ' ..
    '"write": %d, "status": %d, "timeout": %d, "p50_us": %d, "p90_us": %d, "p99_us": %d, ' ..
    '"max_us": %d}}\\n',
    summary.requests, summary.bytes, summary.duration, summary.errors.connect,
    summary.errors.read, summary.errors.write, summary.errors.status, summary.errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
"""


class Servers:
    def __init__(self, place):
        self.processes = []
        root = Path(place) / "servers"
        root.mkdir()
        for name, size in OBJECTS.items():
            (root / name).write_bytes(os.urandom(size))
        for name in SERVERS:
            configuration = root / f"{name}.conf"
            configuration.write_text(LIGHTTPD.format(root=root, name=name))
            self.processes.append(subprocess.Popen(
                within(name) + ["lighttpd", "-D", "-f", str(configuration)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        try:
            self._wait()
        except LabError:
            self.stop()
            raise

    def _wait(self):
        deadline = time.monotonic() + 20
        for name, process in zip(SERVERS, self.processes):
            while not run("ss", "-ltnH", "sport", "=", ":80", inside=name).strip():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise LabError(f"the web server {name} does not start")
                time.sleep(0.02)

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()


class Load:
    """All clients for one run; `finish()` waits for them."""

    def __init__(self, place, options, seconds):
        script = Path(place) / "wrk.lua"
        think = f"delay = function() return {options.think} end" if options.think else ""
        close = 'wrk.headers["Connection"] = "close"' if options.close else ""
        script.write_text(WRK.format(delay=think, headers=close))
        each = options.connections // len(CLIENTS)
        self.seconds = seconds
        self.processes = {name: subprocess.Popen(
            within(name) + ["wrk", "-t2", f"-c{each}", f"-d{seconds}s", "-s", str(script),
                            f"http://{VIRTUAL_IP}/{options.object}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for name in CLIENTS}

    def pids(self):
        return {name: process.pid for name, process in self.processes.items()}

    @staticmethod
    def hung(silent_ms=SILENT_MS):
        """Connections that are established and have been silent for so long."""
        count = 0
        for name in CLIENTS:
            for line in run("ss", "-tinH", "state", "established", "dport", "=", ":80",
                            inside=name).splitlines():
                heard = re.search(r"lastrcv:(\d+)", line)
                sent = re.search(r"lastsnd:(\d+)", line)
                # A socket that never heard anything shows the time since boot: the smaller of
                # the two tells when it last did something, and silence counts from there.
                if heard and min(int(heard[1]), int(sent[1]) if sent else 1 << 62) \
                        > silent_ms or (heard and int(heard[1]) > silent_ms and "unacked" in line):
                    count += 1
        return count

    def finish(self):
        total = {"requests": 0, "bytes": 0, "status": 0, **{kind: 0 for kind in ERRORS}}
        latency = {"p50_us": [], "p90_us": [], "p99_us": [], "max_us": []}
        for name, process in self.processes.items():
            output, _ = process.communicate(timeout=self.seconds + 30)
            lines = [line for line in output.splitlines() if line.startswith('{"requests"')]
            if not lines:
                raise LabError(f"wrk in {name} gave no result: {output.strip()}")
            result = json.loads(lines[-1])
            for key in total:
                total[key] += result[key]
            for key in latency:
                latency[key].append(result[key])
        total["p50_us"] = sorted(latency["p50_us"])[len(CLIENTS) // 2]
        total["p90_us"] = max(latency["p90_us"])
        total["p99_us"] = max(latency["p99_us"])
        total["max_us"] = max(latency["max_us"])
        total["requests_per_s"] = total["requests"] / self.seconds
        return total

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
