"""decamp apply by QMP, with real QEMU processes (their firmware is all that runs)."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import goals
from test_cli import BIN, decamp, validate

QEMU = shutil.which("qemu-system-x86_64")
pytestmark = pytest.mark.skipif(QEMU is None, reason="qemu-system-x86_64 is not installed")
MEMORY_KIB = 65544 # see the QEMU lab: no multiple of 256 KiB
BYTES_PER_S = 4_000_000
SLOWLY_BYTES_PER_S = 100_000 # firmware leaves some 600 kB to send


@pytest.fixture
def folder():
    """One with a short name: a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="qmp") as path:
        yield pathlib.Path(path)


class Qemus:
    """Hosts are folders, guests QEMUs in them. Use as a context manager: none outlives it."""

    def __init__(self, directory, n_vms, n_hosts=3, bytes_per_s=BYTES_PER_S):
        self.dir = directory / "run"
        self.hosts = [f"h{i + 1}" for i in range(n_hosts)]
        self.document = goals.fleet(n_hosts, [
            goals.vm(i, "h1", memory_bytes=MEMORY_KIB * 1024, policy={"name": "qemu"},
                     profile={"kind": "rate", "pages_per_s": 10, "working_set_pages": 100}) for i in range(n_vms)])
        for link in self.document["links"]:
            link["capacity_bytes_per_s"] = bytes_per_s
        self.document["taken_unix_ms"] = int(time.time() * 1000)
        for host in self.hosts:
            (self.dir / host).mkdir(parents=True)
        self.fleet = directory / "fleet.json"
        self.fleet.write_text(json.dumps(self.document), encoding="utf-8")
        self.plan_path = directory / "plan.json"
        self.settings = directory / "qmp.yaml"
        self.settings.write_text(f"socket: \"{self.dir}/{{host}}/{{uuid}}.qmp\"\n"
                                 f"prepare: \"{self.dir}/prepare {{to}} {{uuid}}\"\n", encoding="utf-8")
        script = self.dir / "prepare"
        script.write_text(f"#!/bin/sh\n[ ! -e {self.dir}/$1/lost ] || {{ echo $1 is lost >&2; exit 1; }}\n"
                          f"{' '.join(self.command('$1', '$2'))} -incoming defer -daemonize && echo 127.0.0.1\n",
                          encoding="utf-8")
        script.chmod(0o755)
        self.arguments = [BIN / "decamp", "apply", self.plan_path, "--driver", "qmp", "--drivers", self.settings,
                          "--state", directory / "state", "--fleet", self.fleet]

    def command(self, host, uuid):
        place = f"{self.dir}/{host}/{uuid}"
        return [QEMU, "-M", "pc", "-accel", "tcg", "-m", f"{MEMORY_KIB}K", "-nodefaults", "-no-user-config", "-display",
                "none", "-uuid", uuid, "-pidfile", f"{place}.pid", "-qmp", f"unix:{place}.qmp,server=on,wait=off"]

    def __enter__(self):
        for vm in self.document["vms"]:
            subprocess.run([*self.command("h1", vm["uuid"]), "-daemonize"], check=True, timeout=30)
        return self

    def __exit__(self, *unused):
        for path in self.dir.glob("*/*.pid"):
            self.kill(path)

    @staticmethod
    def kill(path):
        try:
            os.kill(int(path.read_text(encoding="utf-8")), signal.SIGKILL)
        except (OSError, ValueError):
            pass # it has ended by itself

    def status(self, host, uuid):
        """What QEMU says of its guest; None where there is no QEMU of it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            try:
                connection.connect(str(self.dir / host / f"{uuid}.qmp"))
            except OSError:
                return None
            lines = connection.makefile("rw")
            lines.readline()
            for command in ("qmp_capabilities", "query-status"):
                lines.write(json.dumps({"execute": command}) + "\n")
                lines.flush()
                answer = {}
                while "return" not in answer:
                    answer = json.loads(lines.readline())
            return answer["return"]["status"]

    def places(self, but=None):
        """{uuid: {host: status}}; a host whose QEMUs do not answer is not asked."""
        return {vm["uuid"]: {host: self.status(host, vm["uuid"]) for host in self.hosts
                             if host != but and self.status(host, vm["uuid"]) is not None}
                for vm in self.document["vms"]}

    def assert_each_runs_once(self, allowed):
        for uuid, places in self.places().items():
            assert list(places.values()) == ["running"] and set(places) <= set(allowed), (uuid, places)

    def plan(self, *arguments):
        result = decamp("evacuate", "h1", *arguments, "--fleet", self.fleet, "-o", "json", "--out", self.plan_path)
        assert result.returncode == 0, result.stderr
        return json.loads(self.plan_path.read_text(encoding="utf-8"))

    def apply(self, *more):
        return subprocess.run([*self.arguments, *more], capture_output=True, text=True, timeout=120, check=False)

    def start(self, *more):
        return subprocess.Popen([*self.arguments, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_guests_are_moved(folder):
    with Qemus(folder, n_vms=3) as qemus:
        plan = qemus.plan()
        result = qemus.apply("-o", "json")
        assert result.returncode == 0, result.stderr
        qemus.assert_each_runs_once({"h2", "h3"})
        steps = json.loads(result.stdout)["steps"]
        assert {(s["vm"], s["to"]) for s in steps} == {(s["vm"], s["to"]) for s in plan["steps"]}
        for step in steps:
            assert step["bytes"] > 100_000 and 0 < step["downtime_ms"] < 5000


def test_the_cap_holds(folder):
    with Qemus(folder, n_vms=1, bytes_per_s=SLOWLY_BYTES_PER_S) as qemus:
        qemus.plan()
        result = qemus.apply("-o", "json")
        assert result.returncode == 0, result.stderr
        step = json.loads(result.stdout)["steps"][0]
        assert step["bytes"] / (step["migration_ms"] / 1e3) < 1.2 * SLOWLY_BYTES_PER_S


def test_progress_is_told(folder):
    with Qemus(folder, n_vms=1, bytes_per_s=SLOWLY_BYTES_PER_S) as qemus:
        qemus.plan("--deadline", "2h")
        result = qemus.apply("-o", "jsonl", "-q")
        assert result.returncode == 0, result.stderr
        told = [event for event in map(json.loads, result.stdout.splitlines()) if event["event"] == "progress"]
        for event in told:
            validate(event, "apply-event")
        assert any(event.get("sent_bytes", 0) > 0 and event["eta_p95_ms"] > 0 for event in told), told
        assert all(0 < event["margin_p95_ms"] < 7200e3 for event in told), told


def test_killed_and_resumed(folder):
    for seed in range(3):
        directory = folder / str(seed)
        directory.mkdir()
        with Qemus(directory, n_vms=4) as qemus:
            qemus.plan()
            process = qemus.start()
            time.sleep(random.Random(seed).uniform(0.3, 2.5))
            process.kill()
            process.communicate()
            result = qemus.apply("--resume")
            assert result.returncode == 0, result.stderr
            qemus.assert_each_runs_once({"h2", "h3"})


def test_a_destination_that_takes_none(folder):
    with Qemus(folder, n_vms=3) as qemus:
        lost = qemus.plan()["steps"][0]["to"]
        (qemus.dir / lost / "lost").touch()
        result = qemus.apply("--retries", "0")
        assert result.returncode == 0, result.stderr
        assert f"{lost} is lost" in result.stderr and "planned anew" in result.stderr
        qemus.assert_each_runs_once({"h2", "h3"} - {lost})


def test_a_destination_that_dies_in_the_middle(folder):
    with Qemus(folder, n_vms=1, bytes_per_s=SLOWLY_BYTES_PER_S) as qemus:
        step = qemus.plan()["steps"][0]
        process = qemus.start()
        pid = pathlib.Path(qemus.dir / step["to"] / f"{step['vm']}.pid")
        while not pid.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.4)
        qemus.kill(pid)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        qemus.assert_each_runs_once({"h2", "h3"})


def test_a_destination_that_hangs_is_not_its_guests_fault(folder):
    with Qemus(folder, n_vms=1, bytes_per_s=SLOWLY_BYTES_PER_S) as qemus:
        step = qemus.plan()["steps"][0]
        process = qemus.start("--patience", "2s")
        pid = pathlib.Path(qemus.dir / step["to"] / f"{step['vm']}.pid")
        while not pid.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.4)
        os.kill(int(pid.read_text(encoding="utf-8")), signal.SIGSTOP)
        _, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
        assert "nothing was sent for 2.0 s" in errors and f"no more to {step['to']}" in errors, errors
        assert list(qemus.places(but=step["to"])[step["vm"]].values()) == ["running"]


def test_interrupted_twice(folder):
    with Qemus(folder, n_vms=2, bytes_per_s=SLOWLY_BYTES_PER_S) as qemus:
        qemus.plan()
        process = qemus.start()
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 3, errors
        qemus.assert_each_runs_once({"h1"})


def test_what_stands_in_the_way_is_said(folder):
    with Qemus(folder, n_vms=1) as qemus:
        plan = qemus.plan()
        vm = qemus.document["vms"][0]
        subprocess.run([*qemus.command(plan["steps"][0]["to"], vm["uuid"]), "-daemonize"], check=True, timeout=30)
        result = qemus.apply("--retries", "0", "--keep-plan", "--patience", "1s")
        assert result.returncode == 3
        assert "at its destination already" in result.stderr
        assert len(qemus.places()[vm["uuid"]]) == 2, "neither is touched"
