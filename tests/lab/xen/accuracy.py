"""Predictions made before migrations, against the migrations.

One set of overheads for the whole lab, learned from warm-up migrations of a
guest that takes no part in the comparison. An emulated machine's time is
elastic: each prediction is made again from the profile frozen BEFORE its
migration, at the bandwidth that the migration then achieved.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses
import json
import statistics
import subprocess

import migration_trace
from dom0 import Guest
from machine import MachineError

FILES = ("before.json", "predicted.json", "stream.log", "rounds.log", "times")
PIPE_BYTES = 2 * 65536      # throttle.c: what is written and not yet passed on
BURSTS_WANTED = 2
SETTLE_S = 10               # a guest that has just booted still dirties pages of its own

MOST_MEDIAN_TIME, MOST_P90_TIME, MOST_MEDIAN_DOWNTIME, LEAST_ROUNDS_RIGHT = 0.025, 0.06, 0.10, 0.90


@dataclasses.dataclass
class Comparison:
    """A migration beside its prediction."""
    guest: Guest
    cap_bytes_per_s: int
    measured: migration_trace.Measured
    predicted: dict

    @property
    def time_error(self):
        return self.predicted["migration_ms"]["p50"] / 1e3 / self.measured.migration_s - 1

    @property
    def downtime_error(self):
        return self.predicted["downtime_ms"]["p50"] / 1e3 / self.measured.downtime_s - 1

    @property
    def rounds_right(self):
        return self.predicted["rounds"] == self.measured.n_rounds

    def round_errors(self):
        """Of the pages of each live round after the first, for the time that the round before it took."""
        for window_s, pages in self.measured.rounds():
            foretold = migration_trace.curve_pages(self.measured.vm, window_s)
            if foretold is not None:
                yield foretold - pages, pages


class Accuracy:
    """Runs and judges."""

    def __init__(self, dom0, bin_dir, work):
        self.dom0 = dom0
        self.decamp = bin_dir / "decamp"
        self.folder = work / "results"
        self.folder.mkdir(exist_ok=True)

    def migrate(self, guest, cap_bytes_per_s):
        """One migration, held, traced; its guest is whole afterwards."""
        self.dom0.forget_arrival(guest.name)
        self.dom0.machine.check(f"sh /lab/migrate.sh {guest.name} {cap_bytes_per_s} /tmp/migration", 400)
        files = {name: self.dom0.machine.check(f"cat /tmp/migration/{name}") for name in FILES}
        folder = self.folder / f"{guest.name}-{cap_bytes_per_s}"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        beat = self.dom0.wait_until_alive(guest.name, arrived=True, n_passes=1)
        if beat.n_bad > 0:
            raise MachineError(f"{guest.name}: {beat.n_bad} pages of its memory are not as it left them")
        return migration_trace.parse(guest.name, files)

    def predict(self, guest, measured):
        """From the frozen profile, at the achieved bandwidth. What the planner has learned is left out: it takes the
        host's link for the path, and cannot know of the cap in the pipe."""
        learned = ("calibration", "observations")
        document = {key: value for key, value in measured.document.items() if key not in learned}
        file = self.folder / "frozen.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        result = subprocess.run(
            [self.decamp, "predict", guest.name, "--fleet", file, "--bandwidth",
             f"{measured.achieved_bytes_per_s:.0f}B/s", "-o", "json"], capture_output=True, text=True, check=True)
        return json.loads(result.stdout)["vms"][0]["prediction"]["grid"][0]

    def wait_for_bursts(self, guests):
        uuids = [self.dom0.uuid(guest.name) for guest in guests]
        self.dom0.wait_for("bursts of every guest",
                           lambda: all(self.dom0.n_bursts(uuid) >= BURSTS_WANTED for uuid in uuids), 150)

    def learn_overheads(self, guest, caps_bytes_per_s):
        """One set for the lab, from migrations of `guest`: options for the agent."""
        pre_ms, post_ms, suspend_pages = [], [], []
        for cap in caps_bytes_per_s:
            run = self.migrate(guest, cap)
            gap_s = run.final_clean[0] - run.live_cleans[-1][0]
            pre_ms.append(1e3 * (run.migration_s - run.downtime_s - run.live_s))
            post_ms.append(1e3 * (run.downtime_s - run.stop_copy_s))
            suspend_pages.append(run.final_clean[1] - migration_trace.curve_pages(run.vm, gap_s))
        return {
            "overhead_pre": f"{max(statistics.mean(pre_ms), 0):.0f}ms",
            "overhead_post": f"{max(statistics.mean(post_ms), 0):.0f}ms",
            "overhead_suspend_pages": f"{max(statistics.mean(suspend_pages), 0):.0f}",
            "overhead_in_flight": f"{PIPE_BYTES}B",
        }

    def compare(self, guest, cap_bytes_per_s):
        measured = self.migrate(guest, cap_bytes_per_s)
        return Comparison(guest, cap_bytes_per_s, measured, self.predict(guest, measured))


