"""What `decamp predict VM` answers beyond its grid: models and policies compared, curves and
their charts, the best hour, an SLA, guarantees; and hostile input to all of them.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import pathlib
import pty
import subprocess

import jsonschema
import pytest

from lone_planner import LonePlanner
from peer_agent import now_unix_ms, prediction, vm

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DECAMP_BIN_DIR", ROOT / "build" / "dev" / "bin"))
SMALL = ROOT / "tests" / "data" / "fleets" / "small.json"
SCHEMA = json.loads((ROOT / "proto" / "schema" / "predictions.schema.json").read_text(encoding="utf-8"))
DAY_MS = 86400 * 1000
GIB = 1 << 30


def predict(*arguments, fleet=SMALL, environment=None):
    """`fleet` None: of the daemon."""
    source = [] if fleet is None else ["--fleet", fleet]
    return subprocess.run([BIN / "decamp", "predict", *map(str, arguments), *source], capture_output=True, text=True,
                          timeout=60, check=False, env={**os.environ, **(environment or {})})


def ask(*arguments, code=0, **keywords):
    """The VM's part of the JSON answer, checked against the schema."""
    result = predict(*arguments, "-o", "json", **keywords)
    assert result.returncode == code, f"{arguments}: exit {result.returncode}\n{result.stderr}"
    document = json.loads(result.stdout)
    jsonschema.validate(document, SCHEMA)
    assert len(document["vms"]) == 1
    return document["vms"][0]


def small():
    return json.loads(SMALL.read_text(encoding="utf-8"))


def vm_of(document, name):
    return next(vm for vm in document["vms"] if vm["name"] == name)


@pytest.fixture(name="write")
def fixture_write(tmp_path):
    def write(document):
        path = tmp_path / "fleet.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path
    return write


# --- the grid, as before ---


def test_the_grid_has_p90_between_the_others():
    jsonschema.validate(json.loads(predict("-o", "json").stdout), SCHEMA)
    vm = ask("db1", "--bandwidth", "200Mbit/s", "--bandwidth", "1Gbit/s")
    assert list(vm) == ["uuid", "name", "policy", "lowest_bandwidth_bytes_per_s", "prediction"]
    for point in vm["prediction"]["grid"]:
        for key in ("migration_ms", "downtime_ms"):
            assert point[key]["p50"] <= point[key]["p90"] <= point[key]["p95"]


