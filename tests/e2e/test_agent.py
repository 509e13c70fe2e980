"""decamp-agent against an independent planner: what it publishes, and how it bears failure."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import time

import peer
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DECAMP_BIN_DIR", ROOT / "build" / "dev" / "bin"))
AGENT = BIN / "decamp-agent"
HOST = "h1"
N_VMS = 3
VMS = [f"{i:08d}-0000-4000-8000-000000000000" for i in range(1, N_VMS + 1)]
SPEED = 300  # bursts recorded a minute apart come every 200 ms


def replay_fleet():
    """Three VMs on h1 whose bursts differ, one more on h2 that is none of our business."""
    def vm(uuid, host, scale):
        bursts = [{"at_unix_ms": 1000000 + 60000 * n,
                   "points": [[0.25, scale * (20 + n)], [1, scale * (60 + n)], [3, scale * (100 + n)]]}
                  for n in range(4)]
        return {"uuid": uuid, "name": f"vm-{uuid[:8]}", "host": host, "state": "running",
                "memory_bytes": 1 << 30, "vcpus": 2, "cpu_cores_used": 0.5, "downtime_budget_ms": 300,
                "policy": {"name": "qemu", "downtime_limit_ms": 300}, "overhead": {"pre_ms": 50, "post_ms": 20},
                "profile": {"kind": "curve", "zero_pages": 1000, "bursts": bursts}}
    hosts = [{"name": name, "state": "on", "cpus": 8, "memory_bytes": 1 << 36, "labels": {"rack": "r1"}}
             for name in (HOST, "h2")]
    vms = [vm(uuid, HOST, 10 * (i + 1)) for i, uuid in enumerate(VMS)]
    vms.append(vm("99999999-0000-4000-8000-000000000000", "h2", 5))
    return {"format": "decamp/fleet", "format_version": "1.0", "taken_unix_ms": 0, "hosts": hosts, "vms": vms}


class Agent:
    """One decamp-agent, its keys and its folder."""

    def __init__(self, directory, planner, agent_keys):
        self.directory = directory
        self.process = None
        self.state = directory / "state"
        self.log_path = directory / "agent.log"
        self.config_path = directory / "agent.yaml"
        peer.write_key(directory / "planner.pub", planner.keys[0], secret=False)
        peer.write_key(directory / "agent.key", agent_keys[1], secret=True)
        (directory / "fleet.json").write_text(json.dumps(replay_fleet()), encoding="utf-8")
        self.settings = {
            "host": HOST, "planner": planner.endpoint, "planner_public_key_file": directory / "planner.pub",
            "secret_key_file": directory / "agent.key", "source": "replay",
            "replay_file": directory / "fleet.json", "replay_speed": SPEED, "state_dir": self.state}

    def write_config(self, **changes):
        text = "".join(f"{key}: {value}\n" for key, value in {**self.settings, **changes}.items() if value is not None)
        self.config_path.write_text(text, encoding="utf-8")

    def run(self, *arguments, timeout_s=20):
        """To its end."""
        return subprocess.run([AGENT, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False)

    def start(self):
        self.write_config()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([AGENT, "-v", "--config", self.config_path], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=10)
        finally:
            self.kill()

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")


@pytest.fixture(name="agent_keys")
def make_agent_keys():
    return peer.new_keys()


@pytest.fixture(name="planner")
def make_planner(agent_keys):
    with peer.PeerPlanner(peer.new_keys(), {agent_keys[0]: HOST}) as planner:
        yield planner


@pytest.fixture(name="agent")
def make_agent(tmp_path, planner, agent_keys):
    agent = Agent(tmp_path, planner, agent_keys)
    yield agent
    agent.kill()


def predicted_vms(messages):
    return {p["vm"] for m in messages if m.kind == "PRED" for p in m.map["predictions"]}


def wait_for_all_predictions(planner, timeout_s=10):
    """Until every VM was predicted; returns the newest sample number of each."""
    newest = {}
    until = time.monotonic() + timeout_s
    while len(newest) < N_VMS:
        message = planner.wait_for("PRED", until - time.monotonic())
        for prediction in message.map["predictions"]:
            newest[prediction["vm"]] = prediction["sample_number"]
    return newest


def test_publishes_its_host_its_vms_and_sane_predictions(planner, agent):
    agent.start()
    began = time.monotonic()
    hello = planner.wait_for("HELLO")
    peer.check_hello(hello, HOST)
    assert hello.user == HOST
    following = planner.receive(5)
    while following.kind == "STATUS":
        following = planner.receive(5)
    assert following.kind == "SNAPSHOT", "a SNAPSHOT comes before anything that costs credit"
    host = following.map["host"]
    assert host["name"] == HOST and host["cpus"] == 8 and host["memory_bytes"] == 1 << 36
    assert host["labels"] == {"rack": "r1"}
    assert sorted(vm["uuid"] for vm in following.map["vms"]) == sorted(VMS)
    for vm in following.map["vms"]:
        assert vm["memory_bytes"] == 1 << 30 and vm["vcpus"] == 2 and vm["state"] == "running"
        assert vm["downtime_budget_ms"] == 300 and vm["policy"]["name"] == "qemu"
        assert vm["overhead"]["pre_ms"] == 50
    wait_for_all_predictions(planner)
    assert time.monotonic() - began < 3, "the first burst is delivered at once"
    for message in planner.seen:
        if message.kind == "PRED":
            assert message.map["boot_id"] == hello.map["boot_id"]
            for prediction in message.map["predictions"]:
                peer.check_prediction(prediction)
                assert prediction["vm"] in VMS and prediction["zero_pages"] == 1000
                assert len(prediction["grid"]["bandwidth_bytes_per_s"]) == 20
                assert len(prediction["p50"]["window_s"]) <= 24
    assert agent.stop() == 0
    planner.wait_for("BYE", 2)


def test_a_busier_vm_costs_more(planner, agent):
    agent.start()
    planner.wait_for("HELLO")
    until = time.monotonic() + 10
    newest = {}
    while len(newest) < N_VMS and time.monotonic() < until:
        for prediction in planner.wait_for("PRED", 10).map["predictions"]:
            newest[prediction["vm"]] = prediction["grid"]
    times = [newest[vm]["migration_p50_ms"][5] for vm in VMS]
    assert times == sorted(times) and times[0] < times[2]
    # 1 GiB less 1000 zero pages: no bandwidth moves it faster than its pages take
    grid = newest[VMS[0]]
    for bandwidth, ms in zip(grid["bandwidth_bytes_per_s"], grid["migration_p50_ms"]):
        assert ms >= ((1 << 30) - 1000 * 4096) / bandwidth * 1000


def test_sends_status_at_the_planners_interval(planner, agent):
    agent.start()
    wait_for_all_predictions(planner)
    statuses = [m for m in planner.listen(1.5) if m.kind == "STATUS"]
    assert 5 <= len(statuses) <= 10, "one every 200 ms"
    status = statuses[-1].map
    assert status["n_vms"] == N_VMS and status["n_held"] == 0 and status["n_bursts"] >= N_VMS
    assert 0 <= status["sampling_frac"] <= 1 and abs(status["at_unix_ms"] / 1000 - time.time()) < 5


def test_sample_numbers_grow_by_one_a_burst(planner, agent):
    agent.start()
    first = wait_for_all_predictions(planner)
    numbers = {vm: [number] for vm, number in first.items()}
    for message in planner.listen(2):
        for prediction in message.map.get("predictions", []):
            numbers[prediction["vm"]].append(prediction["sample_number"])
    for seen in numbers.values():
        assert seen == list(range(seen[0], seen[0] + len(seen))) and 5 <= len(seen) <= 15


def test_comes_back_after_the_planner_was_away(planner, agent):
    agent.start()
    first = planner.wait_for("HELLO")
    wait_for_all_predictions(planner)
    planner.stop()
    time.sleep(1.5)
    planner.seen.clear()
    planner.start()
    began = time.monotonic()
    again = planner.wait_for("HELLO", 10)
    assert again.map["instance_id"] == first.map["instance_id"]
    planner.wait_for("SNAPSHOT", 5)
    wait_for_all_predictions(planner, 5)
    assert time.monotonic() - began < 10


def test_a_refused_key_is_tried_again_until_it_is_known(planner, agent, agent_keys):
    planner.allowed.clear()
    agent.start()
    assert planner.listen(2) == []
    assert planner.zap.n_refused >= 2, "libzmq alone would have given up after the first"
    planner.allowed[agent_keys[0]] = HOST
    planner.wait_for("SNAPSHOT", 10)
    assert "does not know this agent's key" in agent.log()


def test_a_rejected_agent_backs_off_and_tries_again(planner, agent):
    agent.start()
    for _ in range(2):
        hello = planner.wait_for("HELLO", greet=False)
        planner.send(hello.identity, "REJECT", reason="not today", code="host", protocol_min=1, protocol_max=1)
    planner.wait_for("SNAPSHOT", 10)
    assert "not today" in agent.log()


def test_a_silent_planner_gets_no_data(planner, agent):
    agent.start()
    planner.wait_for("HELLO", greet=False)
    assert planner.listen(1) == [], "nothing before WELCOME"


def test_without_credit_it_conflates(planner, agent):
    planner.credit = 2
    agent.start()
    hello = planner.wait_for("HELLO")
    messages = planner.listen(2)
    paid = [m.kind for m in messages if m.kind not in peer.FREE_OF_CREDIT]
    assert paid == ["SNAPSHOT", "PRED"], "two credits, two messages"
    statuses = [m.map for m in messages if m.kind == "STATUS"]
    assert len(statuses) >= 5, "STATUS costs nothing"
    assert statuses[-1]["n_conflated"] > N_VMS
    planner.send(hello.identity, "CREDIT", credit=1)
    messages = planner.listen(1)
    paid = [m for m in messages if m.kind not in peer.FREE_OF_CREDIT]
    assert [m.kind for m in paid] == ["PRED"]
    predictions = paid[0].map["predictions"]
    assert sorted(p["vm"] for p in predictions) == sorted(VMS), "one newest of each VM"
    assert all(p["sample_number"] >= 5 for p in predictions)


def test_resync_starts_over(planner, agent):
    agent.start()
    hello = planner.wait_for("HELLO")
    wait_for_all_predictions(planner)
    planner.listen(0.5)
    planner.seen.clear()
    planner.send(hello.identity, "RESYNC", reason="forgot everything")
    planner.wait_for("HELLO", 3)
    planner.wait_for("SNAPSHOT", 3)
    wait_for_all_predictions(planner, 3)
    kinds = [m.kind for m in planner.seen]
    paid = [kind for kind in kinds[kinds.index("HELLO"):] if kind not in peer.FREE_OF_CREDIT]
    assert paid[0] == "SNAPSHOT", "nothing else comes between HELLO and SNAPSHOT"


def test_hold_stops_sampling_and_release_resumes(planner, agent):
    agent.start()
    hello = planner.wait_for("HELLO")
    wait_for_all_predictions(planner)
    planner.send(hello.identity, "HOLD", vms=[VMS[0]], for_ms=60000)
    planner.wait_for("STATUS", 3, lambda m: m.map["n_held"] == 1)
    messages = planner.listen(1.5)
    assert predicted_vms(messages) == set(VMS[1:])
    planner.send(hello.identity, "RELEASE", vms=[VMS[0]])
    planner.wait_for("STATUS", 3, lambda m: m.map["n_held"] == 0)
    assert predicted_vms(planner.listen(1.5)) == set(VMS)


def test_hold_runs_out_by_itself(planner, agent):
    agent.start()
    hello = planner.wait_for("HELLO")
    wait_for_all_predictions(planner)
    planner.send(hello.identity, "HOLD", vms=VMS, for_ms=1000)
    planner.wait_for("STATUS", 3, lambda m: m.map["n_held"] == N_VMS)
    planner.wait_for("STATUS", 3, lambda m: m.map["n_held"] == 0)
    wait_for_all_predictions(planner, 3)


def test_malformed_messages_do_no_harm(planner, agent):
    agent.start()
    hello = planner.wait_for("HELLO")
    wait_for_all_predictions(planner)
    nested = b"\x81\xa1a" * 100 + b"\x80"
    for frames in (
            [b""], [b"\x45"], [b"\x45", b"", b""], [b"E" * 5, b"\x80"], [b"\x00", b"\x80"], [b"\x01", b"\x80"],
            [b"\xff", b"\x80"], [b"\x43", b""], [b"\x43", b"\xdf\xff\xff\xff\xff"], [b"\x43", b"\xc1"],
            [b"\x43", nested], [b"\x43", b"\x80\x80"], [b"\x43", b"\x81\xa6credit\xff"],
            [b"\x43", b"\x81\xa6credit\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"],
            [b"\x45", b"\x82\xa3vms\xdd\xff\xff\xff\xff\xa6for_ms\x01"],
            [b"\x45", b"\x82\xa3vms\x91\xa3abc\xa6for_ms\x01"], [b"\x41", b"\x80"], [b"\x46", os.urandom(5000)]):
        planner.socket.send_multipart([hello.identity, *frames])
    planner.seen.clear()
    messages = planner.listen(1.5)
    assert predicted_vms(messages) == set(VMS), "it goes on as before"
    assert all(m.map["n_held"] == 0 for m in messages if m.kind == "STATUS")
    assert agent.process.poll() is None
    assert agent.log().count("dropped") >= 10
    assert agent.stop() == 0


def test_a_flood_of_messages_does_not_stall_it(planner, agent):
    agent.start()
    hello = planner.wait_for("HELLO")
    wait_for_all_predictions(planner)
    for i in range(1500):
        if i % 50 == 0:
            planner.listen(0.02)  # the high-water mark is 64: a ROUTER drops beyond it
        planner.send(hello.identity, "CREDIT", credit=1)
    planner.send(hello.identity, "HOLD", vms=VMS, for_ms=60000)
    planner.wait_for("STATUS", 3, lambda m: m.map["n_held"] == N_VMS)


def test_a_frozen_planner_is_left_and_found_again(planner, agent):
    agent.start()
    planner.wait_for("HELLO")
    wait_for_all_predictions(planner)
    planner.stop()
    with socket.socket() as mute:  # listens where the planner was, and never says a word
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        mute.bind(("127.0.0.1", planner.port))
        mute.listen()
        time.sleep(3)
    planner.start()
    planner.wait_for("SNAPSHOT", 15)


def test_an_oversized_message_costs_only_the_connection(planner, agent):
    agent.start()
    hello = planner.wait_for("HELLO")
    wait_for_all_predictions(planner)
    planner.socket.send_multipart([hello.identity, b"\x43", b"\x80" * (2 << 20)])
    planner.wait_for("HELLO", 10)
    wait_for_all_predictions(planner)


def test_the_history_survives_sigkill(planner, agent):
    agent.start()
    planner.wait_for("HELLO")
    wait_for_all_predictions(planner)
    planner.listen(2)
    newest = {p["vm"]: p["sample_number"] for m in planner.seen if m.kind == "PRED" for p in m.map["predictions"]}
    agent.kill()
    planner.listen(0.2)
    planner.seen.clear()
    # The recording is far from its next burst: what comes is of the history.
    agent.settings.update(replay_speed=1)
    agent.start()
    hello = planner.wait_for("HELLO", 10)
    numbers = wait_for_all_predictions(planner, 5)
    assert hello.map["instance_id"]
    assert all(numbers[vm] >= newest[vm] for vm in VMS)
    first = next(m for m in planner.seen if m.kind == "PRED")
    assert all(p["n_bursts"] >= 5 for p in first.map["predictions"])
    with sqlite3.connect(f"file:{agent.state}/history.sqlite?mode=ro", uri=True) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_history_is_bounded(planner, agent):
    agent.settings.update(history_bursts=4)
    agent.start()
    wait_for_all_predictions(planner)
    messages = planner.listen(2)
    assert agent.stop() == 0
    assert max(p["sample_number"] for m in messages if m.kind == "PRED" for p in m.map["predictions"]) > 6
    assert max(p["n_bursts"] for m in messages if m.kind == "PRED" for p in m.map["predictions"]) == 4
    with sqlite3.connect(f"file:{agent.state}/history.sqlite?mode=ro", uri=True) as store:
        assert store.execute("SELECT max(n) FROM (SELECT count(*) n FROM burst GROUP BY vm)").fetchone() == (4,)


def test_without_a_planner_it_waits_and_stops_in_order(planner, agent):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        agent.settings.update(planner=f"tcp://127.0.0.1:{probe.getsockname()[1]}")
    agent.start()
    time.sleep(1)
    assert agent.process.poll() is None
    assert agent.stop() == 0
    assert "trying again" in agent.log()
    assert planner.seen == []


def test_source_xen_without_xen_says_so(planner, agent):
    if pathlib.Path("/dev/xen/privcmd").exists():
        pytest.skip("this is a Xen dom0")
    modules = BIN.parent / "lib" / "decamp"
    agent.write_config(source="xen", module_dir=modules)
    result = agent.run("--config", agent.config_path)
    assert result.returncode == 1 and planner.seen == []
    assert "source xen: " in result.stderr and "is this a Xen dom0?" in result.stderr
    if (modules / "source_xen.so").exists():
        assert "privcmd" in result.stderr or "libxen" in result.stderr
    agent.write_config(source="xen", module_dir=agent.directory)
    result = agent.run("--config", agent.config_path)
    assert result.returncode == 1 and "source_xen.so" in result.stderr


def test_uuids_of_the_file_are_lowered_or_refused(planner, agent):
    fleet = replay_fleet()
    upper = "ABCDEF01-0000-4000-8000-000000000000"
    fleet["vms"][0]["uuid"] = upper
    (agent.directory / "fleet.json").write_text(json.dumps(fleet), encoding="utf-8")
    agent.start()
    planner.wait_for("SNAPSHOT", 10, lambda m: upper.lower() in [vm["uuid"] for vm in m.map["vms"]])
    planner.wait_for("PRED", 5, lambda m: upper.lower() in predicted_vms([m]))
    assert agent.stop() == 0
    fleet["vms"][1]["uuid"] = "shop"
    (agent.directory / "fleet.json").write_text(json.dumps(fleet), encoding="utf-8")
    result = agent.run("--config", agent.config_path)
    assert result.returncode == 1 and "vms[1].uuid" in result.stderr


@pytest.mark.parametrize("changes, expected", [
    ({"replay_speed": "fast"}, "agent.yaml:7: replay_speed"),
    ({"sample_interval": "-1s"}, "agent.yaml:9: sample_interval"),
    ({"no_such_key": 1}, "agent.yaml:9: no_such_key"),
    ({"host": None}, "host"),
    ({"replay_file": None}, "replay_file"),
    ({"replay_file": "/nowhere.json"}, "/nowhere.json"),
    ({"secret_key_file": "/nowhere.key"}, "/nowhere.key"),
    ({"planner": "carrier-pigeon://loft"}, "carrier-pigeon://loft"),
    ({"host": "h9"}, "h9"),
])
def test_bad_configurations_end_with_one_line(agent, changes, expected):
    agent.write_config(**changes)
    result = agent.run("--config", agent.config_path)
    assert result.returncode == 1
    assert expected in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("error")]) == 1


def test_command_line(agent):
    agent.write_config()
    good = agent.run("--check-config", "--config", agent.config_path)
    assert good.returncode == 0 and "good" in good.stdout
    version = agent.run("--version")
    assert version.returncode == 0 and version.stdout.startswith("decamp-agent ")
    for arguments in (["--no-such-option"], ["operand"], ["--config"]):
        assert agent.run(*arguments).returncode == 64
    assert agent.run("--help").returncode == 0
    os.chmod(agent.directory / "agent.key", 0o644)
    leaky = agent.run("--check-config", "--config", agent.config_path)
    assert leaky.returncode == 1 and "agent.key" in leaky.stderr
