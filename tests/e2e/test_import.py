"""decamp import: what a cluster file of Ganeti becomes, and one line that names the place for every kind of bad one."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from test_cli import BIN, ROOT, decamp, ok, plan_of, validate

MIB = 1 << 20
GROUPS = ["default|uuid-1|preferred||", "edge|uuid-2|unallocable||"]
NODES = ["n1|65536|1024|40960|1000|500|16|M|uuid-1|1||N|0|4|1.0",
         "n2|65536|1024|60416|1000|500|16|N|uuid-1|1||N|0|0|1.0",
         "n3|65536|1024|60416|1000|500|16|Y|uuid-1",
         "n4|?|?|?|?|?|?|Y|uuid-1",
         "e1|32768|512|28160|1000|500|8|N|uuid-2"]
INSTANCES = ["web1|8192|10240|4|running|Y|n1||ext|service:web,blue|1|-",
             "web2|4096|10240|2|running|Y|n2||rbd|service:web|1",
             "db1|8192|20480|4|running|N|n1|n2|drbd|",
             "log1|4096|5120|1|running|Y|n3||plain|other",
             "old1|16384|5120|2|ADMIN_down|Y|n1||sharedfile|service:web",
             "edge1|4096|5120|2|ERROR_up|Y|e1||diskless|"]
TAGS = ["htools:iextags:service", "htools:nlocation:power"]
SPECS = "1,1,1,1,1,1|1,1,1,1,1,1;2,2,2,2,2,2"
POLICIES = [f"|{SPECS}|ext|4.0|32.0", f"edge|{SPECS}|ext|2.0|32.0"]


def text_of(groups=None, nodes=None, instances=None, tags=None, policies=None):
    sections = [GROUPS if groups is None else groups, NODES if nodes is None else nodes,
                INSTANCES if instances is None else instances, TAGS if tags is None else tags,
                POLICIES if policies is None else policies]
    return "".join(line + "\n" for lines in sections for line in [*lines, ""])


@pytest.fixture(name="put")
def fixture_put(tmp_path):
    """Writes a cluster file; its path."""
    def put(text):
        path = tmp_path / "cluster.data"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path
    return put


@pytest.fixture(name="fleet")
def fixture_fleet(put):
    document = json.loads(ok("import", "--from", "ganeti", put(text_of())))
    validate(document, "fleet")
    return document


def by_name(items):
    return {item["name"]: item for item in items}


def rules_of(document, kind):
    return [(sorted(r["vms"]), sorted(r.get("hosts", [])), r["hard"]) for r in document["rules"] if r["type"] == kind]


def test_nodes_become_hosts(fleet):
    hosts = by_name(fleet["hosts"])
    assert [h["state"] for h in hosts.values()] == ["on", "on", "maintenance", "off", "on"]
    assert hosts["n1"]["memory_bytes"] == 65536 * MIB and hosts["n1"]["cpus"] == 16 - 4 / 4
    assert hosts["n1"]["reserved_memory_bytes"] == (65536 - 40960 - 2 * 8192) * MIB, "what no running instance explains"
    assert hosts["n2"]["reserved_memory_bytes"] == 1024 * MIB
    assert hosts["e1"]["labels"] == {"group": "edge"}


def test_instances_become_vms(fleet):
    vms = by_name(fleet["vms"])
    assert [v["state"] for v in vms.values()] == ["running"] * 4 + ["shutoff", "running"]
    assert vms["web1"]["memory_bytes"] == 8192 * MIB and vms["web1"]["vcpus"] == 4
    assert vms["web1"]["cpu_cores_used"] == 1 and vms["edge1"]["cpu_cores_used"] == 1, "by each group's ratio"
    assert vms["web1"]["policy"]["name"] == "xen-v2" and vms["web1"]["labels"] == {"tags": "service:web,blue"}
    assert vms["log1"]["storage"][0]["local"] and vms["log1"]["storage"][0]["size_bytes"] == 5120 * MIB
    assert "storage" not in vms["web1"] and "storage" not in vms["db1"]


def test_groups_tags_and_mirrors_become_rules(fleet):
    assert rules_of(fleet, "spread") == [(["old1", "web1", "web2"], [], False)], "old1 and web1 share a node already"
    assert rules_of(fleet, "fence") == [(["db1"], ["n1", "n2"], True),
                                        (["db1", "log1", "old1", "web1", "web2"], ["n1", "n2", "n3", "n4"], True),
                                        (["edge1"], ["e1"], True)]


def test_an_exclusion_that_holds_is_hard(put):
    apart = [i for i in INSTANCES if not i.startswith("old1")]
    document = json.loads(ok("import", "--from", "ganeti", put(text_of(instances=apart))))
    assert rules_of(document, "spread") == [(["web1", "web2"], [], True)]


def test_what_has_no_place_is_said(put):
    result = decamp("import", "--from", "ganeti", put(text_of()))
    lines = result.stderr.splitlines()
    assert len(lines) == 3 and all("cluster.data: " in line for line in lines)
    assert "line 2: group edge is unallocable" in lines[0] and "line 18: tag htools:nlocation:power" in lines[1]
    assert "tag service:web share a node" in lines[2]
    assert decamp("import", "-q", "--from", "ganeti", put(text_of())).stderr == ""


def test_the_fleet_can_be_asked(put, tmp_path):
    path = tmp_path / "fleet.json"
    ok("import", "--from", "ganeti", "--stop-policy", "xen-legacy", put(text_of()), "--out", path)
    assert json.loads(path.read_text())["vms"][0]["policy"]["name"] == "xen-legacy"
    plan = plan_of("evacuate", "n1", "--fleet", path)
    assert plan["status"] in ("optimal", "feasible")
    assert {s["vm_name"]: s["to"] for s in plan["steps"]} == {"web1": "n2", "db1": "n2", "old1": "n2"}


def test_line_ends_and_old_files(put):
    document = ok("import", "-q", "--from", "ganeti", put(text_of()))
    assert ok("import", "-q", "--from", "ganeti", put(text_of().replace("\n", "\r\n"))) == document
    short = json.loads(ok("import", "-q", "--from", "ganeti", "-", stdin=text_of(tags=[], policies=[]).rstrip("\n")))
    assert by_name(short["vms"])["edge1"]["cpu_cores_used"] == 0.5, "Ganeti's own ratio"


def swapped(lines, number, column, value):
    fields = lines[number].split("|")
    fields[column] = value
    return lines[:number] + ["|".join(fields)] + lines[number + 1:]


BAD = [
    ({"nodes": swapped(NODES, 1, 1, "64G")}, "line 5, column 2 (total memory): expected a number, got '64G'"),
    ({"nodes": swapped(NODES, 0, 3, "70000")}, "line 4, column 4 (free memory): expected no more than"),
    ({"nodes": swapped(NODES, 1, 0, "n1")}, "line 5, column 1 (node name): expected one that no node before has"),
    ({"nodes": swapped(NODES, 1, 7, "X")}, "line 5, column 8 (offline or role): expected Y, N or M, got 'X'"),
    ({"nodes": swapped(NODES, 1, 2, "?")}, "line 5, column 8 (offline or role): expected Y beside a '?'"),
    ({"nodes": swapped(NODES, 1, 8, "uuid-9")}, "line 5, column 9 (group UUID): expected that of a group"),
    ({"nodes": ["n1|65536"]}, "line 4: expected a node of at least 9 fields, got 2"),
    ({"groups": ["default"]}, "line 1: expected a node group of at least 3 fields, got 1"),
    ({"groups": GROUPS + GROUPS[:1]}, "line 3, column 2 (group UUID): expected one that no group before has"),
    ({"instances": swapped(INSTANCES, 0, 1, "-1")}, "line 10, column 2 (memory): expected a number, got '-1'"),
    ({"instances": swapped(INSTANCES, 0, 1, "0")}, "line 10, column 2 (memory): expected at least 1 MiB"),
    ({"instances": swapped(INSTANCES, 0, 4, "sleeping")}, "line 10, column 5 (status): expected one of Ganeti's"),
    ({"instances": swapped(INSTANCES, 0, 6, "n9")}, "line 10, column 7 (primary node): expected a node"),
    ({"instances": swapped(INSTANCES, 2, 7, "")}, "line 12, column 8 (secondary node): expected a node"),
    ({"instances": swapped(INSTANCES, 0, 8, "floppy")}, "line 10, column 9 (disk template): expected one of Ganeti's"),
    ({"instances": swapped(INSTANCES, 1, 0, "web1")}, "line 11, column 1 (instance name): expected one that no"),
    ({"instances": ["web1|8192"]}, "line 10: expected an instance of at least 10 fields, got 2"),
    ({"policies": ["nobody|x|ext|4|32"]}, "line 20, column 1 (owner): expected a group's name"),
    ({"policies": ["|1|2|ext|zero"]}, "line 20, column 5 (ratio of virtual to physical cores): expected a number"),
    ({"policies": ["|1"]}, "line 20: expected a policy of at least 5 fields, got 2"),
    ({"tags": ["|" * 40]}, "line 17: expected at most 32 fields"),
]


@pytest.mark.parametrize("change, said", BAD, ids=[said for _, said in BAD])
def test_bad_files_are_refused_by_place(put, change, said):
    result = decamp("import", "--from", "ganeti", put(text_of(**change)))
    assert result.returncode == 1 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and said in result.stderr


def test_bad_bytes_and_usage(put):
    result = subprocess.run([BIN / "decamp", "import", "--from", "ganeti",
                             put(text_of().encode().replace(b"web2", b"web\xff"))], capture_output=True, check=False)
    assert result.returncode == 1 and b"line 11, column 1 (instance name): expected UTF-8" in result.stderr
    result = decamp("import", "--from", "ganeti", put(b"a|b|c\n\x00"))
    assert result.returncode == 1 and "line 2: expected text, got a zero byte" in result.stderr
    result = decamp("import", "--from", "ganeti", put("default|u|preferred||\n"))
    assert result.returncode == 1 and "expected sections of groups, nodes and instances" in result.stderr
    assert decamp("import", put(text_of())).returncode == 64
    assert "expected ganeti, got vmware" in decamp("import", "--from", "vmware", put(text_of())).stderr
    assert decamp("import", "--from", "ganeti", "--stop-policy", "hope", put(text_of())).returncode == 64
    assert decamp("import", "--from", "ganeti", "/nonexistent").returncode == 1


def test_the_bench_against_hbal():
    """Runs where ganeti-htools is installed; the cluster it makes is read by hbal and by decamp alike."""
    if shutil.which("hbal") is None:
        pytest.skip("hbal is not installed (ganeti-htools)")
    bench = pathlib.Path(ROOT) / "tests" / "bench" / "ganeti_hbal.py"
    done = subprocess.run([sys.executable, str(bench), "--nodes", "10", "--instances", "60"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0 and "moves in" in done.stdout and "decamp:" in done.stdout, done.stdout + done.stderr
