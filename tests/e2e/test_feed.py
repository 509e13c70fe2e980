"""The planner's feed: predictions and what happens to plans, to programs whose keys are allowed."""
# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import json
import os
import signal
import subprocess

import msgpack
import pytest
import zmq

import cluster
from lone_planner import LonePlanner
from peer_agent import prediction, vm
from test_apply import Toy
from test_cli import validate

HEARD_MS = 10_000
SILENT_MS = 700


class FeedPlanner(LonePlanner):
    def __init__(self, directory, names=("monitor",)):
        self.feed_keys = {name: zmq.curve_keypair() for name in names}
        self.feed_allowed = directory / "feed-allowed"
        self.write_feed_allowed(names)
        self.feed = f"tcp://127.0.0.1:{cluster.free_port()}"
        super().__init__(directory, feed=self.feed, feed_allow_list_file=self.feed_allowed)

    def write_feed_allowed(self, names):
        self.feed_allowed.write_text("".join(f"{name} {self.feed_keys[name][0].decode()}\n" for name in names),
                                     encoding="utf-8")

    @contextlib.contextmanager
    def subscriber(self, *topics, keys=None):
        """A SUB socket that is connected where its key is allowed."""
        socket = self.context.socket(zmq.SUB)
        socket.linger = 0
        socket.curve_publickey, socket.curve_secretkey = keys or self.feed_keys["monitor"]
        socket.curve_serverkey = self.planner_key
        for topic in topics:
            socket.subscribe(topic)
        socket.connect(self.feed)
        try:
            yield socket
        finally:
            socket.close()


@pytest.fixture(name="planner")
def feed_planner(tmp_path):
    with FeedPlanner(tmp_path) as planner:
        yield planner


def hear(socket, timeout_ms=HEARD_MS):
    """(topic, number, map); None where nothing comes."""
    if not socket.poll(timeout_ms):
        return None
    topic, number, content = socket.recv_multipart()
    return topic.decode(), int.from_bytes(number, "big"), msgpack.unpackb(content)


def tell(planner, plan, first, *events):
    return planner.request("POST", f"/v1/plans/{plan}/events", {"first": first, "events": list(events)})


def wait_subscribed(planner, socket):
    """A subscription is on its way for a moment: until the first word comes through."""
    for number in range(1, 200):
        assert tell(planner, "0", number, {"event": "note", "text": "hello"})[0] == 200
        if hear(socket, 50) is not None:
            break
    else:
        raise AssertionError("nothing is heard")
    while hear(socket, 200) is not None:
        pass


def test_predictions_are_told_one_by_one(planner):
    with planner.subscriber("prediction/", "plan/0/") as socket:
        wait_subscribed(planner, socket)
        agent = planner.full_agent("h1", ["web1", "db1"])
        told = [hear(socket), hear(socket)]
        by_vm = {one["vm"]: (topic, number, one) for topic, number, content in told for one in content["predictions"]}
        assert set(by_vm) == {vm("web1")["uuid"], vm("db1")["uuid"]}
        for uuid, (topic, number, one) in by_vm.items():
            assert topic == f"prediction/{uuid}/" and number == one["sample_number"]
        sent = prediction("web1", sample_number=9)
        agent.predict(sent)
        topic, number, content = hear(socket)
        assert (topic, number) == (f"prediction/{sent['vm']}/", 9)
        one, = content["predictions"]
        assert content["boot_id"] and one["p50"] == sent["p50"] and one["p95"] == sent["p95"]
        assert {key: one["grid"][key] for key in sent["grid"]} == sent["grid"]


def test_only_the_topics_asked_for(planner):
    with planner.subscriber("plan/0/", "plan/abc/") as socket:
        wait_subscribed(planner, socket)
        assert tell(planner, "abcd", 1, {"event": "note", "text": "of another"})[0] == 200
        assert tell(planner, "abc", 7, {"event": "note", "text": "one"}, {"event": "end", "is_whole": True})[0] == 200
        assert hear(socket) == ("plan/abc/", 7, {"event": "note", "text": "one"})
        assert hear(socket) == ("plan/abc/", 8, {"event": "end", "is_whole": True})


