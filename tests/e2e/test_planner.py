"""decamp-planner against an agent that shares no code with it (peer_agent.py)."""
# SPDX-License-Identifier: GPL-3.0-or-later
import collections
import concurrent.futures
import contextlib
import json
import pathlib
import random
import signal
import sqlite3
import subprocess
import threading
import time

import jsonschema
import msgpack
import pytest
import zmq

import cluster
import peer_agent
from lone_planner import LonePlanner, UnixConnection
from peer_agent import CREDIT, HELLO, HOLD, PRED, REJECT, RELEASE, RESYNC, SNAPSHOT, prediction, vm, vm_uuid

FLEET_SCHEMA = cluster.ROOT / "proto" / "schema" / "fleet.schema.json"
SEED = 20261122


@pytest.fixture(name="planner")
def lone_planner(tmp_path):
    with LonePlanner(tmp_path) as planner:
        yield planner


def run(*arguments):
    return subprocess.run([cluster.BIN / "decamp-planner", *map(str, arguments)], capture_output=True, text=True,
                          timeout=20, check=False)


# --- agents -----------------------------------------------------------------

def test_agent_is_accepted_and_fleet_complete(planner):
    agent = planner.agent("h1")
    welcome = agent.greet()
    assert welcome["protocol"] == 1 and welcome["credit"] == 64 and welcome["status_interval_ms"] == 5000
    agent.snapshot([vm("web1"), vm("db1", gib=8)])
    agent.predict(prediction("web1"), prediction("db1", gib=8))
    planner.full_agent("h2", ["web2"])
    planner.wait_predicted(3)
    fleet = planner.fleet()
    jsonschema.validate(fleet, json.loads(FLEET_SCHEMA.read_text(encoding="utf-8")))
    assert {h["name"]: h["freshness"] for h in fleet["hosts"]} == {"h1": "fresh", "h2": "fresh"}
    assert {v["name"]: v["host"] for v in fleet["vms"]} == {"web1": "h1", "db1": "h1", "web2": "h2"}
    web1 = planner.vms()["web1"]
    assert web1["prediction"]["grid"][1]["bandwidth_bytes_per_s"] == 125_000_000
    assert web1["prediction"]["grid"][2]["downtime_ms"] == {"p50": 100, "p90": 120, "p95": 120}
    assert web1["downtime_budget_ms"] == 5000
    assert abs(planner.hosts()["h1"]["seen_unix_ms"] - time.time() * 1000) < 5000
    assert len(fleet["links"]) == 2


def test_latest_sample_wins_and_new_instance_starts_over(planner):
    agent = planner.full_agent("h1", ["web1"])
    agent.predict(prediction("web1", sample_number=7, gib=8))
    agent.predict(prediction("web1", sample_number=6, gib=2))
    agent.predict(prediction("other"))  # a VM that is not here
    planner.wait(lambda: planner.counters()["messages"] == 6, "messages did not come")

    def grid_bytes():
        return planner.vms()["web1"]["prediction"]["grid"][0]["bytes"]

    assert grid_bytes() == round(8 * peer_agent.GIB * 1.1)
    again = planner.agent("h1")
    again.greet()
    again.snapshot([vm("web1")])
    again.predict(prediction("web1", sample_number=1, gib=2))
    planner.wait(lambda: grid_bytes() == round(2 * peer_agent.GIB * 1.1), "the new instance is not believed")


