"""decamp show -o html: the page needs nothing else, names in it are text, and the same figures stand in its table."""
# SPDX-License-Identifier: GPL-3.0-or-later
import base64
import hashlib
import html.parser
import json
import re

import pytest

import goals
from lone_planner import LonePlanner
from test_cli import FLEETS, ROOT, decamp, ok, plan_of

HOSTILE = ["</script><img src=x onerror=alert(1)>", "<!--<script>", "\"'><svg/onload=alert(2)>", "a\u202eb\u2028c",
           "line\nbreak\ttab", "&lt;b&gt;&amp;", "javascript:alert(3)", "${7*7}{{7*7}}@steps@", "gr\u00fcn \u65e5\u672c \U0001f600",
           "__proto__", "constructor", " ", "%s%n", "\\u003cb\\u003e"]
KNOWN_TAGS = {"html", "head", "meta", "title", "style", "body", "header", "div", "span", "button", "h1", "h2", "p", "b", "dl",
              "dt", "dd", "main", "section", "label", "input", "output", "ul", "li", "i", "table", "thead", "tbody", "tr", "th",
              "td", "script"}
VOID = {"meta", "input"}


class Page(html.parser.HTMLParser):
    """What a browser without scripts would make of it: tags, attributes, the texts of scripts and of table cells."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.texts, self.rows = [], set(), [], {}, []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id")))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] in ("script", "style", "h1", "title"):
            self.texts.setdefault(self.open[-1], []).append(data)
        if self.open and self.open[-1][0] in ("td", "th"):
            self.rows[-1][-1] += data

    def policy(self):
        (content,) = (value for tag, name, value in self.attributes if name == "content" and "default-src" in value)
        return dict(part.strip().split(" ", 1) for part in content.split(";"))


def hash_of(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def check_self_contained(text):
    """Parses; loads nothing; and nothing runs but what it brings. Returns the page."""
    page = Page(text)
    assert page.tags <= KNOWN_TAGS
    assert not [a for a in page.attributes if a[1] in ("src", "href", "srcset", "action", "data", "style") or a[1].startswith("on")]
    assert not re.search(r"https?:|@import|url\(", text)
    policy = page.policy()
    assert policy["default-src"] == "'none'" and policy["base-uri"] == "'none'" and policy["form-action"] == "'none'"
    scripts = page.texts["script", None]
    assert len(scripts) == 2 and policy["script-src"].split() == [hash_of(s) for s in scripts]
    assert policy["style-src"] == hash_of("".join(page.texts["style", None]))
    assert set(policy) == {"default-src", "base-uri", "form-action", "script-src", "style-src"}
    return page


def page_of(plan, tmp_path, *options):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan), encoding="utf-8")
    text = ok("show", path, "-o", "html", *options)
    page = check_self_contained(text)
    assert json.loads("".join(page.texts["script", "plan"])) == json.loads(ok("show", path, "-o", "json"))
    assert len(page.rows) == (1 + len(plan["steps"]) if plan["steps"] else 0)
    assert [row[0] for row in page.rows[1:]] == [str(s["id"]) for s in plan["steps"]]
    return page, text


def shown(name):
    """A name as the page shows it."""
    return re.sub("[\u0000-\u001f\u2028-\u202e]", lambda m: f"[U+{ord(m[0]):04X}]", name)


def rolling_fleet():
    return goals.fleet(4, [goals.vm(i, f"h{i % 4 + 1}", downtime_budget_ms=60000) for i in range(10)])


def questions(tmp_path):
    """[fleet, question, exit code, heading] of each kind of plan."""
    small, tight = FLEETS / "small.json", FLEETS / "tight_budget.json"
    rolling, uneven = tmp_path / "rolling.json", tmp_path / "uneven.json"
    rolling.write_text(json.dumps(rolling_fleet()), encoding="utf-8")
    uneven.write_text(json.dumps(goals.fleet(4, [goals.vm(i, f"h{i % 2 + 1}") for i in range(10)])), encoding="utf-8")
    return [
        (small, ["evacuate", "h1"], 0, "Evacuate h1"),
        (small, ["evacuate", "h1", "h2", "--deadline", "30m"], 0, "Evacuate h1, h2"),
        (small, ["schedule", "--moves", FLEETS / "moves.json"], 0, "Move VMs to chosen hosts"),
        (FLEETS / "rules.json", ["evacuate", "h1"], 0, "Evacuate h1"),
        (tight, ["evacuate", "h1", "--explain"], 3, "Evacuate h1"),
        (FLEETS / "no_memory.json", ["evacuate", "h1"], 3, "Evacuate h1"),
        (rolling, ["consolidate"], 0, "Have fewer hosts on"),
        (rolling, ["rolling", "--all", "--at-once", "2", "--maintenance", "2m", "--return"], 0,
         "Rolling maintenance of all hosts"),
        (rolling, ["rebalance"], 0, "Rebalance the hosts"),
        (uneven, ["rebalance", "--max-memory", "50%"], 0, "Rebalance the hosts"),
    ]


@pytest.mark.parametrize("number", range(10))
def test_every_kind_of_plan_is_a_page_of_its_own(number, tmp_path):
    fleet, question, code, heading = questions(tmp_path)[number]
    plan = plan_of(*question, "--fleet", fleet, code=code)
    page, text = page_of(plan, tmp_path, "--fleet", fleet)
    assert "".join(page.texts["h1", None]) == heading
    assert json.loads("".join(page.texts["script", "network"]))["links"].keys() == {n for s in plan["steps"] for n in s["path"]}
    alone, _ = page_of(plan, tmp_path)
    assert json.loads("".join(alone.texts["script", "network"])) == {"links": {}, "vms": {}}
    for conflict in plan["conflicts"]:
        assert html_text(conflict["what"]) in text
    assert ("Only a part" in text) == (plan["status"] == "partial")
    assert ("There is no plan." in text) == (plan["status"] == "infeasible")


def html_text(text):
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(char, entity)
    return text


def test_the_verdict_says_what_was_kept_and_what_was_broken(tmp_path):
    document = rolling_fleet()
    asked = goals.Asked(tmp_path, document)
    plan = asked.plan("evacuate", "h1", "--deadline", "30m")
    _, text = page_of(plan, tmp_path, "--fleet", asked.path)
    assert "All of it can be done:" in text and "It is proved that no plan is quicker." in text
    tiles = re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", text)
    assert [label for label, _ in tiles[:5]] == ["Done in (p95)", "Best possible (p95)", "Migrations", "Longest downtime (p95)",
                                                 "Budgets"]
    assert dict(tiles)["Migrations"] == str(len(plan["steps"])) and dict(tiles)["Budgets"] == "all kept"
    assert f"{len(plan['steps'])} of {len(plan['steps'])} downtime budgets kept; the deadline of 30 min 00 s is kept (p95)" in text
    for vm in document["vms"]:
        vm["downtime_budget_ms"] = 1
    for step in plan["steps"]:
        step["downtime_ms"] = {"p50": 5, "p95": 9}
    plan["goal"]["deadline_ms"] = plan["makespan_ms"]["p95"] - 1
    asked.path.write_text(json.dumps(document), encoding="utf-8")
    _, text = page_of(plan, tmp_path, "--fleet", asked.path)
    assert f"<dd>{len(plan['steps']) + 1} broken</dd>" in text and "is missed (p95)" in text
    plan["steps"] = []
    _, text = page_of(plan, tmp_path)
    assert "Nothing has to move." in text


def hostile_plan(tmp_path):
    """A plan in which all that can be named is named by somebody hostile, and its fleet's file."""
    vms = [goals.vm(i, "h1", gib=2) for i in range(len(HOSTILE))]
    for vm, name in zip(vms, HOSTILE):
        vm["name"] = name
    document = goals.fleet(3, vms)
    text = json.dumps(document)
    for plain, name in (("h1", HOSTILE[0]), ("h2-nic", HOSTILE[2]), ("h2", HOSTILE[3]), ("sw", "__proto__")):
        text = text.replace(json.dumps(plain), json.dumps(name))
    asked = goals.Asked(tmp_path, json.loads(text))
    plan = asked.plan("evacuate", HOSTILE[0])
    assert len(plan["steps"]) == len(HOSTILE)
    return plan, asked.path


