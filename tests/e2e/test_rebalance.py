"""decamp rebalance: the fewest moves that bring every host within its limits, against an enumeration;
and every kind of breach of such a plan that `decamp verify` finds.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import copy
import itertools
import random

import pytest

from goals import GIB, Asked, final_hosts, fleet, migrations, vm
from test_cli import decamp

HOSTS = ["h1", "h2", "h3"]


@pytest.fixture(name="uneven")
def fixture_uneven(tmp_path):
    """h1 is at 94% of its memory, the others nearly empty; moving its 8 GiB VM brings it to 81%."""
    return Asked(tmp_path, fleet(3, [vm(0, "h1", 32), vm(1, "h1", 8), vm(2, "h1", 20), vm(3, "h2", 4)]))


def loads(where, document):
    """Per host: shares of memory and of cores."""
    found = {}
    for host in document["hosts"]:
        here = [v for v in document["vms"] if where[v["uuid"]] == host["name"]]
        found[host["name"]] = (sum(v["memory_bytes"] for v in here) / host["memory_bytes"],
                               sum(v["cpu_cores_used"] for v in here) / host["cpus"])
    return found


def are_within(where, document, memory=0.9, cpu=0.8):
    return all(m <= memory + 1e-9 and c <= cpu + 1e-9 for m, c in loads(where, document).values())


def test_the_smallest_vm_that_does_moves(uneven):
    plan = uneven.plan("rebalance")
    assert [s["vm_name"] for s in migrations(plan)] == ["vm1"] and plan["choice"]["moves_at_least"] == 1
    assert plan["choice"]["proved"]
    gain = {h["host"]: h["memory_frac"] for h in plan["choice"]["hosts"]}
    assert gain["h1"]["before"] == pytest.approx(60 / 64) and gain["h1"]["after"] == pytest.approx(52 / 64)
    assert uneven.plan("rebalance", "--max-memory", "95%")["steps"] == []
    assert len(migrations(uneven.plan("rebalance", "--max-memory", "50%"))) == 1  # the 32 GiB one
    table = decamp("rebalance", "--fleet", uneven.path).stdout
    assert "moves        1; no choice makes do with fewer than 1" in table and "93.8 -> 81.2 %" in table


def test_cores_count_too(tmp_path):
    asked = Asked(tmp_path, fleet(2, [vm(i, "h1", 2, cpu_cores_used=5) for i in range(3)]))
    plan = asked.plan("rebalance")
    assert len(migrations(plan)) == 1
    assert asked.plan("rebalance", "--max-cpu", "95")["steps"] == []


def test_what_cannot_be_within_is_said(tmp_path):
    asked = Asked(tmp_path, fleet(2, [vm(0, "h1", 60), vm(1, "h2", 8)]))
    plan = asked.plan("rebalance", code=3)
    assert plan["steps"] == [] and "host h1 stays at 93.8 % of its memory" in plan["conflicts"][0]["what"]
    assert asked.violations(plan) == []


def test_bad_options_are_usage_errors(uneven):
    for bad in ("0", "101%", "x"):
        result = decamp("rebalance", "--fleet", uneven.path, "--max-cpu", bad)
        assert result.returncode == 64 and "--max-cpu" in result.stderr


def fewest_moves(document):
    """By trying all placements; None where none is within."""
    before = {v["uuid"]: v["host"] for v in document["vms"]}
    fewest = None
    for places in itertools.product(HOSTS, repeat=len(before)):
        where = dict(zip(before, places))
        n = sum(where[u] != before[u] for u in before)
        if (fewest is None or n < fewest) and are_within(where, document):
            fewest = n
    return fewest


@pytest.mark.parametrize("seed", range(40))
def test_no_choice_makes_do_with_fewer(tmp_path, seed):
    draw = random.Random(seed)
    document = fleet(3, [vm(i, draw.choice(["h1", "h1", "h2", "h3"]), draw.choice([4, 8, 12, 16, 20]),
                            cpu_cores_used=draw.choice([0.5, 1, 3, 5])) for i in range(6)])
    for host in document["hosts"]:
        used = sum(v["memory_bytes"] for v in document["vms"] if v["host"] == host["name"])
        host["memory_bytes"] = max(40 * GIB, used)
    fewest = fewest_moves(document)
    asked = Asked(tmp_path, document)
    result = decamp("rebalance", "--fleet", asked.path, "-o", "json")
    if fewest is None:
        assert result.returncode == 3
        return
    if result.returncode == 3:  # within reach in the end, but not on the way: memory was in a circle
        pytest.skip("no order of moves was found")
    plan = asked.plan("rebalance")
    assert are_within(final_hosts(plan, document), document)
    assert plan["choice"]["moves"] == fewest == plan["choice"]["moves_at_least"]



BREACHES = {
    "moves": (lambda c: c.update(moves=2), "choice.moves"),
    "at least": (lambda c: c.update(moves_at_least=2), "moves_at_least"),
    "load": (lambda c: c["hosts"][0]["memory_frac"].update(after=0.5), "choice.hosts[0]"),
    "unknown host": (lambda c: c["hosts"][0].update(host="h9"), "choice.hosts[0]"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_verify_finds_each_kind_of_breach(uneven, name):
    plan = uneven.plan("rebalance")
    change, expected = BREACHES[name]
    broken = copy.deepcopy(plan)
    change(broken["choice"])
    assert any(expected in what for what in uneven.violations(broken))


def test_verify_finds_hosts_left_over_and_moves_for_nothing(uneven, tmp_path):
    plan = uneven.plan("rebalance")
    tighter = copy.deepcopy(plan)
    tighter["goal"]["max_memory_frac"] = 0.7
    assert any("stays loaded beyond" in what for what in uneven.violations(tighter))
    looser = copy.deepcopy(plan)
    looser["goal"]["max_memory_frac"] = 0.97
    assert any("brings no load within" in what for what in uneven.violations(looser))