def test_unknown_keys_hear_nothing(planner):
    with planner.subscriber("") as known, planner.subscriber("", keys=zmq.curve_keypair()) as unknown, \
            planner.subscriber("", keys=planner.keys["h1"]) as agent:
        wait_subscribed(planner, known)
        assert hear(unknown, SILENT_MS) is None, "its key is nowhere"
        assert hear(agent, SILENT_MS) is None, "its key is an agent's"
    assert planner.counters()["refused"] >= 2


def test_a_program_is_no_agent(planner):
    agent = planner.agent("h1", keys=planner.feed_keys["monitor"])
    assert not agent.socket.poll(SILENT_MS)
    planner.wait(lambda: planner.counters()["refused"] >= 1, "it was not refused")


def test_keys_can_be_added(planner):
    planner.feed_keys["late"] = zmq.curve_keypair()
    planner.write_feed_allowed(["monitor", "late"])
    planner.process.send_signal(signal.SIGHUP)
    planner.wait(lambda: "feed-allowed: allow-list reloaded: 2 keys" in planner.log.read_text(encoding="utf-8"), "no reload")
    with planner.subscriber("", keys=planner.feed_keys["late"]) as socket:
        wait_subscribed(planner, socket)


@pytest.mark.parametrize("path, body, what", [
    ("/v1/plans/abc/events", {"first": 1, "events": []}, "events: expected an array"),
    ("/v1/plans/abc/events", {"first": 0, "events": [{"event": "note"}]}, "first: expected"),
    ("/v1/plans/abc/events", {"first": 1, "events": [{"event": "note"}, {"event": 5}]}, "events[1]: event: expected a text"),
    ("/v1/plans/abc/events", {"first": 1, "events": [{"event": "note", "deep": {}}]}, "events[0]: deep: expected"),
    ("/v1/plans/abc/events", {"first": 1, "events": [7]}, "events[0]: event: expected"),
    ("/v1/plans/abc/other", {"first": 1, "events": [{"event": "note"}]}, "expected /v1/plans/ID/events"),
])
def test_what_is_no_event_is_refused(planner, path, body, what):
    with planner.subscriber("plan/") as socket:
        wait_subscribed(planner, socket)
        status, answer = planner.request("POST", path, body)
        assert status in (400, 404) and what in answer["error"], answer
        assert hear(socket, 200) is None, "nothing of it is passed on"


def test_a_feed_needs_its_allow_list(tmp_path):
    planner = LonePlanner(tmp_path, feed="tcp://127.0.0.1:0")
    result = subprocess.run([cluster.BIN / "decamp-planner", "--config", planner.config, "--check-config"],
                            capture_output=True, text=True, timeout=20, check=False)
    planner.context.term()
    assert result.returncode == 1 and "feed and feed_allow_list_file: expected both or neither" in result.stderr


def test_a_plan_that_is_applied_is_followed(planner, tmp_path):
    planner.full_agent("h1", ["web1", "db1", "web2"])
    for host in ("h2", "h3"):
        planner.full_agent(host, [])
    planner.wait_predicted(3)
    toy = Toy(tmp_path, planner.fleet(), seconds=0.3)
    environment = dict(os.environ, DECAMP_SOCKET=str(planner.socket))
    made = subprocess.run([cluster.BIN / "decamp", "evacuate", "h1", "-o", "json", "--out", toy.plan_path], timeout=60,
                          capture_output=True, text=True, env=environment, check=False)
    assert made.returncode == 0, made.stderr
    plan = json.loads(toy.plan_path.read_text(encoding="utf-8"))
    arguments = [word for word in toy.arguments("-o", "jsonl") if word not in ("--fleet", toy.fleet)]
    with planner.subscriber(f"plan/{plan['id']}/", "plan/0/") as socket:
        wait_subscribed(planner, socket)
        result = subprocess.run(arguments, timeout=120, capture_output=True, text=True, env=environment, check=False)
        assert result.returncode == 0, result.stderr
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        told = []
        while not told or told[-1][2]["event"] != "end":
            told.append(hear(socket))
            assert told[-1] is not None, f"after {len(told) - 1} of {len(lines)} events"
    assert [number for _, number, _ in told] == list(range(1, len(lines) + 1))
    for (topic, _, event), line in zip(told, lines):
        assert topic == f"plan/{plan['id']}/" and event == line
        validate(event, "apply-event")
    assert {event["vm_name"] for _, _, event in told if event.get("state") == "done"} == {"web1", "db1", "web2"}
    assert told[-1][2]["is_whole"] is True
