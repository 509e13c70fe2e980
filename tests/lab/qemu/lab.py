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
import os
import pathlib
import platform
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent)) # what both labs share
import initramfs
import packages
from compare import LENIENT, STRICT
from guests import Guest, GuestError, Hypervisors
from network import Network, NetworkError
from stages import HOSTS, Lab

ROOT = HERE.parents[2]
PROGRAMS = ("qemu-system-x86_64", "cc", "cpio", "ip", "tc", "apt-get", "apt-cache", "dpkg-deb")
LINK_MBIT = 200
HOST_MEMORY_BYTES = 3 * 2**30
SAMPLES_S = 25
MIXED = (Guest("idle", 0), Guest("slow", 200), Guest("steady", 500), Guest("cycle", 900, "cyclic"),
         Guest("hot", 400, "hot"), Guest("busy", 1200), Guest("lively", 700), Guest("turning", 300, "cyclic"))
# Half of them converge on a link of their own, and barely on half a one.
MIXED_HEAVY = (*MIXED[:3], Guest("lively", 700),
               *(Guest(name, 1300, working_set_mib=24, cold_mib=0) for name in ("apache", "batch", "cache", "mail")))
# Each converges on a link of its own; an eighth of one is less than any of them writes.
TOGETHER_NEVER = tuple(Guest(f"writer{i}", 2500, working_set_mib=24, cold_mib=0) for i in range(6))
# Writes all of its memory faster than a link carries it, whatever else is sent there.
STUBBORN = (*MIXED[:3], Guest("stubborn", 9000, working_set_mib=24, cold_mib=0))


# Agents that were told nothing of how long QEMU takes to start at the destination, and too much of the hand-over.
MISTAKEN = {"overhead_pre": "0ms", "overhead_post": "500ms", "overhead_in_flight": "0MB"}


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


def prepare_images(work):
    root = packages.fetch(work / "packages", (), "linux-image-cloud-amd64", r"\./boot/vmlinuz-.*")
    shutil.copy(next(root.glob("boot/vmlinuz-*")), work / "vmlinuz")
    shutil.rmtree(work / "guest", ignore_errors=True)
    initramfs.compile_guest(work / "guest")
    initramfs.pack(work / "guest", work / "guest.cpio.gz")


def run_with(guests, bin_dir, work, stages, overheads=None):
    """Boots, samples and runs `stages` (functions of a Lab and the guests); what failed. `overheads`: what the agents
    are told of them, if not what is known of this lab."""
    os.environ["DECAMP_BIN_DIR"] = str(bin_dir)
    from lab_cluster import LabCluster
    with tempfile.TemporaryDirectory(prefix="lab") as folder, Network(dict.fromkeys(HOSTS, LINK_MBIT)) as network, \
            Hypervisors(network, work, pathlib.Path(folder) / "run") as hypervisors:
        hypervisors.boot(guests, "h1")
        with LabCluster(pathlib.Path(folder), network, hypervisors, HOST_MEMORY_BYTES, overheads) as cluster:
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
    parser.add_argument("--long", action="store_true", 
                        help="other orders, a lost destination, guests that do not converge; half an hour")
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
        if arguments.long:
            failed = run_with(MIXED, bin_dir, work, (compare, Lab.lose_a_destination))
            failed += run_with(MIXED_HEAVY, bin_dir, work, (Lab.order,))
            failed += run_with(MIXED, bin_dir, work, (Lab.learn,), MISTAKEN)
            failed += run_with(TOGETHER_NEVER, bin_dir, work, (Lab.livelock,))
            failed += run_with(STUBBORN, bin_dir, work, (Lab.leave_the_stubborn,))
        else:
            failed = run_with(MIXED, bin_dir, work, (compare, Lab.kill_and_resume))
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
