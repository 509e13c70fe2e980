"""decamp rolling: hosts emptied, off and on again group by group, against an enumeration of all choices;
and every kind of breach of such a plan that `decamp verify` finds.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import copy
import itertools
import random

import pytest

from goals import GIB, Asked, all_broken, final_hosts, fleet, host_steps, migrations, vm
from test_cli import decamp

HALF_HOUR_MS = 30 * 60 * 1000


def names(plan, group):
    return sorted(h["host"] for h in plan["choice"]["hosts"] if h["group"] == group)


def turns(plan):
    """Per host [its shutdown begins, it is off, it boots, it is on]."""
    found = {}
    for step in host_steps(plan, "shutdown"):
        assert step["from"] not in found
        found[step["from"]] = [step["start_ms"], step["end_ms"]]
    for step in host_steps(plan, "boot"):
        found[step["to"]] += [step["start_ms"], step["end_ms"]]
    assert all(len(times) == 4 for times in found.values())
    return found


def landings(plan):
    """Migrations to hosts that are still to go."""
    off = {host: times[0] for host, times in turns(plan).items()}
    return [s for s in migrations(plan) if off.get(s["to"], 0) > s["start_ms"]]


@pytest.fixture(name="roomy")
def fixture_roomy(tmp_path):
    """h1 to h3 with 16 GiB each, two empty hosts with room for all."""
    return Asked(tmp_path, fleet(5, [vm(i, f"h{i % 3 + 1}", 8) for i in range(6)]))


@pytest.fixture(name="half")
def fixture_half(tmp_path):
    """Six hosts, each half full: three can be away at once."""
    return Asked(tmp_path, fleet(6, [vm(i, f"h{i % 6 + 1}", 8) for i in range(24)]))


def test_hosts_go_together_where_there_is_room(roomy):
    plan = roomy.plan("rolling", "h1", "h2", "h3", "--maintenance", "30m")
    assert plan["choice"]["groups"] == plan["choice"]["groups_at_least"] == 1
    assert landings(plan) == [] and plan["choice"]["landing"]["why"] == "none"
    assert all(s["to"] in ("h4", "h5") for s in migrations(plan)) and len(migrations(plan)) == 6
    for off, idle, boot, on in turns(plan).values():
        assert idle - off == 20000 and boot - idle >= HALF_HOUR_MS and on - boot == 100000
    boots = host_steps(plan, "boot")
    assert all(s["delay_ms"] == HALF_HOUR_MS for s in boots)
    assert plan["hosts_off"] == [] and all_broken(plan, roomy.document) == []
    table = decamp("rolling", "h1", "h2", "h3", "--fleet", roomy.path).stdout
    assert "groups       1; no choice makes do with fewer than 1" in table and "group 1      h1 h2 h3" in table


def test_at_once_makes_groups_and_no_vm_lands_on_a_host_that_goes_next(roomy):
    plan = roomy.plan("rolling", "h1", "h2", "h3", "--at-once", "1")
    assert plan["choice"]["groups"] == plan["choice"]["groups_at_least"] == 3
    assert landings(plan) == [] and len(migrations(plan)) == 6
    times = sorted(turns(plan).values())
    assert all(later[0] >= earlier[3] for earlier, later in zip(times, times[1:]))
    assert all_broken(plan, roomy.document) == []


def test_vms_go_back_where_asked(roomy):
    plan = roomy.plan("rolling", "h1", "h2", "h3", "--return", "--at-once", "2")
    assert final_hosts(plan, roomy.document) == {v["uuid"]: v["host"] for v in roomy.document["vms"]}
    assert len(migrations(plan)) == 12 and all_broken(plan, roomy.document) == []


def test_a_whole_cluster_lands_only_as_it_must(half):
    plan = half.plan("rolling", "--all")
    assert plan["choice"]["groups"] == plan["choice"]["groups_at_least"] == 2
    assert plan["choice"]["landing"] == {"n": len(landings(plan)), "why": "needed", "without_at_least_ms": None}
    assert len(landings(plan)) == 12  # three hosts' VMs; the others go to hosts that are back
    assert len(names(plan, 1)) == len(names(plan, 2)) == 3 and all_broken(plan, half.document) == []
    table = decamp("rolling", "--all", "--fleet", half.path).stdout
    assert "landings     12 migrations to hosts that are still to go: no plan does without" in table


def test_landing_is_chosen_where_it_is_proved_sooner(tmp_path):
    """One spare host takes one host's VMs: without landings one host goes after the other."""
    asked = Asked(tmp_path, fleet(7, [vm(i, f"h{i % 6 + 1}", 8) for i in range(24)], gib=40))
    hosts = [f"h{i}" for i in range(1, 7)]
    plan = asked.plan("rolling", *hosts, "--maintenance", "30m")
    landing = plan["choice"]["landing"]
    assert landing["why"] == "sooner" and landing["n"] == len(landings(plan)) > 0
    assert plan["makespan_ms"]["p95"] < landing["without_at_least_ms"]
    assert all_broken(plan, asked.document) == []


