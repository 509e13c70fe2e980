#!/usr/bin/env python3
"""Makes a fleet document: one host full of VMs, others with room for them.

    make_fleet.py N_VMS [--seed N] [--hosts N] > fleet.json

The same arguments give the same bytes. Sizes (2 to 64 GiB) and dirtying are
drawn, not recorded: a hot set that saturates within seconds, a warm one within
a minute, and a steady cold rate, as unique-pages curves of real VMs look.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import json
import math
import random
import sys
import uuid

GIB = 1 << 30
PAGE_BYTES = 4096
WINDOWS_S = [round(0.125 * (60 / 0.125) ** (i / 21), 4) for i in range(22)]


def curve(rng, pages, hot_frac, warm_frac, cold_pages_per_s):
    jitter = rng.uniform(0.8, 1.25)
    hot, warm = pages * hot_frac * jitter, pages * warm_frac * jitter
    return [[t, round(min(pages, hot * (1 - math.exp(-t / 1.5)) + warm * (1 - math.exp(-t / 25))
                          + cold_pages_per_s * jitter * t))] for t in WINDOWS_S]


def make_vm(rng, number, host):
    gib = rng.choice([2, 2, 4, 4, 4, 8, 8, 8, 16, 16, 32, 64])
    pages = gib * GIB // PAGE_BYTES
    zero = int(pages * rng.uniform(0, 0.3))
    hot, warm, cold = rng.choice([(0.001, 0.004, 20), (0.004, 0.02, 150), (0.01, 0.05, 600), (0.02, 0.1, 1500)])
    policy = {"name": "xen-v2"} if rng.random() < 0.7 else {"name": "qemu", "downtime_limit_ms": 300}
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"decamp-{number}")), "name": f"vm{number:03}", "host": host,
        "state": "running", "memory_bytes": gib * GIB, "vcpus": max(1, gib // 4),
        "cpu_cores_used": round(rng.uniform(0.05, 0.6) * max(1, gib // 8), 2), "downtime_budget_ms": 30000,
        "policy": policy,
        "profile": {"kind": "curve", "zero_pages": zero,
                    "bursts": [{"at_unix_ms": 1700000000000 + 600000 * b,
                                "points": curve(rng, pages - zero, hot, warm, cold)} for b in range(6)]},
        "overhead": {"pre_ms": rng.randrange(150, 400), "post_ms": rng.randrange(60, 250), "in_flight_bytes": 0,
                     "suspend_pages": rng.randrange(0, 200)},
    }


def make_fleet(n_vms, n_hosts, seed):
    rng = random.Random(seed)
    vms = [make_vm(rng, i + 1, "h1") for i in range(n_vms)]
    total = sum(vm["memory_bytes"] for vm in vms)
    room = max(128 * GIB, int(total / (n_hosts - 1) * 1.6) // GIB * GIB)
    names = [f"h{i + 1}" for i in range(n_hosts)]
    hosts = [{"name": name, "state": "on", "cpus": 64, "memory_bytes": max(room, total + 8 * GIB) if name == "h1" else room,
              "reserved_memory_bytes": 4 * GIB, "max_migrations": 0, "labels": {"rack": "r1"}} for name in names]
    links = [{"name": f"{name}-nic", "between": [name, "tor1"], "capacity_bytes_per_s": 1250000000,
              "goodput_frac": 0.94, "background_bytes_per_s": 0} for name in names]
    return {"format": "decamp/fleet", "format_version": "1.0", "taken_unix_ms": 1700003600000, "hosts": hosts,
            "switches": [{"name": "tor1", "capacity_bytes_per_s": None}], "links": links, "vms": vms, "rules": []}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n_vms", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hosts", type=int, default=8)
    arguments = parser.parse_args()
    json.dump(make_fleet(arguments.n_vms, arguments.hosts, arguments.seed), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
