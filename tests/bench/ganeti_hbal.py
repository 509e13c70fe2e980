#!/usr/bin/env python3
"""One cluster, two planners: Ganeti's hbal and decamp evacuate the same node.

Makes a seeded cluster in Ganeti's text format, puts it to `hbal -t FILE -O NODE --evac-mode -C` and, by
`decamp import`, to `decamp evacuate NODE`; prints both times and what came out. hbal's moves are then timed
by `decamp schedule`, one after the other as its job sets are, so that both makespans are of one model.
hbal is in Debian's package ganeti-htools (`apt install ganeti-htools`); without it the script ends with 77.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import json
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DECAMP_BIN_DIR", ROOT / "build" / "dev" / "bin"))
GROUP = "6c9be90b-2ecb-4d0c-b8b0-5a5d9d3a0a6f"
SIZES_GIB = [2, 2, 4, 4, 4, 8, 8, 8, 16, 16, 32, 64]
POLICY = "1024,1,1024,1,1,1|128,1,1024,1,1,1;1048576,64,1048576,16,8,12"


def cluster(nodes, instances, seed):
    """Every node 256 GiB and 64 cores, instances dealt out at random where they fit, disks that all nodes reach."""
    draw = random.Random(seed)
    own, total, cores = 2048, 256 * 1024, 64
    free = [total - own] * nodes
    rows = []
    for number in range(instances):
        mib = draw.choice(SIZES_GIB) * 1024
        fitting = [i for i in draw.sample(range(nodes), min(nodes, 20)) if free[i] - mib > total // 10]
        if not fitting:
            continue
        home = fitting[0]
        free[home] -= mib
        rows.append(f"vm{number:05}|{mib}|10240|{max(1, mib // 8192)}|running|Y|node{home:04}||ext||1|-")
    hosts = [f"node{i:04}|{total}|{own}|{free[i]}|1048576|1048576|{cores}|{'M' if i == nodes - 1 else 'N'}|{GROUP}|"
             "1||N|0|1|1.0" for i in range(nodes)]
    policies = [f"|{POLICY}|ext|4.0|32.0", f"default|{POLICY}|ext|4.0|32.0"]
    sections = [[f"default|{GROUP}|preferred||"], hosts, rows, [], policies]
    return "".join(line + "\n" for lines in sections for line in [*lines, ""])


def timed(*command):
    """The finished process, its wall and CPU seconds."""
    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done, time.monotonic() - begin, cpu


def hbal_result(text):
    """Moves and job sets of hbal -C, or its own last word."""
    moves, jobs = len(re.findall(r"^\s*\d+\. \S+\s", text, re.M)), len(re.findall(r"^\s*echo jobset \d+", text, re.M))
    if moves == 0:
        return text.strip().splitlines()[-1] if text.strip() else "said nothing"
    return f"{moves} moves in {jobs} job sets, one after the other"


def as_asked(text, fleet, folder):
    """The seconds that hbal's own moves take, one after the other; None where there are none."""
    moves = [{"vm": vm, "to": node} for node, vm in re.findall(r"gnt-instance migrate -f -n (\S+) (\S+)", text)]
    path = pathlib.Path(folder) / "moves.json"
    path.write_text(json.dumps({"format": "decamp/moves", "format_version": "1.0", "moves": moves}), encoding="utf-8")
    plan, _, _ = timed(BIN / "decamp", "schedule", "--moves", path, "--fleet", fleet, "--max-parallel", 1, "-q", "-o",
                       "json")
    return json.loads(plan.stdout)["makespan_ms"]["p95"] / 1000 if moves and plan.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--instances", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", metavar="FILE", help="write the cluster there, too")
    options = parser.parse_args()
    hbal = shutil.which("hbal")
    if hbal is None:
        print("hbal is not installed: apt install ganeti-htools")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        data, fleet = pathlib.Path(folder) / "cluster.data", pathlib.Path(folder) / "fleet.json"
        data.write_text(cluster(options.nodes, options.instances, options.seed), encoding="utf-8")
        if options.keep:
            shutil.copy(data, options.keep)
        theirs, wall, cpu = timed(hbal, "-t", data, "-O", "node0000", "--evac-mode", "-C")
        print(f"hbal:   {wall:8.2f} s wall {cpu:8.2f} s cpu, exit {theirs.returncode}: "
              f"{hbal_result(theirs.stdout) if theirs.returncode == 0 else theirs.stderr.strip()}")
        made, wall, cpu = timed(BIN / "decamp", "import", "--from", "ganeti", data, "--out", fleet)
        print(f"import: {wall:8.2f} s wall {cpu:8.2f} s cpu, exit {made.returncode} {made.stderr.strip()}")
        ours, wall, cpu = timed(BIN / "decamp", "evacuate", "node0000", "--fleet", fleet, "-q", "-o", "json")
        if ours.returncode not in (0, 3):
            print(f"decamp: exit {ours.returncode}: {ours.stderr.strip()}")
            return 1
        plan = json.loads(ours.stdout)
        serial_s = as_asked(theirs.stdout, fleet, folder)
        if serial_s is not None:
            print(f"        its moves, so, take {serial_s:.1f} s by decamp's model")
        print(f"decamp: {wall:8.2f} s wall {cpu:8.2f} s cpu, exit {ours.returncode}: {plan['status']}, "
              f"{len(plan['steps'])} moves, {plan['makespan_ms']['p95'] / 1000:.1f} s, gap {100 * plan['gap_frac']:.2f}%")
    return 1 if made.returncode != 0 or theirs.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
