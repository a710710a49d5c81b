"""What a person reads: a table for the terminal, and a page with plots that needs no network."""
import html as escape
import io
import statistics

from .load import ERRORS

COLUMNS = [("scenario", 10), ("failed", 14), ("connect", 8), ("read", 8), ("write", 6),
           ("timeout", 8), ("hung", 6), ("requests/s", 11), ("p50 ms", 8), ("p99 ms", 8),
           ("CPU of sync", 12)]


def failed(result):
    return sum(result[kind] for kind in ERRORS) + result["hung"]


def mean_and_deviation(values):
    mean = statistics.fmean(values)
    return mean, statistics.stdev(values) if len(values) > 1 else 0.0


def summary(outcome):
    """One line for each scenario, in the order that they were asked for."""
    lines = []
    for name in outcome["options"]["scenarios"]:
        runs = [result for result in outcome["results"] if result["scenario"] == name]
        if runs:
            lines.append(line(name, runs))
    return lines


def line(scenario, runs):
    """What all runs of a scenario say together."""
    together = {"scenario": scenario, "runs": len(runs),
                "failed": mean_and_deviation([failed(run) for run in runs])}
    for key in (*ERRORS, "hung", "requests_per_s", "p50_us", "p99_us", "cpu_cores"):
        together[key] = statistics.fmean([run[key] for run in runs])
    return together


def mean_text(one):
    mean, deviation = one["failed"]
    return f"{mean:.0f}" + (f" ({deviation:.0f})" if one["runs"] > 1 else "")


def removed(lines):
    """The share of Fail's excess over Clean that Failover has not; None when there is no excess."""
    by_name = {one["scenario"]: one["failed"][0] for one in lines}
    if not {"clean", "fail", "failover"} <= by_name.keys():
        return None
    excess = by_name["fail"] - by_name["clean"]
    if excess <= 0:
        return None
    return 1 - (by_name["failover"] - by_name["clean"]) / excess


def ratio(by_name):
    """Requests with synchronisation over those without; None when that is not known."""
    if not {"clean", "copied"} <= by_name.keys() or by_name["clean"]["requests_per_s"] <= 0:
        return None
    return by_name["copied"]["requests_per_s"] / by_name["clean"]["requests_per_s"]


def rows(lines):
    for one in lines:
        yield [one["scenario"].capitalize(), mean_text(one),
               *(f"{one[kind]:.0f}" for kind in (*ERRORS, "hung")),
               f"{one['requests_per_s']:.0f}", f"{one['p50_us'] / 1000:.1f}",
               f"{one['p99_us'] / 1000:.1f}",
               f"{one['cpu_cores']:.3f} core" if one["scenario"] in ("copied", "failover")
               else "-"]


def returns(outcome):
    """What the first failure costs until the primary comes back, and what each return costs (with
    the failures after it): (scenario, before, each) for the scenarios with a return."""
    for name in outcome["options"]["scenarios"]:
        runs = [result for result in outcome["results"] if result["scenario"] == name
                and result.get("failed_before_return") is not None]
        if runs:
            before = statistics.fmean(run["failed_before_return"] for run in runs)
            count = sum(event["what"] == "return" for run in runs for event in run["faults"])
            after = sum(failed(run) for run in runs) - before * len(runs)
            yield name, before, max(0.0, after) / count


def return_remarks(outcome):
    by_name = {name: (before, each) for name, before, each in returns(outcome)}
    if by_name:
        yield ("Until the first return: "
               + ", ".join(f"{name} {before:.0f}" for name, (before, _) in by_name.items())
               + "; each return and what follows: "
               + ", ".join(f"{name} {each:.0f}" for name, (_, each) in by_name.items()) + ".")
    if {"fail", "failover"} <= by_name.keys() and by_name["fail"][0] > 0:
        share = 1 - by_name["failover"][0] / by_name["fail"][0]
        yield f"Of the failures until the first return {100 * share:.1f} % are gone."


