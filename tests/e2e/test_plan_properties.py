"""Random small fleets: whatever decamp answers keeps every limit.

Hypothesis draws the fleets (derandomised: the same ones every time); plans are
checked by plan_rules.py, which shares nothing with decamp, and by `decamp verify`.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import pathlib
import subprocess
import uuid

import jsonschema
from hypothesis import HealthCheck, given, settings, strategies as st

import cluster
import plan_rules

GIB = 1 << 30
SCHEMA = json.loads((cluster.ROOT / "proto" / "schema" / "plan.schema.json").read_text(encoding="utf-8"))


@st.composite
def profiles(draw, pages):
    """One to three bursts of non-decreasing points below the VM's size."""
    bursts = []
    for i in range(draw(st.integers(1, 3))):
        shares = sorted(draw(st.lists(st.floats(0.0001, 0.2), min_size=3, max_size=3)))
        points = [[w, round(s * pages)] for w, s in zip((0.25, 2.0, 30.0), shares)]
        bursts.append({"at_unix_ms": 1000 + i, "points": points})
    return {"kind": "curve", "zero_pages": draw(st.integers(0, pages // 2)), "bursts": bursts}


@st.composite
def vms(draw, number, host):
    gib = draw(st.integers(1, 24))
    name = f"vm{number}"
    policy = draw(st.sampled_from([{"name": "xen-v2"}, {"name": "qemu", "downtime_limit_ms": 300}]))
    vm = {"uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)), "name": name, "host": host, "memory_bytes": gib * GIB,
          "vcpus": 2, "cpu_cores_used": 1, "policy": policy, "profile": draw(profiles(gib * GIB // 4096)),
          "overhead": {"pre_ms": draw(st.integers(0, 500)), "post_ms": draw(st.integers(0, 200)),
                       "in_flight_bytes": 0, "suspend_pages": 0}}
    if draw(st.booleans()):
        vm["downtime_budget_ms"] = draw(st.integers(100, 5000))
    return vm


@st.composite
def fleets(draw):
    n_hosts = draw(st.integers(2, 5))
    names = [f"h{i + 1}" for i in range(n_hosts)]
    fleet_vms = [draw(vms(i, "h1" if i < n_first else draw(st.sampled_from(names))))
                 for n_first in [draw(st.integers(1, 8))] for i in range(n_first + draw(st.integers(0, 6)))]
    used = {n: sum(v["memory_bytes"] for v in fleet_vms if v["host"] == n) for n in names}
    hosts = [{"name": n, "cpus": 64, "memory_bytes": used[n] + draw(st.integers(1, 128)) * GIB,
              "max_migrations": draw(st.integers(0, 3))} for n in names]
    links = [{"name": f"{n}-nic", "between": [n, "sw"],
              "capacity_bytes_per_s": draw(st.sampled_from([125_000_000, 1_250_000_000, 3_125_000_000])),
              "goodput_frac": 0.94, "background_bytes_per_s": draw(st.sampled_from([0, 20_000_000]))} for n in names]
    rules = []
    ids = [v["uuid"] for v in fleet_vms]
    if len(ids) >= 2 and draw(st.booleans()):
        pair = draw(st.lists(st.sampled_from(ids), min_size=2, max_size=2, unique=True))
        homes = [v["host"] for v in fleet_vms if v["uuid"] in pair]
        if "h1" in homes:
            rules.append({"type": "spread", "vms": pair, "hosts": [], "hard": True})
    if draw(st.booleans()):
        kind = draw(st.sampled_from(["ban", "fence"]))
        rules.append({"type": kind, "vms": [ids[0]], "hosts": [draw(st.sampled_from(names[1:]))], "hard": True})
    return {"format": "decamp/fleet", "format_version": "1.0", "taken_unix_ms": 1, "hosts": hosts,
            "switches": [{"name": "sw", "capacity_bytes_per_s": None}], "links": links, "vms": fleet_vms,
            "rules": rules}


def run(*arguments):
    return subprocess.run([cluster.BIN / "decamp", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          check=False)


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(fleet=fleets(), max_parallel=st.integers(0, 3))
def test_every_plan_keeps_every_limit(tmp_path_factory, fleet, max_parallel):
    directory = pathlib.Path(tmp_path_factory.mktemp("fleet"))
    fleet_file, plan_file = directory / "fleet.json", directory / "plan.json"
    fleet_file.write_text(json.dumps(fleet), encoding="utf-8")
    limit = ["--max-parallel", max_parallel] if max_parallel else []
    result = run("evacuate", "h1", "--fleet", fleet_file, "-o", "json", "--out", plan_file, *limit)
    assert result.returncode in (0, 3), result.stderr
    plan = json.loads(plan_file.read_text(encoding="utf-8"))
    jsonschema.validate(plan, SCHEMA)
    assert (result.returncode == 0) == (plan["status"] in ("optimal", "feasible"))
    if result.returncode == 3:
        assert plan["conflicts"], "an answer that is none must say why"
    assert plan_rules.all_broken(plan, fleet, {"h1"}, max_parallel) == []
    verified = run("verify", plan_file, "--fleet", fleet_file)
    assert verified.returncode == 0, verified.stdout