def test_vm_that_moves_takes_its_prediction_along(planner):
    source = planner.full_agent("h1", ["web1", "db1"])
    target = planner.full_agent("h2", ["web2"])
    planner.wait_predicted(3)
    source.event("migration-began", "web1", peer_host="h2")
    planner.wait(lambda: planner.vms()["web1"]["state"] == "migrating", "not seen to migrate")
    target.snapshot([vm("web2"), vm("web1", state="paused")])  # on its way in: still the source's
    planner.wait(lambda: planner.counters()["messages"] == 8, "messages did not come")
    assert planner.vms()["web1"]["host"] == "h1"
    source.event("migration-ended", "web1", peer_host="h2", succeeded=True, migration_ms=5000, downtime_ms=200)
    source.snapshot([vm("db1")])
    target.snapshot([vm("web2"), vm("web1")])
    planner.wait(lambda: planner.vms().get("web1", {}).get("host") == "h2", "did not move")
    assert "prediction" in planner.vms()["web1"]
    target.snapshot([vm("web2")])
    planner.wait(lambda: "web1" not in planner.vms(), "a VM that is gone stays")
    target.snapshot([vm("web2"), vm("web1")])  # and is back
    planner.wait(lambda: "prediction" in planner.vms().get("web1", {}), "the prediction was forgotten")


def test_events_are_stored_once(planner):
    agent = planner.full_agent("h1", ["web1"])
    for _ in range(3):
        agent.event_number = 0
        agent.event("migration-ended", "web1", succeeded=True, migration_ms=5000, downtime_ms=200, bytes=1)
    agent.event("vm-removed", "web1")
    planner.wait(lambda: not planner.vms(), "the VM is not removed")
    with sqlite3.connect(f"file:{planner.store}?mode=ro", uri=True) as store:
        assert store.execute("SELECT count(*) FROM event").fetchone()[0] == 2


def test_credit_is_granted_before_it_runs_out(planner):
    agent = planner.full_agent("h1", ["web1"])
    credit, n_sent = 64 - 2, 0
    for number in range(2, 300):
        if credit == 0:
            credit += agent.expect(CREDIT)["credit"]
        agent.predict(prediction("web1", sample_number=number))
        credit, n_sent = credit - 1, n_sent + 1
        while (received := agent.receive(0)) is not None:
            assert received[0] == CREDIT
            credit += received[1]["credit"]
    planner.wait(lambda: planner.counters()["messages"] == 3 + n_sent, "messages did not come")
    assert planner.counters()["over_credit"] == 0


def test_unknown_key_is_refused(planner):
    stranger = planner.agent("h1", keys=zmq.curve_keypair())
    with pytest.raises(AssertionError, match="takes no message"):
        for _ in range(2):
            stranger.send_raw(bytes([HELLO]), b"\x80", timeout_ms=700)
    planner.wait(lambda: planner.counters()["refused"] >= 1, "not counted")
    assert planner.counters()["messages"] == 0
    assert "refused a connection from 127.0.0.1: unknown key" in planner.log.read_text(encoding="utf-8")
    planner.agent("h1").greet()


def test_without_encryption_nothing_comes_in(planner):
    with planner.context.socket(zmq.DEALER) as plain:
        plain.linger = 0
        plain.connect(planner.endpoint)
        plain.send_multipart([bytes([HELLO]), b"\x80"])
        assert not plain.poll(500)
    assert planner.counters()["messages"] == 0
    planner.agent("h1").greet()


def test_removed_key_is_unheard_after_reload(planner):
    agent = planner.full_agent("h1", ["web1"])
    planner.wait_predicted(1)
    planner.write_allowed({"h2": planner.keys["h2"]})
    planner.process.send_signal(signal.SIGHUP)
    planner.wait(lambda: "allow-list reloaded: 1 keys" in planner.log.read_text(encoding="utf-8"), "not reloaded")
    n_before = planner.counters()["messages"]
    agent.status()
    planner.wait(lambda: planner.counters()["unidentified"] == 1, "not counted")
    assert planner.counters()["messages"] == n_before
    planner.agent("h2").greet()


def test_host_is_the_keys_not_the_messages(planner):
    agent = planner.agent("h1")
    agent.hello(host="h2")
    assert agent.expect(REJECT)["code"] == "host"
    agent.greet()
    agent.snapshot([vm("web1")], host="h2")
    planner.wait(lambda: planner.counters()["malformed"] == 1, "not counted")
    assert planner.fleet()["hosts"] == []