def remarks(outcome, lines):
    options = outcome["options"]
    yield from return_remarks(outcome)
    share = removed(lines)
    if share is not None:
        yield f"Of the failures that the failover causes, {100 * share:.1f} % are gone."
    quotient = ratio({one["scenario"]: one for one in lines})
    if quotient is not None:
        yield f"Requests with synchronisation over those without: {quotient:.3f}."
    yield (f"{options['connections']} connections, object {options['object']}"
           + (", a connection for each request" if options["close"] else "")
           + (f", {options['think']} ms think time" if options["think"] else ", closed loop")
           + f"; {options['duration']} s; fault: {options['fault']}, {options['outage']:g} s "
           f"each {options['period']:g} s; switch: {options['switch']}; sync: {options['sync']}"
           + (f" ({options['driver']} driver, {options['store']} store)"
              if options["sync"] == "mimi" else "") + ".")
    yield ("Failed = connect + read + write + time-out as wrk counts them, and hung: established "
           f"and silent for more than {outcome['silent_ms'] / 1000:g} s.")
    machine = outcome["machine"]
    yield (f"{machine['cores']} x {machine['cpu']}, Linux {machine['kernel']}; clients, servers, "
           "switches and both boxes share it.")


def text(outcome):
    lines = summary(outcome)
    out = ["  ".join(f"{name:>{width}}" for name, width in COLUMNS)]
    for row in rows(lines):
        out.append("  ".join(f"{cell:>{width}}" for cell, (_, width) in zip(row, COLUMNS)))
    out.append("")
    out.extend(remarks(outcome, lines))
    return "\n".join(out)


def plot(outcome, to, kind):
    """Throughput and resets over time, the first run of each scenario; into a file, of a kind that
    matplotlib knows."""
    import matplotlib
    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "mimi"  # the same picture from the same results
    from matplotlib import pyplot

    runs = {}
    for result in outcome["results"]:
        runs.setdefault(result["scenario"], result)
    names = [name for name in outcome["options"]["scenarios"] if name in runs]
    figure, axes = pyplot.subplots(len(names), 1, figsize=(9, 1.9 * len(names)), sharex=True,
                                   squeeze=False, constrained_layout=True)
    top = max((point[1] for run in runs.values() for point in run["series"]), default=1) * 1.1
    most = max((point[2] for run in runs.values() for point in run["series"]), default=1) or 1
    for (axis,), name in zip(axes, names):
        run = runs[name]
        times = [point[0] for point in run["series"]]
        axis.plot(times, [point[1] for point in run["series"]], color="#1f6f8b", linewidth=1)
        axis.set_ylim(0, top)
        axis.set_ylabel("MB/s")
        axis.set_title(f"{name.capitalize()}: {failed(run)} failed", loc="left", fontsize=10)
        right = axis.twinx()
        right.bar(times, [point[2] for point in run["series"]], width=0.1, color="#c0392b")
        right.set_ylim(0, most * 1.1)
        right.set_ylabel("resets")
        ends = [event["at"] for event in run["faults"] if event["what"] == "return"]
        for event in run["faults"]:
            if event["what"] == "fail":
                end = next((at for at in ends if at > event["at"]), times[-1] if times else 0)
                axis.axvspan(event["at"], end, color="#f5d7b5", alpha=0.6, linewidth=0)
    axes[-1][0].set_xlabel("seconds; shaded: the primary is away")
    figure.savefig(to, format=kind, dpi=110, metadata={"Date": None} if kind == "svg" else None)
    pyplot.close(figure)


def svg(outcome):
    image = io.StringIO()
    plot(outcome, image, "svg")
    text = image.getvalue()
    return text[text.index("<svg"):]


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>MiMi: the WEB experiment</title><style>
body {{ font: 15px/1.5 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222 }}
table {{ border-collapse: collapse }} th, td {{ padding: .25em .7em; text-align: right }}
th {{ border-bottom: 2px solid #888; font-weight: 600 }} td {{ border-bottom: 1px solid #ddd }}
th:first-child, td:first-child {{ text-align: left }} svg {{ width: 100%; height: auto }}
</style></head><body>
<h1>MiMi: the WEB experiment</h1>
<p>Clients fetch objects from web servers through a load balancer that dies and comes back.
What matters is how many connections die with it.</p>
<table><tr>{head}</tr>
{body}
</table>
{remarks}
<h2>Over time</h2>
{plot}
<p>{when}. Machine-readable: results.json beside this page.</p>
</body></html>
"""


def html(outcome):
    lines = summary(outcome)
    return PAGE.format(
        head="".join(f"<th>{escape.escape(name)}</th>" for name, _ in COLUMNS),
        body="\n".join("<tr>" + "".join(f"<td>{escape.escape(cell)}</td>" for cell in row) + "</tr>"
                       for row in rows(lines)),
        remarks="\n".join(f"<p>{escape.escape(line)}</p>" for line in remarks(outcome, lines)),
        plot=svg(outcome), when=escape.escape(outcome["when"]))
