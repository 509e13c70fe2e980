#!/usr/bin/python3
"""How much CPU decamp-agent takes between bursts, with 50 VMs; run by hand.

A real decamp-planner and a real agent whose replay source has 50 VMs of one
burst each: after the first bursts only STATUS, the SNAPSHOT of every minute
and the heartbeats are left. To that the Xen source's refresh is added, as
bench_agent_idle measures it on this machine.

    DECAMP_BIN_DIR=build/release/bin tests/bench/agent_cpu.py [SECONDS, default 130]

Exit: 0 below 0.5% of a core, 1 above.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import cluster  # noqa: E402  (found by the line above)

N_VMS = 50
SETTLE_S = 15
MOST_PERCENT = 0.5
HOST = "host1"


def fleet_of_one_host():
    """A recorded VM, fifty times, each with one burst: the next would come in an hour."""
    fleet = json.loads(cluster.FLEET_FILE.read_text(encoding="utf-8"))
    model = next(vm for vm in fleet["vms"] if vm.get("profile", {}).get("bursts"))
    burst = model["profile"]["bursts"][0]
    model = dict(model, host=HOST, profile=dict(model["profile"], bursts=[burst]))
    fleet["vms"] = [dict(model, uuid=f"00000000-0000-4000-8000-{i:012x}", name=f"vm{i}") for i in range(N_VMS)]
    fleet["rules"] = []
    return fleet


def cpu_s(pid):
    """Time on a processor so far, of all threads; /proc/PID/stat counts in ticks, too coarse for this."""
    return sum(int(path.read_text(encoding="ascii").split()[0])
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


class QuietCluster(cluster.Cluster):
    """One host whose fifty VMs have no burst after their first."""

    def _write(self, name, **settings):
        if name == HOST:
            fleet_file = self.directory / "fleet.json"
            fleet_file.write_text(json.dumps(fleet_of_one_host()), encoding="utf-8")
            settings.update(replay_file=fleet_file, replay_speed=1, sample_interval="1h")
        super()._write(name, **settings)


def measure_agent(seconds):
    with tempfile.TemporaryDirectory(prefix="decamp-cpu-") as directory:
        with QuietCluster(directory, hosts=(HOST,)) as house:
            house.wait_full(N_VMS, 60)
            time.sleep(SETTLE_S)
            pid = house.processes[HOST].pid
            began_s, began = cpu_s(pid), time.monotonic()
            time.sleep(seconds)
            return (cpu_s(pid) - began_s) / (time.monotonic() - began)


def measure_refresh():
    out = subprocess.run([cluster.BIN / "bench_agent_idle"], capture_output=True, text=True, timeout=60, check=True)
    print(out.stdout, end="")
    return float(re.search(r"ms, ([0-9.]+)% of a core", out.stdout)[1])


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 130
    agent_percent = 100 * measure_agent(seconds)
    print(f"decamp-agent, {N_VMS} VMs, no burst for {seconds:.0f} s: {agent_percent:.3f}% of a core")
    total_percent = agent_percent + measure_refresh()
    print(f"together: {total_percent:.3f}% of a core (wanted: at most {MOST_PERCENT}%)")
    return 0 if total_percent <= MOST_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
