"""decamp apply while the fleet changes under it: what has not begun is planned anew."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import time

import goals
from test_apply import Toy, cluster


def change(toy, edit):
    """Writes the fleet's file anew, as a program that keeps it would."""
    edit(toy.document)
    new = toy.fleet.with_suffix(".new")
    new.write_text(json.dumps(toy.document), encoding="utf-8")
    new.rename(toy.fleet)


def host_of(document, name):
    return next(host for host in document["hosts"] if host["name"] == name)


def run_and_change(toy, edit, after_s=0.5, *more):
    """(exit code, what it says)"""
    process = toy.start(*more)
    time.sleep(after_s)
    change(toy, edit)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def test_a_vm_that_comes_to_a_host_in_evacuation_is_taken_away_too(tmp_path):
    toy = cluster(tmp_path, n_vms=3, seconds=0.6)
    toy.plan("evacuate", "h1", "--max-parallel", "1")
    late = goals.vm(7, "h1")

    def edit(document):
        document["vms"].append(late)
        toy.file("h1", late).write_text("runs\n", encoding="utf-8")

    code, errors = run_and_change(toy, edit)
    assert code == 0, errors
    toy.assert_one_place_each({"h2", "h3", "h4"})
    assert "vm7" in toy.places() and "vm7: moves too, to h" in errors, errors


def test_one_that_has_no_room_elsewhere_is_said(tmp_path):
    toy = cluster(tmp_path, n_vms=2, seconds=0.6)
    toy.plan("evacuate", "h1", "--max-parallel", "1")
    giant = goals.vm(7, "h1", gib=500)
    code, errors = run_and_change(toy, lambda document: document["vms"].append(giant))
    assert code == 3
    assert "nothing more can be done" in errors


def test_a_destination_that_is_switched_off_gets_no_more(tmp_path):
    toy = cluster(tmp_path, n_vms=6, seconds=2)
    plan = toy.plan("evacuate", "h1", "--max-parallel", "1")
    lost = plan["steps"][-1]["to"]
    code, errors = run_and_change(toy, lambda document: host_of(document, lost).update(state="off"))
    assert code == 0, errors
    toy.assert_one_place_each({"h2", "h3", "h4"})
    assert f"host {lost}: is not on" in errors and f"no more to {lost}" in errors
    names = {vm["uuid"]: vm["name"] for vm in toy.document["vms"]}
    assert lost not in toy.places()[names[plan["steps"][-1]["vm"]]]


def test_a_destination_that_took_one_in_vain_gets_no_more(tmp_path):
    toy = cluster(tmp_path, n_vms=12, seconds=1.5)
    plan = toy.plan("evacuate", "h1")
    for step in plan["steps"]: # its failure keeps none of the others waiting
        step["after"] = []
    toy.plan_path.write_text(json.dumps(plan), encoding="utf-8")
    lost = plan["steps"][0]["to"]
    (toy.dir / "lost" / lost).touch()
    result = toy.apply("--retries", "0", "--patience", "1s")
    assert result.returncode == 0, result.stderr
    toy.assert_one_place_each({"h2", "h3", "h4"} - {lost})
    assert f"host {lost} could not be migrated to" in result.stderr, result.stderr


def test_a_vm_that_was_shut_down_is_left_out(tmp_path):
    toy = cluster(tmp_path, n_vms=5, seconds=2)
    plan = toy.plan("evacuate", "h1", "--max-parallel", "1")
    gone = plan["steps"][-1]["vm"]

    def edit(document):
        document["vms"] = [vm for vm in document["vms"] if vm["uuid"] != gone]
        (toy.dir / "hosts" / "h1" / gone).unlink()

    code, errors = run_and_change(toy, edit)
    assert code == 0, errors
    toy.assert_one_place_each({"h2", "h3", "h4"})
    assert "there is no such VM any more" in errors and "no luck" not in errors


def test_what_is_no_change_stops_nothing(tmp_path):
    """An agent that fell silent on the host that is emptied."""
    toy = cluster(tmp_path, n_vms=4, seconds=2)
    toy.plan("evacuate", "h1", "--max-parallel", "1")
    code, errors = run_and_change(toy, lambda document: host_of(document, "h1").update(freshness="stale"))
    assert "planned anew" not in errors and code == 0, errors


def small(directory, n_vms, seconds):
    """Migrations that are planned to take about 0.3 s."""
    return Toy(directory, goals.fleet(4, [goals.vm(i, "h1", gib=0.25) for i in range(n_vms)]), seconds)


def test_a_deadline_that_no_plan_keeps_is_said_and_the_plan_goes_on(tmp_path):
    toy = small(tmp_path, n_vms=6, seconds=2.5)
    plan = toy.plan("evacuate", "h1", "--max-parallel", "1", "--deadline", "5s")
    assert plan["status"] in ("optimal", "feasible")
    result = toy.apply()
    assert result.returncode == 0, result.stderr
    toy.assert_one_place_each({"h2", "h3", "h4"})
    assert "the deadline will be missed" in result.stderr and "it goes on" in result.stderr, result.stderr


def test_what_failed_is_planned_anew_past_the_deadline(tmp_path):
    toy = small(tmp_path, n_vms=3, seconds=1.5)
    plan = toy.plan("evacuate", "h1", "--max-parallel", "1", "--deadline", "3s")
    lost = plan["steps"][-1]["to"]
    (toy.dir / "lost" / lost).touch()
    result = toy.apply("--retries", "0", "--patience", "4s")
    assert result.returncode == 0, result.stderr
    toy.assert_one_place_each({"h2", "h3", "h4"} - {lost})
    assert "past the deadline" in result.stderr, result.stderr
