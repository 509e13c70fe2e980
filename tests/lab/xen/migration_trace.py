"""What a migration really did, from the files that migrate.sh leaves."""
# SPDX-License-Identifier: GPL-3.0-or-later
import bisect
import dataclasses
import json

PAGE_BYTES = 4096
PAGE_WIRE_BYTES = PAGE_BYTES + 8


class TraceError(Exception):
    """The files do not tell of a migration that went through."""


@dataclasses.dataclass
class Measured:
    """One migration. Seconds since dom0's boot; pages; bytes of the stream."""
    start_s: float
    first_enable: int       # what the first ENABLE returned: not 0 where log-dirty was on already
    log_dirty_on_s: float
    live_cleans: list       # [(when, pages found dirty)] while the guest ran
    suspended_s: float
    final_clean: tuple
    resumed_s: float
    stream: list            # [(when, bytes so far)]
    document: dict          # the fleet before
    vm: dict                # the guest in it
    predicted: dict         # the grid point predicted before, for the cap

    @property
    def migration_s(self):
        """From log-dirty's beginning, as tests/data/xen-lab has it: what xl needs until then is processor time only,
        and an emulated processor's time is elastic."""
        return self.resumed_s - self.log_dirty_on_s

    @property
    def start_up_s(self):
        """What xl needed before it."""
        return self.log_dirty_on_s - self.start_s

    @property
    def downtime_s(self):
        return self.resumed_s - self.suspended_s

    @property
    def n_rounds(self):
        """Live rounds (the first, and one after each CLEAN) and the final one."""
        return len(self.live_cleans) + 2

    def bytes_at(self, time_s):
        i = bisect.bisect_right(self.stream, (time_s, float("inf")))
        return self.stream[i - 1][1] if i > 0 else 0

    @property
    def total_bytes(self):
        return self.stream[-1][1]

    def _bytes_per_s(self, spans):
        return sum(self.bytes_at(b) - self.bytes_at(a) for a, b in spans) / sum(b - a for a, b in spans)

    @property
    def achieved_bytes_per_s(self):
        """Over the live rounds but the last: the wait for the suspension is none of the bandwidth."""
        return self._bytes_per_s([(self.log_dirty_on_s, self.live_cleans[-1][0])])

    @property
    def pages_bytes_per_s(self):
        """The same without the end of the first round, where frames without memory take much time and few bytes: the
        pace of pages, at which the final round goes too."""
        most = self.bytes_at(self.log_dirty_on_s) + self.vm["memory_bytes"] // PAGE_BYTES * PAGE_WIRE_BYTES
        pages_end_s = next(t for t, n in self.stream if n >= most)
        later = (self.live_cleans[0][0], self.live_cleans[-1][0])
        return self._bytes_per_s([(self.log_dirty_on_s, pages_end_s), later])

    @property
    def live_s(self):
        """What the live rounds take at the achieved bandwidth."""
        sent = self.bytes_at(self.suspended_s) - self.bytes_at(self.log_dirty_on_s)
        return sent / self.achieved_bytes_per_s

    @property
    def stop_copy_s(self):
        """What the final round takes at the pace of pages."""
        return (self.total_bytes - self.bytes_at(self.suspended_s)) / self.pages_bytes_per_s

    def rounds(self):
        """[(duration of a live round, pages dirtied meanwhile)]"""
        starts = [self.log_dirty_on_s, *(when for when, _ in self.live_cleans)]
        return [(clean[0] - start, clean[1]) for start, clean in zip(starts, self.live_cleans)]


def _lines(text):
    return [line.split() for line in text.splitlines()]


def _find(document, name):
    return next(vm for vm in document["vms"] if vm["name"] == name)


def parse(name, files):
    """Guest `name`; `files`: {name: text} of its migration's folder."""
    start_s, _ = (float(text) for text in files["times"].split())
    events = [(float(t), event, int(domid), int(value)) for t, event, domid, value in _lines(files["rounds.log"])]
    enables = [(t, domid, value) for t, event, domid, value in events if event == "log_dirty_on"]
    suspended = [t for t, event, _, _ in events if event == "suspended"]
    on = [t for t, _, value in enables if value == 0]
    if not on or len(suspended) != 1:
        raise TraceError(f"no whole migration in rounds.log: {files['rounds.log'][-500:]}")
    source = enables[0][1]
    cleans = [(t, value) for t, event, domid, value in events if event == "clean" and domid == source]
    live = [clean for clean in cleans if clean[0] < suspended[0]]
    resumed = [t for t, event, domid, _ in events if event == "unpaused" and domid != source]
    if len(cleans) != len(live) + 1 or not live or not resumed:
        raise TraceError(f"no whole migration in rounds.log: {files['rounds.log'][-500:]}")
    document = json.loads(files["before.json"])
    predicted = json.loads(files["predicted.json"])["vms"][0]["prediction"]["grid"][0]
    stream = [(float(t), int(n)) for t, n in _lines(files["stream.log"])]
    return Measured(start_s, enables[0][2], on[-1], live, suspended[0], cleans[-1], resumed[0], stream, document,
                    _find(document, name), predicted)


def curve_pages(vm, window_s):
    """W(window) by the frozen profile's median; None beyond its longest window."""
    points = [(0.0, 0.0), *map(tuple, vm["profile"]["p50"])]
    for (left_s, left), (right_s, right) in zip(points, points[1:]):
        if left_s <= window_s <= right_s:
            return left + (right - left) * (window_s - left_s) / (right_s - left_s)
    return None
