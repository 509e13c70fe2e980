"""decamp-agent's QEMU source with real QEMU processes (their firmware is all that runs), and with impostors."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import shutil
import socket
import subprocess
import threading
import time

import pytest

from cluster import BIN, Cluster, free_port

QEMU = shutil.which("qemu-system-x86_64")
pytestmark = pytest.mark.skipif(QEMU is None, reason="qemu-system-x86_64 is not installed")

UUID = "11111111-2222-3333-4444-00000000000{}"
MEMORY_BYTES = 64 * 2**20 + 8192 # see the QEMU lab: no multiple of 256 KiB


class QemuCluster(Cluster):
    """Agents whose guests are QEMUs that a test starts."""

    def sockets(self, host):
        return self.directory / host / "qmp"

    def _write_configs(self):
        topology = self.directory / "topology.json"
        hosts = [{"name": host, "cpus": 64, "memory_bytes": 2**40, "reserved_memory_bytes": 0} for host in self.hosts]
        topology.write_text(json.dumps({"format": "decamp/fleet", "format_version": "1.0", "taken_unix_ms": 0,
                                        "hosts": hosts, "vms": []}), encoding="utf-8")
        self._write("planner", listen=f"tcp://127.0.0.1:{self.port}", secret_key_file=self.directory / "planner.key",
                    allow_list_file=self.directory / "allowed", topology_file=topology, api_socket=self.socket,
                    store_path=self.store)
        for host in self.hosts:
            self.sockets(host).mkdir(parents=True)
            self._write(host, host=host, planner=f"tcp://127.0.0.1:{self.port}",
                        planner_public_key_file=self.directory / "planner.pub",
                        secret_key_file=self.directory / f"{host}.key", source="qemu",
                        qemu_sockets=self.sockets(host), state_dir=self.directory / host, sample_interval="1s",
                        burst_duration="1s", sampling_budget_frac=1, host_memory="16GiB",
                        host_reserved_memory="1GiB")


class Qemu:
    """One QEMU, with the socket that the agent looks at and one of the test's own. Use as a context manager."""

    def __init__(self, cluster, host, number, *more, uuid=None):
        self.uuid = uuid or UUID.format(number)
        self.agent_socket = cluster.sockets(host) / f"vm{number}"
        self.own = cluster.directory / f"{host}-{number}.own"
        words = [QEMU, "-name", f"vm{number}", "-M", "pc", "-accel", "tcg", "-m", f"{MEMORY_BYTES // 1024}K",
                 "-nodefaults", "-no-user-config", "-display", "none", "-smp", "2", "-qmp",
                 f"unix:{self.agent_socket},server=on,wait=off", "-qmp", f"unix:{self.own},server=on,wait=off", *more]
        self.process = subprocess.Popen([*words, "-uuid", self.uuid], stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()

    def ask(self, *commands):
        """The answers to commands, each (name, {arguments})."""
        answers = []
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            for _ in range(100):
                try:
                    connection.connect(str(self.own))
                    break
                except OSError:
                    time.sleep(0.05)
            lines = connection.makefile("rw")
            lines.readline()
            for name, arguments in (("qmp_capabilities", {}), *commands):
                lines.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                lines.flush()
                answer = {}
                while "return" not in answer and "error" not in answer:
                    answer = json.loads(lines.readline())
                assert "error" not in answer, (name, answer)
                answers.append(answer["return"])
        return answers[1:]


@pytest.fixture
def cluster(tmp_path):
    with QemuCluster(tmp_path, ("h1", "h2")) as started:
        yield started


def wait_for(cluster, condition, within_s=20):
    """The first snapshot of the planner's that satisfies it."""
    until_s = time.monotonic() + within_s
    fleet = None
    while time.monotonic() < until_s:
        fleet = cluster.fleet()
        if fleet is not None and condition(fleet):
            return fleet
        time.sleep(0.1)
    logs = "\n".join(f"--- {name}\n{cluster.log(name)[-1500:]}" for name in ("planner", *cluster.hosts))
    raise AssertionError(f"not so within {within_s} s: {json.dumps(fleet)[:3000]}\n{logs}")


def vm_of(fleet, uuid):
    return next((vm for vm in fleet["vms"] if vm["uuid"] == uuid), None)


def is_predicted(uuid):
    return lambda fleet: bool((vm_of(fleet, uuid) or {}).get("prediction", {}).get("grid"))


def test_guests_are_seen_and_predicted(cluster):
    with Qemu(cluster, "h1", 1) as qemu:
        fleet = wait_for(cluster, is_predicted(qemu.uuid))
        vm = vm_of(fleet, qemu.uuid)
        assert (vm["name"], vm["host"], vm["state"]) == ("vm1", "h1", "running")
        assert (vm["memory_bytes"], vm["vcpus"]) == (MEMORY_BYTES, 2)
        assert vm["policy"]["name"] == "qemu"
        assert vm["policy"]["downtime_limit_ms"] == 300
        assert vm["policy"]["max_bandwidth_bytes_per_s"] == 128 * 2**20
        # Firmware leaves nearly all memory untouched.
        assert vm["profile"]["zero_pages"] > 0.8 * MEMORY_BYTES / 4096
        host = next(h for h in fleet["hosts"] if h["name"] == "h1")
        assert (host["memory_bytes"], host["reserved_memory_bytes"]) == (16 * 2**30, 2**30)
        qemu.ask(("stop", {}), ("migrate-set-parameters", {"downtime-limit": 120}))
        changed = wait_for(cluster, lambda f: vm_of(f, qemu.uuid)["state"] == "paused")
        wait_for(cluster, lambda f: vm_of(f, qemu.uuid)["policy"]["downtime_limit_ms"] == 120)
        assert vm_of(changed, qemu.uuid)["host"] == "h1"


def test_guests_come_and_go(cluster):
    with Qemu(cluster, "h1", 1) as first:
        wait_for(cluster, lambda f: vm_of(f, first.uuid) is not None)
        with Qemu(cluster, "h1", 2) as second:
            wait_for(cluster, lambda f: len(f["vms"]) == 2)
            second.process.kill() # in the middle of a burst, mostly
            wait_for(cluster, lambda f: vm_of(f, second.uuid) is None)
        wait_for(cluster, is_predicted(first.uuid))
    wait_for(cluster, lambda f: not f["vms"])


def test_a_guest_without_a_uuid_is_named(cluster):
    none = "00000000-0000-0000-0000-000000000000"
    with Qemu(cluster, "h1", 1, uuid=none), Qemu(cluster, "h1", 2) as other:
        wait_for(cluster, lambda f: vm_of(f, other.uuid) is not None)
        assert "vm1: its QEMU has no -uuid" in cluster.log("h1")
        assert len(cluster.fleet()["vms"]) == 1


def impostor(path, text, stop):
    """Listens where a QEMU would; sends `text` to whoever connects, and then what it is sent."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)
    listener.settimeout(0.2)

    def serve():
        kept = []
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
                kept.append(connection)
                connection.sendall(text)
            except OSError:
                pass
        for connection in (*kept, listener):
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


GREETING = b'{"QMP": {"version": {}, "capabilities": []}}\r\n'


def test_impostors_are_let_alone(cluster):
    stop = threading.Event()
    folder = cluster.sockets("h1")
    threads = [impostor(folder / name, text, stop) for name, text in {
        "silent": b"", "garbage": b"\xff\x00HTTP/1.1 400\r\n\r\n", "half": GREETING[:20], "only-greets": GREETING,
        "liar": GREETING + b'{"return": {}, "id": 1}\r\n' + b"".join(
            b'{"return": {"UUID": 7, "status": []}, "id": %d}\r\n' % i for i in range(2, 12)),
        "early": GREETING + b'{"return": {}, "id": 5}\r\n', "endless": GREETING + b" " * 6_000_000,
    }.items()]
    (folder / "a-file").write_text("no socket", encoding="utf-8")
    try:
        with Qemu(cluster, "h1", 1) as qemu:
            wait_for(cluster, is_predicted(qemu.uuid))
            time.sleep(6) # silence is given up after 5 s
            assert [vm["uuid"] for vm in cluster.fleet()["vms"]] == [qemu.uuid]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    log = cluster.log("h1")
    for name in ("silent: no greeting", "half: no greeting", "garbage: "):
        assert name in log, log


def test_a_migration_is_observed_at_both_ends(cluster):
    with Qemu(cluster, "h1", 1) as source:
        wait_for(cluster, is_predicted(source.uuid))
        port = free_port()
        with Qemu(cluster, "h2", 1, "-incoming", f"tcp:127.0.0.1:{port}"):
            time.sleep(1.5) # h2's agent finds it
            began_s = time.monotonic()
            source.ask(("migrate-set-parameters", {"max-bandwidth": 10**7}),
                       ("migrate", {"uri": f"tcp:127.0.0.1:{port}"}))
            # For a moment it may be on neither host: gone from one, not yet told of by the other.
            fleet = wait_for(cluster, lambda f: (vm_of(f, source.uuid) or {}).get("host") == "h2"
                             and any(o.get("downtime_ms") is not None for o in f.get("observations", [])))
            took_ms = (time.monotonic() - began_s) * 1e3
    seen = [o for o in fleet["observations"] if o["vm"] == source.uuid]
    assert len(seen) == 1, seen
    assert (seen[0]["from"], seen[0]["to"]) == ("h1", "h2")
    assert seen[0]["succeeded"] is True
    assert 0 < seen[0]["migration_ms"] <= took_ms + 50
    assert 0 <= seen[0]["downtime_ms"] <= seen[0]["migration_ms"]
    assert seen[0]["bytes"] > 100_000


def test_a_migration_that_is_cancelled_leaves_it_running(cluster):
    with Qemu(cluster, "h1", 1) as source:
        wait_for(cluster, is_predicted(source.uuid))
        for _ in range(5):
            port = free_port()
            with Qemu(cluster, "h2", 1, "-incoming", f"tcp:127.0.0.1:{port}") as target:
                target.ask(("query-status", {})) # it listens by then
                source.ask(("migrate-set-parameters", {"max-bandwidth": 10**5}),
                           ("migrate", {"uri": f"tcp:127.0.0.1:{port}"}))
                wait_for(cluster, lambda f: (vm_of(f, source.uuid) or {}).get("state") == "migrating")
                source.ask(("migrate_cancel", {}))
                wait_for(cluster, lambda f: vm_of(f, source.uuid)["state"] == "running", within_s=5)
    assert "a migration failed" in cluster.log("h1")


def run_misconfigured(tmp_path, **settings):
    keys = {"host": "h1", "planner": "tcp://127.0.0.1:1", "planner_public_key_file": tmp_path / "h1.pub",
            "secret_key_file": tmp_path / "h1.key", "source": "qemu", "state_dir": tmp_path / "state", **settings}
    if not (tmp_path / "h1.key").exists():
        subprocess.run([BIN / "decamp", "keys", "new", "h1", "--dir", tmp_path, "-q"], check=True)
    path = tmp_path / "agent.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in keys.items()), encoding="utf-8")
    return subprocess.run([BIN / "decamp-agent", "--config", path], capture_output=True, text=True, timeout=20,
                          check=False)


def test_what_is_wrong_with_the_configuration_is_said(tmp_path):
    result = run_misconfigured(tmp_path)
    assert result.returncode == 1
    assert 'qemu_sockets: expected a folder, as source is "qemu"' in result.stderr
    result = run_misconfigured(tmp_path, qemu_sockets="/nowhere/at/all")
    assert result.returncode == 1
    assert "qemu_sockets: /nowhere/at/all" in result.stderr
    result = run_misconfigured(tmp_path, qemu_sockets=tmp_path, qemu_dirty_mode="guessing")
    assert result.returncode == 1
    assert "agent.yaml:8" in result.stderr and "qemu_dirty_mode" in result.stderr
