#!/usr/bin/python3
"""decamp against the real Xen: predictions, the interlock, the agent's manners.

    lab.py [--bin DIR] [--work DIR] [--sweep] [--strict]

Boots Xen under QEMU, runs the agent and the planner in dom0, predicts, migrates,
compares. Exit code 0: as good as it must be; 1: not; 77: something that it needs
is missing here. See README.md.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import pathlib
import platform
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))  # what both labs share
import image
import packages
from accuracy import LENIENT, SETTLE_S, STRICT, Accuracy, judge, print_table
from dom0 import Dom0, Guest, Silent
from machine import Machine, MachineError
from migration_trace import TraceError
from safety import Safety

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = ("qemu-system-x86_64", "cc", "cpio", "curl", "ldd", "apt-get", "apt-cache", "dpkg-deb")
SAMPLING = {"sample_interval": "13500ms", "burst_duration": "13s"}
SAMPLING_FOR_SAFETY = {"sample_interval": "8s", "burst_duration": "7s"}
RATES_PAGES_PER_S = (200, 700, 2500)
CAPS_BYTES_PER_S = (7_000_000, 10_000_000)
WARM_UP = Guest("warm-up", 300)
WARM_UP_CAPS_BYTES_PER_S = (9_000_000,) * 3
MOST_LOST = 2


class Lab:
    """The run from the machine's boot to its end."""

    def __init__(self, dom0, accuracy):
        self.dom0 = dom0
        self.accuracy = accuracy
        self.began_s = time.monotonic()
        self.dead = set()       # domids of those that died of a triple fault
        self.n_lost = 0
        self.comparisons = []

    def say(self, text):
        print(f"[{time.monotonic() - self.began_s:5.0f} s] {text}", flush=True)

    def create(self, guests):
        for guest in guests:
            self.dom0.create(guest)
        for guest in guests:
            self.dom0.wait_until_alive(guest.name, n_passes=1)

    def create_unwatched(self, guests):
        """What a guest does while it boots is not what it is compared for."""
        self.dom0.stop_agent()
        self.create(guests)
        time.sleep(SETTLE_S)
        self.dom0.start_agent_again()

    def destroy(self, guests):
        for guest in guests:
            self.dom0.destroy(guest.name)

    def warm_up(self):
        """The agent's options, overheads among them."""
        overheads = self.accuracy.learn_overheads(WARM_UP, WARM_UP_CAPS_BYTES_PER_S)
        self.say(f"overheads learned from {len(WARM_UP_CAPS_BYTES_PER_S)} warm-up migrations: "
                 + ", ".join(f"{name.removeprefix('overhead_')} {value}" for name, value in overheads.items()))
        self.destroy([WARM_UP])
        self.dom0.stop_agent()
        self.dom0.start_agent({**SAMPLING, **overheads})

    def revive(self, guest, error):
        """True where the emulated processor lost the guest (see README.md), and a fresh one has taken its place. More
        than a few are a failure."""
        new = set(self.dom0.triple_faults()) - self.dead
        self.dead |= new
        if new:
            self.say(f"{guest.name} died of a triple fault")
        elif isinstance(error, Silent):
            self.say(f"{error}; its processor:\n{self.dom0.registers(guest.name)}")
        else:
            return False
        self.n_lost += 1
        if self.n_lost > MOST_LOST:
            raise MachineError(f"{self.n_lost} guests died or hang")
        self.dom0.destroy(guest.name)
        self.create_unwatched([guest])
        self.accuracy.wait_for_bursts([guest])
        return True

    def compare(self, guests, caps):
        self.accuracy.wait_for_bursts(guests)
        for guest in guests:
            for cap in caps:
                self.say(f"migrating {guest.name} through {cap / 1e6:g} MB/s")
                try:
                    one = self.accuracy.compare(guest, cap)
                except (MachineError, TraceError) as error:
                    if not self.revive(guest, error):
                        raise
                    one = self.accuracy.compare(guest, cap)
                self.comparisons.append(one)

    def run(self, groups, caps):
        self.dom0.start_planner()
        self.create([WARM_UP, *groups[0]])
        self.say("guests run")
        time.sleep(SETTLE_S)
        self.dom0.start_agent(SAMPLING)
        self.accuracy.wait_for_bursts([WARM_UP])
        self.warm_up()
        for i, guests in enumerate(groups):
            if i > 0:
                self.create_unwatched(guests)
            self.compare(guests, caps)
            if i + 1 < len(groups):
                self.destroy(guests)
        keeper, victim = groups[-1][0], groups[-1][1]
        self.destroy(groups[-1][2:])
        self.dom0.stop_agent()
        self.dom0.start_agent(SAMPLING_FOR_SAFETY)
        self.say("the agent's manners")
        safety = Safety(self.dom0, self.accuracy, keeper)
        safety.interlock(CAPS_BYTES_PER_S[-1])
        safety.killed()
        safety.vanished(victim)