def test_versions_without_overlap_are_rejected(planner):
    agent = planner.agent("h1")
    agent.hello(protocol_min=7, protocol_max=9)
    reject = agent.expect(REJECT)
    assert reject["code"] == "version" and reject["protocol_max"] == 1
    agent.hello(protocol_min=1, protocol_max=9)
    assert agent.expect(peer_agent.WELCOME)["protocol"] == 1


def test_newest_of_two_agents_wins(planner):
    first, second = planner.agent("h1"), planner.agent("h1")
    first.greet()
    second.greet()
    assert first.expect(REJECT)["code"] == "duplicate"
    first.hello()  # comes back: must not push the second out
    assert first.expect(REJECT)["code"] == "duplicate"
    second.snapshot([vm("web1")])
    planner.wait(lambda: "web1" in planner.vms(), "the second agent is not heard")


def test_message_before_hello_asks_for_one(planner):
    agent = planner.agent("h1")
    agent.snapshot([vm("web1")])
    agent.expect(RESYNC)
    assert planner.fleet()["vms"] == []
    assert planner.counters()["before_hello"] == 1
    agent.greet()


def test_ages(tmp_path):
    with LonePlanner(tmp_path, status_interval="200ms") as planner:
        agent = planner.full_agent("h1", ["web1"])
        other = planner.full_agent("h2", ["web2"])
        planner.wait_predicted(2)
        seen = set()
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline and "lost" not in seen:
            other.status()
            hosts = planner.hosts()
            assert hosts["h2"]["freshness"] == "fresh"
            seen.add(hosts["h1"]["freshness"])
            time.sleep(0.03)
        assert seen == {"fresh", "late", "stale", "lost"}
        status, answer = planner.request("POST", "/v1/plans", {"verb": "evacuate", "hosts": ["h1"]})
        assert status == 409 and answer["code"] == "stale" and "h1" in answer["error"]
        agent.status()
        planner.wait(lambda: planner.hosts()["h1"]["freshness"] == "fresh", "not fresh again")
        agent.bye()
        planner.wait(lambda: planner.hosts()["h1"]["freshness"] == "late", "BYE does not make it late")
        assert len(planner.fleet()["vms"]) == 2


# --- bad messages -----------------------------------------------------------

def nested(depth):
    return b"\x81\xa1a" * depth + b"\xc0"


BAD_MAPS = {
    "empty": b"",
    "truncated": msgpack.packb({"boot_id": "b", "predictions": [prediction("web1")]})[:-7],
    "no map": msgpack.packb([1, 2, 3]),
    "trailing bytes": msgpack.packb({"boot_id": "b"}) + b"\x00",
    "deep": nested(200),
    "very deep": nested(50_000),
    "lying array of 4 billion": b"\x82\xa7boot_id\xa1b\xabpredictions\xdd\xff\xff\xff\xff",
    "lying map of 4 billion": b"\xdf\xff\xff\xff\xff",
    "lying text of 4 GB": b"\x81\xa7boot_id\xdb\xff\xff\xff\xff" + b"a" * 10,
    "lying binary": b"\x81\xa7boot_id\xc6\xff\xff\xff\xff",
    "extension": b"\x81\xa7boot_id\xd4\x01\x00",
    "keys missing": msgpack.packb({}),
    "wrong types": msgpack.packb({"boot_id": 5, "predictions": "x"}),
    "NaN": msgpack.packb({"boot_id": "b", "predictions": [{**prediction("web1"), "zero_pages": float("nan")}]}),
    "negative": msgpack.packb({"boot_id": "b", "predictions": [{**prediction("web1"), "zero_pages": -1}]}),
    "over 1 MiB": msgpack.packb({"boot_id": "b", "x": b"\0" * (1 << 20)}),
}


