"""What a plan says of its own uncertainty: --risk, forecast, ETA, the chance to keep a deadline."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest

from test_certificates import fleet, vm
from test_cli import decamp, ok, plan_of

PAGES = (8 << 30) // 4096


@pytest.fixture(name="uneven")
def fixture_uneven(tmp_path):
    """VMs whose bursts differ, so that p50 and p95 do."""
    bursts = [{"at_unix_ms": i, "points": [[0.5, 3000 * i], [5, 25000 * i], [60, 100000 * i]]} for i in range(1, 11)]
    profile = {"kind": "curve", "zero_pages": PAGES // 10, "bursts": bursts}
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(fleet(4, [vm(i, "h1", profile=profile) for i in range(12)])), encoding="utf-8")
    return path


def test_less_risk_is_planned_for_more(uneven):
    plans = [plan_of("evacuate", "h1", "--fleet", uneven, *risk)
             for risk in (["--risk", "40"], ["--risk", "20%"], [], ["--risk", "0.5%"])]
    makespans = [p["makespan_ms"]["p95"] for p in plans]
    assert makespans == sorted(makespans) and makespans[0] < makespans[-1] * 0.99
    assert [p["goal"].get("risk_frac") for p in plans] == [0.4, 0.2, None, 0.005]


def test_the_forecast_lies_between_the_quantiles_it_is_drawn_from(uneven):
    plan = plan_of("evacuate", "h1", "--fleet", uneven)
    forecast, planned = plan["forecast"], plan["makespan_ms"]
    assert forecast["n_runs"] == 1000 and forecast["method"] == "decode"
    assert planned["p50"] <= forecast["makespan_ms"]["p50"] < forecast["makespan_ms"]["p95"] < planned["p95"]
    assert forecast["eta_unix_ms"]["p95"] == 1 + forecast["makespan_ms"]["p95"]
    assert "deadline_met_frac" not in forecast


def test_the_forecast_does_not_depend_on_what_was_planned_for(uneven):
    """Other quantiles, the same spread: the true p95 is the same within its own noise."""
    ends = [plan_of("evacuate", "h1", "--fleet", uneven, "--risk", risk)["forecast"]["makespan_ms"]["p95"]
            for risk in ("30%", "5%", "1%")]
    assert max(ends) < 1.02 * min(ends)


def test_a_deadline_has_a_chance(uneven):
    """All at their p60 is rarer than one: 12 independent ones end by then in about 4 of 5 runs."""
    question = ["evacuate", "h1", "--fleet", uneven, "--risk", "40%"]
    limit = ["--deadline", f"{plan_of(*question)['makespan_ms']['p95'] + 1}ms"]
    assert 0.65 < plan_of(*question, *limit)["forecast"]["deadline_met_frac"] < 0.95
    table = ok(*question, *limit)
    assert "the deadline is kept in" in table and "p60 where p95 stands" in table


def test_verify_plans_with_the_same_risk(uneven, tmp_path):
    path = tmp_path / "plan.json"
    ok("evacuate", "h1", "--fleet", uneven, "--risk", "30%", "-o", "json", "--out", path)
    ok("verify", path, "--fleet", uneven)


@pytest.mark.parametrize("text", ["0", "50%", "-1", "half", "5%%"])
def test_what_is_no_risk(text):
    result = decamp("evacuate", "h1", "--risk", text)
    assert result.returncode == 64 and "--risk" in result.stderr