def test_hostile_names_are_text(tmp_path):
    plan, fleet = hostile_plan(tmp_path)
    page, text = page_of(plan, tmp_path, "--fleet", fleet)
    assert "".join(page.texts["h1", None]) == f"Evacuate {shown(HOSTILE[0])}"
    column = page.rows[0].index("VM")
    assert [row[column] for row in page.rows[1:]] == [shown(s["vm_name"]) for s in plan["steps"]]
    assert not re.search("[\u2028\u2029\u202e]", text)


def test_the_same_plan_is_the_same_page(tmp_path):
    fleet = FLEETS / "small.json"
    path = tmp_path / "page.html"
    asked = ok("evacuate", "h1", "--fleet", fleet, "-o", "html")
    assert asked == ok("evacuate", "h1", "--fleet", fleet, "-o", "html")
    assert ok("evacuate", "h1", "--fleet", fleet, "-o", "html", "--out", path) == ""
    assert path.read_text(encoding="utf-8") == asked
    check_self_contained(asked)


def test_the_daemons_plan_comes_with_the_fleet_it_was_made_from(tmp_path):
    with LonePlanner(tmp_path) as planner:
        planner.full_agent("h1", ["web1", "db1"])
        for host in ("h2", "h3"):
            planner.full_agent(host, [])
        planner.wait_predicted(2)
        planner.wait(lambda: len(planner.hosts()) == 3, "not three hosts")
        status, plan = planner.request("POST", "/v1/plans", {"verb": "evacuate", "hosts": ["h1"]})
        assert status == 200, plan
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(plan), encoding="utf-8")
        pages = {ok("show", name, "--socket", planner.socket, "-o", "html") for name in (plan["id"], path)}
    (text,) = pages
    network = json.loads("".join(check_self_contained(text).texts["script", "network"]))
    assert network["links"].keys() == {n for s in plan["steps"] for n in s["path"]}
    assert network["vms"].keys() == {s["vm"] for s in plan["steps"]}