@pytest.mark.parametrize("name", BAD_MAPS)
def test_bad_message_is_counted_and_harmless(planner, name):
    agent = planner.full_agent("h1", ["web1"])
    planner.wait_predicted(1)
    before = planner.fleet()["vms"]
    agent.send_raw(bytes([PRED]), BAD_MAPS[name])
    planner.wait(lambda: planner.counters()["malformed"] == 1, f"{name}: not counted")
    assert planner.fleet()["vms"] == before
    assert "malformed message from host h1 (127.0.0.1) dropped" in planner.log.read_text(encoding="utf-8")
    agent.predict(prediction("web1", sample_number=2))
    planner.wait(lambda: planner.counters()["messages"] == 5, "the connection is gone")


def test_bad_frames(planner):
    agent = planner.full_agent("h1", ["web1"])
    good = msgpack.packb({"boot_id": "b", "predictions": [prediction("web1")]})
    for frames in ([bytes([PRED])], [bytes([PRED]), good, good], [b"", good], [bytes([PRED, 0]), good], [b"\xff", good],
                   [bytes([65]), good], [b"", b"", b"", b"", b""]):
        agent.send_raw(*frames)
    planner.wait(lambda: planner.counters()["malformed"] == 7, "not counted")
    agent.status()
    planner.wait(lambda: planner.counters()["messages"] == 11, "the connection is gone")


def test_far_too_large_ends_the_connection_only(planner):
    agent = planner.full_agent("h1", ["web1"])
    other = planner.full_agent("h2", ["web2"])
    agent.send_raw(bytes([PRED]), b"\0" * (8 << 20))
    other.status()
    planner.wait(lambda: planner.counters()["messages"] == 7, "the other agent is not heard")
    assert len(planner.fleet()["vms"]) == 2
    planner.full_agent("h1", ["web1", "db1"])
    planner.wait_predicted(3)


def test_sixteen_bad_messages_mute_a_connection_until_hello(planner):
    agent = planner.full_agent("h1", ["web1"])
    for _ in range(20):
        agent.send_raw(bytes([PRED]), b"\xc1")
    assert agent.expect(REJECT)["code"] == "malformed"
    planner.wait(lambda: planner.counters()["muted"] == 4, "still heard")
    assert planner.counters()["malformed"] == 16
    agent.greet()
    agent.predict(prediction("web1", sample_number=2))
    planner.wait_predicted(1)


def test_random_bytes(planner):
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    agent = planner.full_agent("h1", ["web1"])
    good = msgpack.packb({"boot_id": "b", "predictions": [prediction("web1", sample_number=3)]})
    for _ in range(500):
        body = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        agent.send_raw(bytes([rng.choice([HELLO, SNAPSHOT, PRED, 4, 5, 6])]), bytes(body[:rng.randint(1, len(body))]))
    planner.agent("h2").greet()
    planner.wait(lambda: planner.counters()["messages"] == 504, "messages did not come")
    assert planner.counters()["malformed"] + planner.counters()["muted"] >= 400


def flood(agent, n_vms, stop):
    """Sends as fast as it can what costs the planner most, and bad messages in between."""
    vms = [{"uuid": vm_uuid(f"v{i}"), "name": f"v{i}", "state": "running", "memory_bytes": 1, "vcpus": 1}
           for i in range(n_vms)]
    host = {"name": agent.host, "state": "on", "cpus": 8, "memory_bytes": peer_agent.GIB}
    large = [bytes([SNAPSHOT]), msgpack.packb({"taken_unix_ms": 1, "host": host, "vms": vms})]
    messages = [large] * 6 + [[bytes([PRED]), b"\xc1"], [b"x"] * 9]
    while not stop.is_set():
        for frames in messages:
            with contextlib.suppress(zmq.Again):
                agent.socket.send_multipart(frames, zmq.DONTWAIT)
        while agent.socket.poll(1):  # answers would fill the socket; REJECT comes after 16 bad ones
            if agent.socket.recv_multipart()[0] == bytes([REJECT]):
                agent.hello()


