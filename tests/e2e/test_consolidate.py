"""decamp consolidate: fewest hosts on, so many off, most energy saved; and every kind of
breach of such a plan that `decamp verify` finds.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import copy
import itertools

import pytest

import goals
from goals import Asked, GIB, fleet, host_steps, migrations, vm
from test_cli import decamp


@pytest.fixture(name="three")
def fixture_three(tmp_path):
    """Three hosts; the third's VM and the second's fit on the first."""
    return Asked(tmp_path, fleet(3, [vm(0, "h1", 16), vm(1, "h2", 8), vm(2, "h3", 4)]))


@pytest.fixture(name="spare")
def fixture_spare(tmp_path):
    """Three full small hosts, and a large one that is off: booting it pays."""
    document = fleet(4, [vm(i, f"h{i % 3 + 1}", 16) for i in range(6)], gib=34, off=["h4"])
    document["hosts"][3]["memory_bytes"] = 256 * GIB
    return Asked(tmp_path, document)


def test_the_fewest_hosts_stay_on(three):
    plan = three.plan("consolidate")
    assert sorted(plan["hosts_off"]) == ["h2", "h3"]
    assert plan["choice"]["hosts_on_before"] == 3 and plan["choice"]["hosts_on_after"] == 1
    assert plan["choice"]["hosts_on_at_least"] == 1
    assert set(goals.final_hosts(plan, three.document).values()) == {"h1"}
    ends = {s["from"]: s["end_ms"] for s in migrations(plan)}
    for step in host_steps(plan, "shutdown"):
        assert step["start_ms"] == ends[step["from"]] and step["end_ms"] == step["start_ms"] + 20000
    assert goals.all_broken(plan, three.document) == []


def test_energy_is_that_of_the_hosts_and_the_migrations(three):
    plan = three.plan("consolidate")
    energy = plan["energy"]
    cores = 160 / 16  # watts a core in use
    assert energy["watts_before"] == pytest.approx(450 + 3 * cores)
    assert energy["watts_after"] == pytest.approx(150 + 3 * cores)
    sent = sum(s["bytes"] for s in migrations(plan))
    assert energy["migration_joules"] == pytest.approx(0.512e-6 * sent + 2 * 20.165)
    assert energy["host_joules"] == pytest.approx(2 * 20 * 150)
    cost = energy["migration_joules"] + energy["host_joules"]
    assert energy["break_even_ms"] == pytest.approx(plan["makespan_ms"]["p95"] + 1000 * cost / 300, abs=1)


def test_so_many_hosts_are_switched_off_with_the_fewest_bytes(three):
    plan = three.plan("consolidate", "--power-off", 1)
    assert plan["hosts_off"] == ["h3"] and [s["vm_name"] for s in migrations(plan)] == ["vm2"]
    plan = three.plan("consolidate", "--power-off", 3, code=3)
    assert plan["status"] == "partial" and len(plan["hosts_off"]) == 2
    assert "2 of 3 hosts" in plan["conflicts"][0]["what"]
    assert plan["conflicts"][0]["relax"] == [{"change": "power_off", "to": 2}]
    assert three.plan("consolidate", "--power-off", 2)["status"] in ("optimal", "feasible")


def test_a_host_is_booted_where_that_pays(spare):
    plan = spare.plan("consolidate")
    assert [s["to"] for s in host_steps(plan, "boot")] == ["h4"] and sorted(plan["hosts_off"]) == ["h1", "h2", "h3"]
    assert min(s["start_ms"] for s in migrations(plan)) >= 100_000
    assert goals.all_broken(plan, spare.document) == []
    excluded = spare.plan("consolidate", "--exclude", "h4")
    assert excluded["hosts_off"] == [] and excluded["steps"] == []


def test_time_limits_the_hosts_that_go_off(three):
    everything = three.plan("consolidate")["makespan_ms"]["p95"]
    for option in ("--max-time", "--deadline"):
        plan = three.plan("consolidate", option, f"{everything - 1}ms")
        assert plan["makespan_ms"]["p95"] < everything and len(plan["hosts_off"]) == 1
        assert any("more hosts could be emptied" in w for w in plan["warnings"])
    assert three.plan("consolidate", "--max-time", "10s")["hosts_off"] == []
    three.plan("consolidate", "--power-off", 1, "--max-time", "10s", code=3)


def test_what_does_not_pay_in_time_is_not_done(three):
    assert three.plan("consolidate", "--energy", "--payback", "1s")["steps"] == []
    assert len(three.plan("consolidate", "--energy")["hosts_off"]) == 2


def test_a_vm_that_cannot_move_keeps_its_host(tmp_path):
    endless = {"kind": "rate", "pages_per_s": 10_000_000, "working_set_pages": 1_000_000}
    vms = [vm(0, "h1", 8, downtime_budget_ms=20, profile=endless), vm(1, "h2", 4), vm(2, "h3", 4)]
    asked = Asked(tmp_path, fleet(3, vms))
    plan = asked.plan("consolidate")
    assert sorted(plan["hosts_off"]) == ["h2", "h3"] and plan["conflicts"] == []


def test_vms_of_a_host_that_stays_make_room(tmp_path):
    """24 GiB find room nowhere unless the 8 GiB of h2 go to h3."""
    vms = [vm(0, "h1", 24), vm(1, "h2", 8), vm(2, "h2", 16), vm(3, "h3", 30)]
    document = fleet(3, vms, gib=40)
    asked = Asked(tmp_path, document)
    plan = asked.plan("consolidate", "--power-off", 1)
    assert plan["hosts_off"] == ["h1"] or len(plan["hosts_off"]) == 1
    assert plan["stages"][0]["goal"]["verb"] in ("schedule", "evacuate")
    assert goals.all_broken(plan, document) == []


def fewest_on(document):
    """Brute force over all placements."""
    hosts = {h["name"]: h for h in document["hosts"]}
    vms = document["vms"]
    best = len(hosts)
    for places in itertools.product(hosts, repeat=len(vms)):
        used = dict.fromkeys(hosts, 0)
        cores = dict.fromkeys(hosts, 0)
        for v, place in zip(vms, places):
            used[place] += v["memory_bytes"]
            cores[place] += v["cpu_cores_used"]
        fits = all(used[n] <= h["memory_bytes"] and cores[n] <= h["cpus"] for n, h in hosts.items())
        where = dict(zip((v["uuid"] for v in vms), places))
        apart = all(len({where[u] for u in r["vms"]}) == len(r["vms"]) for r in document.get("rules", []))
        if fits and apart:
            best = min(best, len(set(places)))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_nothing_has_fewer_hosts_on_by_brute_force(tmp_path, seed):
    document = goals.random_fleet(seed, n_hosts=4, n_vms=5)
    plan = Asked(tmp_path, document).plan("consolidate")
    # Memory may forbid the way to the best placement: then one host more stays on.
    assert plan["choice"]["hosts_on_after"] <= fewest_on(document) + (0 if plan["choice"]["proved"] else 1)
    assert plan["choice"]["hosts_on_at_least"] <= plan["choice"]["hosts_on_after"]


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("options", [[], ["--power-off", "1"], ["--energy"], ["--max-time", "60s"]], ids=str)
def test_plans_of_random_fleets_keep_every_limit(tmp_path, seed, options):
    document = goals.random_fleet(seed)
    asked = Asked(tmp_path, document)
    result = decamp("consolidate", *options, "--fleet", asked.path, "-o", "json")
    assert result.returncode in (0, 3), result.stderr
    plan = asked.plan("consolidate", *options, code=result.returncode)
    assert goals.all_broken(plan, document) == []
    assert asked.violations(plan) == []
    final = set(goals.final_hosts(plan, document).values())
    assert not final & set(plan["hosts_off"])


def drop_wait(plan):
    host_steps(plan, "shutdown")[0]["after"].clear()


def hurry(plan):
    step = host_steps(plan, "shutdown")[0]
    step["end_ms"] -= 5000


def too_early(plan):
    step = host_steps(plan, "shutdown")[0]
    step["start_ms"] -= 3000


def unlisted(plan):
    plan["hosts_off"].pop()


def overlisted(plan):
    plan["hosts_off"].append("h1")


def better_energy(plan):
    plan["energy"]["watts_after"] -= 100


def sooner(plan):
    plan["energy"]["break_even_ms"] -= 5000


def miscounted(plan):
    plan["choice"]["hosts_on_after"] = 0


def more_wanted(plan):
    plan["goal"]["power_off"] = 3


def less_time(plan):
    plan["goal"]["max_time_ms"] = 10000


def higher_bound(plan):
    plan["lower_bound_ms"] += 5000
    plan["gap_frac"] = 0


def stage_bound(plan):
    plan["stages"][0]["lower_bound_ms"] += 1000


def short_stage(plan):
    plan["stages"][0]["n_steps"] -= 1


def no_stage(plan):
    plan["stages"].clear()


def twice_off(plan):
    step = copy.deepcopy(host_steps(plan, "shutdown")[0])
    step["id"] = len(plan["steps"]) + 1
    step["start_ms"] += 60000
    step["end_ms"] += 60000
    plan["steps"].append(step)
    plan["makespan_ms"]["p95"] = max(s["end_ms"] for s in plan["steps"])


def unknown_host(plan):
    host_steps(plan, "shutdown")[0]["from"] = "h99"


BREACHES = {drop_wait: "does not wait for", hurry: "takes 20000 ms", too_early: "is on it while it is off",
            unlisted: "hosts_off", overlisted: "hosts_off", better_energy: "energy.watts_after",
            sooner: "energy.break_even_ms", miscounted: "choice:", more_wanted: "3 were asked for",
            less_time: "the time given", higher_bound: "claims a lower bound", stage_bound: "",
            short_stage: "in no stage", no_stage: "in no stage", twice_off: "is off already",
            unknown_host: "no host h99"}


@pytest.mark.parametrize("breach", BREACHES, ids=lambda b: b.__name__)
def test_verify_finds_each_kind_of_breach(three, breach):
    plan = three.plan("consolidate")
    breach(plan)
    found = three.violations(plan)
    assert any(BREACHES[breach] in text for text in found), found


def test_verify_finds_a_vm_that_comes_before_the_boot(spare):
    plan = spare.plan("consolidate")
    boot = host_steps(plan, "boot")[0]
    boot["end_ms"] += 50000
    assert any("while it is off" in v or "before step" in v for v in spare.violations(plan))
    plan = spare.plan("consolidate")
    for step in migrations(plan):
        step["after"] = [a for a in step["after"] if a != boot["id"]]
    assert any("does not wait for" in v for v in spare.violations(plan))


def test_bad_options_are_usage_errors(three):
    for options in (["--power-off", "0"], ["--power-off", "1", "--energy"], ["--payback", "1h"], ["h1"]):
        result = decamp("consolidate", *options, "--fleet", three.path)
        assert result.returncode == 64 and result.stdout == "", options
