"""Small fleets and an own opinion on plans in stages, for the tests of consolidate, rebalance and rolling."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import random
import uuid

import plan_rules
from test_cli import GIB, decamp, ok, validate

GIGABIT = 125_000_000


def vm(number, host, gib=8, **keys):
    name = f"vm{number}"
    return {"uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)), "name": name, "host": host, "state": "running",
            "memory_bytes": gib * GIB, "vcpus": 2, "cpu_cores_used": 1, "policy": {"name": "xen-v2"},
            "profile": {"kind": "rate", "pages_per_s": 2000, "working_set_pages": 20000}, **keys}


def fleet(n_hosts, vms, gib=64, off=(), **keys):
    names = [f"h{i + 1}" for i in range(n_hosts)]
    return {"format": "decamp/fleet", "format_version": "1.0", "taken_unix_ms": 1,
            "hosts": [{"name": n, "cpus": 16, "memory_bytes": gib * GIB, "boot_s": 100, "shutdown_s": 20,
                       "idle_watts": 150, "peak_watts": 310, "state": "off" if n in off else "on"} for n in names],
            "switches": [{"name": "sw", "capacity_bytes_per_s": None}],
            "links": [{"name": f"{n}-nic", "between": [n, "sw"], "capacity_bytes_per_s": 10 * GIGABIT} for n in names],
            "vms": vms, **keys}


def random_fleet(seed, n_hosts=5, n_vms=8):
    """A seeded fleet in which every host has room for what is on it."""
    draw = random.Random(seed)
    names = [f"h{i + 1}" for i in range(n_hosts)]
    off = [names[-1]] if draw.random() < 0.4 else []
    homes = [n for n in names if n not in off]
    vms = [vm(i, draw.choice(homes), gib=draw.choice([2, 4, 8, 16]), cpu_cores_used=draw.choice([0.5, 1, 3]))
           for i in range(n_vms)]
    document = fleet(n_hosts, vms, off=off)
    for host in document["hosts"]:
        used = sum(v["memory_bytes"] for v in vms if v["host"] == host["name"])
        host["memory_bytes"] = used + draw.choice([4, 16, 32]) * GIB
        host["idle_watts"] = draw.choice([80, 150, 200])
    if draw.random() < 0.5 and vms[0]["host"] != vms[1]["host"]:
        document["rules"] = [{"type": "spread", "vms": [vms[0]["uuid"], vms[1]["uuid"]], "hosts": [], "hard": True}]
    return document


class Asked:
    """A fleet's file, and questions about it."""

    def __init__(self, directory, document):
        self.document = document
        self.path, self.plan_path = directory / "fleet.json", directory / "plan.json"
        self.path.write_text(json.dumps(document), encoding="utf-8")

    def plan(self, *arguments, code=0):
        plan = json.loads(ok(*arguments, "--fleet", self.path, "-o", "json", code=code))
        validate(plan, "plan")
        if code == 0:
            assert self.violations(plan) == []
        return plan

    def violations(self, plan):
        """What `decamp verify` says."""
        self.plan_path.write_text(json.dumps(plan), encoding="utf-8")
        result = decamp("verify", self.plan_path, "--fleet", self.path, "-o", "json")
        assert result.returncode in (0, 3), result.stderr
        found = [v["what"] for v in json.loads(result.stdout)["violations"]]
        assert (result.returncode == 3) == bool(found)
        return found


def migrations(plan):
    return [s for s in plan["steps"] if s["action"] in ("migrate", "cold_migrate")]


def host_steps(plan, action):
    return [s for s in plan["steps"] if s["action"] == action]


def final_hosts(plan, document):
    final = {v["uuid"]: v["host"] for v in document["vms"]}
    for step in sorted(migrations(plan), key=lambda s: s["start_ms"]):
        assert final[step["vm"]] == step["from"]
        final[step["vm"]] = step["to"]
    return final


def off_windows(plan, document):
    """Per host the times [from, to] in which it is off."""
    infinity = float("inf")
    windows = {h["name"]: [[-infinity, infinity]] if h["state"] == "off" else [] for h in document["hosts"]}
    for step in sorted(host_steps(plan, "boot") + host_steps(plan, "shutdown"), key=lambda s: s["start_ms"]):
        if step["action"] == "boot":
            windows[step["to"]][-1][1] = step["end_ms"]
        else:
            windows[step["from"]].append([step["start_ms"], infinity])
    return windows


def broken_windows(plan, document):
    windows = off_windows(plan, document)
    at = {v["uuid"]: (v["host"], float("-inf")) for v in document["vms"]}
    stays = []
    for step in sorted(migrations(plan), key=lambda s: s["start_ms"]):
        host, since = at[step["vm"]]
        stays.append((step["vm"], host, since, step["end_ms"]))
        at[step["vm"]] = (step["to"], step["start_ms"])
    stays += [(uid, host, since, float("inf")) for uid, (host, since) in at.items()]
    for uid, host, since, until in stays:
        for begin, end in windows[host]:
            if since < end - 1 and until > begin + 1 and not (since == begin == float("-inf")):
                yield f"{uid} is on {host} in {since}..{until}, off in {begin}..{end}"


def all_broken(plan, document):
    """An opinion of its own, which shares nothing with decamp."""
    moving = dict(plan, steps=migrations(plan))
    return [*plan_rules.broken_capacity(moving, document), *plan_rules.broken_memory(moving, document),
            *plan_rules.broken_concurrency(moving, document), *plan_rules.broken_budgets(moving, document),
            *plan_rules.broken_order(plan), *broken_windows(plan, document)]
