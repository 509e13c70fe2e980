"""An agent written from proto/GRAMMAR.md alone, in pyzmq and msgpack: it shares
no code with decamp, so what the two understand of each other is the grammar.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import time
import uuid

import msgpack
import zmq

HELLO, SNAPSHOT, PRED, EVENT, STATUS, BYE = range(1, 7)
WELCOME, REJECT, CREDIT, RESYNC, HOLD, RELEASE = range(65, 71)
GIB = 1 << 30


def now_unix_ms():
    return int(time.time() * 1000)


def vm_uuid(name):
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def vm(name, gib=4, **more):
    return {"uuid": vm_uuid(name), "name": name, "state": "running", "memory_bytes": gib * GIB, "vcpus": 2,
            "cpu_cores_used": 0.5, "policy": {"name": "xen-v2"}, "downtime_budget_ms": 5000, **more}


def prediction(name, sample_number=1, gib=4, rate_pages_per_s=1000):
    """What a VM of a modest dirty rate costs on three bandwidths."""
    size = gib * GIB
    bandwidths = [62_500_000, 125_000_000, 1_250_000_000]
    migration = [size / b * 1000 + 300 for b in bandwidths]
    return {"vm": vm_uuid(name), "sample_number": sample_number, "made_unix_ms": now_unix_ms(), "zero_pages": 0,
            "n_bursts": 3,
            "grid": {"bandwidth_bytes_per_s": bandwidths, "migration_p50_ms": migration,
                     "migration_p95_ms": [m * 1.2 for m in migration], "downtime_p50_ms": [300, 200, 100],
                     "downtime_p95_ms": [400, 250, 120], "bytes": [size * 1.1] * 3, "n_rounds": [5, 5, 5],
                     "converges": [True, True, True]},
            "p50": {"window_s": [0.25, 1, 4], "pages": [rate_pages_per_s / 4, rate_pages_per_s, rate_pages_per_s * 3]},
            "p95": {"window_s": [0.25, 1, 4], "pages": [rate_pages_per_s / 2, rate_pages_per_s * 2,
                                                        rate_pages_per_s * 5]}}


class PeerAgent:
    """One connection to a planner. `keys` and `planner_key` as zmq.curve_keypair() makes them."""

    def __init__(self, context, endpoint, host, keys, planner_key):
        self.host = host
        self.boot_id = f"boot-of-{host}"
        self.instance_id = str(uuid.uuid4())
        self.event_number = 0
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.immediate = 1
        self.socket.curve_publickey, self.socket.curve_secretkey = keys
        self.socket.curve_serverkey = planner_key
        self.socket.connect(endpoint)

    def close(self):
        self.socket.close()

    def send_raw(self, *frames, timeout_ms=5000):
        if not self.socket.poll(timeout_ms, zmq.POLLOUT):
            raise AssertionError(f"{self.host}: the planner takes no message")
        self.socket.send_multipart(frames)

    def send(self, kind, message):
        self.send_raw(bytes([kind]), msgpack.packb(message))

    def receive(self, timeout_ms=5000):
        """(kind, message) or None."""
        if not self.socket.poll(timeout_ms):
            return None
        kind, body = self.socket.recv_multipart()
        return kind[0], msgpack.unpackb(body)

    def expect(self, wanted, timeout_ms=5000):
        """The next message of this kind; credit and others before it are passed over."""
        deadline = time.monotonic() + timeout_ms / 1000
        seen = []
        while (left := deadline - time.monotonic()) > 0:
            received = self.receive(left * 1000)
            if received is not None and received[0] == wanted:
                return received[1]
            seen.append(received)
        raise AssertionError(f"{self.host}: kind {wanted} did not come, but {seen}")

    def hello(self, **changes):
        self.send(HELLO, {"protocol_min": 1, "protocol_max": 1, "version": "peer", "host": self.host,
                          "boot_id": self.boot_id, "instance_id": self.instance_id,
                          "capabilities": ["sample", "hold"], **changes})

    def greet(self):
        self.hello()
        return self.expect(WELCOME)

    def snapshot(self, vms, gib=64, host=None):
        self.send(SNAPSHOT, {"taken_unix_ms": now_unix_ms(),
                             "host": {"name": host or self.host, "state": "on", "cpus": 16, "memory_bytes": gib * GIB,
                                      "reserved_memory_bytes": 2 * GIB, "cpu_features": ["avx2"],
                                      "labels": {"rack": "r1"}},
                             "vms": vms})

    def predict(self, *predictions):
        self.send(PRED, {"boot_id": self.boot_id, "predictions": list(predictions)})

    def event(self, kind, name, **more):
        self.event_number += 1
        self.send(EVENT, {"type": kind, "at_unix_ms": now_unix_ms(), "instance_id": self.instance_id,
                          "event_number": self.event_number, "vm": vm_uuid(name), **more})

    def migrate(self, name, to, began_unix_ms=None, **observed):
        """Both ends of one migration, as the source's agent tells of them. No time passes in between."""
        began_unix_ms = began_unix_ms or now_unix_ms()
        self.event("migration-began", name, peer_host=to, at_unix_ms=began_unix_ms)
        self.event("migration-ended", name, peer_host=to, at_unix_ms=round(began_unix_ms + observed.get("migration_ms", 0)),
                   **{"succeeded": True, **observed})

    def status(self, n_vms=0):
        self.send(STATUS, {"at_unix_ms": now_unix_ms(), "n_vms": n_vms, "n_bursts": 3, "n_conflated": 0, "n_held": 0,
                           "sampling_frac": 0.01})

    def bye(self):
        self.send(BYE, {"reason": "test"})