def test_what_cannot_be_emptied_is_left_out_and_said(tmp_path):
    document = fleet(3, [vm(0, "h1", 8), vm(1, "h2", 8), vm(2, "h2", 60)], gib=70)
    document["rules"] = [{"type": "fence", "vms": ["vm2"], "hosts": ["h2"], "hard": True}]
    asked = Asked(tmp_path, document)
    plan = asked.plan("rolling", "h1", "h2", code=3)
    assert plan["status"] == "partial" and set(turns(plan)) == {"h1"} and asked.violations(plan) == []
    texts = [c["what"] for c in plan["conflicts"]]
    assert texts[0] == "host h2 cannot be emptied: it is left out" and any("vm2" in t for t in texts[1:])


def test_a_deadline_leaves_the_last_groups_out_and_names_what_all_take(half):
    whole = half.plan("rolling", "--all", "--maintenance", "30m")
    plan = half.plan("rolling", "--all", "--maintenance", "30m", "--deadline", "50m", code=3)
    assert len(turns(plan)) == 3 and plan["choice"]["groups"] == 1 and half.violations(plan) == []
    relax = plan["conflicts"][0]["relax"][0]
    assert relax == {"change": "deadline_ms", "to": whole["makespan_ms"]["p95"]}
    again = half.plan("rolling", "--all", "--maintenance", "30m", "--deadline", f"{relax['to']}ms")
    assert len(turns(again)) == 6
    assert half.plan("rolling", "--all", "--maintenance", "30m", "--deadline", "1m", code=3)["steps"] == []


@pytest.mark.parametrize("arguments, code, text", [
    ((), 64, "expected HOST... or else --all"),
    (("h1", "--all"), 64, "expected HOST... or else --all"),
    (("h9",), 1, "no host is called h9"),
    (("h5",), 1, "host h5 is not on"),
    (("h1", "--at-once", "0"), 64, "--at-once"),
    (("h1", "--maintenance", "soon"), 64, "--maintenance"),
])
def test_bad_questions_are_refused(tmp_path, arguments, code, text):
    asked = Asked(tmp_path, fleet(5, [vm(0, "h1")], off=("h5",)))
    result = decamp("rolling", *arguments, "--fleet", asked.path)
    assert result.returncode == code and text in result.stderr


def test_hosts_that_are_off_stay_off(tmp_path):
    asked = Asked(tmp_path, fleet(4, [vm(0, "h1"), vm(1, "h2")], off=("h4",)))
    plan = asked.plan("rolling", "--all")
    assert set(turns(plan)) == {"h1", "h2", "h3"} and all(s["to"] != "h4" for s in migrations(plan))


def places(document, where, group):
    """All ways to put the VMs of the group's hosts elsewhere, as far as memory goes."""
    hosts = [h["name"] for h in document["hosts"] if h["name"] not in group]
    moving = [v for v in document["vms"] if where[v["uuid"]] in group]
    for choice in itertools.product(hosts, repeat=len(moving)):
        then = dict(where, **{v["uuid"]: to for v, to in zip(moving, choice)})
        used = dict.fromkeys((h["name"] for h in document["hosts"]), 0)
        for v in document["vms"]:
            used[then[v["uuid"]]] += v["memory_bytes"]
        if all(used[h["name"]] <= h["memory_bytes"] for h in document["hosts"]):
            yield then, choice


