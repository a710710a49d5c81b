"""The whole comparison: every set-up with every synchronisation, into lab/RESULTS.md.

Each run's result is a file of its own, so that a broken-off comparison goes on where it was.
"""
import argparse
import json
import random
from datetime import date
from pathlib import Path

from . import report, web
from .faults import schedule

MAIN = {"think": 100, "object": "1k"}
CLOSED = {"think": 0, "object": "1k"}
SETUPS = {
    "main": ("1 KB, 100 ms think time (the main test)", MAIN),
    "closed": ("1 KB, closed loop", CLOSED),
    "short": ("1 KB, a connection for each request", {**CLOSED, "close": True}),
    "bulk": ("617 KB", {"think": 0, "object": "617k"}),
    "ovs": ("1 KB, closed loop, Open vSwitch", {**CLOSED, "switch": "ovs"}),
    "blackhole": ("main test, links stay up, mimi has to notice", {**MAIN, "fault": "blackhole"}),
    "planned": ("main test, planned moves", {**MAIN, "fault": "planned"}),
}
WAYS = {  # of synchronising
    "none": ("nothing", {"sync": "none"}),
    "conntrackd": ("conntrackd", {"sync": "conntrackd"}),
    "memory": ("mimi, one process", {"sync": "mimi", "store": "memory"}),
    "file": ("mimi, two processes, file store", {"sync": "mimi", "store": "file"}),
    "redis": ("mimi, two processes, Redis", {"sync": "mimi", "store": "redis"}),
    "syslog": ("mimi, primary closed (syslog), one way", {"sync": "mimi", "driver": "syslog"}),
}
IMPOSSIBLE = {  # set-ups for some ways
    "conntrackd": ("blackhole", "planned"),  # somebody has to move the traffic: no part of it
    "syslog": ("planned",),  # a closed box is never ready for the way back
}

PAPER = """
| workload | Clean | Copied | Fail | Failover | of Fail's excess over Clean, removed |
|---|---|---|---|---|---|
| OpenFlow, WEB 1k sessions | 2296 (73) | 2057 (96) | 4167 (265) | 2496 (156) | 89 % |
| OpenFlow, WEB 2k sessions | 1177 (97) | 1295 (150) | 7144 (324) | 4278 (212) | 48 % |
| iptables, WEB 20k sessions | 9497 (500) | 10444 (427) | 28331 (1388) | 12417 (1326) | 84 % |
| iptables, WEB 30k sessions | 13737 (461) | 15512 (418) | 45220 (3275) | 21672 (865) | 75 % |
"""

PAGE = """# Results of the laboratory

Made by `lab/lab table` on {date}. {machine}. Clients, servers, switches and both boxes share that
machine, so throughput and latency are those of a crowded machine; what counts is how many
connections die.

{connections} connections, {duration} s a run, {faults} failures of {outage:g} s and {returns}
returns. Failed connections are those that `wrk` counts (connect, read, write, time-out) and those
that hang: established and silent for more than {silent:g} s. Mean (standard deviation) of {runs}.

{table}

*Requests over Clean's* and *CPU* are those of Copied: nothing fails, synchronisation is on. CPU is
that of all processes that synchronise, in cores. *Removed*: of the failures that Fail has beyond
Clean, the share that Failover has not.

## The paper's table

Failed connections of five runs of five minutes with a link failure each 30 s, on the authors'
machines.
{paper}
The paper mirrors state from primary to minion only; here it goes both ways (but for the closed
primary), so connections survive the return, too. Its connections are many more than ours; the column to compare is the last.
"""


def add_arguments(parser):
    parser.add_argument("--runs", type=int, default=3, help="of each cell (default: %(default)s)")
    parser.add_argument("--only", help="these set-ups, comma separated: " + ", ".join(SETUPS))
    parser.add_argument("--ways", help="these, comma separated: " + ", ".join(WAYS))
    parser.add_argument("--duration", type=int, default=30, help="of a run (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order (default: %(default)s)")
    parser.add_argument("--mimi", type=Path, default=web.MIMI, help="(default: %(default)s)")
    parser.add_argument("--results", type=Path, default=Path("build/lab/table"),
                        help="directory for the runs' results (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("lab/RESULTS.md"),
                        help="(default: %(default)s)")
    parser.set_defaults(needs=lambda options: ["conntrackd", "ovs-vswitchd", "redis-server",
                                               "ulogd", "iptables"])


