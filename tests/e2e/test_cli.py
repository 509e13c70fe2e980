"""Every verb of decamp offline: results, exit codes, documents against their schemas, and
one line that names the path for every kind of bad input.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import copy
import http.server
import json
import os
import pathlib
import signal
import socketserver
import subprocess
import sys
import threading
import time

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DECAMP_BIN_DIR", ROOT / "build" / "dev" / "bin"))
FLEETS = ROOT / "tests" / "data" / "fleets"
SCHEMAS = ROOT / "proto" / "schema"
GIB = 1 << 30


def decamp(*arguments, stdin=None, environment=None):
    return subprocess.run([BIN / "decamp", *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          input=stdin, check=False, env={**os.environ, **(environment or {})})


def ok(*arguments, code=0, **keywords):
    result = decamp(*arguments, **keywords)
    assert result.returncode == code, f"{arguments}: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def validate(document, name):
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)


def plan_of(*arguments, code=0):
    plan = json.loads(ok(*arguments, "-o", "json", code=code))
    validate(plan, "plan")
    return plan


def fleet(name="small"):
    return json.loads((FLEETS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(name="fifty")
def fixture_fifty(tmp_path):
    path = tmp_path / "fifty.json"
    made = subprocess.run([sys.executable, ROOT / "tests" / "data" / "make_fleet.py", "50"], capture_output=True,
                          check=True)
    path.write_bytes(made.stdout)
    return path


# --- planning ---


def test_evacuate_empties_the_host():
    plan = plan_of("evacuate", "h1", "--fleet", FLEETS / "small.json")
    assert plan["status"] in ("optimal", "feasible")
    assert {s["vm_name"] for s in plan["steps"]} == {"web1", "web2", "db1", "cache1", "batch1"}
    assert all(s["from"] == "h1" and s["to"] != "h1" for s in plan["steps"])
    assert plan["lower_bound_ms"] <= plan["makespan_ms"]["p95"]
    assert plan["made_unix_ms"] == fleet()["taken_unix_ms"]
    assert plan["goal"]["verb"] == "evacuate" and plan["goal"]["hosts"] == ["h1"]


def test_fixture_fleets_are_valid_documents():
    for path in FLEETS.glob("*.json"):
        if path.stem != "moves":
            validate(json.loads(path.read_text(encoding="utf-8")), "fleet")
    validate(fleet("moves"), "moves")


def test_same_question_same_bytes(fifty):
    first = ok("evacuate", "h1", "--fleet", fifty, "-o", "json", "--seed", 3)
    assert first == ok("evacuate", "h1", "--fleet", fifty, "-o", "json", "--seed", 3)


def test_fifty_vms_are_planned_within_three_percent(fifty):
    plan = plan_of("evacuate", "h1", "--fleet", fifty)
    assert len(plan["steps"]) == 50
    assert plan["gap_frac"] < 0.03


def test_rules_are_kept_and_the_others_named():
    plan = plan_of("evacuate", "h1", "--fleet", FLEETS / "rules.json")
    to = {s["vm_name"]: s["to"] for s in plan["steps"]}
    assert len({to["web1"], to["web2"], "h3"}) == 3
    assert to["db1"] in ("h2", "h4") and to["cache1"] != "h2" and to["batch1"] == "h3"
    steps = {s["vm_name"]: s for s in plan["steps"]}
    assert steps["batch1"]["end_ms"] <= steps["db1"]["start_ms"]
    assert [b["rule"] for b in plan["broken_rules"]] == [5] and "(lonely) is soft" in plan["warnings"][0]


def test_schedule_keeps_the_destinations():
    plan = plan_of("schedule", "--moves", FLEETS / "moves.json", "--fleet", FLEETS / "small.json")
    assert {(s["vm_name"], s["to"]) for s in plan["steps"]} == {("web1", "h4"), ("db1", "h3"), ("mail1", "h4")}


def schedule(tmp_path, moves, code, change_fleet=lambda document: None):
    document = fleet()
    change_fleet(document)
    (tmp_path / "fleet.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "moves.json").write_text(json.dumps({"format": "decamp/moves", "format_version": "1.0",
                                                     "moves": moves}), encoding="utf-8")
    result = decamp("schedule", "--moves", tmp_path / "moves.json", "--fleet", tmp_path / "fleet.json")
    assert result.returncode == code, result.stderr
    return result


def test_a_vm_with_two_moves_is_refused_also_by_uuid(tmp_path):
    vm = fleet()["vms"][0]
    result = schedule(tmp_path, [{"vm": vm["name"], "to": "h2"}, {"vm": vm["uuid"], "to": "h3"}], 1)
    assert "moves[1].vm" in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("state, why", [("off", "it is off"), ("maintenance", "it is in maintenance")])
def test_a_chosen_host_that_cannot_receive_is_named(state, why, tmp_path):
    result = schedule(tmp_path, [{"vm": "web1", "to": "h2"}], 3,
                      lambda document: document["hosts"][1].update(state=state))
    assert f"VM web1: host h2 cannot receive it: {why}" in result.stdout


def test_limits_reach_the_plan():
    plan = plan_of("evacuate", "h1", "--fleet", FLEETS / "small.json", "--exclude", "h4", "--exclude", "web2",
                   "--max-parallel", 1)
    assert "web2" not in {s["vm_name"] for s in plan["steps"]}
    assert "h4" not in {s["to"] for s in plan["steps"]}
    spans = sorted((s["start_ms"], s["end_ms"]) for s in plan["steps"])
    assert all(a[1] <= b[0] + 1 for a, b in zip(spans, spans[1:]))
    assert any("web2" in w for w in plan["warnings"])


@pytest.mark.parametrize("name, word", [("no_memory", "memory"), ("tight_budget", "downtime budget"),
                                        ("no_convergence", "cache1")])
def test_what_cannot_be_exits_3_and_says_why(name, word):
    plan = plan_of("evacuate", "h1", "--fleet", FLEETS / f"{name}.json", code=3)
    assert plan["status"] in ("infeasible", "partial")
    assert any(word in c["what"] for c in plan["conflicts"])
    table = ok("evacuate", "h1", "--fleet", FLEETS / f"{name}.json", code=3)
    assert "conflict" in table and word in table


def test_a_deadline_that_cannot_be_kept_names_both_figures():
    plan = plan_of("evacuate", "h1", "--fleet", FLEETS / "small.json", "--deadline", "20s", code=3)
    assert any("deadline" in c["what"] and "proved" in c["what"] for c in plan["conflicts"])
    plan = plan_of("evacuate", "h1", "--fleet", FLEETS / "small.json", "--deadline", "10s", code=3)
    assert any("VM db1: its migration alone" in c["what"] for c in plan["conflicts"])


def test_a_deadline_for_the_rest_is_not_called_enough_for_all():
    plan = plan_of("evacuate", "h1", "--fleet", FLEETS / "small.json", "--deadline", "10s", code=3)
    assert not any("a plan exists" in c["what"] for c in plan["conflicts"])
    offered = [r["to"] for c in plan["conflicts"] for r in c["relax"] if r["change"] == "deadline_ms"]
    assert any("VM db1" in c["what"] for c in plan["conflicts"]) and offered


def test_stale_data_exits_4(tmp_path):
    document = fleet()
    document["hosts"][0].update(freshness="stale", seen_unix_ms=1)
    path = tmp_path / "stale.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    result = decamp("evacuate", "h1", "--fleet", path)
    assert result.returncode == 4 and "h1" in result.stderr


def test_no_daemon_exits_5(tmp_path):
    result = decamp("hosts", environment={"DECAMP_SOCKET": str(tmp_path / "none.sock")})
    assert result.returncode == 5 and "none.sock" in result.stderr


def test_interrupt_prints_the_best_plan_so_far(fifty):
    process = subprocess.Popen([BIN / "decamp", "evacuate", "h1", "--fleet", fifty, "-o", "json", "--time-limit", "60s"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    if process.returncode == -signal.SIGINT:
        pytest.skip("the signal came before the program had begun")
    assert process.returncode in (0, 3)
    validate(json.loads(out), "plan")


# --- reading plans and fleets ---


def test_verify_agrees_with_a_plan_and_finds_what_was_changed(tmp_path):
    path = tmp_path / "plan.json"
    ok("evacuate", "h1", "--fleet", FLEETS / "small.json", "-o", "json", "--out", path)
    assert "0 violations" in ok("verify", path, "--fleet", FLEETS / "small.json")
    plan = json.loads(path.read_text(encoding="utf-8"))
    for step in plan["steps"]:
        step["rates"] = [[at, rate * 3] for at, rate in step["rates"]]
        step["bandwidth_bytes_per_s"] *= 3
    path.write_text(json.dumps(plan), encoding="utf-8")
    assert "h1-nic" in ok("verify", path, "--fleet", FLEETS / "small.json", code=3)
    found = json.loads(ok("verify", path, "--fleet", FLEETS / "small.json", "-o", "json", code=3))
    assert found["violations"]


def test_verify_names_vms_that_are_gone(tmp_path):
    path = tmp_path / "plan.json"
    ok("evacuate", "h1", "--fleet", FLEETS / "small.json", "-o", "json", "--out", path)
    document = fleet()
    document["vms"] = [v for v in document["vms"] if v["name"] != "db1"]
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(document), encoding="utf-8")
    text = ok("verify", path, "--fleet", changed, code=3)
    assert "no VM db1" in text and "another state of the fleet" in text


def test_verify_agrees_with_every_plan(tmp_path, fifty):
    for source in (FLEETS / "rules.json", FLEETS / "no_memory.json", FLEETS / "tight_budget.json",
                   FLEETS / "no_convergence.json", fifty):
        path = tmp_path / "plan.json"
        decamp("evacuate", "h1", "--fleet", source, "-o", "json", "--out", path)
        assert "0 violations" in ok("verify", path, "--fleet", source), source


def test_show_prints_a_plan_as_it_was_written(tmp_path):
    path = tmp_path / "plan.json"
    ok("evacuate", "h1", "--fleet", FLEETS / "small.json", "-o", "json", "--out", path)
    assert ok("show", path, "-o", "json") == path.read_text(encoding="utf-8")
    table = ok("show", path)
    assert "db1" in table and "makespan" in table and "lower bound" in table
    assert "AFTER" not in table and "PATH" in ok("show", path, "-o", "wide")


def test_tables_fit_a_terminal(tmp_path):
    table = ok("evacuate", "h1", "--fleet", FLEETS / "small.json")
    assert "\033" not in table
    rows = table.split("\n\n")[0].splitlines()
    assert len(rows) == 6 and max(map(len, rows)) <= 120


def test_predict_prints_a_grid_and_all_vms():
    table = ok("predict", "db1", "--fleet", FLEETS / "small.json")
    assert "CONVERGES" in table and "downtime budget" in table
    assert len(ok("predict", "--fleet", FLEETS / "small.json").splitlines()) == 8
    result = json.loads(ok("predict", "db1", "--fleet", FLEETS / "small.json", "-o", "json", "--bandwidth", "1Gbit/s",
                           "--bandwidth", "100MiB/s"))
    grid = result["vms"][0]["prediction"]["grid"]
    assert [p["bandwidth_bytes_per_s"] for p in grid] == [104857600, 125000000]
    assert all(p["migration_ms"]["p50"] <= p["migration_ms"]["p95"] for p in grid)
    assert result["format"] == "decamp/predictions" and result["vms"][0]["name"] == "db1"


def test_a_prediction_is_never_from_the_future(tmp_path):
    document = json.loads(ok("snapshot", "--fleet", FLEETS / "small.json"))
    document["taken_unix_ms"] = 1000
    document["vms"][0]["prediction"] = {"made_unix_ms": 1007, "grid": [
        {"bandwidth_bytes_per_s": 1e9, "migration_ms": {"p50": 9000, "p95": 9000},
         "downtime_ms": {"p50": 10, "p95": 10}, "bytes": 9000000000, "rounds": 2, "converges": True}]}
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    ages = [vm.get("prediction_age_ms") for vm in json.loads(ok("vms", "--fleet", path, "-o", "json"))["vms"]]
    assert 0 in ages and not any(age is not None and age < 0 for age in ages)


def test_verbose_tells_of_the_search_and_quiet_wins(fifty):
    assert "makespan" in decamp("evacuate", "h1", "--fleet", fifty, "-v").stderr
    assert decamp("evacuate", "h1", "--fleet", fifty, "-v", "-q").stderr == ""
    assert decamp("evacuate", "h1", "--fleet", fifty).stderr == ""


def test_out_keeps_a_link(tmp_path):
    (tmp_path / "link.json").symlink_to("plan.json")
    (tmp_path / "plan.json").write_text("old", encoding="utf-8")
    ok("evacuate", "h1", "--fleet", FLEETS / "small.json", "-o", "json", "--out", tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))["format"] == "decamp/plan"


def test_lists_have_the_documents_keys():
    hosts = json.loads(ok("hosts", "--fleet", FLEETS / "small.json", "-o", "json"))["hosts"]
    assert [h["name"] for h in hosts] == ["h1", "h2", "h3", "h4"] and hosts[0]["n_vms"] == 5
    assert hosts[0]["free_memory_bytes"] == (64 - 2 - 34) * GIB
    vms = json.loads(ok("vms", "h1", "--fleet", FLEETS / "small.json", "-o", "json"))["vms"]
    assert [v["name"] for v in vms] == ["batch1", "cache1", "db1", "web1", "web2"]
    assert vms[0]["memory_bytes"] == 2 * GIB
    assert len(ok("vms", "--fleet", FLEETS / "small.json").splitlines()) == 8


def test_snapshot_is_a_fixed_point(tmp_path):
    first = ok("snapshot", "--fleet", FLEETS / "rules.json")
    validate(json.loads(first), "fleet")
    path = tmp_path / "again.json"
    path.write_text(first, encoding="utf-8")
    assert ok("snapshot", "--fleet", path) == first


def test_fleet_from_standard_input():
    text = (FLEETS / "small.json").read_text(encoding="utf-8")
    assert "web1" in ok("vms", "--fleet", "-", stdin=text)


# --- asking a daemon: a stand-in that speaks its API ---


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers from a table of (method, path) -> (status, body) and keeps what was asked."""

    daemon_threads = True

    def __init__(self, path, answers):
        self.answers, self.asked = answers, []
        super().__init__(str(path), DaemonHandler)


