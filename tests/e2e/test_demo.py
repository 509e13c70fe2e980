"""decamp demo: made-up fleets that can be planned with."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest

from test_cli import decamp, validate


def demo(path, *arguments):
    result = decamp("demo", *arguments, "--out", path)
    assert result.returncode == 0, result.stderr
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    paths = [tmp_path / name for name in ("one", "other", "third")]
    for path, seed in zip(paths, ("7", "7", "8")):
        demo(path, "--hosts", "5", "--seed", seed)
    texts = [path.read_bytes() for path in paths]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("hosts, vms", [(1, 0), (2, 7), (12, None), (40, 300)])
def test_it_is_a_fleet(tmp_path, hosts, vms):
    fleet = demo(tmp_path / "fleet", "--hosts", str(hosts), *(("--vms", str(vms)) if vms is not None else ()))
    validate(fleet, "fleet")
    assert len(fleet["hosts"]) == hosts and len(fleet["vms"]) == (vms if vms is not None else 10 * hosts)
    assert len({vm["uuid"] for vm in fleet["vms"]}) == len({vm["name"] for vm in fleet["vms"]}) == len(fleet["vms"])
    host_of = {vm["uuid"]: vm["host"] for vm in fleet["vms"]}
    for rule in fleet.get("rules", []):
        assert len({host_of[uuid] for uuid in rule["vms"]}) == 2, "replicas stand on two hosts"
    for host in fleet["hosts"]:
        used = sum(vm["memory_bytes"] for vm in fleet["vms"] if vm["host"] == host["name"])
        assert used <= host["memory_bytes"] - host["reserved_memory_bytes"]


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_host_of_it_can_be_emptied(tmp_path, seed):
    fleet, plan = tmp_path / "fleet", tmp_path / "plan"
    demo(fleet, "--seed", str(seed))
    result = decamp("evacuate", "host3", "--fleet", fleet, "-o", "json", "--out", plan)
    assert result.returncode == 0, result.stderr
    assert decamp("verify", plan, "--fleet", fleet).returncode == 0


def test_what_does_not_fit_is_said(tmp_path):
    result = decamp("demo", "--hosts", "1", "--vms", "500", "--out", tmp_path / "fleet")
    assert result.returncode == 1 and "do not fit into 1 hosts" in result.stderr and not (tmp_path / "fleet").exists()
    assert decamp("demo", "--hosts", "0").returncode == 64
