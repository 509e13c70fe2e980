"""decamp itself in the lab: one planner, and an agent with its QEMU source for each host."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
from cluster import BIN, Cluster

# From the command to the first page; from the last page until the guest runs; what sockets hold on their way.
OVERHEADS = {"overhead_pre": "400ms", "overhead_post": "30ms", "overhead_in_flight": "1MB"}
SAMPLING = {"sample_interval": "12s", "burst_duration": "4s", "sampling_budget_frac": 1}


class LabCluster(Cluster):
    """Use as a context manager, within Network and Hypervisors."""

    def __init__(self, directory, network, hypervisors, host_memory_bytes, overheads=None):
        super().__init__(directory, tuple(network.hosts))
        self.overheads = overheads or OVERHEADS
        self.network = network
        self.hypervisors = hypervisors
        self.host_memory_bytes = host_memory_bytes

    decamp_path = BIN / "decamp"

    def environment(self):
        return dict(os.environ, DECAMP_SOCKET=str(self.socket))

    def driver_settings(self):
        """A file with the settings of apply's driver."""
        path = self.directory / "qmp.yaml"
        run = self.hypervisors.run
        path.write_text(f"socket: \"{run}/{{host}}/driver/{{uuid}}\"\nprepare: \"{run}/prepare {{to}} {{uuid}}\"\n",
                        encoding="utf-8")
        return path

    def _topology(self):
        hosts = [{"name": host, "state": "on", "cpus": 64, "memory_bytes": self.host_memory_bytes,
                  "reserved_memory_bytes": 0} for host in self.hosts]
        links = [{"name": f"{host}-nic", "between": [host, "bridge"], "goodput_frac": 1,
                  "capacity_bytes_per_s": self.network.goodput_bytes_per_s(host)} for host in self.hosts]
        return {"format": "decamp/fleet", "format_version": "1.0", "taken_unix_ms": 0, "hosts": hosts,
                "vms": [], "switches": [{"name": "bridge", "capacity_bytes_per_s": None}], "links": links}

    def _write_configs(self):
        self.topology_file = self.directory / "topology.json"
        self.topology_file.write_text(json.dumps(self._topology()), encoding="utf-8")
        self._write("planner", listen=f"tcp://127.0.0.1:{self.port}", secret_key_file=self.directory / "planner.key",
                    allow_list_file=self.directory / "allowed", topology_file=self.topology_file,
                    api_socket=self.socket, store_path=self.store)
        for host in self.hosts:
            (self.directory / host).mkdir(exist_ok=True)
            self._write(host, host=host, planner=f"tcp://127.0.0.1:{self.port}",
                        planner_public_key_file=self.directory / "planner.pub",
                        secret_key_file=self.directory / f"{host}.key", source="qemu",
                        qemu_sockets=self.hypervisors.run / host / "agent", state_dir=self.directory / host,
                        host_memory=f"{self.host_memory_bytes}B", host_reserved_memory="0B", **self.overheads, **SAMPLING)
