#!/usr/bin/env python3
"""Makes the example's fleet from recorded page dirtying.

In:  qemu-postgres/wcurve_points.csv: real live migrations of an 8 GiB
     PostgreSQL guest under YCSB on KVM. Each pre-copy iteration is one point of
     the unique-pages-dirtied curve: it lasted so long, so much was dirty at its end.
Out: replay-fleet.json  4 hosts and 24 VMs whose bursts are those recordings,
                        scaled to each VM's size: what the example's agents replay;
     topology.json      hosts and network alone: what the example's planner is told.

One burst is one recorded run. Pages scale with the VM's memory and with an
intensity of its own; windows stay as recorded. Standard library only; the
same input gives the same bytes.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import collections
import csv
import json
import pathlib
import uuid

HERE = pathlib.Path(__file__).resolve().parent
PAGE_BYTES = 4096
RECORDED_MEMORY_BYTES = 8 << 30
RECORDED_ZERO_FRAC = 0.74  # of the guest's pages, from the runs' duplicate pages
WINDOWS_S = [0.125 * (60 / 0.125) ** (i / 21) for i in range(22)]
BURST_SPACING_MS = 300_000
FIRST_BURST_UNIX_MS = 1_790_000_000_000
GIB = 1 << 30

BUSY, QUIET, READS = "Precopy_Nonconvergent_16T", "Precopy_Convergent", "Precopy_Nonconvergent_OnlyReads_16T"

# name, GiB, recording, intensity, downtime budget in ms
VMS = {
    "host1": [("shop-db1", 16, BUSY, 0.6, 1000), ("shop-web1", 8, QUIET, 1.0, 600), ("shop-web2", 8, QUIET, 0.8, 600),
              ("wiki-db", 12, READS, 0.7, 1000), ("mail1", 8, QUIET, 0.5, 800), ("cache1", 24, BUSY, 0.4, 1500)],
    "host2": [("shop-db2", 16, BUSY, 0.5, 1000), ("shop-web3", 8, QUIET, 1.0, 600), ("build1", 16, BUSY, 0.5, 2000),
              ("git1", 8, READS, 0.4, 800), ("mail2", 8, QUIET, 0.5, 800), ("dns1", 4, QUIET, 0.1, 500)],
    "host3": [("erp-db", 32, BUSY, 0.3, 1500), ("erp-app1", 12, QUIET, 1.0, 800), ("erp-app2", 12, QUIET, 0.9, 800),
              ("ldap1", 4, QUIET, 0.2, 500), ("report1", 16, READS, 0.6, 2000), ("dns2", 4, QUIET, 0.1, 500)],
    "host4": [("crm-db", 24, BUSY, 0.4, 1000), ("crm-app1", 8, QUIET, 0.8, 800), ("ci1", 16, BUSY, 0.4, 2000),
              ("ldap2", 4, QUIET, 0.2, 500), ("monitor1", 8, READS, 0.5, 800), ("backup1", 12, READS, 0.3, 2000)],
}


def recorded_runs():
    """recording -> list of runs, each a list of (window in s, unique bytes dirtied)."""
    runs = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(HERE / "qemu-postgres" / "wcurve_points.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            window_s = (int(row["iter_ms_lo"]) + int(row["iter_ms_hi"])) / 2000
            runs[row["scenario"]][int(row["run"])].append((window_s, float(row["dirty_MB_lo"]) * 1e6))
    return {name: [sorted(points) for _, points in sorted(by_run.items())] for name, by_run in runs.items()}


def curve(points):
    """The run's points gathered by the burst's windows (mean of each), made non-decreasing."""
    bins = collections.defaultdict(list)
    for window_s, dirty_bytes in points:
        nearest = min(WINDOWS_S, key=lambda w: abs(w / window_s - 1))
        bins[nearest].append((window_s, dirty_bytes))
    result, highest = [], 0.0
    for nearest in sorted(bins):
        members = bins[nearest]
        window_s = sum(w for w, _ in members) / len(members)
        highest = max(highest, sum(b for _, b in members) / len(members))
        result.append((window_s, highest))
    return result


def burst(at_unix_ms, points, memory_bytes, intensity):
    scale = memory_bytes / RECORDED_MEMORY_BYTES * intensity / PAGE_BYTES
    return {"at_unix_ms": at_unix_ms, "points": [[round(w, 4), round(b * scale)] for w, b in points]}


def vm(host, number, spec, curves):
    name, gib, recording, intensity, budget_ms = spec
    memory_bytes = gib * GIB
    bursts = [burst(FIRST_BURST_UNIX_MS + i * BURST_SPACING_MS, points, memory_bytes, intensity)
              for i, points in enumerate(curves[recording])]
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.example")), "name": name, "host": host, "state": "running",
        "memory_bytes": memory_bytes, "vcpus": max(2, gib // 4), "cpu_cores_used": round(0.3 + 0.2 * (number % 5), 1),
        "downtime_budget_ms": budget_ms, "labels": {"app": name.split("-")[0].rstrip("0123456789")},
        "policy": {"name": "qemu", "downtime_limit_ms": 300},
        "profile": {"kind": "curve", "zero_pages": round(memory_bytes / PAGE_BYTES * RECORDED_ZERO_FRAC),
                    "bursts": bursts},
        "overhead": {"pre_ms": 200, "post_ms": 30, "in_flight_bytes": 1_000_000, "suspend_pages": 0},
    }


def document(vms):
    hosts = [{"name": name, "state": "on", "cpus": 32, "memory_bytes": 192 * GIB, "reserved_memory_bytes": 8 * GIB,
              "max_migrations": 4, "labels": {"rack": "r1"}} for name in VMS]
    links = [{"name": f"{name}-nic", "between": [name, "tor1"], "capacity_bytes_per_s": 1_250_000_000,
              "goodput_frac": 0.94, "background_bytes_per_s": 50_000_000} for name in VMS]
    return {"format": "decamp/fleet", "format_version": "1.0", "taken_unix_ms": FIRST_BURST_UNIX_MS,
            "hosts": hosts, "switches": [{"name": "tor1", "capacity_bytes_per_s": None}], "links": links,
            "vms": vms, "rules": []}


def write(name, content):
    with open(HERE / name, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")


def main():
    curves = {name: [curve(points) for points in runs] for name, runs in recorded_runs().items()}
    vms = [vm(host, number, spec, curves) for host, specs in VMS.items() for number, spec in enumerate(specs)]
    write("replay-fleet.json", document(vms))
    write("topology.json", document([]))


if __name__ == "__main__":
    main()