def fewest_groups(document, rolls, at_once, sparing):
    """By trying every group, order and placement; None where no choice empties all."""
    start = (frozenset(rolls), frozenset((v["uuid"], v["host"]) for v in document["vms"]))
    states, n = {start}, 0
    seen = {start}
    while states:
        n += 1
        following = set()
        for waiting, at in states:
            for size in range(1, min(at_once, len(waiting)) + 1):
                for group in itertools.combinations(sorted(waiting), size):
                    for then, choice in places(document, dict(at), group):
                        if sparing and set(choice) & (waiting - set(group)):
                            continue
                        if len(waiting) == size:
                            return n
                        state = (waiting - set(group), frozenset(then.items()))
                        if state not in seen:
                            seen.add(state)
                            following.add(state)
        states = following
    return None


def random_case(seed):
    draw = random.Random(seed)
    document = fleet(4, [vm(i, f"h{draw.randint(1, 4)}", draw.choice([2, 4, 6])) for i in range(5)])
    for host in document["hosts"]:
        used = sum(v["memory_bytes"] for v in document["vms"] if v["host"] == host["name"])
        host["memory_bytes"] = max(used, draw.choice([6, 8, 12]) * GIB)
    rolls = draw.sample(["h1", "h2", "h3", "h4"], draw.randint(1, 4))
    return document, sorted(rolls), draw.choice([1, 2, 4])


@pytest.mark.parametrize("block", range(6))
def test_against_all_choices(tmp_path, block):
    """No bound is above what some choice reaches; hosts are left out only where every choice does, or nearly."""
    n_best = n_all = 0
    for seed in range(block * 15, block * 15 + 15):
        document, rolls, at_once = random_case(seed)
        asked = Asked(tmp_path, document)
        fewest = fewest_groups(document, rolls, at_once, sparing=False)
        sparing = fewest_groups(document, rolls, at_once, sparing=True)
        arguments = ["rolling", *rolls, "--at-once", str(at_once), "--maintenance", "30m"]
        result = decamp(*arguments, "--fleet", asked.path, "-o", "json")
        plan = asked.plan(*arguments, code=result.returncode)
        assert asked.violations(plan) == [] and all_broken(plan, document) == []
        bound, least = plan["choice"]["groups_at_least"], plan["choice"]["landing"]["without_at_least_ms"]
        assert fewest is None or bound <= fewest
        assert sparing is None or least is not None and least <= sparing * (HALF_HOUR_MS + 120000)
        if result.returncode == 0:
            assert fewest is not None and plan["choice"]["groups"] >= fewest
            if plan["choice"]["landing"]["why"] == "needed":
                assert sparing is None
        # what lands nowhere is given up only for what is proved to be sooner
        best = sparing if not landings(plan) and sparing is not None else fewest
        n_all += fewest is not None
        n_best += fewest is not None and result.returncode == 0 and plan["choice"]["groups"] == best
    print(f"fewest groups in {n_best} of {n_all}")
    assert n_best == n_all



BREACHES = {
    "groups": (lambda p: p["choice"].update(groups=1), "choice.groups"),
    "groups at least": (lambda p: p["choice"].update(groups_at_least=3), "groups_at_least"),
    "at least": (lambda p: p["choice"].update(at_least_ms=p["makespan_ms"]["p95"] + 10), "at_least_ms"),
    "landings": (lambda p: p["choice"]["landing"].update(n=3), "choice.landing.n"),
    "times": (lambda p: p["choice"]["hosts"][0].update(off_ms=7), "choice.hosts[0]"),
    "unknown host": (lambda p: p["choice"]["hosts"][0].update(host="h9"), "choice.hosts[0]"),
    "not asked for": (lambda p: p["goal"].update(hosts=["h1", "h2"]), "which was not asked for"),
    "no turn": (lambda p: p["goal"]["hosts"].append("h4"), "does not get its turn"),
    "maintenance": (lambda p: p["goal"].update(maintenance_ms=2 * HALF_HOUR_MS), "its maintenance takes"),
    "at once": (lambda p: p["goal"].update(at_once=1), "are away with it"),
    "way back": (lambda p: p["goal"].update({"return": True}), "not at home on"),
    "delay": (lambda p: host_steps(p, "boot")[0].update(delay_ms=2 * HALF_HOUR_MS), "before its delay is over"),
    "never on again": (lambda p: p["steps"].remove(host_steps(p, "boot")[-1]), "not once"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_verify_finds_each_kind_of_breach(roomy, name):
    plan = roomy.plan("rolling", "h1", "h2", "h3", "--maintenance", "30m", "--at-once", "2")
    change, expected = BREACHES[name]
    broken = copy.deepcopy(plan)
    change(broken)
    assert any(expected in what for what in roomy.violations(broken))