class DaemonHandler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, body.decode()))
        status, text = self.server.answers.get((self.command, self.path), (404, '{"error": "nothing here"}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = answer

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def address_string(self):
        return "client"


@contextlib.contextmanager
def daemon(tmp_path, answers):
    server = Daemon(tmp_path / "planner.sock", answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_online_questions_are_the_daemons(tmp_path):
    plan = ok("evacuate", "h1", "--fleet", FLEETS / "small.json", "-o", "json")
    text = (FLEETS / "small.json").read_text(encoding="utf-8")
    plan_id = json.loads(plan)["id"]
    answers = {("GET", "/v1/fleet"): (200, text), ("POST", "/v1/plans"): (200, plan),
               ("GET", f"/v1/plans/{plan_id}"): (200, plan)}
    where = ["--socket", tmp_path / "planner.sock"]
    with daemon(tmp_path, answers) as server:
        assert ok("snapshot", *where) == text
        assert ok("evacuate", "h1", "--deadline", "5m", "--exclude", "h4", *where, "-o", "json") == plan
        goal = json.loads(next(body for method, _, body in server.asked if method == "POST"))
        assert len(goal.pop("token")) == 16
        assert goal == {"verb": "evacuate", "hosts": ["h1"], "exclude": ["h4"], "deadline_ms": 300000, "seed": 1,
                        "time_limit_ms": 10000}
        assert ok("show", plan_id, *where, "-o", "json") == plan
        assert "MEMORY" in ok("evacuate", "h1", *where)
        assert "web1" in ok("vms", *where)


class SlowDaemon(Daemon):
    """Answers a goal only once it is interrupted by the goal's own token."""

    def __init__(self, path, answers):
        self.asked_for, self.interrupted = threading.Event(), threading.Event()
        super().__init__(path, answers)
        self.RequestHandlerClass = SlowHandler


class SlowHandler(DaemonHandler):
    def answer(self):
        if self.path == "/v1/plans":
            self.server.asked_for.set()
            assert self.server.interrupted.wait(20)
        if self.path == "/v1/interrupts":
            self.server.interrupted.set()
        super().answer()

    do_POST = answer


def test_interrupt_fetches_the_daemons_best_plan_so_far(tmp_path):
    plan = ok("evacuate", "h1", "--fleet", FLEETS / "small.json", "-o", "json")
    answers = {("POST", "/v1/plans"): (200, plan), ("POST", "/v1/interrupts"): (200, '{"interrupted": true}')}
    server = SlowDaemon(tmp_path / "planner.sock", answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        with subprocess.Popen([BIN / "decamp", "evacuate", "h1", "--socket", tmp_path / "planner.sock", "-o", "json"],
                              stdout=subprocess.PIPE, text=True) as process:
            assert server.asked_for.wait(20)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=20)
        assert process.returncode == 0 and out == plan
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    bodies = {path: json.loads(body) for _, path, body in server.asked}
    assert bodies["/v1/interrupts"] == {"token": bodies["/v1/plans"]["token"]}


@pytest.mark.parametrize("status, body, code, word", [
    (409, '{"error": "the data of host h1 is stale", "status": "ESTALE"}', 4, "stale"),
    (404, '{"error": "no host is called h1", "status": "ENOTFOUND"}', 1, "no host"),
    (500, "", 1, "500"), (200, "", 1, "empty"), (200, '{"format": "decamp/fleet"}', 1, "format"),
])
def test_the_daemons_errors_are_ours(status, body, code, word, tmp_path):
    with daemon(tmp_path, {("POST", "/v1/plans"): (status, body)}):
        result = decamp("evacuate", "h1", "--socket", tmp_path / "planner.sock")
    assert result.returncode == code and word in result.stderr


# --- keys and configurations ---


def test_a_secret_key_never_gets_into_the_allow_list(tmp_path):
    ok("keys", "new", "h1", "--dir", tmp_path)
    result = decamp("keys", "allow", tmp_path / "allowed", "h1", tmp_path / "h1.key")
    assert result.returncode == 1 and "h1.key: expected a public key" in result.stderr
    assert not (tmp_path / "allowed").exists()


def test_keys_and_check_config(tmp_path):
    ok("keys", "new", "planner", "--dir", tmp_path)
    ok("keys", "new", "h1", "--dir", tmp_path)
    assert (tmp_path / "planner.key").stat().st_mode & 0o777 == 0o600
    again = decamp("keys", "new", "h1", "--dir", tmp_path)
    assert again.returncode == 1 and "h1" in again.stderr
    ok("keys", "allow", tmp_path / "allowed", "h1", tmp_path / "h1.pub")
    assert (tmp_path / "allowed").read_text(encoding="utf-8").split()[0] == "h1"
    twice = decamp("keys", "allow", tmp_path / "allowed", "h2", tmp_path / "h1.pub")
    assert twice.returncode == 1 and "h1" in twice.stderr
    config = tmp_path / "planner.yaml"
    config.write_text(f"secret_key_file: {tmp_path}/planner.key\nallow_list_file: {tmp_path}/allowed\n",
                      encoding="utf-8")
    ok("check-config", config)
    config.write_text(config.read_text(encoding="utf-8") + "status_interval: 30\n", encoding="utf-8")
    bad = decamp("check-config", config)
    assert bad.returncode == 1 and "planner.yaml:3" in bad.stderr and "status_interval" in bad.stderr


# --- bad input ---


def change(path_text, value):
    """A fleet with one value replaced, by a path such as vms.0.memory_bytes."""
    document = copy.deepcopy(fleet())
    *parents, last = [int(p) if p.isdigit() else p for p in path_text.split(".")]
    place = document
    for key in parents:
        place = place[key]
    place[last] = value
    return json.dumps(document)


BAD = {
    "duplicate VM": (lambda: change("vms.1.uuid", fleet()["vms"][0]["uuid"]), "vms[1].uuid"),
    "unknown host": (lambda: change("vms.2.host", "h9"), "vms[2].host"),
    "negative memory": (lambda: change("vms.3.memory_bytes", -1), "vms[3].memory_bytes"),
    "link to nowhere": (lambda: change("links.1.between", ["h2", "tor9"]), "links[1].between"),
    "NaN": (lambda: change("vms.0.cpu_cores_used", float("nan")), None),
    "major version": (lambda: change("format_version", "2.0"), "format_version"),
    "another format": (lambda: change("format", "decamp/plan"), "format"),
    "duplicate key": (lambda: '{"format": "decamp/fleet", "format": "decamp/fleet"}', None),
    "no JSON": (lambda: "{", None),
    "nothing": (lambda: "", None),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_fleets_are_one_line_that_names_the_path(name, tmp_path):
    make, where = BAD[name]
    path = tmp_path / "bad.json"
    path.write_text(make(), encoding="utf-8")
    result = decamp("evacuate", "h1", "--fleet", path)
    assert result.returncode == 1 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and "bad.json" in result.stderr
    if where is not None:
        assert where in result.stderr


@pytest.mark.parametrize("arguments, code", [
    ((), 64), (("fly",), 64), (("evacuate",), 64), (("evacuate", "h1", "--deadline", "30"), 64),
    (("evacuate", "h1", "--bandwidth", "1"), 64), (("hosts", "-o", "xml"), 64), (("schedule",), 64),
    (("evacuate", "h1", "--max-parallel", "-1"), 64), (("keys", "old", "x"), 64), (("--help",), 0),
    (("evacuate", "--help"), 0), (("--version",), 0),
])
def test_usage(arguments, code):
    assert decamp(*arguments).returncode == code


@pytest.mark.parametrize("arguments, word", [
    (("evacuate",), "HOST"), (("evacuate", "h1", "--fly"), "--fly"), (("evacuate", "h1", "--seed"), "--seed"),
    (("evacuate", "h1", "--deadline", "30"), "--deadline"), (("hosts", "-o", "xml"), "table, wide or json"),
    (("evacuate", "h1", "--deadline", "9999999999999999h"), "at most 8760h"),
    (("evacuate", "h1", "--time-limit", "9999h"), "at most 8760h"),
    (("hosts", "extra"), "no arguments"), (("fly",), "fly"),
])
def test_usage_errors_are_one_line(arguments, word):
    result = decamp(*arguments)
    assert result.returncode == 64 and result.stdout == ""
    assert word in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments, word", [
    (("evacuate", "h9", "--fleet", FLEETS / "small.json"), "h9"),
    (("evacuate", "h1", "--exclude", "nobody", "--fleet", FLEETS / "small.json"), "nobody"),
    (("predict", "nobody", "--fleet", FLEETS / "small.json"), "nobody"),
    (("evacuate", "h1", "--fleet", "/nonexistent.json"), "/nonexistent.json"),
    (("show", FLEETS / "small.json"), "format"), (("keys", "new", ""), "a name"),
    (("schedule", "--moves", FLEETS / "small.json", "--fleet", FLEETS / "small.json"), "format"),
])
def test_errors_exit_1_and_name_it(arguments, word):
    result = decamp(*arguments)
    assert result.returncode == 1 and word in result.stderr and len(result.stderr.splitlines()) == 1
