"""What every plan document must hold, checked in Python from the two documents
alone: an opinion independent of decamp's own verify.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import collections
import random

TOLERANCE_FRAC = 1e-4
TOLERANCE_MS = 2


def usable_bytes_per_s(link):
    return link["capacity_bytes_per_s"] * link.get("goodput_frac", 0.94) - link.get("background_bytes_per_s", 0)


def rate_at(step, at_ms):
    rate = 0
    for from_ms, bytes_per_s in step.get("rates", []):
        if from_ms <= at_ms:
            rate = bytes_per_s
    return rate


def link_direction(step, name, links):
    """A star of NICs: a link is crossed outwards at its own host, inwards at the other's."""
    hosts = links[name]["between"]
    return (name, "out" if step["from"] in hosts else "in")


def broken_capacity(plan, fleet):
    links = {link["name"]: link for link in fleet["links"]}
    moments = sorted({from_ms for s in plan["steps"] for from_ms, _ in s.get("rates", [])})
    for at_ms in moments:
        load = collections.Counter()
        for step in plan["steps"]:
            for name in step.get("path", []):
                if name in links:
                    load[link_direction(step, name, links)] += rate_at(step, at_ms)
        for (name, direction), total in load.items():
            if total > usable_bytes_per_s(links[name]) * (1 + TOLERANCE_FRAC) + 1:
                yield f"{name} {direction} carries {total} at {at_ms} ms"


def broken_memory(plan, fleet):
    memory = {v["uuid"]: v["memory_bytes"] for v in fleet["vms"]}
    present = collections.Counter()
    for v in fleet["vms"]:
        present[v["host"]] += v["memory_bytes"]
    room = {h["name"]: h["memory_bytes"] - h.get("reserved_memory_bytes", 0) for h in fleet["hosts"]}
    events = []
    for s in plan["steps"]:
        events.append((s["start_ms"], 1, s["to"], memory[s["vm"]]))
        events.append((s["end_ms"], 0, s["from"], -memory[s["vm"]]))
    for at_ms, _, host, change in sorted(events):
        present[host] += change
        if change > 0 and present[host] > room[host]:
            yield f"{host} holds {present[host]} of {room[host]} at {at_ms} ms"


def broken_concurrency(plan, fleet, max_parallel=0):
    limits = {h["name"]: h.get("max_migrations", 0) for h in fleet["hosts"]}
    for step in plan["steps"]:
        at_ms = step["start_ms"]
        flying = [s for s in plan["steps"] if s["start_ms"] <= at_ms < s["end_ms"] - TOLERANCE_MS]
        if max_parallel and len(flying) > max_parallel:
            yield f"{len(flying)} in flight at {at_ms} ms"
        for host, limit in limits.items():
            n = sum(host in (s["from"], s["to"]) for s in flying)
            if limit and n > limit:
                yield f"{n} in flight at {host} at {at_ms} ms, {limit} allowed"


def broken_moves(plan, fleet, emptied):
    must = {v["uuid"] for v in fleet["vms"] if v["host"] in emptied}
    moved = [s["vm"] for s in plan["steps"]]
    if plan["status"] in ("optimal", "feasible"):
        if set(moved) != must:
            yield f"moved {len(set(moved))} of {len(must)} VMs"
    if len(moved) != len(set(moved)):
        yield "a VM moves twice"
    for s in plan["steps"]:
        if s["to"] in emptied or s["from"] == s["to"]:
            yield f"{s['vm_name']} goes from {s['from']} to {s['to']}"


def broken_budgets(plan, fleet):
    budget = {v["uuid"]: v.get("downtime_budget_ms") for v in fleet["vms"]}
    for s in plan["steps"]:
        limit = budget[s["vm"]]
        if limit is not None and s["downtime_ms"]["p95"] > limit + TOLERANCE_MS:
            yield f"{s['vm_name']} is down {s['downtime_ms']['p95']} ms, its budget is {limit}"


def broken_rules(plan, fleet):
    final = {v["uuid"]: v["host"] for v in fleet["vms"]}
    final.update({s["vm"]: s["to"] for s in plan["steps"]})
    moved = {s["vm"] for s in plan["steps"]}
    for rule in fleet.get("rules", []):
        hosts = [final[vm] for vm in rule["vms"]]
        # A pair that stands together because neither moved is no fault of the plan.
        if rule["type"] == "spread" and len(set(hosts)) < len(hosts) and moved & set(rule["vms"]):
            yield f"spread {rule['vms']} lie on {hosts}"
        for vm in rule["vms"]:
            if rule["type"] == "ban" and vm in moved and final[vm] in rule["hosts"]:
                yield f"{vm} is banned from {final[vm]}"
            if rule["type"] == "fence" and vm in moved and final[vm] not in rule["hosts"]:
                yield f"{vm} leaves its fence to {final[vm]}"


def broken_order(plan):
    by_id = {s["id"]: s for s in plan["steps"]}
    for s in plan["steps"]:
        for before in s.get("after", []):
            if by_id[before]["end_ms"] > s["start_ms"] + TOLERANCE_MS:
                yield f"step {s['id']} starts before step {before} ends"
        if s["end_ms"] > plan["makespan_ms"]["p95"] + TOLERANCE_MS:
            yield f"step {s['id']} ends after the makespan"
    if plan["steps"] and plan["lower_bound_ms"] > plan["makespan_ms"]["p95"] * (1 + TOLERANCE_FRAC) + TOLERANCE_MS:
        yield f"bound {plan['lower_bound_ms']} above makespan {plan['makespan_ms']}"


def dispatched(plan, rng):
    """The plan run by `after` alone, each step taking half to twice its planned time."""
    ends, steps = {}, []
    for s in plan["steps"]:
        start_ms = max([ends[before] for before in s.get("after", [])], default=0)
        ends[s["id"]] = start_ms + (s["end_ms"] - s["start_ms"]) * rng.uniform(0.5, 2)
        steps.append(dict(s, start_ms=start_ms, end_ms=ends[s["id"]]))
    return dict(plan, steps=steps)


def broken_dispatch(plan, fleet, max_parallel=0, n_runs=5):
    """`after` alone must keep memory and concurrency, whatever the true durations are."""
    for seed in range(n_runs):
        run = dispatched(plan, random.Random(seed))
        for broken in (*broken_memory(run, fleet), *broken_concurrency(run, fleet, max_parallel)):
            yield f"run by `after` with seed {seed}: {broken}"


def all_broken(plan, fleet, emptied, max_parallel=0):
    return [*broken_moves(plan, fleet, emptied), *broken_capacity(plan, fleet), *broken_memory(plan, fleet),
            *broken_concurrency(plan, fleet, max_parallel), *broken_budgets(plan, fleet), *broken_rules(plan, fleet),
            *broken_order(plan), *broken_dispatch(plan, fleet, max_parallel)]
