"""The WEB experiment: four scenarios, interleaved, several runs.

    Clean     nothing fails, no synchronisation
    Copied    nothing fails, synchronisation on: what it costs
    Fail      the primary fails, no synchronisation: what a failure costs today
    Failover  the primary fails, synchronisation on
"""
import json
import platform
import random
import shutil
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from . import boxes, report
from .bridge_switch import BridgeSwitch
from .faults import Faults
from .isolation import LabError
from .load import OBJECTS, SILENT_MS, Load, Servers
from .mimi import DRIVERS, STORES, Mimi
from .ovs_switch import OvsSwitch
from .peers import Conntrackd, Nothing
from .sampling import Sampler
from .world import World

MIMI = Path("build/release/src/cli/mimi")
SCENARIOS = {"clean": (False, False), "copied": (True, False),
             "fail": (False, True), "failover": (True, True)}  # (synchronised, faults)
SYNCS = {sync.name: sync for sync in (Nothing, Mimi, Conntrackd)}
SWITCHES = {switch.name: switch for switch in (BridgeSwitch, OvsSwitch)}


def add_arguments(parser):
    add = parser.add_argument
    add("--quick", action="store_true", help="one run of each scenario, 20 s each")
    add("--scenarios", default="clean,copied,fail,failover", help="which, comma separated")
    add("--sync", choices=SYNCS, default="mimi", help="what synchronises (default: %(default)s)")
    add("--driver", choices=DRIVERS, default="conntrack",
        help="how mimi learns the primary's state (default: %(default)s)")
    add("--store", choices=STORES, default="memory",
        help="mimi's repository; memory: both ends in one process (default: %(default)s)")
    add("--switch", choices=SWITCHES, default="bridge", help="(default: %(default)s)")
    add("--fault", choices=["link", "blackhole", "planned"], default="link",
        help="link: the switches react; blackhole: links stay up and mimi must notice; "
             "planned: mimi is told to move (default: %(default)s)")
    add("--nice", type=int, default=-15, metavar="N",
        help="of what synchronises (where allowed), so that a busy machine does not keep it from "
             "its work; 0: as everything else (default: %(default)s)")
    add("--connections", type=int, default=1000, help="in all (default: %(default)s)")
    add("--duration", type=int, help="of a run, in seconds (default: 30)")
    add("--period", type=float, default=6.0, help="from fault to fault, in seconds (default: 6)")
    add("--outage", type=float, default=3.0, help="length of a fault, in seconds (default: 3)")
    add("--first", type=float, default=2.5, help="when the first fault comes (default: 2.5)")
    add("--object", choices=OBJECTS, default="1k", help="what is fetched (default: %(default)s)")
    add("--close", action="store_true", help="a connection for each request")
    add("--think", type=int, default=100, help="ms between requests, 0: none (default: 100)")
    add("--runs", type=int, help="of each scenario (default: 3)")
    add("--seed", type=int, default=1, help="of the order of the runs (default: %(default)s)")
    add("--out", type=Path, default=Path("build/lab"),
        help="directory for report.html and results.json (default: %(default)s)")
    add("--figure", type=Path, help="the plot alone, into this file (.svg, .png)")
    add("--mimi", type=Path, default=MIMI, help="the program (default: %(default)s)")
    add("--keep", action="store_true", help="keep the programs' logs beside the results")
    parser.set_defaults(needs=needs)


def needs(options):
    return SYNCS[options.sync].programs(options) + SWITCHES[options.switch].programs


def check(options):
    options.duration = options.duration or (20 if options.quick else 30)
    options.runs = options.runs or (1 if options.quick else 3)
    options.scenarios = options.scenarios.split(",")
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if unknown:
        raise LabError(f"--scenarios: no {unknown[0]}; there are {', '.join(SCENARIOS)}")
    if options.driver == "syslog" and options.fault == "planned":
        raise LabError("--fault planned: mimi has nothing on a closed box, which so is never ready "
                       "for the way back")
    if options.connections < 5:
        raise LabError("--connections: at least 5, one for each client")


