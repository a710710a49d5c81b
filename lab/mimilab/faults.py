"""When and how the primary dies, and comes back."""
import threading
import time

from . import boxes


def schedule(options):
    """Times (seconds from the start) of each fault's begin and end; None: it does not end.

    The last fault lasts to the end of the run, so that N faults have N - 1 returns, and what hangs
    by then has been silent for long enough to be counted.
    """
    times = []
    begin = options.first
    while begin + options.outage <= options.duration:
        times.append((begin, begin + options.outage))
        begin += options.period
    if times:
        times[-1] = (times[-1][0], None)
    return times


LOOK_BEFORE = 0.4  # seconds before the first return: what looks takes time


class Faults:
    """Plays a schedule beside a run. `log` holds what was done and when; `before_return` what
    `failed_so_far()` said when the primary was about to come back for the first time (None: it did
    not come back)."""

    def __init__(self, options, switch, sync, failed_so_far):
        self.kind = options.fault
        self.failed_so_far = failed_so_far
        self.before_return = None
        self.sync = sync
        self.switch = switch
        self.log = []
        self.problem = None
        self._stop = threading.Event()
        self._begin = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(schedule(options),), daemon=True)
        self._thread.start()

    def _run(self, times):
        try:
            for begin, end in times:
                for at, what in ((begin, "fail"), (end, "return")):
                    if at is None:
                        return
                    if what == "return" and self.before_return is None:
                        if self._wait_until(at - LOOK_BEFORE):
                            return
                        self.before_return = self.failed_so_far()
                    if self._wait_until(at):
                        return
                    self._do(what)
        except Exception as error:  # told by stop(); a thread has nobody else to tell
            self.problem = error

    def _wait_until(self, at):
        """True: the run is over."""
        return self._stop.wait(max(0, self._begin + at - time.monotonic()))

    def _do(self, what):
        began = time.monotonic()
        fails = what == "fail"
        if self.kind == "link":  # the switches see it and react
            self.switch.link("primary", "down" if fails else "up")
        else:
            if self.kind == "blackhole":
                boxes.blackhole("primary", fails)
            if not (self.kind == "blackhole" and fails and self.sync.notices):
                self.sync.move("divert" if fails else "restore")
        self.log.append({"what": what, "at": round(began - self._begin, 3),
                         "took_ms": round((time.monotonic() - began) * 1000, 1)})

    def stop(self):
        self._stop.set()
        self._thread.join()
        if self.problem:
            raise self.problem
        return self.log
