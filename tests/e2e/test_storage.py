"""Local disks, from the fleet document to the plan: predicted, planned, replayed; and a toolstack that moves none."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import pathlib
import subprocess

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DECAMP_BIN_DIR", ROOT / "build" / "dev" / "bin"))
SMALL = ROOT / "tests" / "data" / "fleets" / "small.json"
SCHEMAS = ROOT / "proto" / "schema"
DISK = {"name": "vda", "size_bytes": 50_000_000_000, "allocated_bytes": 20_000_000_000, "local": True}


def decamp(*arguments):
    return subprocess.run([BIN / "decamp", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          check=False)


def valid(document, name):
    jsonschema.validate(document, json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")))
    return document


@pytest.fixture(name="fleet_with")
def fixture_fleet_with(tmp_path):
    """The small fleet in which some VMs have disks, by name."""
    def fleet_with(**disks):
        fleet = json.loads(SMALL.read_text(encoding="utf-8"))
        for vm in fleet["vms"]:
            if vm["name"] in disks:
                vm["storage"] = [disks[vm["name"]]]
        path = tmp_path / "disks.json"
        path.write_text(json.dumps(valid(fleet, "fleet")), encoding="utf-8")
        return path
    return fleet_with


def grid_of(name, fleet):
    result = decamp("predict", name, "-o", "json", "--bandwidth", "1Gbit/s", "--bandwidth", "4Gbit/s", "--fleet", fleet)
    assert result.returncode == 0, result.stderr
    return valid(json.loads(result.stdout), "predictions")["vms"][0]["prediction"]["grid"]


def test_an_idle_disk_adds_its_time(fleet_with):
    for plain, with_disk in zip(grid_of("cache1", SMALL), grid_of("cache1", fleet_with(cache1=DISK))):
        disk_ms = 1000 * 20e9 / plain["bandwidth_bytes_per_s"]
        assert "storage_ms" not in plain
        assert with_disk["storage_ms"] == pytest.approx(disk_ms, abs=2)
        assert with_disk["storage_bytes"] == pytest.approx(20e9, rel=1e-6)
        assert with_disk["migration_ms"]["p95"] == pytest.approx(plain["migration_ms"]["p95"] + disk_ms, abs=3)
        assert with_disk["downtime_ms"] == plain["downtime_ms"]
        assert with_disk["bytes"] == pytest.approx(plain["bytes"] + 20e9, rel=1e-6)


def test_a_busy_disk_costs_more(fleet_with):
    idle = grid_of("cache1", fleet_with(cache1=DISK))[0]
    busy = grid_of("cache1", fleet_with(cache1={**DISK, "write_bytes_per_s": 50e6}))[0]
    hot = grid_of("cache1", fleet_with(cache1={**DISK, "block_bytes": 65536, "profile": [[1, 700], [10, 1000]]}))[0]
    assert busy["storage_ms"] > 1.3 * idle["storage_ms"]
    assert idle["storage_ms"] < hot["storage_ms"] < busy["storage_ms"]
    assert busy["migration_ms"]["p50"] - busy["storage_ms"] > idle["migration_ms"]["p50"] - idle["storage_ms"]


def test_the_share_is_told_to_people(fleet_with):
    moving = decamp("predict", "cache1", "--fleet", fleet_with(cache1={**DISK, "write_bytes_per_s": 20e6})).stdout
    assert "local disks first: " in moving and "160 Mbit/s of it" in moving
    endless = decamp("predict", "cache1", "--fleet", fleet_with(cache1={**DISK, "write_bytes_per_s": 20e9})).stdout
    assert "local disks: written faster than" in endless
    staying = decamp("predict", "web1", "--fleet", fleet_with(web1=DISK)).stdout
    assert "local disk vda: its toolstack moves no disks, so it cannot be migrated live" in staying


def test_a_plan_with_disks_replays(fleet_with, tmp_path):
    fleet = fleet_with(cache1={**DISK, "write_bytes_per_s": 20e6})
    path = tmp_path / "plan.json"
    result = decamp("evacuate", "h1", "--fleet", fleet, "-o", "json", "--out", path)
    assert result.returncode == 0, result.stderr
    plan = valid(json.loads(path.read_text(encoding="utf-8")), "plan")
    step = next(step for step in plan["steps"] if step["vm_name"] == "cache1")
    assert step["migration_ms"]["p50"] > 1000 * 20e9 / 1.175e9
    verified = decamp("verify", path, "--fleet", fleet)
    assert verified.returncode == 0 and " 0 violations" in verified.stdout
    # The same plan is too short for a disk that it was not made for.
    larger = fleet_with(cache1={**DISK, "allocated_bytes": 40_000_000_000})
    assert decamp("verify", path, "--fleet", larger).returncode != 0


def test_xl_leaves_it_where_it_is(fleet_with):
    result = decamp("evacuate", "h1", "--fleet", fleet_with(web1=DISK), "-o", "json")
    assert result.returncode == 3
    plan = valid(json.loads(result.stdout), "plan")
    assert "web1" not in [step["vm_name"] for step in plan["steps"]]
    assert [conflict["what"] for conflict in plan["conflicts"]] == [
        "VM web1 has a local disk (vda), and the toolstack of its policy xen-v2 does not move disks: it cannot be "
        "migrated live"]