def run_once(options, scenario, place):
    """One run of one scenario in a world of its own; its result."""
    synchronised, faulty = SCENARIOS[scenario]
    switch = SWITCHES[options.switch](place)
    World(switch)
    boxes.set_up_all(logged=options.driver == "syslog" and options.sync == "mimi")
    sync = SYNCS[options.sync if synchronised else "none"](options, place, switch)
    parts = [switch]
    try:
        parts.append(Servers(place))
        sync.start()
        parts.append(sync)
        load = Load(place, options, options.duration)
        parts.append(load)
        cpu, begin = sync.cpu(), time.monotonic()
        sampler = Sampler(load.pids().values())

        def failed_so_far():
            # In an outage longer than this silence what hangs has hung since it began.
            return sampler.resets() + Load.hung(options.outage * 600)

        faults = Faults(options, switch, sync, failed_so_far) if faulty else None
        time.sleep(max(0, begin + options.duration - 0.4 - time.monotonic()))
        hung = Load.hung()
        flows = {box: boxes.flows(box) for box in ("primary", "minion")}
        cpu = (sync.cpu() - cpu) / (time.monotonic() - begin)
        events = faults.stop() if faults else []
        before_return = faults.before_return if faults else None
        result = load.finish()
        series = sampler.stop()
        return {**result, "scenario": scenario, "hung": hung, "flows": flows,
                "cpu_cores": round(cpu, 4), "faults": events, "series": series,
                "failed_before_return": before_return, "sync": sync.report()}
    finally:
        for part in reversed(parts):
            part.stop()
        World.remove(switch)


def keep(place, to):
    """Logs and configurations, out of the place that vanishes."""
    to.mkdir(parents=True, exist_ok=True)
    for pattern in ("*.log", "*.toml", "*.conf", "*.jsonl"):
        for path in place.glob(pattern):
            shutil.copy(path, to)


def measured(options, scenario, number):
    """One run in a place of its own."""
    with tempfile.TemporaryDirectory(dir="/run") as place:
        try:
            result = run_once(options, scenario, place)
        finally:
            if options.keep:
                keep(Path(place), options.out / f"{number}-{scenario}")
    result["run"] = number
    return result


def order(options):
    """Scenarios interleaved: each round has each once, in an order of its own."""
    random_order = random.Random(options.seed)
    for number in range(options.runs):
        names = list(options.scenarios)
        random_order.shuffle(names)
        for name in names:
            yield number, name


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return {"cpu": models[0] if models else platform.machine(), "cores": len(models),
            "kernel": platform.release()}


def experiment(options, say):
    """All runs; the results as they are written to results.json."""
    check(options)
    results = []
    total = options.runs * len(options.scenarios)
    for count, (number, scenario) in enumerate(order(options), 1):
        say(f"[{count}/{total}] {scenario}, {options.duration} s …")
        result = measured(options, scenario, number)
        results.append(result)
        say(f"[{count}/{total}] {scenario}: {report.failed(result)} failed "
            f"({result['hung']} of them hung), {result['requests']} requests, "
            f"p99 {result['p99_us'] / 1000:.1f} ms\n")
    return {"machine": machine(), "when": datetime.now().isoformat(timespec="seconds"),
            "options": {name: str(value) if isinstance(value, Path) else value
                        for name, value in vars(options).items()
                        if name not in ("needs", "verb")},
            "silent_ms": SILENT_MS, "results": results}


def main(options):
    def say(text):
        if text.endswith("\n") or not sys.stdout.isatty():
            print(("\r\033[K" if sys.stdout.isatty() else "") + text.rstrip("\n"), flush=True)
        else:
            print(f"\r\033[K{text}", end="", flush=True)

    outcome = experiment(options, say)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "results.json").write_text(json.dumps(outcome, indent=1))
    print()
    print(report.text(outcome))
    page = options.out / "report.html"
    page.write_text(report.html(outcome))
    if options.figure:
        report.plot(outcome, options.figure, options.figure.suffix.lstrip("."))
    print(f"\nreport: {page}   results: {options.out / 'results.json'}")
    return 0