def missing():
    """What this machine lacks for the lab, in words; None where it lacks nothing."""
    if platform.machine() != "x86_64":
        return "the lab emulates x86_64 from x86_64 packages"
    for name in PROGRAMS:
        if shutil.which(name) is None:
            return f"{name} is not installed"
    if not pathlib.Path("/usr/include/xenctrl.h").is_file():
        return "libxen-dev is not installed"
    return None


def parse_arguments():
    parser = argparse.ArgumentParser(description="decamp against the real Xen, under QEMU")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/dev/bin", help="where decamp was built")
    parser.add_argument("--work", type=pathlib.Path, help="scratch and downloads (default: lab-xen beside --bin)")
    parser.add_argument("--strict", action="store_true", help="fail beyond what is promised of a quiet machine")
    parser.add_argument("--sweep", action="store_true", help="more rates, patterns and bandwidths; half an hour")
    return parser.parse_args()


def prepare(arguments):
    """The folder with what machines boot; None, and why in words, where this machine lacks something for it."""
    bin_dir = arguments.bin.resolve()
    work = (arguments.work or bin_dir.parent / "lab-xen").resolve()
    lack = missing()
    if lack is not None:
        print(f"skipped: {lack}")
        return None
    work.mkdir(parents=True, exist_ok=True)
    try:
        root = packages.fetch(work / "packages", image.PACKAGES, "linux-image-amd64", image.WANTED)
    except packages.Unavailable as error:
        print(f"skipped: {error}")
        return None
    image.build(root, bin_dir, work)
    return work


def plan(sweep):
    """Groups of guests that live at the same time, and the bandwidths that each is migrated at."""
    patterns = ("cyclic", "random", "hot") if sweep else ("cyclic", "random")
    rates = (0, 400, 1500) if sweep else ()
    groups = [[Guest(f"{pattern}-{rate}", rate, pattern) for rate in some]
              for pattern in patterns for some in (RATES_PAGES_PER_S, rates) if some]
    return groups, (*CAPS_BYTES_PER_S, 8_500_000) if sweep else CAPS_BYTES_PER_S


def main():
    arguments = parse_arguments()
    work = prepare(arguments)
    if work is None:
        return 77
    failed = ["the run"]
    with Machine(work) as machine:
        dom0 = Dom0(machine)
        lab = Lab(dom0, Accuracy(dom0, arguments.bin.resolve(), work))
        try:
            lab.run(*plan(arguments.sweep))
            failed = []
        except (MachineError, TraceError) as error:
            print(f"FAILED: {error}")
            print(machine.run("tail -n 40 /tmp/agent.log; xl list; tail -n 3 /var/log/xen/console/*")[1])
    if lab.comparisons:
        print_table(lab.comparisons)
        failed += judge(lab.comparisons, STRICT if arguments.strict else LENIENT)
    lab.say(f"{lab.n_lost} guests lost to the emulated processor")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
