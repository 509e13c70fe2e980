"""Placement rules: lonely, among, spread, gather, ban and fence, hard or soft, at the end or all the time,
against an enumeration of all placements; and that `decamp verify` finds each of them broken.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import copy
import itertools
import json
import random

import pytest

from goals import Asked, final_hosts, fleet, vm
from test_cli import decamp

HOSTS = ["h1", "h2", "h3", "h4"]


def rule(kind, vms, hard=True, **keys):
    return {"type": kind, "vms": [f"vm{i}" for i in vms], "hard": hard, **keys}


def moved_breaks(one, before, where):
    """Is it broken, by VMs that have moved? What was so before and is not touched is no fault of a plan."""
    moved = {name for name in where if where[name] != before[name]}
    members = set(one["vms"])

    def meet(left, right):
        return any(where[a] == where[b] and a != b and {a, b} & moved for a in left for b in right)

    if one["type"] == "lonely":
        return meet(members, set(where) - members)
    if one["type"] == "spread":
        return meet(members, members)
    if one["type"] in ("ban", "fence"):
        return any((where[name] in one["hosts"]) == (one["type"] == "ban") for name in members & moved)
    hosts = {where[name] for name in members}
    groups = one["groups"] if one["type"] == "among" else [[host] for host in HOSTS]
    return bool(members & moved) and not any(hosts <= set(group) for group in groups)


def placements(document):
    """All places that the VMs of h1 may end on, by memory alone."""
    before = {v["name"]: v["host"] for v in document["vms"]}
    size = {v["name"]: v["memory_bytes"] for v in document["vms"]}
    room = {h["name"]: h["memory_bytes"] for h in document["hosts"]}
    movers = [name for name, host in before.items() if host == "h1"]
    for places in itertools.product(HOSTS[1:], repeat=len(movers)):
        where = {**before, **dict(zip(movers, places))}
        if all(sum(size[n] for n, h in where.items() if h == host) <= room[host] for host in set(places)):
            yield where


def fewest_broken(document):
    """The fewest soft rules broken where all hard ones hold; None where they never do."""
    before = {v["name"]: v["host"] for v in document["vms"]}
    fewest = None
    for where in placements(document):
        broken = [one for one in document["rules"] if moved_breaks(one, before, where)]
        if not any(one["hard"] for one in broken):
            fewest = len(broken) if fewest is None else min(fewest, len(broken))
    return fewest


def random_document(seed):
    draw = random.Random(seed)
    n_moving = draw.randint(2, 3)
    vms = [vm(i, "h1" if i < n_moving else draw.choice(HOSTS[1:]), gib=draw.choice([4, 8])) for i in range(5)]
    document = fleet(4, vms, gib=draw.choice([14, 24, 40]))
    document["hosts"][0]["memory_bytes"] = 64 * 2 ** 30
    document["rules"] = []
    for _ in range(draw.randint(1, 3)):
        kind = draw.choice(["spread", "gather", "ban", "fence", "lonely", "lonely", "among", "among"])
        keys = {}
        if kind in ("ban", "fence"):
            keys["hosts"] = draw.sample(HOSTS[1:], draw.randint(1, 2))
        if kind == "among":
            shuffled = draw.sample(HOSTS, 4)
            keys["groups"] = [shuffled[:2], shuffled[2:]] if draw.random() < 0.7 else [shuffled[:3]]
        document["rules"].append(rule(kind, draw.sample(range(5), draw.randint(1, 3)), hard=draw.random() < 0.6, **keys))
    return document


@pytest.mark.parametrize("seed", range(120))
def test_a_plan_is_whole_exactly_where_a_placement_keeps_the_rules(tmp_path, seed):
    document = random_document(seed)
    asked = Asked(tmp_path, document)
    result = decamp("evacuate", "h1", "--fleet", asked.path, "-o", "json")
    plan = json.loads(result.stdout)
    fewest = fewest_broken(document)
    assert (result.returncode == 0) == (fewest is not None), (document["rules"], plan["conflicts"])
    assert asked.violations(plan) == []
    if fewest is not None:
        assert len(plan.get("broken_rules", [])) == fewest
        names = {v["uuid"]: v["name"] for v in document["vms"]}
        before = {v["name"]: v["host"] for v in document["vms"]}
        where = {names[u]: host for u, host in final_hosts(plan, document).items()}
        broken = [i for i, one in enumerate(document["rules"]) if moved_breaks(one, before, where)]
        assert [b["rule"] for b in plan.get("broken_rules", [])] == broken
        for i in broken:
            assert any(f"rules[{i}] ({document['rules'][i]['type']}) is soft" in w for w in plan["warnings"])


@pytest.fixture(name="four")
def fixture_four(tmp_path):
    """Two VMs to move from h1; one on h2; h3 and h4 are empty."""
    return Asked(tmp_path, fleet(4, [vm(0, "h1"), vm(1, "h1"), vm(2, "h2")]))


BREACHES = {
    "lonely": rule("lonely", [2]),
    "lonely-continuous": rule("lonely", [2], continuous=True),
    "among": rule("among", [0, 1], groups=[["h3"], ["h4", "h2"]]),
    "among-continuous": rule("among", [0], groups=[["h1", "h2"]], continuous=True),
    "spread": rule("spread", [0, 1]),
    "gather": rule("gather", [0, 2]),
    "ban": rule("ban", [0], hosts=["h3"]),
    "fence": rule("fence", [0], hosts=["h4"]),
}
PLACES = {  # where vm0 and vm1 go to break it
    "lonely": ("h2", "h3"), "lonely-continuous": ("h2", "h3"), "among": ("h3", "h4"), "among-continuous": ("h3", "h4"),
    "spread": ("h3", "h3"), "gather": ("h3", "h4"), "ban": ("h3", "h4"), "fence": ("h3", "h4"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_verify_finds_each_rule_broken(four, tmp_path, name):
    moves = [{"vm": "vm0", "to": PLACES[name][0]}, {"vm": "vm1", "to": PLACES[name][1]}]
    (tmp_path / "moves.json").write_text(json.dumps({"format": "decamp/moves", "format_version": "1.0", "moves": moves}),
                                         encoding="utf-8")
    plan = four.plan("schedule", "--moves", tmp_path / "moves.json")
    ruled = Asked(tmp_path, {**four.document, "rules": [BREACHES[name]]})
    found = ruled.violations(plan)
    assert any("rules[0]" in what for what in found), found
    # Soft, it may be broken, but not in silence.
    soft = Asked(tmp_path, {**four.document, "rules": [{**BREACHES[name], "hard": False}]})
    assert any("rules[0]" in what for what in soft.violations(plan))
    named = copy.deepcopy(plan)
    named["broken_rules"] = [{"rule": 0, "type": BREACHES[name]["type"], "what": "as asked"}]
    assert soft.violations(named) == []
    assert any("is hard" in what for what in Asked(tmp_path, ruled.document).violations(named))
    named["broken_rules"][0]["rule"] = 1
    assert any("no such rule" in what for what in soft.violations(named))


def test_lonely_all_the_time_waits_for_the_others_to_leave(tmp_path):
    """vm0 goes where vm1 is, once vm1 has gone."""
    document = fleet(3, [vm(0, "h1"), vm(1, "h2")], rules=[rule("lonely", [0], continuous=True)])
    (tmp_path / "moves.json").write_text(json.dumps({
        "format": "decamp/moves", "format_version": "1.0",
        "moves": [{"vm": "vm0", "to": "h2"}, {"vm": "vm1", "to": "h3"}]}), encoding="utf-8")
    plan = Asked(tmp_path, document).plan("schedule", "--moves", tmp_path / "moves.json")
    ends = {s["vm_name"]: (s["start_ms"], s["end_ms"]) for s in plan["steps"]}
    assert ends["vm0"][0] >= ends["vm1"][1]
    document["rules"][0]["continuous"] = False
    plan = Asked(tmp_path, document).plan("schedule", "--moves", tmp_path / "moves.json")
    assert len({s["start_ms"] for s in plan["steps"]}) == 1


def test_a_choice_keeps_the_rules(tmp_path):
    document = fleet(4, [vm(0, "h1", 16), vm(1, "h2", 8), vm(2, "h3", 4)], off=["h4"],
                     rules=[rule("lonely", [1]), {"type": "max_online", "hosts": HOSTS, "max": 3}])
    asked = Asked(tmp_path, document)
    plan = asked.plan("consolidate")
    assert set(final_hosts(plan, document).values()) & {"h1", "h3"} and "h2" in final_hosts(plan, document).values()
    assert len(plan["hosts_off"]) == 1 and "h2" not in plan["hosts_off"]
    document["hosts"][3].update(memory_bytes=256 * 2 ** 30, idle_watts=10)
    document["rules"] = []
    booting = Asked(tmp_path, document).plan("consolidate", "--energy")
    if any(s["action"] == "boot" for s in booting["steps"]):
        ruled = {**document, "rules": [{"type": "max_online", "hosts": HOSTS, "max": 3}]}
        assert any("max_online" in what for what in Asked(tmp_path, ruled).violations(booting))
        assert not any(s["action"] == "boot" for s in Asked(tmp_path, ruled).plan("consolidate", "--energy")["steps"])
    else:
        pytest.fail("nothing was booted: the test shows nothing")


@pytest.mark.parametrize("change, expected", [
    ({"groups": []}, "groups"), ({"groups": [[]]}, "groups[0]"), ({"groups": [["h9"]]}, "h9"),
    ({"groups": [["h1", "h1"]]}, "groups[0][1]"), ({"groups": [["h1"]], "hosts": ["h2"]}, "groups"), ({"groups": "h1"}, "groups"),
])
def test_bad_groups_are_named(tmp_path, change, expected):
    document = fleet(2, [vm(0, "h1")], rules=[{"type": "among", "vms": ["vm0"], **change}])
    (tmp_path / "fleet.json").write_text(json.dumps(document), encoding="utf-8")
    result = decamp("vms", "--fleet", tmp_path / "fleet.json")
    assert result.returncode == 1 and "rules[0]" in result.stderr and expected in result.stderr, result.stderr
