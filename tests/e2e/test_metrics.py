"""What machines watch of the planner: /metrics, /healthz, /readyz."""
# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import http.client

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lone_planner import LonePlanner, UnixConnection


@pytest.fixture(name="planner")
def lone_planner(tmp_path):
    with LonePlanner(tmp_path) as planner:
        yield planner


def scrape(planner):
    """{(name, labels): value}, read by Prometheus' own reader."""
    with contextlib.closing(UnixConnection(planner.socket)) as connection:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert response.status == http.client.OK
        assert response.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        text = response.read().decode()
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families) and all(f.documentation for f in families)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families for sample in family.samples}


def value(samples, name, **labels):
    return samples[name, tuple(sorted(labels.items()))]


def test_an_empty_planner(planner):
    samples = scrape(planner)
    assert value(samples, "decamp_vms") == 0 and value(samples, "decamp_hosts", freshness="fresh") == 0
    assert value(samples, "decamp_prediction_age_seconds_count") == 0
    assert not any(name == "decamp_plan_gap_ratio" for name, _ in samples)
    assert planner.request("GET", "/healthz") == (200, {"healthy": True})
    status, answer = planner.request("GET", "/readyz")
    assert status == 503 and answer["ready"] is False


def test_hosts_and_predictions(planner):
    planner.full_agent("h1", ["web1", "db1"])
    planner.wait_predicted(2)
    agent = planner.agent("h2")
    agent.greet()
    agent.snapshot([])
    planner.wait(lambda: len(planner.fleet()["hosts"]) == 2, "no h2")
    samples = scrape(planner)
    assert value(samples, "decamp_hosts", freshness="fresh") == 2 and value(samples, "decamp_hosts", freshness="lost") == 0
    assert value(samples, "decamp_vms") == 2 and value(samples, "decamp_vms_unpredicted") == 0
    assert value(samples, "decamp_prediction_age_seconds_count") == 2
    assert 0 <= value(samples, "decamp_prediction_age_seconds", quantile="1") < 60
    assert value(samples, "decamp_messages_total") >= 5
    assert planner.request("GET", "/readyz") == (200, {"ready": True})


def test_plans_are_counted(planner):
    for host, names in (("h1", ["web1", "db1"]), ("h2", [])):
        planner.full_agent(host, names)
    planner.wait_predicted(2)
    status, plan = planner.request("POST", "/v1/plans", {"verb": "evacuate", "hosts": ["h1"]})
    assert status == 200, plan
    assert planner.request("POST", "/v1/plans", {"verb": "evacuate", "hosts": ["nowhere"]})[0] == 404
    samples = scrape(planner)
    assert value(samples, "decamp_plans_total", status=plan["status"]) == 1
    assert value(samples, "decamp_plan_solve_seconds_count") == 1 and value(samples, "decamp_plan_solve_seconds_sum") > 0
    assert value(samples, "decamp_plans_failed_total") == 1
    assert value(samples, "decamp_plan_gap_ratio") == pytest.approx(plan["gap_frac"])


def test_plans_that_are_applied(planner):
    def tell(plan, *events):
        status, answer = planner.request("POST", f"/v1/plans/{plan}/events", {"first": 1, "events": list(events)})
        assert status == 200, answer

    def counts():
        samples = scrape(planner)
        return (value(samples, "decamp_plans_applied"), value(samples, "decamp_migrations", state="running"),
                value(samples, "decamp_migrations", state="pending"))

    tell("a1", {"event": "step", "n_running": 2, "n_pending": 5}, {"event": "note", "text": "a word"})
    tell("b2", {"event": "step", "n_running": 1, "n_pending": 0})
    assert counts() == (2, 3, 5)
    tell("a1", {"event": "step", "n_running": 1, "n_pending": 4}, {"event": "end", "is_whole": False})
    assert counts() == (1, 1, 0)
    tell("b2", {"event": "end", "is_whole": True})
    assert counts() == (0, 0, 0)


def test_accuracy_is_told(planner):
    agent = planner.full_agent("h1", ["web1"])
    planner.full_agent("h2", [])
    planner.wait_predicted(1)
    assert value(scrape(planner), "decamp_observed_migrations", figure="migration") == 0
    agent.migrate("web1", "h2", migration_ms=40_000, bytes=4e9)
    planner.wait(lambda: value(scrape(planner), "decamp_observed_migrations", figure="migration") == 1, "not observed")
    samples = scrape(planner)
    assert value(samples, "decamp_prediction_error_ratio", figure="migration", quantile="0.5") == pytest.approx(
        abs(value(samples, "decamp_prediction_bias_ratio", figure="migration")))
    assert value(samples, "decamp_prediction_within_p95_ratio", figure="migration") in (0, 1)
    assert not any(labels == (("figure", "downtime"),) and name == "decamp_prediction_bias_ratio" for name, labels in samples)
