"""The script of decamp export for virsh, run against two real libvirt hosts with real QEMU guests."""
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import subprocess

import pytest

import goals
import libvirt_hosts
from test_cli import ok
from test_export import plan_file

LACKS = libvirt_hosts.lacks()
pytestmark = pytest.mark.skipif(LACKS is not None, reason=f"this machine lacks {LACKS}")


@pytest.fixture(name="hosts")
def fixture_hosts(tmp_path):
    with libvirt_hosts.LibvirtHosts(tmp_path / "hosts") as hosts:
        yield hosts


def run_script(hosts, script, code=0):
    environment = {**os.environ, "DECAMP_SSH": str(hosts.shell()), "DECAMP_WAY": hosts.uri(),
                   "DECAMP_STATE_DIR": str(script.parent / "state")}
    result = subprocess.run(["bash", script], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == code, f"exit {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


def test_guests_move_by_the_exported_script(hosts, tmp_path):
    vms = [goals.vm(i, "h1", gib=1) for i in range(3)]
    vms[1]["name"] = "it's $(false) \"2\""
    vms[2]["state"] = "shutoff"
    for vm in vms:
        hosts.add("h1", vm["uuid"], vm["name"], vm["state"] == "running")
    plan, path = plan_file(tmp_path, goals.fleet(2, vms), "evacuate", "h1")
    assert {s["action"] for s in plan["steps"]} == {"migrate", "cold_migrate"}
    script = tmp_path / "plan.sh"
    ok("export", "--to", "virsh", path, "--out", script)
    run_script(hosts, script)
    assert hosts.guests("h1") == {}
    assert hosts.guests("h2") == {vm["uuid"]: "shut off" if vm["state"] == "shutoff" else "running" for vm in vms}
    assert run_script(hosts, script).stdout.count("skipped: ") == 3


def test_a_lost_destination_leaves_the_guest_where_it_is(hosts, tmp_path):
    vm = goals.vm(0, "h1", gib=1)
    hosts.add("h1", vm["uuid"], vm["name"], True)
    _, path = plan_file(tmp_path, goals.fleet(2, [vm]), "evacuate", "h1")
    script = tmp_path / "plan.sh"
    ok("export", "--to", "virsh", path, "--out", script)
    hosts.kill("h2")
    assert "(failed)" in run_script(hosts, script, code=1).stderr
    assert hosts.guests("h1") == {vm["uuid"]: "running"}