def test_a_flooding_agent_does_not_keep_others_waiting(planner):
    loud, other = planner.agent("h1"), planner.full_agent("h2", ["web1"])
    loud.greet()
    stop = threading.Event()
    flooding = threading.Thread(target=flood, args=(loud, 4096, stop))
    flooding.start()
    waits_s = []
    try:
        for number in range(2, 22):
            other.predict(prediction("web1", sample_number=number))
            began = time.monotonic()
            assert planner.request("GET", "/v1/status")[0] == 200
            waits_s.append(time.monotonic() - began)
            time.sleep(0.05)
    finally:
        stop.set()
        flooding.join()
    print(f"answers after {sorted(waits_s)[len(waits_s) // 2]:.3f} s (median), {max(waits_s):.3f} s (worst)")
    assert sorted(waits_s)[len(waits_s) // 2] < 0.5  # 5 s and more where all that waits is taken at once
    assert planner.hosts()["h2"]["freshness"] == "fresh"


# --- killed -----------------------------------------------------------------

def test_killed_planner_is_back_with_all_it_knew(planner):
    agents = [planner.full_agent(host, [f"{host}-vm{i}" for i in range(8)]) for host in ("h1", "h2", "h3")]
    planner.wait_predicted(24)
    before = planner.fleet()
    planner.kill()
    began = time.monotonic()
    planner.start()
    fleet = planner.fleet()
    took_s = time.monotonic() - began
    print(f"known again after {took_s:.3f} s")
    assert fleet["vms"] == before["vms"]
    assert [h["seen_unix_ms"] for h in fleet["hosts"]] == [h["seen_unix_ms"] for h in before["hosts"]]
    assert {h["freshness"] for h in fleet["hosts"]} == {"late"}
    for agent in agents:  # what the grammar asks of an agent whose connection came back: HELLO, SNAPSHOT
        agent.status()
        agent.expect(RESYNC)
        agent.greet()
    planner.wait(lambda: {h["freshness"] for h in planner.fleet()["hosts"]} == {"fresh"}, "not fresh again")
    assert time.monotonic() - began < 10
    assert took_s < 3


def test_killed_in_a_storm_loses_nothing_it_has_shown(planner):
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    names = [f"vm{i}" for i in range(40)]
    number = 0
    for _ in range(5):
        agent = planner.full_agent("h1", names)
        planner.wait_predicted(40)
        stop_at = time.monotonic() + rng.uniform(0.02, 0.3)
        while time.monotonic() < stop_at:
            number += 1
            agent.predict(*[prediction(name, sample_number=number, gib=1 + number % 7) for name in names])
        shown = {v["name"]: v["prediction"]["made_unix_ms"] for v in planner.fleet()["vms"]}
        planner.kill()
        agent.close()
        with sqlite3.connect(f"file:{planner.store}?mode=ro", uri=True) as store:
            assert store.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        planner.start()
        after = {v["name"]: v["prediction"]["made_unix_ms"] for v in planner.fleet()["vms"]}
        assert set(after) == set(names)
        assert all(after[name] >= shown[name] for name in names)
        number = 0  # a new instance may count from the start


# --- the API ----------------------------------------------------------------

def test_plan_is_made_stored_and_kept_over_a_kill(planner):
    for host, names in (("h1", ["web1", "db1"]), ("h2", ["web2"]), ("h3", [])):
        agent = planner.agent(host)
        agent.greet()
        agent.snapshot([vm(name) for name in names])
        if names:
            agent.predict(*[prediction(name) for name in names])
    planner.wait_predicted(3)
    planner.wait(lambda: len(planner.hosts()) == 3, "not three hosts")
    status, plan = planner.request("POST", "/v1/plans", {"verb": "evacuate", "hosts": ["h1"]})
    assert status == 200, plan
    assert plan["format"] == "decamp/plan"
    assert sorted(step["vm_name"] for step in plan["steps"]) == ["db1", "web1"]
    planner.kill()
    planner.start()
    assert planner.request("GET", f"/v1/plans/{plan['id']}") == (200, plan)
    status, listed = planner.request("GET", "/v1/plans")
    assert status == 200 and [p["id"] for p in listed["plans"]] == [plan["id"]]


def test_answers_to_bad_questions(planner):
    planner.full_agent("h1", ["web1"])
    planner.wait_predicted(1)
    for method, path, body, wanted in (
            ("GET", "/", None, 404), ("GET", "/v1/nothing", None, 404), ("GET", "/v1/plans/none", None, 404),
            ("POST", "/v1/fleet", {}, 405), ("DELETE", "/v1/plans", None, 405), ("GET", "/v1/holds", None, 405),
            ("POST", "/v1/plans", b"{", 400), ("POST", "/v1/plans", b"[]", 400), ("POST", "/v1/plans", b"", 400),
            ("POST", "/v1/plans", b'{"verb": "evacuate", "verb": "evacuate"}', 400),
            ("POST", "/v1/plans", {"verb": "levitate"}, 400), ("POST", "/v1/plans", b"\xff\xfe", 400),
            ("POST", "/v1/plans", {"verb": "evacuate", "hosts": ["nowhere"]}, 404),
            ("POST", "/v1/holds", {"vms": ["nobody"], "for_ms": 1000}, 404),
            ("POST", "/v1/holds", {"vms": ["web1"]}, 400), ("POST", "/v1/holds", {"vms": [], "for_ms": 1}, 400),
            ("POST", "/v1/holds", {"vms": ["web1"], "for_ms": -1}, 400)):
        status, answer = planner.request(method, path, body)
        assert status == wanted and answer["error"], (method, path, body, status, answer)


def test_large_bodies(planner):
    status, answer = planner.request("POST", "/v1/plans", b" " * (8 << 20))
    assert status == 400 and answer["error"]
    try:
        status, answer = planner.request("POST", "/v1/plans", b" " * ((8 << 20) + 1))
        assert status == 413 and answer["error"]
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused by its header, before the body was sent
    assert planner.get("/v1/status")[0] == 200


def full_cluster(planner, n_vms=60):
    for host in ("h1", "h2", "h3"):
        agent = planner.agent(host)
        agent.greet()
        names = [f"{host}-vm{i}" for i in range(n_vms if host == "h1" else 5)]
        agent.snapshot([vm(name, gib=1 + i % 7) for i, name in enumerate(names)], gib=512)
        for first in range(0, len(names), 32):
            agent.predict(*[prediction(name) for name in names[first:first + 32]])
    planner.wait_predicted(n_vms + 10)


EVACUATE = {"verb": "evacuate", "hosts": ["h1"]}


def test_more_questions_than_fit_are_refused(tmp_path):
    with LonePlanner(tmp_path, plan_threads=1, plan_queue=1) as planner:
        full_cluster(planner)
        n_clients = 24
        barrier = threading.Barrier(n_clients)

        def ask(_):
            barrier.wait()
            status, answer = planner.request("POST", "/v1/plans", EVACUATE)
            return status, answer.get("status")

        with concurrent.futures.ThreadPoolExecutor(n_clients) as pool:
            answers = collections.Counter(pool.map(ask, range(n_clients)))
        print(answers)
        assert {status for status, _ in answers} == {200, 503}
        assert answers[(503, "EBUSY")] >= 1
        assert planner.request("POST", "/v1/plans", EVACUATE)[0] == 200


def test_interrupts_end_the_search_of_their_goal(planner):
    full_cluster(planner)
    assert planner.request("POST", "/v1/interrupts", {"token": "ab"}) == (200, {"interrupted": False})
    assert planner.request("POST", "/v1/interrupts", {})[0] == 400
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(planner.request, "POST", "/v1/plans", {**EVACUATE, "token": "ab", "seed": n})
                 for n in range(8)]
        found = [planner.request("POST", "/v1/interrupts", {"token": "ab"})[1]["interrupted"] for _ in range(20)]
        answers = [a.result() for a in asked]
    assert any(found)
    assert all(status == 200 and plan["steps"] for status, plan in answers)


