"""A small real cluster on loopback: one decamp-planner and replay agents.

Processes are started by this module and ended by it, by pid; ports are
ephemeral; every wait is bounded.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DECAMP_BIN_DIR", ROOT / "build" / "dev" / "bin"))
FLEET_FILE = ROOT / "examples" / "data" / "replay-fleet.json"
TOPOLOGY_FILE = ROOT / "examples" / "data" / "topology.json"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """Use as a context manager; `directory` keeps keys, configurations, logs and state."""

    def __init__(self, directory, hosts=("host1", "host2", "host3", "host4")):
        self.directory = pathlib.Path(directory)
        self.hosts = hosts
        self.port = free_port()
        self.processes = {}
        self.socket = self.directory / "planner.sock"
        self.store = self.directory / "planner.sqlite"

    def __enter__(self):
        self._make_keys()
        self._write_configs()
        self.start("planner")
        for host in self.hosts:
            self.start(host)
        return self

    def __exit__(self, *unused):
        for name in list(self.processes):
            self.stop(name)

    def decamp(self, *arguments, timeout_s=60, check=True):
        """Runs the command line against this cluster's planner."""
        environment = dict(os.environ, DECAMP_SOCKET=str(self.socket))
        result = subprocess.run([BIN / "decamp", *map(str, arguments)], capture_output=True, text=True,
                                timeout=timeout_s, env=environment, check=False)
        if check:
            assert result.returncode == 0, f"decamp {arguments}: exit {result.returncode}: {result.stderr}"
        return result

    def fleet(self):
        """The planner's snapshot, or None where it does not answer."""
        result = self.decamp("snapshot", check=False)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def start(self, name):
        program = "decamp-planner" if name == "planner" else "decamp-agent"
        with open(self.directory / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [BIN / program, "--config", self.directory / f"{name}.yaml"], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL)

    def stop(self, name):
        """An orderly end; its exit code must be 0."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{name} did not end within 20 s of SIGTERM") from None
        assert code == 0, f"{name} ended with {code}: {self.log(name)[-2000:]}"

    def kill(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def log(self, name):
        return (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def wait_full(self, n_vms, timeout_s, since_unix_ms=0):
        """Seconds until all hosts are fresh and n_vms VMs predicted, heard of after `since_unix_ms`."""
        began = time.monotonic()
        state = "no answer"
        while time.monotonic() - began < timeout_s:
            fleet = self.fleet()
            if fleet is not None:
                fresh = [h for h in fleet["hosts"]
                         if h.get("freshness") == "fresh" and h.get("seen_unix_ms", 0) > since_unix_ms]
                predicted = [v for v in fleet["vms"] if v.get("prediction", {}).get("grid")]
                state = f"{len(fresh)} fresh hosts, {len(predicted)} predicted VMs"
                if len(fresh) == len(self.hosts) and len(predicted) == n_vms:
                    return time.monotonic() - began
            time.sleep(0.1)
        logs = "\n".join(f"--- {n}\n{self.log(n)[-1500:]}" for n in ("planner", *self.hosts))
        raise AssertionError(f"not full after {timeout_s} s: {state}\n{logs}")

    def _make_keys(self):
        for name in ("planner", *self.hosts):
            self.decamp("keys", "new", name, "--dir", self.directory)
        for host in self.hosts:
            self.decamp("keys", "allow", self.directory / "allowed", host, self.directory / f"{host}.pub")

    def _write_configs(self):
        self._write("planner", listen=f"tcp://127.0.0.1:{self.port}", secret_key_file=self.directory / "planner.key",
                    allow_list_file=self.directory / "allowed", topology_file=TOPOLOGY_FILE, api_socket=self.socket,
                    store_path=self.store)
        for host in self.hosts:
            (self.directory / host).mkdir()
            self._write(host, host=host, planner=f"tcp://127.0.0.1:{self.port}",
                        planner_public_key_file=self.directory / "planner.pub",
                        secret_key_file=self.directory / f"{host}.key", source="replay", replay_file=FLEET_FILE,
                        replay_speed=300, state_dir=self.directory / host)

    def _write(self, name, **settings):
        text = "".join(f"{key}: {value}\n" for key, value in settings.items())
        (self.directory / f"{name}.yaml").write_text(text, encoding="utf-8")
