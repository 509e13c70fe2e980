"""decamp-agent's libvirt source with real libvirt hosts and real QEMU guests (their firmware is all that runs)."""
# SPDX-License-Identifier: GPL-3.0-or-later
import subprocess

import pytest

import libvirt_hosts
from cluster import BIN
from test_qemu_source import QemuCluster, is_predicted, run_misconfigured, vm_of, wait_for

LACKS = libvirt_hosts.lacks()
pytestmark = pytest.mark.skipif(LACKS is not None, reason=f"this machine lacks {LACKS}")

UUID = "11111111-2222-4333-8444-00000000000{}"


class LibvirtCluster(QemuCluster):
    """Agents whose guests are those of libvirt hosts."""

    def __init__(self, directory, libvirt):
        self.libvirt = libvirt
        super().__init__(directory, libvirt.names)

    def _write(self, name, **settings):
        if settings.get("source") == "qemu":
            del settings["qemu_sockets"]
            settings.update(source="libvirt", libvirt_uri=self.libvirt.uri(name), module_dir=BIN.parent / "lib" / "decamp")
        super()._write(name, **settings)


@pytest.fixture(name="libvirt")
def fixture_libvirt(tmp_path):
    with libvirt_hosts.LibvirtHosts(tmp_path / "hosts") as hosts:
        yield hosts


@pytest.fixture(name="cluster")
def fixture_cluster(tmp_path, libvirt):
    directory = tmp_path / "cluster"
    directory.mkdir()
    with LibvirtCluster(directory, libvirt) as started:
        yield started


def test_guests_are_seen_and_predicted(cluster, libvirt):
    uuid = UUID.format(1)
    libvirt.add("h1", uuid, "it's one", True)
    vm = vm_of(wait_for(cluster, is_predicted(uuid)), uuid)
    assert (vm["name"], vm["host"], vm["state"]) == ("it's one", "h1", "running")
    assert (vm["memory_bytes"], vm["vcpus"]) == (64 * 2**20, 1)
    assert (vm["policy"]["name"], vm["policy"]["downtime_limit_ms"]) == ("qemu", 300)
    libvirt.virsh("h1", "migrate-setmaxdowntime", uuid, 120)
    libvirt.virsh("h1", "migrate-setspeed", uuid, 64)
    policy = vm_of(wait_for(cluster, lambda f: vm_of(f, uuid)["policy"]["downtime_limit_ms"] == 120), uuid)["policy"]
    wait_for(cluster, lambda f: vm_of(f, uuid)["policy"]["max_bandwidth_bytes_per_s"] == 64 * 2**20)
    assert policy["name"] == "qemu"
    libvirt.virsh("h1", "suspend", uuid)
    wait_for(cluster, lambda f: vm_of(f, uuid)["state"] == "paused")
    libvirt.virsh("h1", "resume", uuid)
    wait_for(cluster, lambda f: vm_of(f, uuid)["state"] == "running")


def migration(libvirt, uuid):
    """The command that migrates a guest from h1 to h2."""
    return ["timeout", "60", "ip", "netns", "exec", libvirt.space("h1"), "virsh", "-q", "-c", libvirt.uri("h1"), "migrate",
            "--live", uuid, libvirt.uri("h2"), "tcp://10.79.0.2"]


def test_guests_come_migrate_and_go(cluster, libvirt):
    uuid = UUID.format(1)
    libvirt.add("h1", uuid, "vm1", True)
    wait_for(cluster, is_predicted(uuid))
    libvirt_hosts.run(*migration(libvirt, uuid), timeout_s=70)
    wait_for(cluster, lambda f: [v["host"] for v in f["vms"]] == ["h2"])
    seen, = wait_for(cluster, lambda f: f.get("observations"))["observations"]
    assert (seen["vm"], seen["from"], seen["to"], seen["succeeded"]) == (uuid, "h1", "h2", True)
    assert 0 < seen["migration_ms"] < 60_000 and 0 <= seen["downtime_ms"] < 5000 and seen["bytes"] > 100_000, seen
    libvirt.virsh("h2", "destroy", uuid)
    wait_for(cluster, lambda f: not f["vms"])


def test_a_migration_that_is_cancelled(cluster, libvirt):
    uuid = UUID.format(1)
    libvirt.add("h1", uuid, "vm1", True)
    wait_for(cluster, is_predicted(uuid))
    libvirt.virsh("h1", "migrate-setmaxdowntime", uuid, 1)
    libvirt.virsh("h1", "migrate-setspeed", uuid, 1) # a MiB/s
    process = subprocess.Popen(list(map(str, migration(libvirt, uuid))), stderr=subprocess.PIPE)
    try:
        wait_for(cluster, lambda f: vm_of(f, uuid)["state"] == "migrating" and "a migration began" in cluster.log("h1"))
        libvirt.virsh("h1", "domjobabort", uuid)
        assert process.wait(timeout=60) != 0
    finally:
        process.kill()
        process.communicate()
    fleet = wait_for(cluster, lambda f: vm_of(f, uuid)["state"] == "running" and "a migration failed" in cluster.log("h1"))
    assert vm_of(fleet, uuid)["host"] == "h1"


def test_a_daemon_that_ends_and_comes_back(cluster, libvirt):
    libvirt.add("h1", UUID.format(1), "vm1", True)
    wait_for(cluster, lambda f: len(f["vms"]) == 1)
    libvirt.kill("h1")
    libvirt.restart("h1")
    libvirt.add("h1", UUID.format(2), "vm2", True)
    wait_for(cluster, lambda f: len(f["vms"]) == 2)
    assert cluster.log("h1").count("connected to") == 2


def test_a_module_that_is_not_there_is_named(tmp_path):
    result = run_misconfigured(tmp_path, source="libvirt", module_dir=tmp_path)
    assert result.returncode == 1 and "source_libvirt.so" in result.stderr