def test_clients_that_hang_up_and_an_end_with_questions_under_way(planner):
    full_cluster(planner)
    body = json.dumps(EVACUATE)
    request = f"POST /v1/plans HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    for n_bytes in (1, 20, 60, len(request) - 1, *[len(request)] * 20):
        with contextlib.closing(UnixConnection(planner.socket)) as connection:
            connection.connect()
            connection.sock.sendall(request[:n_bytes])
    # Questions whose clients have gone may fill the queue for a moment: 503 says so.
    planner.wait(lambda: planner.request("POST", "/v1/plans", EVACUATE)[0] == 200, "no question is answered any more")
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            connection = stack.enter_context(contextlib.closing(UnixConnection(planner.socket)))
            connection.connect()
            connection.sock.sendall(request)
        planner.stop()


def test_hold_and_release_reach_the_agent(planner):
    agent = planner.full_agent("h1", ["web1", "db1"])
    planner.full_agent("h2", ["web2"])
    planner.wait_predicted(3)
    assert planner.request("POST", "/v1/holds", {"vms": ["web1", vm_uuid("db1")], "for_ms": 60000})[0] == 200
    hold = agent.expect(HOLD)
    assert sorted(hold["vms"]) == sorted([vm_uuid("web1"), vm_uuid("db1")]) and hold["for_ms"] == 60000
    assert planner.request("POST", "/v1/releases", {"vms": ["web1"]})[0] == 200
    assert agent.expect(RELEASE)["vms"] == [vm_uuid("web1")]
    agent.bye()
    planner.wait(lambda: planner.hosts()["h1"]["freshness"] == "late", "BYE was not heard")
    status, answer = planner.request("POST", "/v1/holds", {"vms": ["web1", "web2"], "for_ms": 60000})
    assert status == 409 and answer["code"] == "unreachable"