def print_table(comparisons):
    print(f"{'guest':<12}{'cap':>6}{'got':>7}  {'MT_A':>7}{'MT_P':>8}{'err':>7}  {'DT_A':>8}{'DT_P':>8}{'err':>8}  "
          "rounds A/P  MT_P at the cap  pages of the live rounds after the first, and the last")
    for one in comparisons:
        run, foretold = one.measured, one.predicted
        print(f"{one.guest.name:<12}{one.cap_bytes_per_s / 1e6:6.2f}{run.achieved_bytes_per_s / 1e6:7.3f}  "
              f"{run.migration_s:6.2f}s{foretold['migration_ms']['p50'] / 1e3:7.2f}s{100 * one.time_error:+6.1f}%  "
              f"{1e3 * run.downtime_s:6.0f}ms{foretold['downtime_ms']['p50']:6.0f}ms{100 * one.downtime_error:+7.1f}%  "
              f"{run.n_rounds:6d}/{foretold['rounds']:<5d}{run.predicted['migration_ms']['p50'] / 1e3:14.2f}s  "
              f"{' '.join(str(pages) for _, pages in run.live_cleans)} {run.final_clean[1]}")


def percentile(values, frac):
    """The smallest value that `frac` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * frac // 1).__int__() - 1)]


def judge(comparisons):
    """Prints the figures; the names of those that are beyond their limits."""
    times = [abs(one.time_error) for one in comparisons]
    downtimes = [abs(one.downtime_error) for one in comparisons]
    at_cap = [abs(one.measured.predicted["migration_ms"]["p50"] / 1e3 / one.measured.migration_s - 1)
              for one in comparisons]
    right = sum(one.rounds_right for one in comparisons) / len(comparisons)
    pages = [abs(error) / max(pages, 100) for one in comparisons for error, pages in one.round_errors()]
    figures = (
        ("migration time, median error", statistics.median(times), MOST_MEDIAN_TIME),
        ("migration time, 90th percentile of the error", percentile(times, 0.9), MOST_P90_TIME),
        ("downtime, median error", statistics.median(downtimes), MOST_MEDIAN_DOWNTIME),
        ("number of rounds wrong", 1 - right, 1 - LEAST_ROUNDS_RIGHT),
    )
    failed = []
    print(f"\n{len(comparisons)} migrations, each predicted from what was known before, at the bandwidth achieved")
    for name, value, limit in figures:
        is_good = value <= limit + 1e-9
        print(f"  {name:<46}{100 * value:6.1f}%   at most {100 * limit:.1f}%{'' if is_good else '   FAILED'}")
        if not is_good:
            failed.append(name)
    print(f"  {'pages of a live round, median error':<46}{100 * statistics.median(pages):6.1f}%")
    print(f"  {'migration time at the cap, not as achieved':<46}{100 * statistics.median(at_cap):6.1f}%   median")
    return failed
