"""A place for the laboratory that leaves nothing behind.

The program runs itself again inside new process, mount and network namespaces. Its first process
there is the namespace's init: when that ends, for whatever reason, the kernel ends every process
below it and takes the network namespaces and mounts away. So there is nothing to clean up.
"""
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading

INSIDE = "MIMI_LAB_INSIDE"

PROGRAMS = {
    "ip": "iproute2", "bridge": "iproute2", "ss": "iproute2", "nft": "nftables",
    "wrk": "wrk", "lighttpd": "lighttpd", "nsenter": "util-linux", "unshare": "util-linux",
    "sysctl": "procps",
}
OPTIONAL = {"conntrackd": "conntrackd", "ulogd": "ulogd2", "ovs-vswitchd": "openvswitch-switch",
            "redis-server": "redis-server", "iptables": "iptables"}


class LabError(Exception):
    """Something that the person who runs the laboratory can do something about."""


def _unshare_arguments():
    # --kill-child: the namespace's init goes when unshare does.
    arguments = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL",
                 "--mount-proc"]
    return arguments if os.geteuid() == 0 else arguments + ["--user", "--map-root-user"]


def missing(options):
    """What keeps the laboratory from running here, in words; None when nothing does."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    wanted = dict(PROGRAMS)
    for program in options.needs(options) if hasattr(options, "needs") else ():
        wanted[program] = OPTIONAL[program]
    absent = {package for program, package in wanted.items() if not shutil.which(program)}
    if not importlib.util.find_spec("matplotlib"):
        absent.add("python3-matplotlib")
    if absent:
        return f"not installed: {' '.join(sorted(absent))} (Debian's packages)"
    if INSIDE in os.environ:
        return None
    trial = subprocess.run(_unshare_arguments() + ["sh", "-c", "nft add table inet lab_trial"],
                           capture_output=True, text=True)
    if trial.returncode != 0:
        words = trial.stderr.strip().splitlines()
        return (f"cannot make namespaces with netfilter here ({words[-1] if words else 'no reason'}"
                "); run as root, or let users make namespaces (sysctl "
                "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)")
    return None


def enter():
    """Returns at once inside; outside, runs this program inside and exits with its code."""
    if INSIDE in os.environ:
        _end_with(int(os.environ[INSIDE]))
        _settle()
        return
    life, held = os.pipe()  # nobody but this process holds the end to write to
    child = subprocess.Popen(_unshare_arguments() + [sys.executable] + sys.argv, pass_fds=[life],
                             env={**os.environ, INSIDE: str(life)}, start_new_session=True)
    os.close(life)

    # The inner program hears of an interruption once, from here, and ends in its own order.
    def pass_on(_number, _frame):
        os.write(held, b"!")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    sys.exit(child.wait())


def _end_with(life):
    """Ends this process when the outer one interrupts, and at once when the outer one is gone."""
    def wait():
        while os.read(life, 1):
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(1)  # of the namespace's init: nothing outlives it

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    threading.Thread(target=wait, daemon=True).start()


def _settle():
    """A private /run, so that `ip netns` names nothing outside, and files vanish too."""
    for command in (["mount", "--make-rprivate", "/"], ["mount", "-t", "tmpfs", "tmpfs", "/run"]):
        subprocess.run(command, check=True)
    os.makedirs("/run/netns", exist_ok=True)
    os.environ["MPLCONFIGDIR"] = "/run"  # matplotlib keeps a cache
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=False, capture_output=True)