def test_another_fleet_than_the_plans_is_said(tmp_path):
    plan = plan_of("evacuate", "h1", "--fleet", FLEETS / "small.json")
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    for fleet, is_said in (("small", False), ("rules", True)):
        result = decamp("show", tmp_path / "plan.json", "--fleet", FLEETS / f"{fleet}.json", "-o", "html")
        assert result.returncode == 0 and ("not the fleet that the plan was made from" in result.stderr) == is_said


def test_the_bundle_is_of_the_versions_that_are_named():
    folder = ROOT / "planner" / "page" / "echarts"
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    locked = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert all(locked[f"node_modules/{name}"]["version"] == version for name, version in wanted.items())
    assert not any("resolved" in package for package in locked.values())  # from whichever registry is at hand
    bundle = (folder / "echarts.min.js").read_text(encoding="ascii")
    assert f'"{wanted["echarts"]}"' in bundle
    assert all(line in bundle for line in ("Copyright (c) 2017, Baidu Inc.", "Apache License 2.0", "Mike Bostock"))


@pytest.mark.parametrize("verb", [["hosts"], ["predict"], ["explain", "plan.json"]])
def test_only_plans_are_pages(verb):
    result = decamp(*verb, "--fleet", FLEETS / "small.json", "-o", "html")
    assert result.returncode == 64 and "-o: expected table, wide" in result.stderr and "html" in result.stderr
