"""Our plan against what people have today, on the same guests: fixed slots, and all at once."""
# SPDX-License-Identifier: GPL-3.0-or-later
import collections
import concurrent.futures
import json
import math
import statistics
import time

RUNS = 3
SLOTS = (1, 2, 4, 8) # 8: all at once


class Slots:
    """`n_slots` migrations at any time, in the guests' order, without a cap; each is applied as a plan of one step."""

    def __init__(self, lab, plan, n_slots):
        self.lab = lab
        self.plan = plan
        self.n_slots = n_slots
        self.queue = collections.deque(sorted(plan["steps"], key=lambda step: step["vm_name"]))
        self.n_left = 0 # those that did not converge

    def _apply(self, step):
        """Its seconds, without those that a program of its own takes to start and to look at the fleet."""
        alone = dict(self.plan, id=f"{self.n_slots:02x}{time.monotonic_ns() & (1 << 56) - 1:014x}")
        alone["steps"] = [dict(step, after=[], start_ms=0, not_before_ms=0, rates=[], path=[], bandwidth_bytes_per_s=0)]
        path = self.lab.directory / f"{alone['id']}.json"
        path.write_text(json.dumps(alone), encoding="utf-8")
        _, result, _, _ = self.lab.apply(path, "--keep-plan", "--retries", "0", "--patience", "60s")
        done = result["steps"][0]
        if done["state"] != "done":
            self.n_left += 1
            return 0
        return (done["end_ms"] - done["start_ms"]) / 1e3

    def _work(self):
        busy_s = 0
        while self.queue:
            try:
                step = self.queue.popleft()
            except IndexError:
                break # another slot has taken it
            busy_s += self._apply(step)
        return busy_s

    def run(self):
        """The makespan in seconds; math.inf where not all have arrived."""
        with concurrent.futures.ThreadPoolExecutor(self.n_slots) as pool:
            longest_s = max(future.result() for future in [pool.submit(self._work) for _ in range(self.n_slots)])
        return math.inf if self.n_left > 0 else longest_s


def compare(lab, guests, hosts):
    """There and back and there ...; the rules take turns, so that each goes both ways."""
    seconds = collections.defaultdict(list)
    at_home = True
    for run in range(RUNS):
        for n_slots in (None, *SLOTS):
            path, plan = lab.plan(*(hosts[:1] if at_home else hosts[1:]), name=f"ordering-{run}-{n_slots}")
            if n_slots is None:
                code, result, text, _ = lab.apply(path)
                lab.require(code == 0, f"by the plan: exit {code}: {text[-600:]}")
                steps = result["steps"]
                took_s = max(step["end_ms"] for step in steps) / 1e3 - min(step["start_ms"] for step in steps) / 1e3
            else:
                took_s = Slots(lab, plan, n_slots).run()
                if took_s == math.inf: # the next rule finds all where this one should have left them
                    lab.rest()
                    code, _, text, _ = lab.apply(lab.plan(*(hosts[:1] if at_home else hosts[1:]), name="left")[0])
                    lab.require(code == 0, f"those left: exit {code}: {text[-600:]}")
            seconds[n_slots].append(took_s)
            name = "by the plan" if n_slots is None else f"{n_slots} at once"
            lab.say(f"run {run + 1}, {'there' if at_home else 'back'}, {name}: {took_s:.1f} s"
                    f" ({plan['makespan_ms']['p50'] / 1e3:.1f} s forecast for the plan)")
            at_home = not at_home
            lab.all_alive(guests, hosts[:1] if at_home else hosts[1:])
            lab.rest()
    return seconds


def judge(lab, seconds):
    """Prints the table; the plan must not be longer than the best rule."""
    ours_s = statistics.mean(seconds[None])
    print(f"{'':>12} {'makespan, s (mean)':>19} {'runs':>24} {'the plan is shorter by':>23}")
    for n_slots, runs in seconds.items():
        name = "by the plan" if n_slots is None else "all at once" if n_slots == SLOTS[-1] else f"{n_slots} at once"
        mean_s = statistics.mean(runs)
        print(f"{name:>12} {mean_s:19.1f} {' '.join(f'{took_s:.1f}' for took_s in runs):>24}"
              f" {1 - ours_s / mean_s:22.1%}", flush=True)
    best_s = min(statistics.mean(runs) for n_slots, runs in seconds.items() if n_slots is not None)
    lab.require(ours_s <= best_s, f"the plan took {ours_s:.1f} s, the best rule {best_s:.1f} s")
