"""Hosts as network namespaces on one bridge, each behind a shaped link."""
# SPDX-License-Identifier: GPL-3.0-or-later
import subprocess

SUBNET = "10.77.0"
TCP_SHARE = 1448 / 1514  # of a full Ethernet frame is payload


class NetworkError(Exception):
    """The network cannot be made here."""


def _run(*arguments, check=True):
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
    if check and result.returncode != 0:
        raise NetworkError(f"{' '.join(arguments)}: {result.stderr.strip()}")
    return result


class Network:
    """Use as a context manager. `rates_mbit`: {host: of its link, each way}."""

    def __init__(self, rates_mbit, prefix="decamp-"):
        self.rates_mbit = rates_mbit
        self.prefix = prefix
        self.bridge = prefix + "fabric"
        self.hosts = list(rates_mbit)

    def namespace(self, host):
        return self.prefix + host

    def address(self, host):
        return f"{SUBNET}.{self.hosts.index(host) + 1}"

    def goodput_bytes_per_s(self, host):
        return self.rates_mbit[host] * 1e6 / 8 * TCP_SHARE

    def __enter__(self):
        self._remove()
        try:
            self._make()
        except NetworkError:
            self._remove()
            raise
        return self

    def __exit__(self, *unused):
        self._remove()

    def cut(self, host):
        _run("ip", "-n", self.bridge, "link", "set", f"port-{host}", "down")

    def mend(self, host):
        _run("ip", "-n", self.bridge, "link", "set", f"port-{host}", "up")

    def _make(self):
        _run("ip", "netns", "add", self.bridge)
        _run("ip", "-n", self.bridge, "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", self.bridge, "link", "set", "bridge", "up")
        for host, mbit in self.rates_mbit.items():
            space = self.namespace(host)
            _run("ip", "netns", "add", space)
            _run("ip", "-n", space, "link", "set", "lo", "up")
            _run("ip", "link", "add", "uplink", "netns", space, "type", "veth", "peer", "name", f"port-{host}", "netns",
                 self.bridge)
            _run("ip", "-n", space, "addr", "add", f"{self.address(host)}/24", "dev", "uplink")
            _run("ip", "-n", space, "link", "set", "uplink", "up")
            _run("ip", "-n", self.bridge, "link", "set", f"port-{host}", "master", "bridge", "up")
            _run("ip", "netns", "exec", space, "sh", "-c", "echo reno > /proc/sys/net/ipv4/tcp_congestion_control")
            for namespace, device in ((space, "uplink"), (self.bridge, f"port-{host}")):
                self._shape(namespace, device, mbit)

    @staticmethod
    def _shape(namespace, device, mbit):
        """A token bucket; the burst is what the link carries in one tick of a 250 Hz clock."""
        burst_kb = max(16, int(mbit * 1e6 / 8 / 250 / 1000) + 2)
        _run("tc", "-n", namespace, "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{mbit}mbit", "burst",
             f"{burst_kb}kb", "latency", "50ms")

    def _remove(self):
        for line in _run("ip", "netns", "list", check=False).stdout.splitlines():
            name = line.split(" ")[0]
            if name.startswith(self.prefix):
                _run("ip", "netns", "del", name, check=False)
