"""Why there is no plan, and what to give up: the right reason, and every change that is printed works when it is made.
And of a good plan: what its steps wait for, and what more room brings.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import pathlib
import re
import shlex

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

import plan_rules
import plan_rules
import test_plan_properties as properties
from test_certificates import GIGABIT, fleet, vm
from test_cli import GIB, FLEETS, SCHEMAS, decamp, ok, plan_of

WHOLE = ("optimal", "feasible")
OPTION = re.compile(r"-> (--.*?)(?: \(.* stay\))?(?:: (a whole plan|one conflict less), done in .*)?$", re.M)
OVERHEAD = {"pre_ms": 100, "post_ms": 50, "in_flight_bytes": 0, "suspend_pages": 0}
UUID = {n: vm(n, "h1")["uuid"] for n in range(9)}


def asked(path, document, *question):
    path.write_text(json.dumps(document), encoding="utf-8")
    return [*question, "--fleet", path]


def printed_options(question):
    """(option words, promised to be whole) of each way out in the table."""
    result = decamp(*question)
    assert result.returncode == 3, result.stderr
    return [(shlex.split(words), promise == "a whole plan") for words, promise in OPTION.findall(result.stdout) if promise]


def check_ways_out(question):
    """Each printed change leads to what is promised; returns the plan asked for and how many ways were printed."""
    plan = plan_of(*question, code=3)
    ways = printed_options(question)
    for words, whole in ways:
        after = json.loads(decamp(*question, *words, "-o", "json").stdout)
        assert after["steps"], words
        assert not whole or after["status"] in WHOLE, words
        assert whole or len(after["conflicts"]) < len(plan["conflicts"]), words
    together = plan.get("explanation", {}).get("together")
    if together:
        table = ok(*question, code=3)
        words = [w for line in table.split("\ntogether ")[1].splitlines()[1:] if "-> --" in line
                 for w in shlex.split(line.split("->")[1])]
        assert plan_of(*question, *words)["status"] in WHOLE
    return plan, ways


def core_of(plan):
    return [c["what"] for c in plan["explanation"].get("core", [])]


def test_an_impossible_deadline(tmp_path):
    question = asked(tmp_path / "f.json", fleet(4, [vm(i, "h1", gib=4 * i + 4) for i in range(5)]), "evacuate", "h1",
                     "--deadline", "30s")
    plan, ways = check_ways_out(question)
    assert "30.0 s cannot be kept" in plan["conflicts"][0]["what"]
    assert [w[0][0] for w in ways] == ["--deadline", "--exclude"]
    assert core_of(plan) == ["the deadline"]
    drop = next(r for r in plan["conflicts"][0]["relax"] if r["change"] == "exclude")
    assert len(drop["to"]) <= 2 and drop["memory_bytes"] == sum(
        v["memory_bytes"] for v in json.loads((tmp_path / "f.json").read_text())["vms"] if v["name"] in drop["to"])


def test_an_unattainable_budget():
    plan, ways = check_ways_out(["evacuate", "h1", "--fleet", FLEETS / "tight_budget.json"])
    assert "downtime budget of 50 ms is unattainable" in plan["conflicts"][0]["what"]
    assert ways[0][0][1].startswith("downtime:db1=")
    assert core_of(plan) == ["the downtime budget of VM db1"]


def test_a_limit_on_all_downtimes(tmp_path):
    document = fleet(3, [vm(i, "h1", overhead=OVERHEAD) for i in range(2)])
    question = asked(tmp_path / "f.json", document, "evacuate", "h1", "--max-downtime", "2ms")
    plan, ways = check_ways_out(question)
    assert len(plan["conflicts"]) == 2 and len(ways) == 2
    assert "together" in plan["explanation"]


def test_a_full_cluster(tmp_path):
    document = fleet(3, [vm(0, "h1", gib=16), vm(1, "h1", gib=16), vm(2, "h2", gib=20), vm(3, "h3", gib=20)], gib=40)
    document["hosts"][1]["memory_bytes"] = document["hosts"][2]["memory_bytes"] = 30 * GIB
    plan, ways = check_ways_out(asked(tmp_path / "f.json", document, "evacuate", "h1"))
    assert any("of memory" in c["what"] for c in plan["conflicts"])
    assert any(w[0][:1] == ["--relax"] and w[0][1].startswith("memory:h") for w in ways)
    assert all("memory" in what for what in core_of(plan)) and core_of(plan)


def test_too_few_cores(tmp_path):
    document = fleet(2, [vm(0, "h1", cpu_cores_used=6), vm(1, "h2", cpu_cores_used=6)])
    document["hosts"][1]["cpus"] = 8
    plan, ways = check_ways_out(asked(tmp_path / "f.json", document, "evacuate", "h1"))
    assert "cores" in plan["conflicts"][0]["what"]
    assert ["--relax", "cpus:h2=12"] in [w[0] for w in ways]
    assert core_of(plan) == ["the cores of host h2"]


def test_contradictory_rules(tmp_path):
    rules = [{"type": "gather", "vms": [UUID[0], UUID[1]], "hosts": [], "hard": True},
             {"type": "ban", "vms": [UUID[2]], "hosts": ["h2"], "hard": True},
             {"type": "spread", "vms": [UUID[0], UUID[1]], "hosts": [], "hard": True}]
    document = fleet(3, [vm(i, "h1") for i in range(3)], rules=rules)
    plan, ways = check_ways_out(asked(tmp_path / "f.json", document, "evacuate", "h1"))
    assert sorted(core_of(plan)) == ["rules[0] (gather)", "rules[2] (spread)"]
    assert any(w[0][0] == "--relax" and w[0][1].startswith("rule:") and w[1] for w in ways)


def test_a_fence_around_a_full_host(tmp_path):
    rules = [{"type": "fence", "vms": [UUID[0]], "hosts": ["h2"], "hard": True}]
    document = fleet(3, [vm(0, "h1", gib=16), vm(1, "h2", gib=20)], rules=rules)
    document["hosts"][1]["memory_bytes"] = 30 * GIB
    plan, ways = check_ways_out(asked(tmp_path / "f.json", document, "evacuate", "h1"))
    assert sorted(core_of(plan)) == ["rules[0] (fence)", "the memory of host h2"]
    assert ways


def swap(n_hosts):
    """Two hosts too full to take either VM before the other has left."""
    document = fleet(n_hosts, [vm(0, "h1", gib=20), vm(1, "h2", gib=20)], gib=32)
    for host in document["hosts"][2:]:
        host["memory_bytes"] = 32 * GIB
    return document


MOVES = {"format": "decamp/moves", "format_version": "1.0", "moves": [{"vm": "vm0", "to": "h2"}, {"vm": "vm1", "to": "h1"}]}


def test_a_swap_without_a_third_host(tmp_path):
    (tmp_path / "moves.json").write_text(json.dumps(MOVES), encoding="utf-8")
    plan, ways = check_ways_out(asked(tmp_path / "f.json", swap(2), "schedule", "--moves", tmp_path / "moves.json"))
    assert any("room to park" in c["what"] for c in plan["conflicts"])
    assert any(w[0][0] == "--relax" and w[0][1].startswith("memory:h") for w in ways)


def test_a_swap_with_a_third_host(tmp_path):
    """One VM goes by way of it; the plan shows the hop, verifies, and says what each step waits for."""
    (tmp_path / "moves.json").write_text(json.dumps(MOVES), encoding="utf-8")
    question = asked(tmp_path / "f.json", swap(3), "schedule", "--moves", tmp_path / "moves.json")
    plan = plan_of(*question, "--explain")
    hops = [s for s in plan["steps"] if s["hop"]]
    assert len(plan["steps"]) == 3 and [s["to"] for s in hops] == ["h3"]
    onward = [s for s in plan["steps"] if s["vm"] == hops[0]["vm"] and not s["hop"]]
    assert onward[0]["from"] == "h3" and onward[0]["start_ms"] >= hops[0]["end_ms"]
    assert [*plan_rules.broken_memory(plan, swap(3)), *plan_rules.broken_order(plan)] == []
    why = [o["why"] for o in plan["explanation"]["order"]]
    assert why[0] == "starts at once" and all("step" in w for w in why[1:])
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    ok("verify", tmp_path / "plan.json", "--fleet", tmp_path / "f.json")
    assert " hop " in ok(*question)


def test_several_reasons_are_given_together(tmp_path):
    """No single change does: the plan says which do together, and they do (check_ways_out takes them)."""
    document = fleet(3, [vm(i, "h1", downtime_budget_ms=1, overhead=OVERHEAD) for i in range(2)])
    plan, _ = check_ways_out(asked(tmp_path / "f.json", document, "evacuate", "h1"))
    assert not any(r["whole"] for c in plan["conflicts"] for r in c["relax"] if r["change"] != "exclude")
    assert len(plan["explanation"]["together"]["changes"]) == 2


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(document=properties.fleets(), deadline_s=st.sampled_from([None, 5, 20, 60]), tight=st.booleans())
def test_every_way_out_is_one(tmp_path_factory, document, deadline_s, tight):
    if tight:
        for host in document["hosts"][1:]:
            host["memory_bytes"] = round(host["memory_bytes"] * 0.9)
        assume(all(sum(v["memory_bytes"] for v in document["vms"] if v["host"] == h["name"]) <= h["memory_bytes"]
                   for h in document["hosts"]))
    directory = pathlib.Path(tmp_path_factory.mktemp("fleet"))
    question = asked(directory / "f.json", document, "evacuate", "h1",
                     *(["--deadline", f"{deadline_s}s"] if deadline_s else []))
    if decamp(*question).returncode == 3:
        plan, ways = check_ways_out(question)
        hopeless = all(" converge" in c["what"] for c in plan["conflicts"]) and not plan["steps"]
        lone = sum(v["host"] == "h1" for v in document["vms"]) == 1
        assert ways or "together" in plan["explanation"] or hopeless or lone


# --- good plans ---

def test_why_and_what_more_room_brings(tmp_path):
    document = fleet(4, [vm(i, "h1") for i in range(6)])
    document["hosts"][0]["max_migrations"] = 2
    question = asked(tmp_path / "f.json", document, "evacuate", "h1")
    plan = plan_of(*question, "--explain")
    why = [o["why"] for o in plan["explanation"]["order"]]
    assert len(why) == 6 and why[0] == "starts at once"
    assert any("host h1 may have at once" in w or "bandwidth on h1-nic" in w for w in why)
    more = plan["explanation"]["more"][0]
    assert more["link"] == "h1-nic" and more["busy_frac"] > 0.9
    after = plan_of(*question, "--relax", f"link:h1-nic={11 * GIGABIT}")
    assert after["makespan_ms"]["p95"] == more["makespan_ms"]
    assert more["saved_ms"] == plan["makespan_ms"]["p95"] - more["makespan_ms"] > 0
    table = ok(*question, "--explain")
    assert "1 Gbit/s more on link h1-nic" in table and "step 1 starts at once" in table


def test_a_step_waits_for_the_memory_another_frees(tmp_path):
    """A chain: vm1 must leave h2 before vm0 fits there."""
    (tmp_path / "moves.json").write_text(json.dumps(
        {**MOVES, "moves": [{"vm": "vm0", "to": "h2"}, {"vm": "vm1", "to": "h3"}]}), encoding="utf-8")
    question = asked(tmp_path / "f.json", swap(3), "schedule", "--moves", tmp_path / "moves.json")
    why = [o["why"] for o in plan_of(*question, "--explain")["explanation"]["order"]]
    assert why == ["starts at once", "waits for memory on host h2, which step 1 (VM vm1) frees"]


def test_relaxed_plans_are_verified_as_relaxed(tmp_path):
    out = tmp_path / "plan.json"
    ok("evacuate", "h1", "--fleet", FLEETS / "tight_budget.json", "--relax", "downtime:db1=5s", "-o", "json", "--out", out)
    ok("verify", out, "--fleet", FLEETS / "tight_budget.json")
    plan = json.loads(out.read_text())
    assert plan["goal"]["relax"] == [{"change": "downtime_budget_ms", "vm": "db1", "to": 5000}]
    plan["goal"].pop("relax")
    out.write_text(json.dumps(plan))
    assert "longer than its budget" in ok("verify", out, "--fleet", FLEETS / "tight_budget.json", code=3)


@pytest.mark.parametrize("text, word", [
    ("downtime:db1", "expected downtime:VM=TIME"), ("downtime:db1=5", "expected"), ("nothing:h1=1", "expected"),
    ("rule:x", "number"), ("memory:=3GiB", "expected"), ("cpus:h1=-1", "expected 0 to"), ("", "expected")])
def test_what_is_no_change(text, word):
    result = decamp("evacuate", "h1", "--relax", text)
    assert result.returncode == 64 and word in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("text", ["downtime:nobody=5s", "memory:nowhere=5GiB", "link:none=1Gbit/s", "rule:99"])
def test_changes_of_what_is_not_there(text):
    result = decamp("evacuate", "h1", "--fleet", FLEETS / "small.json", "--relax", text)
    assert result.returncode == 1 and "relax:" in result.stderr


def test_explained_plans_keep_the_schema():
    schema = json.loads((SCHEMAS / "plan.schema.json").read_text(encoding="utf-8"))
    for name in ("small", "no_memory", "rules", "tight_budget", "no_convergence"):
        text = decamp("evacuate", "h1", "--fleet", FLEETS / f"{name}.json", "--explain", "-o", "json").stdout
        jsonschema.validate(json.loads(text), schema)


def test_explain_of_a_plan(tmp_path):
    out = tmp_path / "plan.json"
    ok("evacuate", "h1", "--fleet", FLEETS / "small.json", "-o", "json", "--out", out)
    text = ok("explain", out, "--fleet", FLEETS / "small.json")
    assert "1 Gbit/s more on link h1-nic" in text and "step 2 waits for bandwidth on h1-nic" in text
    ok("evacuate", "h1", "--fleet", FLEETS / "tight_budget.json", "-o", "json", "--out", out, code=3)
    text = ok("explain", out, "--fleet", FLEETS / "tight_budget.json", code=3)
    assert "-> --relax downtime:db1=" in text and "contradict" in text
    explained = json.loads(ok("explain", out, "--fleet", FLEETS / "tight_budget.json", "-o", "json", code=3))
    assert explained["explanation"]["core"] == [{"what": "the downtime budget of VM db1"}]
