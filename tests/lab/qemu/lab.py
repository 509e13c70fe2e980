#!/usr/bin/python3
"""decamp against real QEMU: predicted, planned, applied, compared.

    lab.py [--bin DIR] [--work DIR] [--strict] [--long]

Boots guests on one host of four, lets the agents measure, evacuates that host and
brings all back with `decamp apply`, and compares what was forecast with what was.
Exit code 0: as good as it must be; 1: not; 77: something that it needs is missing
here. See README.md.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent)) # what both labs share
import initramfs
import packages
from compare import LENIENT, STRICT, Comparison
from guests import Guest, GuestError, Hypervisors
from network import Network, NetworkError

ROOT = HERE.parents[2]
PROGRAMS = ("qemu-system-x86_64", "cc", "cpio", "ip", "tc", "apt-get", "apt-cache", "dpkg-deb")
LINK_MBIT = 200
HOSTS = ("h1", "h2", "h3", "h4")
HOST_MEMORY_BYTES = 3 * 2**30
MIXED = (Guest("idle", 0), Guest("slow", 200), Guest("steady", 500), Guest("cycle", 900, "cyclic"),
         Guest("hot", 400, "hot"), Guest("busy", 1200), Guest("lively", 700), Guest("turning", 300, "cyclic"))
# Each converges on a link of its own; an eighth of one is less than any of them writes.
TOGETHER_NEVER = tuple(Guest(f"writer{i}", 1300, working_set_mib=24, cold_mib=0) for i in range(6))
SAMPLES_S = 25
FRESH_S = 15 # until the agents that guests came to have had a burst of each


def missing():
    """What this machine lacks for the lab, in words; None where it lacks nothing."""
    if platform.machine() != "x86_64":
        return "the lab emulates x86_64"
    if os.geteuid() != 0:
        return "the lab makes network namespaces: it needs root"
    for name in PROGRAMS:
        if shutil.which(name) is None:
            return f"{name} is not installed"
    return None


class Lab:
    """A cluster with its guests, and what is asked of decamp there."""

    def __init__(self, cluster, hypervisors, directory):
        self.cluster = cluster
        self.hypervisors = hypervisors
        self.directory = directory
        self.began_s = time.monotonic()
        self.failed = []

    def say(self, text):
        print(f"[{time.monotonic() - self.began_s:5.0f} s] {text}", flush=True)

    def require(self, is_so, what):
        if not is_so:
            self.say(f"FAILED: {what}")
            self.failed.append(what)

    def plan(self, *hosts, name="plan"):
        path = self.directory / f"{name}.json"
        self.cluster.decamp("evacuate", *hosts, "-o", "json", "--out", path)
        return path, json.loads(path.read_text(encoding="utf-8"))

    def apply_command(self, path, *more):
        return [self.cluster.decamp_path, "apply", path, "--driver", "qmp", "--drivers",
                self.cluster.driver_settings(), "--state", self.directory / "state", *more]

    def apply(self, path, *more, timeout_s=300):
        """(exit code, the JSON that it prints, what it says, its seconds)"""
        began_s = time.monotonic()
        result = subprocess.run([str(word) for word in self.apply_command(path, "-o", "json", *more)],
                                capture_output=True, text=True, timeout=timeout_s, check=False,
                                env=self.cluster.environment())
        return (result.returncode, json.loads(result.stdout) if result.stdout else {}, result.stderr,
                time.monotonic() - began_s)

    def all_alive(self, guests, allowed):
        """Every guest beats on exactly one host, an allowed one, and no page of any is damaged."""
        places = self.hypervisors.places(guests)
        for guest in guests:
            self.require(len(places[guest.name]) == 1 and set(places[guest.name]) <= set(allowed),
                         f"{guest.name} lives on {places[guest.name]}, not on one of {allowed}")
            self.require(self.hypervisors.bad_pages(guest) == 0, f"{guest.name} has lost memory")

    def there_and_back(self, guests):
        """Two trips: the first as the agents predict it, the second with what was learned from the first."""
        comparisons = []
        for name, hosts, allowed in (("there", ["h1"], HOSTS[1:]), ("back", list(HOSTS[1:]), ["h1"])):
            path, plan = self.plan(*hosts, name=name)
            code, result, text, seconds = self.apply(path)
            self.require(code == 0, f"apply {name}: exit {code}: {text[-600:]}")
            comparison = Comparison(name, plan, result, seconds)
            comparison.print()
            comparisons.append(comparison)
            self.all_alive(guests, allowed)
            time.sleep(FRESH_S)
        return comparisons

    def kill_and_resume(self, guests):
        """apply is killed in the middle, and goes on."""
        path, _ = self.plan("h1", name="killed")
        process = subprocess.Popen([str(word) for word in self.apply_command(path)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=self.cluster.environment())
        time.sleep(7)
        process.kill()
        process.wait()
        code, _, text, _ = self.apply(path, "--resume")
        self.require(code == 0, f"resume: exit {code}: {text[-600:]}")
        self.all_alive(guests, HOSTS[1:])
        self.say("killed after 7 s and resumed: all arrived")

    def livelock(self, guests):
        """All at once each gets too little of the link to converge; by the plan they follow each other."""
        path, plan = self.plan("h1", name="livelock")
        at_once = dict(plan, id="a" * 16)
        for step in at_once["steps"]:
            step.update(after=[], start_ms=0, not_before_ms=0, rates=[], path=[], bandwidth_bytes_per_s=0)
        together = self.directory / "at-once.json"
        together.write_text(json.dumps(at_once), encoding="utf-8")
        code, result, _, seconds = self.apply(together, "--keep-plan", "--retries", "0", "--patience", "30s")
        n_done = sum(step["state"] == "done" for step in result["steps"])
        self.say(f"all at once: {n_done} of {len(guests)} have arrived after {seconds:.0f} s")
        self.require(code == 3 and n_done < len(guests), "all at once was expected not to converge")
        self.all_alive(guests, HOSTS)
        path, plan = self.plan("h1", name="one-by-one")
        code, _, text, seconds = self.apply(path)
        self.require(code == 0, f"by the plan: exit {code}: {text[-600:]}")
        self.say(f"by the plan: all have arrived after {seconds:.0f} s ({plan['makespan_ms']['p50'] / 1e3:.0f} s forecast)")
        self.all_alive(guests, HOSTS[1:])


def prepare_images(work):
    root = packages.fetch(work / "packages", (), "linux-image-cloud-amd64", r"\./boot/vmlinuz-.*")
    shutil.copy(next(root.glob("boot/vmlinuz-*")), work / "vmlinuz")
    shutil.rmtree(work / "guest", ignore_errors=True)
    initramfs.compile_guest(work / "guest")
    initramfs.pack(work / "guest", work / "guest.cpio.gz")


def run_with(guests, bin_dir, work, stages):
    """Boots, samples and runs `stages` (functions of a Lab and the guests); what failed."""
    os.environ["DECAMP_BIN_DIR"] = str(bin_dir)
    from lab_cluster import LabCluster
    with tempfile.TemporaryDirectory(prefix="lab") as folder, Network(dict.fromkeys(HOSTS, LINK_MBIT)) as network, \
            Hypervisors(network, work, pathlib.Path(folder) / "run") as hypervisors:
        hypervisors.boot(guests, "h1")
        with LabCluster(pathlib.Path(folder), network, hypervisors, HOST_MEMORY_BYTES) as cluster:
            lab = Lab(cluster, hypervisors, pathlib.Path(folder))
            cluster.wait_full(len(guests), 60)
            time.sleep(SAMPLES_S)
            for stage in stages:
                stage(lab, guests)
            return lab.failed


def parse_arguments():
    parser = argparse.ArgumentParser(description="decamp against real QEMU")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/dev/bin", help="where decamp was built")
    parser.add_argument("--work", type=pathlib.Path, help="downloads and images (default: lab-qemu beside --bin)")
    parser.add_argument("--strict", action="store_true", help="fail beyond what is promised of a quiet machine")
    parser.add_argument("--long", action="store_true", help="also the set that never converges all at once")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    bin_dir = arguments.bin.resolve()
    work = (arguments.work or bin_dir.parent / "lab-qemu").resolve()
    lack = missing()
    if lack is not None:
        print(f"skipped: {lack}")
        return 77
    work.mkdir(parents=True, exist_ok=True)
    limits = STRICT if arguments.strict else LENIENT

    def compare(lab, guests):
        for comparison in lab.there_and_back(guests):
            lab.failed.extend(comparison.judge(limits))

    try:
        prepare_images(work)
        failed = run_with(MIXED, bin_dir, work, (compare, Lab.kill_and_resume))
        if arguments.long:
            failed += run_with(TOGETHER_NEVER, bin_dir, work, (Lab.livelock,))
    except (packages.Unavailable, NetworkError) as error:
        print(f"skipped: {error}")
        return 77
    except GuestError as error:
        failed = [str(error)]
    for what in failed:
        print(f"FAILED: {what}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
