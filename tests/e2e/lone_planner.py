"""One decamp-planner on loopback, with keys made here and its API asked by
plain http.client over the Unix socket.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import http.client
import json
import signal
import socket
import subprocess
import time

import zmq

import cluster
from peer_agent import PeerAgent, prediction, vm


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout_s=30):
        super().__init__("localhost", timeout=timeout_s)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class LonePlanner:
    def __init__(self, directory, hosts=("h1", "h2", "h3"), **settings):
        self.directory = directory
        self.endpoint = f"tcp://127.0.0.1:{cluster.free_port()}"
        self.socket = directory / "api.sock"
        self.store = directory / "planner.sqlite"
        self.log = directory / "planner.log"
        self.config = directory / "planner.yaml"
        self.allowed = directory / "allowed"
        self.process = None
        self.planner_key, secret = zmq.curve_keypair()
        self._write_private("planner.key", secret.decode() + "\n")
        self.keys = {host: zmq.curve_keypair() for host in hosts}
        self.write_allowed(self.keys)
        settings = {"listen": self.endpoint, "secret_key_file": directory / "planner.key",
                    "allow_list_file": self.allowed, "api_socket": self.socket, "store_path": self.store, **settings}
        self.config.write_text("".join(f"{k}: {v}\n" for k, v in settings.items()), encoding="utf-8")
        self.context = zmq.Context()
        self.agents = []

    def _write_private(self, name, text):
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    def write_allowed(self, keys):
        text = "# host key\n" + "".join(f"{host} {pair[0].decode()}\n" for host, pair in keys.items())
        self.allowed.write_text(text, encoding="utf-8")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        for agent in self.agents:
            agent.close()
        if self.process is not None:
            self.stop()
        self.context.term()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([cluster.BIN / "decamp-planner", "--config", self.config], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        self.wait(lambda: self.get("/v1/status")[0] == 200, "the API does not answer")

    def stop(self):
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("the planner did not end within 10 s of SIGTERM") from None
        assert code == 0, self.log.read_text(encoding="utf-8")[-3000:]
        assert not self.socket.exists()

    def kill(self):
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def agent(self, host, keys=None):
        agent = PeerAgent(self.context, self.endpoint, host, keys or self.keys[host], self.planner_key)
        self.agents.append(agent)
        return agent

    def full_agent(self, host, names, **vm_settings):
        """An agent that has greeted, described its host and predicted all VMs."""
        agent = self.agent(host)
        agent.greet()
        agent.snapshot([vm(name, **vm_settings) for name in names])
        agent.predict(*[prediction(name) for name in names])
        return agent

    def request(self, method, path, body=None, timeout_s=30):
        with contextlib.closing(UnixConnection(self.socket, timeout_s)) as connection:
            connection.request(method, path, body if body is None or isinstance(body, bytes) else json.dumps(body))
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None

    def get(self, path):
        try:
            return self.request("GET", path)
        except (OSError, http.client.HTTPException):
            return None, None

    def fleet(self):
        status, fleet = self.request("GET", "/v1/fleet")
        assert status == 200, fleet
        return fleet

    def hosts(self):
        return {host["name"]: host for host in self.fleet()["hosts"]}

    def vms(self):
        return {one["name"]: one for one in self.fleet()["vms"]}

    def counters(self):
        return self.request("GET", "/v1/status")[1]["counters"]

    def wait(self, condition, what, timeout_s=10):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.process.poll() is None, f"the planner died: {self.log.read_text(encoding='utf-8')[-3000:]}"
            assert time.monotonic() < deadline, f"{what}: {self.log.read_text(encoding='utf-8')[-3000:]}"
            time.sleep(0.02)

    def wait_predicted(self, n_vms, timeout_s=10):
        self.wait(lambda: sum("prediction" in one for one in self.fleet()["vms"]) == n_vms,
                  f"not {n_vms} VMs predicted", timeout_s)
