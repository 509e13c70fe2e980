"""An independent speaker of the protocol of proto/GRAMMAR.md: pyzmq and msgpack, none of decamp's code.

PeerPlanner is a ROUTER with CURVE and a ZAP allow-list; PeerAgent a DEALER.
Both are driven by the test, step by step; every wait is bounded.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import collections
import os
import re
import threading
import time

import msgpack
import zmq
import zmq.utils.z85

KINDS = {"HELLO": 1, "SNAPSHOT": 2, "PRED": 3, "EVENT": 4, "STATUS": 5, "BYE": 6,
         "WELCOME": 65, "REJECT": 66, "CREDIT": 67, "RESYNC": 68, "HOLD": 69, "RELEASE": 70}
NAMES = {number: name for name, number in KINDS.items()}
FREE_OF_CREDIT = {"HELLO", "STATUS", "BYE"}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")

Message = collections.namedtuple("Message", "identity user kind map at")


def new_keys():
    """(public, secret), 40 characters of Z85 each."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def write_key(path, key, secret):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key + "\n")


def pack(kind, fields):
    return [bytes([KINDS[kind]]), msgpack.packb(fields, use_bin_type=True)]


def unpack(payload):
    value = msgpack.unpackb(payload, raw=False, strict_map_key=True)
    assert isinstance(value, dict), "a message is a map"
    return value


class _Zap(threading.Thread):
    """Answers ZAP requests (RFC 27) on the context: known keys get their host as User-Id."""

    def __init__(self, context, allowed):
        super().__init__(daemon=True)
        self.allowed = allowed
        self.n_refused = 0
        self.ending = threading.Event()
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")
        self.start()

    def run(self):
        while not self.ending.is_set():
            if not self.socket.poll(50):
                continue
            frames = self.socket.recv_multipart()
            key = zmq.utils.z85.encode(frames[6]).decode() if len(frames) > 6 else ""
            host = self.allowed.get(key)
            self.n_refused += host is None
            answer = [b"200", b"OK", host.encode()] if host is not None else [b"400", b"unknown key", b""]
            self.socket.send_multipart([b"1.0", frames[1], *answer, b""])
        self.socket.close()

    def end(self):
        self.ending.set()
        self.join(5)


class PeerPlanner:
    """Listens on `port` (0: any) with `keys`; `allowed` maps an agent's public key to its host."""

    def __init__(self, keys, allowed, port=0, credit=1000, status_interval_ms=200):
        self.keys, self.allowed, self.port = keys, allowed, port
        self.credit, self.status_interval_ms = credit, status_interval_ms
        self.context = self.socket = self.zap = None
        self.seen = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.stop()

    @property
    def endpoint(self):
        return f"tcp://127.0.0.1:{self.port}"

    def start(self):
        self.context = zmq.Context()
        self.zap = _Zap(self.context, self.allowed)  # before anyone can connect
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.curve_server = True
        self.socket.curve_publickey, self.socket.curve_secretkey = (k.encode() for k in self.keys)
        self.socket.linger = 0
        self.socket.router_mandatory = True
        if self.port:
            self.socket.bind(self.endpoint)
        else:
            self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")

    def stop(self):
        if self.context is None:
            return
        self.socket.close()
        self.zap.end()
        self.context.destroy(linger=0)
        self.context = None

    def receive(self, timeout_s):
        """The next message, as it is; None when none came."""
        if not self.socket.poll(int(timeout_s * 1000)):
            return None
        frames = self.socket.recv_multipart(copy=False)
        assert len(frames) == 3 and len(frames[1]) == 1, f"{len(frames)} frames: expected identity, kind, map"
        kind = NAMES[frames[1].bytes[0]]
        assert KINDS[kind] < 64, f"{kind} is not for planners"
        message = Message(frames[0].bytes, frames[2].get("User-Id"), kind, unpack(frames[2].bytes), time.monotonic())
        self.seen.append(message)
        return message

    def send(self, identity, kind, **fields):
        self.socket.send_multipart([identity, *pack(kind, fields)])

    def welcome(self, hello, credit=None):
        self.send(hello.identity, "WELCOME", protocol=1, version="peer", credit=credit or self.credit,
                  status_interval_ms=self.status_interval_ms)

    def wait_for(self, kind, timeout_s=10, matching=lambda message: True, greet=True):
        """The next message of `kind`; meanwhile every HELLO is welcomed (unless not `greet`)."""
        until = time.monotonic() + timeout_s
        while (left_s := until - time.monotonic()) > 0:
            message = self.receive(left_s)
            if message is None:
                break
            if message.kind == "HELLO" and greet:
                self.welcome(message)
            if message.kind == kind and matching(message):
                return message
        heard = collections.Counter(m.kind for m in self.seen)
        raise AssertionError(f"no such {kind} within {timeout_s} s; heard {dict(heard)}")

    def listen(self, for_s):
        """All that comes within `for_s`."""
        until = time.monotonic() + for_s
        messages = []
        while (left_s := until - time.monotonic()) > 0:
            message = self.receive(left_s)
            if message is not None:
                messages.append(message)
        return messages