def cells(options):
    """(set-up, way, scenario) of all that is to be run."""
    setups = options.only.split(",") if options.only else SETUPS
    ways = options.ways.split(",") if options.ways else WAYS
    for setup in setups:
        for way in ways:
            if way == "none":
                yield from ((setup, way, scenario) for scenario in ("clean", "fail"))
            elif setup not in IMPOSSIBLE.get(way, ()):
                yield from ((setup, way, scenario) for scenario in ("copied", "failover"))


def options_of(options, setup, way, scenario):
    parser = argparse.ArgumentParser()
    web.add_arguments(parser)
    whole = parser.parse_args([])
    for name in ("duration", "connections", "mimi"):
        setattr(whole, name, getattr(options, name))
    for name, value in {**SETUPS[setup][1], **WAYS[way][1]}.items():
        setattr(whole, name, value)
    whole.runs = 1
    whole.scenarios = scenario
    web.check(whole)
    return whole


def path_of(options, cell, number):
    return options.results / f"{'-'.join(cell)}-{number}.json"


def run_all(options):
    jobs = []
    for number in range(options.runs):
        some = [cell for cell in cells(options) if not path_of(options, cell, number).exists()]
        random.Random(f"{options.seed} {number}").shuffle(some)
        jobs += [(cell, number) for cell in some]
    options.results.mkdir(parents=True, exist_ok=True)
    for count, (cell, number) in enumerate(jobs, 1):
        result = web.measured(options_of(options, *cell), cell[2], number)
        path = path_of(options, cell, number)
        half = path.with_suffix(".half")
        half.write_text(json.dumps(result))
        half.rename(path)
        print(f"[{count}/{len(jobs)}] {' '.join(cell)}, run {number + 1}: "
              f"{report.failed(result)} failed, {result['requests']} requests", flush=True)


def read(options, cell):
    paths = (path_of(options, cell, number) for number in range(options.runs))
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def lines(options):
    """The table's rows, as lists of cells."""
    shown = set(cells(options))
    for setup, (title, _) in SETUPS.items():
        runs = {(way, scenario): read(options, (setup, way, scenario))
                for one, way, scenario in shown if one == setup}
        if not any(runs.values()):
            continue
        clean, fail = runs.get(("none", "clean"), []), runs.get(("none", "fail"), [])
        for way in WAYS:
            copied = runs.get((way, "copied"), [])
            failover = runs.get((way, "failover"), [])
            if copied or failover:
                yield [title, WAYS[way][0], *row(clean, copied, fail, failover)]


def row(clean, copied, fail, failover):
    by_name = {"clean": clean, "copied": copied, "fail": fail, "failover": failover}
    summary = [report.line(name, runs) for name, runs in by_name.items() if runs]
    known = {line["scenario"]: line for line in summary}
    share = report.removed(summary)
    ratio = report.ratio(known)
    failures = [report.mean_text(known[name]) if name in known else "-" for name in by_name]
    p99 = [f"{known[name]['p99_us'] / 1000:.1f}" if name in known else "-"
           for name in ("clean", "copied")]
    return [*failures, "-" if share is None else f"{100 * share:.1f} %",
            "-" if ratio is None else f"{ratio:.2f}",
            f"{known['copied']['cpu_cores']:.2f}" if "copied" in known else "-",
            " → ".join(p99)]


def markdown(options):
    head = ["set-up", "synchronised by", "Clean", "Copied", "Fail", "Failover", "removed",
            "requests over Clean's", "CPU", "p99 ms, Clean → Copied"]
    table = ["| " + " | ".join(cells) + " |"
             for cells in [head, ["---"] * len(head), *lines(options)]]
    defaults = options_of(options, "main", "none", "clean")
    machine = web.machine()
    times = schedule(defaults)
    return PAGE.format(
        date=date.today().isoformat(), table="\n".join(table), paper=PAPER,
        machine=f"{machine['cores']} x {machine['cpu']}, Linux {machine['kernel']}",
        connections=options.connections, duration=options.duration, outage=defaults.outage,
        faults=len(times), returns=sum(end is not None for _, end in times),
        silent=web.SILENT_MS / 1000,
        runs="one run" if options.runs == 1 else f"up to {options.runs} runs")


def main(options):
    run_all(options)
    options.out.write_text(markdown(options), encoding="utf-8")
    print(f"\ntable: {options.out}")
    return 0