def test_jsonl_is_a_vm_a_line():
    lines = predict("-o", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == json.loads(predict("-o", "json").stdout)["vms"]


def test_max_downtime_takes_the_budgets_place():
    own = ask("db1")["lowest_bandwidth_bytes_per_s"]
    less = ask("db1", "--max-downtime", "200ms")["lowest_bandwidth_bytes_per_s"]
    assert less > own
    assert "downtime budget 200 ms" in predict("db1", "--max-downtime", "200ms").stdout
    assert ask("db1", "--max-downtime", "1ms")["lowest_bandwidth_bytes_per_s"] is None


# --- models and policies ---


def test_models_stand_side_by_side():
    rows = ask("db1", "--models", "--bandwidth", "600Mbit/s", "--bandwidth", "9Gbit/s")["models"]["rows"]
    assert [(r["bandwidth_bytes_per_s"], r["model"]) for r in rows] == [
        (75000000, "AVG"), (75000000, "HIST"), (1125000000, "AVG"), (1125000000, "HIST")]
    avg, hist = rows[0], rows[1]
    assert avg["migration_ms"]["p50"] == avg["migration_ms"]["p95"]  # one rate, one figure
    assert hist["migration_ms"]["p50"] < hist["migration_ms"]["p95"]
    assert avg["migration_off_frac"] == pytest.approx(avg["migration_ms"]["p50"] / hist["migration_ms"]["p50"] - 1,
                                                      abs=1e-3)
    assert avg["migration_off_frac"] > 0.5  # the curve flattens, a rate does not
    assert "migration_off_frac" not in hist
    table = predict("db1", "--models").stdout
    assert "AVG" in table and "HIST" in table and "mean over windows of 1 s" in table


def test_hist_is_what_the_grid_says():
    hist = ask("db1", "--models", "--bandwidth", "600Mbit/s")["models"]["rows"][1]
    grid = ask("db1", "--bandwidth", "600Mbit/s")["prediction"]["grid"][0]
    assert all(hist[key] == grid[key] for key in ("migration_ms", "downtime_ms", "bytes", "rounds"))


def test_policies_are_compared_on_one_profile():
    rows = ask("db1", "--policy", "all", "--bandwidth", "1Gbit/s")["models"]["rows"]
    names = list(dict.fromkeys(r["policy"] for r in rows))
    assert {"xen-v2", "qemu"} <= set(names) and len(rows) == 2 * len(names)
    assert {"xen-legacy", "xapi"} <= set(names)
    legacy = [r for r in rows if r["policy"] == "xen-legacy"]
    assert all(r["redirty_basis"] in ("fitted model", "curve") for r in legacy)
    assert not any("redirty_basis" in r for r in rows if r not in legacy)
    rows = ask("db1", "--policy", "qemu", "--bandwidth", "1Gbit/s")["models"]["rows"]
    assert {r["policy"] for r in rows} == {"qemu"}


def test_recorded_bitmaps_are_replayed():
    fleet = ROOT / "tests" / "fuzz" / "corpus" / "fleet_doc" / "bitmaps.json"
    vm = ask("u1", "--models", "--bandwidth", "1MB/s", "--guarantee", "--deadline", "10s", fleet=fleet)
    assert vm["models"]["rows"][1]["model"] == "HIST" and vm["models"]["rows"][1]["redirty_basis"] == "bitmaps"
    assert vm["models"]["rows"][0]["redirty_basis"] != "bitmaps"  # a constant rate has no pages
    assert options_of(vm["guarantee"], "as it is")["any workload"]["holds"]


def test_avg_and_hist_may_disagree_on_the_end(write):
    document = small()
    vm_of(document, "db1")["policy"] = {"name": "qemu"}
    models = ask("db1", "--models", "--bandwidth", "550Mbit/s", fleet=write(document))["models"]
    # The second's mean is below the link's rate, the short windows' is not.
    assert [r["verdict"] for r in models["rows"]] == ["converges", "does not converge"]
    assert any("disagree" in note for note in models["notes"])


# --- curves ---


def test_the_curve_over_bandwidth_falls():
    curve = ask("db1", "--curve", "bandwidth", "--max-downtime", "300ms")["curve"]
    points = curve["points"]
    assert curve["against"] == "bandwidth" and len(points) > 10
    for low, high in zip(points, points[1:]):
        assert low["bandwidth_bytes_per_s"] < high["bandwidth_bytes_per_s"]
        assert low["migration_ms"]["p95"] >= high["migration_ms"]["p95"]
    assert points[0]["verdict"] == "forced stop" and points[-1]["verdict"] != "forced stop"
    edge = curve["not_convergent_up_to_bytes_per_s"]
    assert all((p["verdict"] == "forced stop") == (p["bandwidth_bytes_per_s"] <= edge) for p in points)
    lowest = curve["lowest_bandwidth_bytes_per_s"]
    at = ask("db1", "--bandwidth", lowest * 1.02)["prediction"]["grid"][0]
    below = ask("db1", "--bandwidth", lowest * 0.9)["prediction"]["grid"][0]
    assert at["downtime_ms"]["p95"] <= 300 < below["downtime_ms"]["p95"]


def test_the_curve_over_the_dirty_rate_rises(write):
    document = small()
    vm_of(document, "db1")["policy"] = {"name": "qemu"}
    curve = ask("db1", "--curve", "rate", "--bandwidth", "400Mbit/s", fleet=write(document))["curve"]
    points = curve["points"]
    middle = points[len(points) // 2]
    assert middle["rate_factor"] == pytest.approx(1)
    grid = ask("db1", "--bandwidth", "400Mbit/s", fleet=write(document))["prediction"]["grid"][0]
    assert middle["migration_ms"] == grid["migration_ms"]
    for low, high in zip(points, points[1:]):
        assert low["dirty_rate_pages_per_s"] <= high["dirty_rate_pages_per_s"]
    assert points[0]["verdict"] == "converges" and points[-1]["verdict"] == "does not converge"
    edge = curve["not_convergent_from_rate_factor"]
    assert [p["verdict"] for p in points if p["rate_factor"] < edge - 1e-9][-1] == "converges"


def on_a_terminal(arguments, columns, locale):
    """Runs decamp on a terminal so wide; returns its lines."""
    leader, follower = pty.openpty()
    subprocess.run(["stty", "cols", str(columns), "rows", "50"], stdin=follower, check=True)
    child = subprocess.Popen([BIN / "decamp", "predict", *arguments, "--fleet", SMALL], stdout=follower,
                             env={**os.environ, "LC_ALL": locale, "NO_COLOR": "1"})
    os.close(follower)
    text = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # the end, as Linux tells it
            break
        if not piece:
            break
        text += piece
    os.close(leader)
    assert child.wait(30) == 0
    return text.decode("utf-8").splitlines()


@pytest.mark.parametrize("locale, axis, mark", [("C.UTF-8", "└──", "\u2840"), ("C", "+--", "*")])
@pytest.mark.parametrize("curve", ["bandwidth", "rate"])
def test_a_terminal_gets_a_chart(locale, axis, mark, curve):
    lines = on_a_terminal(["db1", "--curve", curve], 70, locale)
    start = next(i for i, line in enumerate(lines) if line.startswith("migration time"))
    chart = lines[start:]
    assert any(line.startswith("downtime (") for line in chart)
    assert sum(axis in line for line in chart) == 2
    assert all(len(line) <= 70 for line in chart if "axes" not in line)
    text = "\n".join(chart)
    assert mark in text or any("\u2800" < c <= "\u28ff" for c in text)
    assert locale != "C" or text.isascii()
    assert " ms" in text and ("bit/s" in text if curve == "bandwidth" else "x 16" in text)
    assert not any("axes" in line for line in predict("db1", "--curve", curve).stdout.splitlines())


# --- the best hour ---

HOUR_MS = 3600 * 1000
TAKEN_UNIX_MS = 1700000000000 // DAY_MS * DAY_MS + 14 * HOUR_MS + 1234567  # 14:20 UTC


def with_history(pages_at, days=6, step_ms=HOUR_MS // 2):
    """A fleet in which db1 dirties pages_at(hour of the day in UTC, index) a second, until it was taken."""
    document = small()
    document["taken_unix_ms"] = TAKEN_UNIX_MS
    bursts = []
    for i, at in enumerate(range(TAKEN_UNIX_MS - days * DAY_MS, TAKEN_UNIX_MS, step_ms)):
        pages = pages_at(at // HOUR_MS % 24, i)
        bursts.append({"at_unix_ms": at, "points": [[1, pages], [10, 5 * pages], [60, 20 * pages]]})
    vm_of(document, "db1")["profile"] = {"kind": "curve", "bursts": bursts}
    return document


def by_day(hour, index):
    """Quiet from 2 to 5, busiest at noon."""
    return (300 if 2 <= hour < 5 else 3000 + 20000 * (11 <= hour < 14)) + 37 * (index * 7919 % 11)


def test_when_finds_the_quiet_hours(write):
    fleet = write(with_history(by_day))
    when = ask("db1", "--when", "--bandwidth", "1Gbit/s", fleet=fleet, environment={"TZ": "UTC"})["when"]
    hours = when["hours"]
    assert [h["start_unix_ms"] for h in hours] == [TAKEN_UNIX_MS // HOUR_MS * HOUR_MS + i * HOUR_MS for i in range(24)]
    assert when["cyclic"] and when["cycle_p_value"] < 0.01
    assert all(h["basis"] == "hour-of-day" and h["n_bursts"] >= 10 for h in hours)
    assert [h["best"] for h in hours].count(True) == 1
    best = next(h for h in hours if h["best"])
    assert best["start_unix_ms"] == when["best_start_unix_ms"] and 2 <= best["start_unix_ms"] // HOUR_MS % 24 < 5
    assert best["migration_ms"]["p95"] == min(h["migration_ms"]["p95"] for h in hours)
    noon = next(h for h in hours if h["start_unix_ms"] // HOUR_MS % 24 == 12)
    assert noon["migration_ms"]["p50"] > 1.1 * best["migration_ms"]["p95"]


def test_when_prints_local_time(write):
    fleet = write(with_history(by_day))
    for zone, first in (("UTC", "14:00"), ("XYZ-3", "17:00"), ("XYZ+9:30", "04:00")):
        lines = predict("db1", "--when", fleet=fleet, environment={"TZ": zone}).stdout.splitlines()
        assert lines[1].lstrip().startswith("START") and lines[2].split()[1] == first
        assert sum(line.endswith("yes") for line in lines[2:26]) == 1


def test_when_names_no_hour_without_a_cycle(write):
    noise = with_history(lambda hour, index: 3000 + 997 * (index * 7919 % 13))
    when = ask("db1", "--when", fleet=write(noise))["when"]
    assert not when["cyclic"] and "best_start_unix_ms" not in when and not any(h["best"] for h in when["hours"])
    assert {h["basis"] for h in when["hours"]} == {"all"} and len({h["migration_ms"]["p95"] for h in when["hours"]}) == 1
    assert any("no hour is known to be better" in note for note in when["notes"])


def test_when_keeps_the_budget_or_says_so(write):
    fleet = write(with_history(by_day))
    when = ask("db1", "--when", "--bandwidth", "1Gbit/s", "--max-downtime", "101ms", code=3, fleet=fleet)["when"]
    assert "best_start_unix_ms" not in when
    assert any("in no hour" in note and "101 ms" in note for note in when["notes"])


def test_when_needs_times(write):
    document = small()
    for burst in vm_of(document, "db1")["profile"]["bursts"]:
        del burst["at_unix_ms"]
    result = predict("db1", "--when", fleet=write(document))
    assert result.returncode == 1 and "db1" in result.stderr and "when it was taken" in result.stderr
    document = small()
    del document["taken_unix_ms"]
    assert "taken" in predict("db1", "--when", fleet=write(document)).stderr
    vm_of(document, "db1")["profile"] = {"kind": "rate", "pages_per_s": 1000, "working_set_pages": 5000}
    document["taken_unix_ms"] = TAKEN_UNIX_MS
    result = predict("db1", "--when", fleet=write(document))
    assert result.returncode == 1 and "hours" in result.stderr


# --- SLA ---


def test_sla_counts_migrations():
    sla = ask("db1", "--sla", "99.95%", "--bandwidth", "300Mbit/s", "--bandwidth", "1Gbit/s")["sla"]
    assert sla["availability_frac"] == pytest.approx(0.9995)
    assert sla["month_ms"] == 30 * DAY_MS and sla["allowance_ms"] == 1296000
    assert len(sla["points"]) == 2
    for point in sla["points"]:
        assert point["migrations_per_month_p95"] == pytest.approx(1296000 / point["downtime_ms"]["p95"], rel=2e-3, abs=1)
        assert point["migrations_per_month_p50"] >= point["migrations_per_month_p95"]
    assert sum("assumed" in note for note in sla["notes"]) == 2
    nic = ask("db1", "--sla", "99.95%")["sla"]["points"]
    assert [p["bandwidth_bytes_per_s"] for p in nic] == [1175000000]


def test_sla_of_the_impossible(write):
    document = small()
    vm_of(document, "db1")["policy"] = {"name": "qemu"}
    sla = ask("db1", "--sla", "99%", "--bandwidth", "10Mbit/s", fleet=write(document))["sla"]
    assert sla["points"][0]["converges"] is False and "migrations_per_month_p95" not in sla["points"][0]
    assert any("never ends" in note for note in sla["notes"])
    assert ask("db1", "--sla", "100%")["sla"]["points"][0]["migrations_per_month_p95"] == 0


@pytest.mark.parametrize("value", ["", "99.95", "0.9995", "0%", "-5%", "101%", "nan%", "inf%", "1e400%", "%", "99.9%%",
                                   "ninety%", "0x10%", "99,9%"])
def test_sla_wants_a_percentage(value):
    result = predict("db1", "--sla", value)
    assert result.returncode == 64 and "99.95%" in result.stderr and len(result.stderr.splitlines()) == 1


# --- guarantees ---


def options_of(guarantee, knob):
    return {o["basis"]: o for o in guarantee["options"] if o["knob"] == knob}


def test_a_guarantee_on_xen_is_rounds_and_bandwidth():
    guarantee = ask("db1", "--guarantee", "--deadline", "30s", "--max-downtime", "200ms")["guarantee"]
    assert guarantee["strongest_basis"] == "worst of history"
    plain = options_of(guarantee, "as it is")
    assert not plain["any workload"]["holds"] and plain["worst of history"]["holds"]
    sent_once_ms = 16 * GIB / 4096 * 4104 / 1175000000 * 1000
    assert plain["any workload"]["migration_ms"] == pytest.approx(300 + 6 * sent_once_ms, rel=1e-3)
    assert plain["any workload"]["downtime_ms"] == pytest.approx(100 + sent_once_ms, rel=1e-3)
    least = options_of(guarantee, "bandwidth")["worst of history"]
    assert least["holds"] and least["migration_ms"] <= 30000 and least["downtime_ms"] <= 200
    grid = ask("db1", "--bandwidth", least["bandwidth_bytes_per_s"] + 1)["prediction"]["grid"][0]
    assert grid["migration_ms"]["p95"] <= 30000 and grid["downtime_ms"]["p95"] <= 200
    grid = ask("db1", "--bandwidth", least["bandwidth_bytes_per_s"] * 0.98)["prediction"]["grid"][0]
    assert grid["migration_ms"]["p95"] > 30000 or grid["downtime_ms"]["p95"] > 200
    rounds = options_of(guarantee, "max_rounds")
    assert not rounds["any workload"]["settable"] and "libxl does not expose" in rounds["any workload"]["how"]
    assert any("libxl does not expose" in note for note in guarantee["notes"])


def test_a_deadline_for_any_workload_by_fewer_rounds():
    guarantee = ask("db1", "--guarantee", "--deadline", "45s", "--max-downtime", "15s")["guarantee"]
    bound = options_of(guarantee, "max_rounds")["any workload"]
    assert bound["holds"] and bound["max_rounds"] == 2 and bound["migration_ms"] <= 45000


def test_a_guarantee_on_qemu_is_a_downtime_limit(write):
    document = small()
    vm_of(document, "db1")["policy"] = {"name": "qemu"}
    fleet = write(document)
    guarantee = ask("db1", "--guarantee", "--max-downtime", "250ms", fleet=fleet)["guarantee"]
    limit = options_of(guarantee, "downtime_limit")["any workload"]
    assert limit["holds"] and limit["settable"] and 100 <= limit["downtime_limit_ms"] <= 150
    assert "migration_ms" not in limit and limit["downtime_ms"] <= 250
    assert any("may never end" in note for note in guarantee["notes"])
    vm_of(document, "db1")["policy"]["downtime_limit_ms"] = limit["downtime_limit_ms"]
    grid = ask("db1", "--bandwidth", "1Gbit/s", fleet=write(document))["prediction"]["grid"][0]
    assert grid["converges"] and grid["downtime_ms"]["p95"] <= 250
    assert {"auto_converge", "postcopy"} <= {o["knob"] for o in guarantee["options"]}


def test_what_nothing_guarantees_exits_3():
    guarantee = ask("db1", "--guarantee", "--deadline", "150ms", code=3)["guarantee"]
    assert "strongest_basis" not in guarantee and not any(o["holds"] for o in guarantee["options"])
    assert any("nothing that can be set" in note for note in guarantee["notes"])
    assert predict("db1", "--guarantee", "--deadline", "150ms").returncode == 3


def test_a_disk_that_stays_leaves_nothing_to_guarantee(write):
    document = small()
    disk = {"name": "scratch0", "size_bytes": GIB, "local": True, "write_bytes_per_s": 0}
    vm_of(document, "db1")["storage"] = [disk]
    vm = ask("db1", "--guarantee", "--deadline", "1h", "--sla", "99%", code=3, fleet=write(document))
    assert "strongest_basis" not in vm["guarantee"] and not any(o["settable"] for o in vm["guarantee"]["options"])
    assert all(any("scratch0" in note for note in vm[part]["notes"]) for part in ("guarantee", "sla"))
    # QEMU moves it: later than without, and no bound holds for whatever may be written to it.
    vm_of(document, "db1")["policy"] = {"name": "qemu"}
    with_disk = ask("db1", "--guarantee", "--deadline", "1h", fleet=write(document))["guarantee"]
    del vm_of(document, "db1")["storage"]
    without = ask("db1", "--guarantee", "--deadline", "1h", fleet=write(document))["guarantee"]
    assert options_of(with_disk, "as it is")["p95"]["migration_ms"] > options_of(without, "as it is")["p95"]["migration_ms"]
    assert with_disk["strongest_basis"] == "worst of history" and without["strongest_basis"] == "any workload"


def test_the_budget_is_the_downtime_to_guarantee(write):
    assert ask("db1", "--guarantee")["guarantee"]["max_downtime_ms"] == 1500
    document = small()
    del vm_of(document, "db1")["downtime_budget_ms"]
    result = predict("db1", "--guarantee", fleet=write(document))
    assert result.returncode == 1 and "--deadline" in result.stderr


def test_a_summary_of_the_history_gives_no_worst_case(write):
    document = small()
    bursts = vm_of(document, "db1")["profile"]["bursts"]
    vm_of(document, "db1")["profile"] = {"kind": "quantiles", "zero_pages": 0, "p50": bursts[0]["points"],
                                         "p95": bursts[1]["points"]}
    guarantee = ask("db1", "--guarantee", "--deadline", "60s", fleet=write(document))["guarantee"]
    assert {o["basis"] for o in guarantee["options"]} == {"any workload", "p95"}
    assert any("no recorded bursts" in note for note in guarantee["notes"])


# --- asked of the daemon ---


def test_the_daemon_answers_from_what_agents_published(tmp_path):
    with LonePlanner(tmp_path) as planner:
        planner.full_agent("h1", ["web1", "db1"])
        planner.wait_predicted(2)
        result = subprocess.run([BIN / "decamp", "predict", "web1", "--socket", planner.socket, "-o", "json", "--models",
                                 "--curve", "rate", "--sla", "99.9%", "--guarantee", "--deadline", "1h"],
                                capture_output=True, text=True, check=False, timeout=60)
        assert result.returncode == 0, result.stderr
        document = json.loads(result.stdout)
        jsonschema.validate(document, SCHEMA)
        vm = document["vms"][0]
        assert vm["models"]["rows"] and vm["curve"]["points"] and vm["sla"]["points"]
        assert any("agent's history" in note for note in vm["models"]["notes"])
        assert {o["basis"] for o in vm["guarantee"]["options"]} == {"any workload", "p95"}


# --- all at once, and hostile input ---


def test_several_questions_in_one_answer():
    vm = ask("web1", "--models", "--curve", "bandwidth", "--sla", "99%", "--guarantee", "--deadline", "1h")
    assert list(vm) == ["uuid", "name", "policy", "models", "curve", "sla", "guarantee"]
    table = predict("web1", "--models", "--sla", "99%").stdout
    assert "AVG" in table and "availability 99 %" in table


@pytest.mark.parametrize("arguments", [
    ("db1", "--policy", "vmware"), ("db1", "--policy", ""), ("db1", "--curve", "memory"), ("db1", "--curve"),
    ("db1", "--bandwidth", "nan"), ("db1", "--bandwidth", "inf"), ("db1", "--bandwidth", "-1Gbit/s"),
    ("db1", "--bandwidth", "0"), ("db1", "--bandwidth", "1e300Gbit/s"), ("db1", "--bandwidth", "1e20"),
    ("db1", "--guarantee", "--deadline", "30"), ("db1", "--guarantee", "--deadline", "nan"),
    ("db1", "--guarantee", "--deadline", "-1s"), ("db1", "--guarantee", "--deadline", "1e9h"),
    ("db1", "--guarantee", "--max-downtime", "0s"), ("db1", "--deadline", "30s"), ("--models",), ("--sla", "99%"),
    ("--curve", "bandwidth"), ("--guarantee", "--deadline", "1s"), ("--policy", "all"), ("--when",),
    ("db1", "--when", "--from-prediction"), ("db1", "--when", "--bandwidth", "1Gbit/s", "--bandwidth", "2Gbit/s"),
    ("db1", "--curve", "rate", "--bandwidth", "1Gbit/s", "--bandwidth", "2Gbit/s"),
    ("db1", "--guarantee", "--deadline", "1s", "--bandwidth", "1Gbit/s", "--bandwidth", "2Gbit/s"),
    ("db1", "--models", "--from-prediction"), ("db1", "--models=yes"), ("db1", "--nonsense"), ("db1", "-o", "xml"),
])
def test_mistakes_exit_64_in_one_line(arguments):
    result = predict(*arguments)
    assert result.returncode == 64 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1


def test_jsonl_is_only_for_predictions():
    result = subprocess.run([BIN / "decamp", "vms", "-o", "jsonl", "--fleet", SMALL], capture_output=True, text=True,
                            check=False)
    assert result.returncode == 64 and "table, wide or json" in result.stderr


EVERYTHING = ("--policy", "all", "--curve", "rate", "--sla", "99.9%", "--guarantee", "--deadline", "30s",
              "--max-downtime", "500ms")


@pytest.mark.parametrize("bandwidth", ["1", "8bit/s", "1000000Gbit/s"])
def test_absurd_bandwidths_are_answered(bandwidth):
    ask("db1", *EVERYTHING, "--bandwidth", bandwidth)


@pytest.mark.parametrize("memory_bytes", [4096, 1 << 20, 1 << 50])
@pytest.mark.parametrize("policy", ["xen-v2", "qemu"])
def test_absurd_sizes_are_answered(write, memory_bytes, policy):
    document = small()
    vm_of(document, "db1").update(memory_bytes=memory_bytes, policy={"name": policy})
    for host in document["hosts"]:
        host["memory_bytes"] = 1 << 52
    result = predict("db1", *EVERYTHING, "-o", "json", fleet=write(document))
    assert result.returncode in (0, 3), result.stderr
    jsonschema.validate(json.loads(result.stdout), SCHEMA)


@pytest.mark.parametrize("points", [[[1e-9, 0]], [[0.125, 0], [60, 0]], [[0.125, 1e15]], [[1e-9, 1], [1e9, 2]]])
def test_absurd_profiles_are_answered(write, points):
    document = small()
    vm_of(document, "db1")["profile"] = {"kind": "curve", "bursts": [{"at_unix_ms": 1, "points": points}]}
    result = predict("db1", *EVERYTHING, "-o", "json", fleet=write(document))
    assert result.returncode in (0, 3), result.stderr
    jsonschema.validate(json.loads(result.stdout), SCHEMA)


def test_a_vm_without_a_profile_says_so(write):
    document = small()
    del vm_of(document, "db1")["profile"]
    for question in (("--models",), ("--curve", "rate"), ("--guarantee",), ("--sla", "99%"), ("--curve", "bandwidth")):
        result = predict("db1", *question, fleet=write(document))
        assert result.returncode == 1 and "db1" in result.stderr and "profile" in result.stderr


def test_a_published_prediction_serves_where_no_replay_is_needed(write):
    document = small()
    vm = vm_of(document, "db1")
    del vm["profile"]
    vm["prediction"] = {"made_unix_ms": 1700003600000, "grid": [
        {"bandwidth_bytes_per_s": b, "migration_ms": {"p50": int(2e13 / b), "p90": int(2.1e13 / b), "p95": int(2.2e13 / b)},
         "downtime_ms": {"p50": 100, "p90": 150, "p95": 200}, "bytes": 20000000000, "rounds": 4, "converges": b > 1e8}
        for b in (100000000, 200000000, 1000000000)]}
    fleet = write(document)
    assert ask("db1", "--sla", "99%", fleet=fleet)["sla"]["points"][0]["migrations_per_month_p95"] == 129600
    curve = ask("db1", "--curve", "bandwidth", fleet=fleet)["curve"]
    assert {p["verdict"] for p in curve["points"]} == {"converges", "does not converge"}


def test_when_online_from_the_hours_of_an_agent(tmp_path):
    """The daemon keeps no history: what its agent told of the hours to come must reach the answer, restarts included."""
    with LonePlanner(tmp_path, hosts=("h1",)) as planner:
        agent = planner.agent("h1")
        agent.greet()
        agent.snapshot([vm("db1")])
        this_hour = now_unix_ms() // HOUR_MS * HOUR_MS
        busy, quiet = ([[0.25, 1, 4], [rate / 4, rate, 3 * rate]] for rate in (20000, 100))
        hours = [{"start_unix_ms": this_hour + i * HOUR_MS, "basis": "hour-of-day", "n_bursts": 12,
                  "p50": dict(zip(("window_s", "pages"), quiet if i == 5 else busy)),
                  "p95": dict(zip(("window_s", "pages"), quiet if i == 5 else busy))} for i in range(24)]
        agent.predict({**prediction("db1"), "hours": hours})
        planner.wait_predicted(1)
        for answer in range(2):
            if answer == 1:
                planner.kill()
                planner.start()
            when = ask("db1", "--when", fleet=None, environment={"DECAMP_SOCKET": str(planner.socket)})["when"]
            assert when["best_start_unix_ms"] == this_hour + 5 * HOUR_MS
            assert when["hours"][0]["n_bursts"] == 12 and when["hours"][0]["basis"] == "hour-of-day"