class PeerAgent:
    """Connects to a planner; says only what the test has it say."""

    def __init__(self, endpoint, planner_public_key, keys):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.curve_serverkey = planner_public_key.encode()
        self.socket.curve_publickey, self.socket.curve_secretkey = (k.encode() for k in keys)
        self.socket.linger = 200
        self.socket.immediate = True
        self.socket.connect(endpoint)
        self.instance_id = os.urandom(16).hex()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()
        self.context.term()

    def send(self, kind, **fields):
        self.send_raw(pack(kind, fields))

    def send_raw(self, frames):
        assert self.socket.poll(5000, zmq.POLLOUT), "no connection within 5 s"
        self.socket.send_multipart(frames)

    def hello(self, host, boot_id="peer-boot", **more):
        self.send("HELLO", **{"protocol_min": 1, "protocol_max": 1, "version": "peer", "host": host,
                              "boot_id": boot_id, "instance_id": self.instance_id,
                              "capabilities": ["sample", "hold"], **more})

    def receive(self, timeout_s=5):
        """(kind, map), or None when nothing came."""
        if not self.socket.poll(int(timeout_s * 1000)):
            return None
        frames = self.socket.recv_multipart()
        assert len(frames) == 2 and len(frames[0]) == 1, f"{len(frames)} frames: expected kind, map"
        return NAMES[frames[0][0]], unpack(frames[1])

    def wait_for(self, kind, timeout_s=5):
        until = time.monotonic() + timeout_s
        while (left_s := until - time.monotonic()) > 0:
            message = self.receive(left_s)
            if message is not None and message[0] == kind:
                return message[1]
        raise AssertionError(f"no {kind} within {timeout_s} s")


def check_hello(message, host):
    fields = message.map
    assert fields["protocol_min"] <= 1 <= fields["protocol_max"]
    assert fields["host"] == host and fields["version"]
    assert fields["boot_id"] and fields["instance_id"]
    assert {"sample", "hold"} <= set(fields["capabilities"])


def check_curve(curve):
    windows, pages = curve["window_s"], curve["pages"]
    assert 1 <= len(windows) == len(pages) <= 64
    assert all(a < b for a, b in zip(windows, windows[1:])) and windows[0] > 0
    assert all(a <= b for a, b in zip(pages, pages[1:])) and pages[0] >= 0


def check_prediction(prediction):
    """One prediction of a PRED: a sane grid, along which nothing grows with the bandwidth."""
    assert UUID.match(prediction["vm"])
    assert prediction["sample_number"] >= 1 and prediction["n_bursts"] >= 1
    grid = prediction["grid"]
    bandwidths = grid["bandwidth_bytes_per_s"]
    assert 2 <= len(bandwidths) <= 64 and all(a < b for a, b in zip(bandwidths, bandwidths[1:]))
    assert all(len(column) == len(bandwidths) for column in grid.values())
    for what in ("migration", "downtime"):
        p50, p95 = grid[f"{what}_p50_ms"], grid[f"{what}_p95_ms"]
        assert all(0 < a <= b for a, b in zip(p50, p95))
        for column in (p50, p95):
            assert all(a >= b for a, b in zip(column, column[1:])), f"{what} grows with bandwidth"
    assert all(d <= m for d, m in zip(grid["downtime_p50_ms"], grid["migration_p50_ms"]))
    assert all(b > 0 for b in grid["bytes"]) and all(r >= 1 for r in grid["n_rounds"])
    assert grid["converges"] == sorted(grid["converges"]), "converges at a bandwidth, not at a higher one"
    check_curve(prediction["p50"])
    check_curve(prediction["p95"])
