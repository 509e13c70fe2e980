"""What the lab asks of decamp, on the cluster that lab.py has made."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import statistics
import subprocess
import time

import ordering
from compare import Comparison

HOSTS = ("h1", "h2", "h3", "h4")
FRESH_S = 15 # until the agents that guests came to have had a burst of each


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

    @staticmethod
    def rest():
        """Until the agents know the guests where they are now."""
        time.sleep(FRESH_S)

    def plan(self, *hosts, name="plan"):
        path = self.directory / f"{name}.json"
        result = self.cluster.decamp("evacuate", *hosts, "-o", "json", "--out", path, check=False)
        plan = json.loads(path.read_text(encoding="utf-8"))
        self.require(result.returncode == 0, f"evacuate {' '.join(hosts)}: {[c['what'] for c in plan['conflicts']]}")
        return path, plan

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
            self.rest()
        return comparisons

    def learn(self, guests):
        """Agents with wrong overheads: after one trip the planner knows better."""
        for name, hosts in (("first", HOSTS[:1]), ("second", HOSTS[1:]), ("third", HOSTS[:1])):
            path, _ = self.plan(*hosts, name=name)
            code, _, text, _ = self.apply(path)
            self.require(code == 0, f"{name} trip: exit {code}: {text[-600:]}")
            self.rest()
        rows = json.loads(self.cluster.decamp("accuracy", "-o", "json").stdout)["observations"]
        rows.sort(key=lambda row: row["began_unix_ms"])
        for figure in ("migration", "downtime"):
            errors = [abs(row[f"{figure}_error_frac"]) for row in rows]
            medians = [statistics.median(errors[i:i + len(guests)]) for i in range(0, len(errors), len(guests))]
            self.say(f"median error of the {figure} time, trip by trip: " + ", ".join(f"{m:.1%}" for m in medians))
            self.require(len(medians) == 3 and max(medians[1:]) < medians[0], f"the {figure} error was to shrink: {medians}")

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
        self.rest()
        path, plan = self.plan("h1", name="one-by-one")
        code, _, text, seconds = self.apply(path)
        self.require(code == 0, f"by the plan: exit {code}: {text[-600:]}")
        self.say(f"by the plan: all have arrived after {seconds:.0f} s ({plan['makespan_ms']['p50'] / 1e3:.0f} s forecast)")
        self.all_alive(guests, HOSTS[1:])

    def order(self, guests):
        """Our plan against the same migrations in fixed slots."""
        ordering.judge(self, ordering.compare(self, guests, HOSTS))

    def lose_a_destination(self, guests):
        """A host that is being migrated to goes: its link is cut, nothing can be prepared there, its agent is silent."""
        path, plan = self.plan("h1", name="lost")
        lost = plan["steps"][0]["to"]
        process = subprocess.Popen([str(word) for word in self.apply_command(path, "--retries", "0", "--patience", "5s")],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env=self.cluster.environment())
        time.sleep(3)
        self.hypervisors.lose(lost)
        self.cluster.network.cut(lost)
        _, text = process.communicate(timeout=400)
        self.require(process.returncode == 0, f"with {lost} lost: exit {process.returncode}: {text[-1500:]}")
        self.require("planned anew" in text, f"with {lost} lost: nothing was planned anew")
        self.all_alive(guests, HOSTS[1:])
        self.say(f"{lost} lost in the middle: all are elsewhere, or had arrived there before")
        self.cluster.network.mend(lost)
        self.hypervisors.find(lost)
        self.rest()
        path, _ = self.plan(*HOSTS[1:], name="found")
        code, _, text, _ = self.apply(path)
        self.require(code == 0, f"back again: exit {code}: {text[-600:]}")
        self.rest()

    def leave_the_stubborn(self, guests):
        """One guest never converges: that is foreseen, and told. Ordered all the same it is ended, and lives on."""
        *others, stubborn = guests
        path = self.directory / "stubborn.json"
        result = self.cluster.decamp("evacuate", "h1", "-o", "json", "--out", path, check=False)
        plan = json.loads(path.read_text(encoding="utf-8"))
        what = [conflict["what"] for conflict in plan["conflicts"]]
        self.say(f"foreseen: {what}")
        self.require(result.returncode == 3 and len(what) == 1 and "stubborn" in what[0], "it was to be foreseen")
        self.require({step["vm"] for step in plan["steps"]} == {guest.uuid for guest in others}, "the others can be moved")
        plan["steps"].append(dict(plan["steps"][-1], id=99, vm=stubborn.uuid, vm_name=stubborn.name, after=[], start_ms=0,
                                  rates=[], path=[], bandwidth_bytes_per_s=0))
        path.write_text(json.dumps(plan), encoding="utf-8")
        code, result, text, seconds = self.apply(path, "--keep-plan", "--retries", "0", "--patience", "10s")
        states = {step["vm_name"]: step["state"] for step in result["steps"]}
        self.require(code == 3 and states.pop("stubborn") == "failed", f"it was to be ended: exit {code}: {text[-600:]}")
        self.require(set(states.values()) == {"done"}, f"the others were to arrive: {states}")
        self.all_alive(others, HOSTS[1:])
        self.all_alive([stubborn], HOSTS[:1])
        self.say(f"ordered all the same: ended, {seconds:.0f} s for all; it lives on h1, the others have arrived")
