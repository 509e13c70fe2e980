#!/usr/bin/python3
"""decamp apply --driver xl between two real Xen hosts.

    pair.py [--bin DIR] [--work DIR]

Boots two machines with a cable between them and guests on the first one; evacuates it by the driver `xl` as it is (ssh,
pv, xl migrate-receive), kills apply in the middle of the way back and resumes it, interrupts it on a third way. Exit
code 0: every guest always lived on exactly one host, with its memory as it left it; 1: not; 77: something is missing
here. See README.md.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))  # what both labs share
import image
from accuracy import SETTLE_S
from dom0 import Dom0, Guest
from lab import SAMPLING, parse_arguments, prepare
from machine import Machine, MachineError

CABLE_BYTES_PER_S = 6_000_000  # agents predict from 5 MB/s on; an emulated dom0 encrypts little more
GUESTS = (Guest("slow", 100), Guest("busy", 300, "random"))
TOPOLOGY = {
    "format": "decamp/fleet", "format_version": "1.0", "taken_unix_ms": 0, "vms": [],
    "hosts": [{"name": host, "state": "on", "cpus": 2, "memory_bytes": 2**31, "max_migrations": 1}
              for host in image.ADDRESSES],
    "switches": [{"name": "cable", "capacity_bytes_per_s": None}],
    "links": [{"name": f"{host}-nic", "between": [host, "cable"], "goodput_frac": 1,
               "capacity_bytes_per_s": CABLE_BYTES_PER_S} for host in image.ADDRESSES],
}
APPLY = "decamp apply /tmp/plan.json --driver xl --state /tmp/apply"


class Pair:
    """Two dom0s; the planner, and decamp itself, in the first one."""

    def __init__(self, first, second):
        self.dom0s = {dom0.machine.host: dom0 for dom0 in (first, second)}
        self.planner = first
        self.began_s = time.monotonic()
        self.last_beats = {}

    def say(self, text):
        print(f"[{time.monotonic() - self.began_s:5.0f} s] {text}", flush=True)

    def require(self, condition, what):
        if not condition:
            raise MachineError(f"not so: {what}")

    def start(self):
        self.planner.machine.check(f"cat >/tmp/topology.json <<'END'\n{json.dumps(TOPOLOGY)}\nEND")
        self.planner.start_planner(topology_file="/tmp/topology.json")
        for guest in GUESTS:
            self.planner.create(guest)
        for guest in GUESTS:
            self.planner.wait_until_alive(guest.name, n_passes=1)
        time.sleep(SETTLE_S)
        for dom0 in self.dom0s.values():
            dom0.start_agent({**SAMPLING, "overhead_pre": "2s"})
        self.say("guests run, agents sample")

    def fleet(self):
        return json.loads(self.planner.machine.check("decamp snapshot"))

    def plan(self, host):
        """Once every guest is known where it is, and predicted."""
        def known():
            vms = self.fleet()["vms"]
            return {vm["name"] for vm in vms if vm["host"] == host and vm.get("prediction", {}).get("grid")}
        self.planner.wait_for(f"predictions of all on {host}", lambda: known() >= {g.name for g in GUESTS}, 180)
        code, _ = self.planner.machine.run(f"decamp evacuate {host} -o json --out /tmp/plan.json")
        plan = json.loads(self.planner.machine.check("cat /tmp/plan.json"))
        self.require(code == 0, f"evacuate {host} is planned: {plan['conflicts']}")
        return plan

    def begin(self, more=""):
        self.planner.machine.check(f"{APPLY} {more} -o jsonl >/tmp/events 2>/tmp/said & echo $! >/tmp/apply.pid")

    def end(self):
        """(exit code, events) of an apply that was begun."""
        self.planner.machine.check("until ! kill -0 $(cat /tmp/apply.pid) 2>/dev/null; do usleep 200000; done", 600)

    def apply(self, more=""):
        code, _ = self.planner.machine.run(f"{APPLY} {more} -o jsonl >/tmp/events 2>/tmp/said", 900)
        return code, [json.loads(line) for line in self.said("events").splitlines()]

    def said(self, name="said"):
        return self.planner.machine.run(f"cat /tmp/{name}")[1]

    def place(self, guest):
        """Where it runs; a migration leaves nothing of it elsewhere."""
        lists = {host: dom0.machine.check("xl list") for host, dom0 in self.dom0s.items()}
        at = [host for host, text in lists.items() if any(line.split()[0].startswith(guest.name)
                                                          for line in text.splitlines()[1:])]
        self.require(len(at) == 1, f"{guest.name} is on exactly one host: {lists}")
        return at[0]

    def look_over(self, allowed):
        """Every guest lives on one of the allowed hosts, and has found every page of its memory."""
        for guest in GUESTS:
            host = self.place(guest)
            self.require(host in allowed, f"{guest.name} is on one of {allowed}, not on {host}")
            beats = self.beats(host, guest)
            last = self.planner.wait_for(f"{guest.name} lives on {host}", lambda g=guest, h=host, b=beats: self.newer(h, g, b), 90)
            self.require(last.n_bad == 0, f"the memory of {guest.name} is as it left it ({last.n_bad} pages are not)")

    def beats(self, host, guest):
        return [*self.dom0s[host].beats(guest.name), *self.dom0s[host].beats(guest.name, arrived=True)]

    def newer(self, host, guest, before):
        """A beat after two more looks at its memory than in those before."""
        since = max((beat.n_passes for beat in before), default=0)
        later = [beat for beat in self.beats(host, guest) if beat.n_passes >= since + 2]
        return later[-1] if later else None

    def evacuate(self):
        plan = self.plan("xen1")
        code, events = self.apply()
        self.require(code == 0, f"evacuate xen1: exit {code}: {self.said()}")
        done = {event["vm_name"]: event for event in events if event.get("state") == "done"}
        self.require(set(done) == {guest.name for guest in GUESTS}, f"all have moved: {done}")
        for step in plan["steps"]:
            self.say(f"{step['vm_name']}: done; {step['migration_ms']['p50'] / 1e3:.1f} s forecast")
        self.look_over(["xen2"])
        took_s = events[-1]["elapsed_ms"] / 1e3
        self.say(f"evacuated in {took_s:.1f} s, {plan['makespan_ms']['p50'] / 1e3:.1f} s forecast")

    def kill_and_resume(self):
        self.plan("xen2")
        self.begin()
        self.planner.wait_for("a migration", lambda: '"runs"' in self.said("events"), 60)
        time.sleep(4)
        self.planner.machine.check("kill -9 $(cat /tmp/apply.pid)")
        code, _ = self.apply("--resume")
        self.require(code == 0, f"resume: exit {code}: {self.said()}")
        self.look_over(["xen1"])
        self.say("apply was killed on the way back, and resumed: all are back")

    def interrupt(self):
        self.plan("xen1")
        self.begin()
        self.planner.wait_for("a migration", lambda: '"runs"' in self.said("events"), 60)
        time.sleep(4)
        self.planner.machine.check("kill -INT $(cat /tmp/apply.pid); sleep 1; kill -INT $(cat /tmp/apply.pid)")
        self.end()
        self.require("asked to end at once" in self.said(), f"a migration was ended: {self.said()}")
        self.look_over(["xen1", "xen2"])
        places = {guest.name: self.place(guest) for guest in GUESTS}
        self.require("xen1" in places.values(), f"not all had moved: {places}")
        self.say(f"interrupted twice: {places}")


def main():
    arguments = parse_arguments()
    work = prepare(arguments)
    if work is None:
        return 77
    first, second = image.ADDRESSES
    with Machine(work, first, image.ADDRESSES[first], second) as one, \
            Machine(work, second, image.ADDRESSES[second], first) as other:
        pair = Pair(Dom0(one), Dom0(other))
        try:
            pair.start()
            pair.evacuate()
            pair.kill_and_resume()
            pair.interrupt()
        except MachineError as error:
            print(f"FAILED: {error}")
            for machine in (one, other):
                print(machine.run("hostname; xl list; tail -n 20 /tmp/agent.log /tmp/planner.log /tmp/said; ip addr")[1])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
