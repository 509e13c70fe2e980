"""A plan carries what proves its bound: `decamp verify` agrees with every kind,
and finds what was tampered with, from the fleet alone.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import copy
import json

import pytest

from goals import GIGABIT, vm
from test_cli import GIB, decamp, ok, plan_of

def fleet(n_hosts, vms, gib=256, **keys):
    names = [f"h{i + 1}" for i in range(n_hosts)]
    return {"format": "decamp/fleet", "format_version": "1.0", "taken_unix_ms": 1,
            "hosts": [{"name": n, "cpus": 64, "memory_bytes": gib * GIB} for n in names],
            "switches": [{"name": "sw", "capacity_bytes_per_s": None}],
            "links": [{"name": f"{n}-nic", "between": [n, "sw"], "capacity_bytes_per_s": 10 * GIGABIT} for n in names],
            "vms": vms, **keys}


def by_link():
    return fleet(3, [vm(i, "h1") for i in range(4)]), ["h1"], []


def by_switch():
    document = fleet(4, [vm(i, f"h{i % 2 + 1}") for i in range(4)])
    document["switches"][0]["capacity_bytes_per_s"] = 5 * GIGABIT
    return document, ["h1", "h2"], []


def by_vm():
    slow = {"name": "qemu", "downtime_limit_ms": 300, "max_bandwidth_bytes_per_s": GIGABIT}
    return fleet(3, [vm(0, "h1"), vm(1, "h1", policy=slow)]), ["h1"], []


def by_host():
    slow = {"name": "qemu", "downtime_limit_ms": 300, "max_bandwidth_bytes_per_s": GIGABIT}
    document = fleet(3, [vm(i, "h1", policy=slow) for i in range(4)])
    document["hosts"][0]["max_migrations"] = 1
    return document, ["h1"], []


def by_max_parallel():
    document, hosts, _ = by_host()
    document["hosts"][0]["max_migrations"] = 0
    return document, hosts, ["--max-parallel", 1]


def by_placement():
    return fleet(6, [vm(i, f"h{i % 4 + 1}", gib=4 + i) for i in range(8)]), ["h1", "h2", "h3", "h4"], []


KINDS = {"link": by_link, "switch": by_switch, "vm": by_vm, "host": by_host, "max_parallel": by_max_parallel,
         "placement": by_placement}


class Question:
    def __init__(self, directory, kind):
        document, hosts, options = KINDS[kind]()
        self.fleet, self.plan_path = directory / "fleet.json", directory / "plan.json"
        self.fleet.write_text(json.dumps(document), encoding="utf-8")
        self.plan = plan_of("evacuate", *hosts, "--fleet", self.fleet, *options)

    def verify(self, plan, code):
        self.plan_path.write_text(json.dumps(plan), encoding="utf-8")
        return json.loads(ok("verify", self.plan_path, "--fleet", self.fleet, "-o", "json", code=code))


@pytest.fixture(name="question", params=KINDS)
def fixture_question(request, tmp_path):
    question = Question(tmp_path, request.param)
    assert question.plan["bound"]["kind"] == request.param
    return question


def violations(question, plan):
    return [v["what"] for v in question.verify(plan, 3)["violations"]]


def test_an_honest_certificate_is_proved(question):
    assert question.verify(question.plan, 0)["violations"] == []


def test_a_bound_that_claims_more_is_caught(question):
    plan = copy.deepcopy(question.plan)
    plan["lower_bound_ms"] = round(plan["lower_bound_ms"] * 1.002) + 5
    plan["makespan_ms"]["p95"] = max(plan["makespan_ms"]["p95"], plan["lower_bound_ms"])
    assert any("proves only" in v for v in violations(question, plan))


def test_a_gap_that_does_not_follow_is_caught(question):
    plan = copy.deepcopy(question.plan)
    plan["gap_frac"] += 0.01
    assert any("claims a gap" in v for v in violations(question, plan))


@pytest.mark.parametrize("term", ["setup_ms", "volume_bytes", "capacity_bytes_per_s", "tail_ms", "work_ms", "slots"])
def test_terms_that_are_not_the_fleets_are_caught(question, term):
    if term not in question.plan["bound"]:
        return
    plan = copy.deepcopy(question.plan)
    plan["bound"][term] = plan["bound"][term] * 2 + 10
    assert any(term in v for v in violations(question, plan))


def test_another_subject_is_caught(question):
    plan = copy.deepcopy(question.plan)
    bound = plan["bound"]
    if bound["kind"] == "link":
        bound["link"], bound["direction"] = "h2-nic", "h2->sw"
    elif bound["kind"] == "vm":
        bound["vm"] = next(s["vm"] for s in plan["steps"] if s["vm"] != bound["vm"])
    elif bound["kind"] == "host":
        bound["host"] = "h2"
    elif bound["kind"] == "placement":
        bound["prices"] = [{"link": "h1-nic", "direction": "h1->sw", "s_per_byte": 1e-9}]
    else:
        bound.update({"kind": "host", "host": "h2"})
    assert any(v.startswith("the bound") for v in violations(question, plan))


def test_other_vms_are_caught(question):
    plan = copy.deepcopy(question.plan)
    uuids = [s["vm"] for s in plan["steps"]]
    plan["bound"]["vms"] = uuids + uuids[:1]
    assert any("proves nothing" in v for v in violations(question, plan))
    plan["bound"]["vms"] = ["nobody"]
    assert any("does not know a VM" in v for v in violations(question, plan))


def test_prices_are_the_proof(tmp_path):
    question = Question(tmp_path, "placement")
    for change in (lambda price: -price, lambda price: price * 3, lambda price: "much"):
        plan = copy.deepcopy(question.plan)
        item = plan["bound"]["prices"][-1]
        key = next(k for k in item if k.endswith(("_byte", "_per_s")))
        item[key] = change(item[key])
        assert any(v.startswith("the bound") for v in violations(question, plan))


def test_the_proof_of_an_impossible_deadline_names_its_vms(tmp_path):
    document, hosts, _ = by_link()
    path, out = tmp_path / "fleet.json", tmp_path / "plan.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    plan = plan_of("evacuate", *hosts, "--fleet", path, "--deadline", "15s", code=3)
    assert plan["status"] == "infeasible" and len(plan["bound"]["vms"]) == 4
    out.write_text(json.dumps(plan), encoding="utf-8")
    ok("verify", out, "--fleet", path)
    plan["bound"]["vms"].pop()
    out.write_text(json.dumps(plan), encoding="utf-8")
    result = decamp("verify", out, "--fleet", path)
    assert result.returncode == 3 and "proves only" in result.stdout


def test_memory_that_is_held_twice(tmp_path):
    """Two nearly full hosts swap their VMs: two of 20 GiB are never in flight at once."""
    document = fleet(2, [vm(i, f"h{i % 2 + 1}", gib=20 if i < 4 else 5) for i in range(6)])
    for host in document["hosts"]:
        host["memory_bytes"] = 60 * GIB
    moves = [{"vm": v["uuid"], "to": "h2" if v["host"] == "h1" else "h1"} for v in document["vms"]]
    (tmp_path / "fleet.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "moves.json").write_text(json.dumps({"format": "decamp/moves", "format_version": "1.0", "moves": moves}),
                                         encoding="utf-8")
    plan = plan_of("schedule", "--moves", tmp_path / "moves.json", "--fleet", tmp_path / "fleet.json")
    assert plan["bound"]["kind"] == "memory" and plan["gap_frac"] < 0.2

    def found(changed, code):
        (tmp_path / "plan.json").write_text(json.dumps(changed), encoding="utf-8")
        result = ok("verify", tmp_path / "plan.json", "--fleet", tmp_path / "fleet.json", "-o", "json", code=code)
        return [v["what"] for v in json.loads(result)["violations"]]

    assert found(plan, 0) == []
    for term in ("held_byte_s", "free_bytes"):
        changed = copy.deepcopy(plan)
        changed["bound"][term] *= 2
        assert any(term in what for what in found(changed, 3))
    changed = copy.deepcopy(plan)
    changed["bound"]["small_bytes"] = 0
    assert any("proves only" in what for what in found(changed, 3))