# --- start and end ----------------------------------------------------------

def test_bad_configuration(tmp_path):
    planner = LonePlanner(tmp_path)
    planner.context.term()
    assert run("--config", planner.config, "--check-config").returncode == 0
    text = planner.config.read_text(encoding="utf-8")
    for extra, named in (("nonsense: 1\n", ":6: nonsense"), ("status_interval: soon\n", ":6: status_interval"),
                         ("plan_threads: -1\n", ":6: plan_threads"), ("log_level: loud\n", ":6: log_level")):
        planner.config.write_text(text + extra, encoding="utf-8")
        result = run("--config", planner.config, "--check-config")
        assert result.returncode == 1 and f"{planner.config}{named}" in result.stderr, result.stderr
    planner.config.write_text(text, encoding="utf-8")
    planner.allowed.write_text("h1 tooshort\n", encoding="utf-8")
    result = run("--config", planner.config)
    assert result.returncode == 1 and f"{planner.allowed}:1: " in result.stderr
    assert run("--nonsense").returncode == 64
    assert run("argument").returncode == 64
    assert run("--version").stdout.startswith("decamp-planner ")


def test_store_of_another_program_is_left_alone(tmp_path):
    planner = LonePlanner(tmp_path)
    planner.context.term()
    for make in ("CREATE TABLE x (a); PRAGMA user_version = 1;", None):
        if make is not None:
            with sqlite3.connect(planner.store) as store:
                store.executescript(make)
        else:
            pathlib.Path(planner.store).write_bytes(b"this is no database at all" * 100)
        before = pathlib.Path(planner.store).read_bytes()
        result = run("--config", planner.config)
        assert result.returncode == 1 and str(planner.store) in result.stderr
        assert pathlib.Path(planner.store).read_bytes() == before


def test_second_planner_on_the_same_socket(planner):
    result = run("--config", planner.config)
    assert result.returncode == 1
    assert planner.get("/v1/status")[0] == 200


def test_socket_mode(planner):
    assert planner.socket.stat().st_mode & 0o777 == 0o660
