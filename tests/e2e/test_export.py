"""decamp export: the scripts and the playbook are run against toy toolstacks, and what they did is held against the
plan: order, concurrency, caps, failures, runs after failures, names that are meant to break them.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import uuid

import pytest

import goals
from test_cli import decamp, ok

TOY = pathlib.Path(__file__).with_name("toy_toolstack.py")
TOOLSTACKS = ("xl", "xe", "virsh")
COMMANDS = ("ssh", "xl", "xe", "virsh", "pv", "poweroff", "boot")
LATE_S = 3  # a step that may start does so within this, on a busy machine
HOSTILE = ["it's", "$(touch /tmp/decamp-never)", "`id`", "line\nbreak", "-rf", "--help", "a;b&c|d", "\"two words\"",
           "{{ 7*7 }}", "{% raw %}", "grün 日本 😀", "\x1b[2Jx", "%s%n", "#", "!unsafe", "42", "*", "\\'"]


def now_ms():
    return int(time.time() * 1000)


class Toy:
    """A toy cluster in which the plans of one fleet are run."""

    def __init__(self, directory, document):
        self.root = directory
        self.dir = directory / "toy"
        for folder in ("vms", "names", "off", "fail", "seconds", "cold", "bin"):
            (self.dir / folder).mkdir(parents=True)
        for vm in document["vms"]:
            (self.dir / "vms" / vm["uuid"]).write_text(vm["host"], encoding="utf-8")
            (self.dir / "names" / vm["uuid"]).write_text(vm["name"], encoding="utf-8")
            if vm["state"] == "shutoff":
                (self.dir / "cold" / vm["uuid"]).write_text("cold", encoding="utf-8")
        for host in document["hosts"]:
            if host["state"] == "off":
                (self.dir / "off" / host["name"]).touch()
        (self.dir / "hosts").write_text("\n".join(h["name"] for h in document["hosts"]), encoding="utf-8")
        for command in COMMANDS:
            (self.dir / "bin" / command).symlink_to(TOY)
        self.environment = {**os.environ, "PATH": f"{self.dir / 'bin'}:{os.environ['PATH']}", "TOY_DIR": str(self.dir),
                            "DECAMP_STATE_DIR": str(directory / "state"), "DECAMP_BOOT": "boot",
                            "DECAMP_HOST_TIMEOUT_S": "20"}
        assert shutil.which("poweroff", path=self.environment["PATH"]) == str(self.dir / "bin" / "poweroff")

    def run(self, script, code=0, **environment):
        result = subprocess.run(["bash", script], env={**self.environment, **environment}, capture_output=True,
                                text=True, timeout=120, check=False)
        assert result.returncode == code, f"exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def log(self, *events):
        path = self.dir / "log"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
        return [line for line in lines if line["event"] in events]

    def hosts(self):
        return {v.name: v.read_text(encoding="utf-8") for v in (self.dir / "vms").iterdir()}


def plan_file(directory, document, *question):
    """A plan of now, and where it is."""
    document["taken_unix_ms"] = now_ms()
    asked = goals.Asked(directory, document)
    return asked.plan(*question), asked.plan_path


def export(directory, to, plan_path, *options):
    script = directory / f"{to}.sh"
    ok("export", "--to", to, plan_path, "--out", script, *options)
    checked = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    return script


def parallel_fleet(n_vms=8, **keys):
    """h1 sends ten times as fast as any other host receives: several VMs are under way at once."""
    document = goals.fleet(5, [goals.vm(i, "h1", gib=2) for i in range(n_vms)], **keys)
    for link in document["links"][1:]:
        link["capacity_bytes_per_s"] = goals.GIGABIT
    return document


def first_ms(step):
    return step["rates"][0][0] if step["rates"] else step["start_ms"]


def last_ms(step):
    return step["rates"][-1][0] if step["rates"] and step["rates"][-1][1] == 0 else step["end_ms"]


def must_wait_for(plan):
    """Per step the steps that end before it starts: an opinion of its own."""
    steps = {s["id"]: s for s in plan["steps"]}
    waits = {}
    for late in plan["steps"]:
        shares = {early["id"] for early in plan["steps"] if set(early["path"]) & set(late["path"]) and
                  first_ms(early) < first_ms(late) and last_ms(early) <= first_ms(late) + 1}
        waits[late["id"]] = set(late["after"]) | shares
    return steps, waits


def check_run(plan, toy, slack_s=LATE_S):
    """Every step ran once, after all it waits for, and as soon as these had ended. Returns how many ran at most."""
    steps, waits = must_wait_for(plan)
    begun = {(e["vm"], e["host"], e["to"]): e["time_s"] for e in toy.log("start")}
    ended = {(e["vm"], e["to"]): e["time_s"] for e in toy.log("end")}
    assert len(begun) == len(toy.log("start")) == len(ended) == len(steps)
    start = {i: begun[s["vm"], s["from"], s["to"]] for i, s in steps.items()}
    end = {i: ended[s["vm"], s["to"]] for i, s in steps.items()}
    zero = min(start.values())
    for i, before in waits.items():
        ready = max([end[j] for j in before], default=zero)
        assert ready - 1e-3 <= start[i] <= ready + slack_s, f"step {i}: ready {ready - zero}, began {start[i] - zero}"
    return max(sum(start[j] <= start[i] < end[j] for j in steps) for i in steps)


@pytest.mark.parametrize("to", TOOLSTACKS)
def test_order_and_concurrency_are_the_plans(to, tmp_path):
    document = parallel_fleet()
    plan, path = plan_file(tmp_path, document, "evacuate", "h1")
    assert any(s["after"] for s in plan["steps"]) or len(plan["steps"]) == 8
    toy = Toy(tmp_path, document)
    for i, vm in enumerate(document["vms"]):  # nothing takes as long as the plan says
        (toy.dir / "seconds" / vm["uuid"]).write_text(str(0.3 + 0.37 * (i % 3)), encoding="utf-8")
    toy.run(export(tmp_path, to, path))
    assert check_run(plan, toy) >= 3
    assert toy.hosts() == goals.final_hosts(plan, document)


def test_caps_reach_xl_and_virsh(tmp_path):
    document = parallel_fleet(3)
    plan, path = plan_file(tmp_path, document, "evacuate", "h1")
    caps = {s["vm"]: s["bandwidth_bytes_per_s"] for s in plan["steps"]}
    for to in ("xl", "virsh"):
        (tmp_path / to).mkdir()
        toy = Toy(tmp_path / to, document)
        toy.run(export(tmp_path, to, path))
        if to == "xl":
            assert sorted(e["rate"] for e in toy.log("pv")) == sorted(int(c) for c in caps.values())
        else:
            assert {e["vm"]: e["rate"] for e in toy.log("start")} == {v: c // (1 << 20) for v, c in caps.items()}
            assert all(e["rate"] * (1 << 20) <= caps[e["vm"]] for e in toy.log("start"))


@pytest.mark.parametrize("to, rate", [("xl", 1), ("virsh", 1)])
def test_a_cap_below_one_unit_is_no_cap_at_all(to, rate, tmp_path):
    """virsh takes 0 for no limit: a cap below 1 MiB/s is one MiB/s; and without a cap none is given."""
    document = parallel_fleet(2)
    plan, path = plan_file(tmp_path, document, "evacuate", "h1")
    plan["steps"][0]["bandwidth_bytes_per_s"], plan["steps"][1]["bandwidth_bytes_per_s"] = 1, 0
    path.write_text(json.dumps(plan), encoding="utf-8")
    toy = Toy(tmp_path, document)
    toy.run(export(tmp_path, to, path))
    rates = {e["vm"]: e["rate"] for e in toy.log("start")} if to == "virsh" else {
        plan["steps"][0]["vm"]: toy.log("pv")[0]["rate"], plan["steps"][1]["vm"]: None}
    assert rates == {plan["steps"][0]["vm"]: rate, plan["steps"][1]["vm"]: None}
    assert to == "virsh" or len(toy.log("pv")) == 1


@pytest.mark.parametrize("to", TOOLSTACKS)
def test_a_failure_stops_the_rest_and_a_second_run_goes_on(to, tmp_path):
    document = parallel_fleet()
    plan, path = plan_file(tmp_path, document, "evacuate", "h1")
    toy = Toy(tmp_path, document)
    script = export(tmp_path, to, path)
    _, waits = must_wait_for(plan)
    first = [s for s in plan["steps"] if not waits[s["id"]]]
    failing, slow = first[0], first[1]
    (toy.dir / "fail" / failing["vm"]).touch()
    (toy.dir / "seconds" / slow["vm"]).write_text("2", encoding="utf-8")
    result = toy.run(script, code=1)
    failed_s = toy.log("failed")[0]["time_s"]
    assert all(e["time_s"] < failed_s + 1 for e in toy.log("start"))  # the script hears of it a moment later
    assert toy.hosts()[slow["vm"]] == slow["to"]  # what ran was waited for
    done = {e["vm"] for e in toy.log("end")}
    left = [s for s in plan["steps"] if s["vm"] not in done]
    assert len(left) >= 2 and result.stderr.count("left: ") == len(left)
    assert f"step {failing['id']}, migrate {failing['vm_name']} h1 -> {failing['to']} (failed)" in result.stderr
    again = toy.run(script)
    assert again.stdout.count("skipped: ") == len(done) and len(toy.log("end")) == len(plan["steps"])
    assert toy.hosts() == goals.final_hosts(plan, document)
    assert toy.run(script).stdout.count("skipped: ") == len(plan["steps"]) == len(toy.log("end"))


@pytest.mark.parametrize("to", TOOLSTACKS)
def test_the_toolstack_is_asked_not_the_record(to, tmp_path):
    document = parallel_fleet(3)
    plan, path = plan_file(tmp_path, document, "evacuate", "h1")
    toy = Toy(tmp_path, document)
    moved, strayed = plan["steps"][0], plan["steps"][1]
    (toy.dir / "vms" / moved["vm"]).write_text(moved["to"], encoding="utf-8")
    assert "skipped: " + f"step {moved['id']}," in toy.run(export(tmp_path, to, path)).stdout
    (toy.dir / "vms" / strayed["vm"]).write_text("h1", encoding="utf-8")  # somebody moved it back
    result = toy.run(tmp_path / f"{to}.sh", code=1)
    assert "an earlier run moved it, but it is not there" in result.stdout
    assert toy.hosts()[strayed["vm"]] == "h1"


def test_a_run_that_is_killed_leaves_what_a_second_run_finds(tmp_path):
    """While a migration that it began is under way, the plan is not run again."""
    document = parallel_fleet(4)
    plan, path = plan_file(tmp_path, document, "evacuate", "h1", "--max-parallel", 2)
    toy = Toy(tmp_path, document)
    for vm in document["vms"]:
        (toy.dir / "seconds" / vm["uuid"]).write_text("2", encoding="utf-8")
    script = export(tmp_path, "virsh", path)
    process = subprocess.Popen(["bash", script], env=toy.environment, stdout=subprocess.DEVNULL)
    wait_for(lambda: len(toy.log("start")) == 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "is under way" in toy.run(script, code=64).stderr
    wait_for(lambda: len(toy.log("end")) == 2)
    time.sleep(1)
    assert toy.run(script).stdout.count("skipped: ") == 2
    assert toy.hosts() == goals.final_hosts(plan, document) and len(toy.log("start")) == len(plan["steps"])


def test_an_interrupt_waits_for_what_runs(tmp_path):
    document = parallel_fleet(8)
    plan, path = plan_file(tmp_path, document, "evacuate", "h1")
    toy = Toy(tmp_path, document)
    for vm in document["vms"]:
        (toy.dir / "seconds" / vm["uuid"]).write_text("1.5", encoding="utf-8")
    process = subprocess.Popen(["bash", export(tmp_path, "xe", path)], env=toy.environment, stderr=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: toy.log("start"))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 1, output + errors
    assert "interrupted: no more steps start" in output and "(not started)" in errors
    assert 0 < len(toy.log("end")) == len(toy.log("start")) < len(plan["steps"])


def wait_for(condition, timeout_s=20):
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_an_old_plan_is_refused(tmp_path):
    document = parallel_fleet(2)
    _, path = plan_file(tmp_path, document, "evacuate", "h1")
    plan = json.loads(path.read_text(encoding="utf-8"))
    toy = Toy(tmp_path, document)
    for made_ms, options, code in ((now_ms() - 3_700_000, (), 4), (now_ms() - 3_500_000, (), 0),
                                   (now_ms() - 130_000, ("--max-age", "2m"), 4), (now_ms() + 600_000, (), 4)):
        plan["made_unix_ms"] = made_ms
        path.write_text(json.dumps(plan), encoding="utf-8")
        result = toy.run(export(tmp_path, "virsh", path, *options), code=code)
        assert (code == 0) == (result.stderr == "")
        assert code == 0 or not toy.log("start") or len(toy.log("start")) == 2
    assert toy.run(tmp_path / "virsh.sh", code=4).stderr.count("\n") == 1
    plan["made_unix_ms"] = now_ms() - 90_000_000
    path.write_text(json.dumps(plan), encoding="utf-8")
    toy.run(export(tmp_path, "virsh", path), DECAMP_MAX_AGE_S="100000")
    assert "expected a number" in toy.run(tmp_path / "virsh.sh", code=64, DECAMP_MAX_AGE_S="1h").stderr


@pytest.mark.parametrize("to", TOOLSTACKS)
def test_hostile_names_stay_names(to, tmp_path):
    vms = [dict(goals.vm(i, "h1", gib=1), name=name, uuid=str(uuid.uuid4())) for i, name in enumerate(HOSTILE)]
    document = parallel_fleet(0)
    document["vms"] = vms
    if to != "virsh":  # in whose URI a host's name must be one
        hosts = dict(zip(("h2", "h3", "h4"), ("it's h2", "$(touch /tmp/decamp-never)", "h4;exit 9 #\"")))
        text = json.dumps(document)
        for old, new in hosts.items():
            text = text.replace(json.dumps(old), json.dumps(new))
        document = json.loads(text)
    plan, path = plan_file(tmp_path, document, "evacuate", "h1", "--exclude", "h5")
    toy = Toy(tmp_path, document)
    result = toy.run(export(tmp_path, to, path))
    assert toy.hosts() == goals.final_hosts(plan, document) and len(toy.log("end")) == len(HOSTILE)
    assert "\x1b" not in result.stdout and not pathlib.Path("/tmp/decamp-never").exists()
    assert len(result.stdout.splitlines()) == 2 * len(HOSTILE) + 2


@pytest.mark.parametrize("to", TOOLSTACKS)
def test_hosts_are_switched_off_and_on_in_their_turn(to, tmp_path):
    document = goals.fleet(3, [goals.vm(i, f"h{1 + i % 2}", gib=2) for i in range(4)])
    plan, path = plan_file(tmp_path, document, "rolling", "h1", "h2", "--at-once", 1, "--maintenance", "1500ms",
                           "--return")
    assert [s["action"] for s in plan["steps"]].count("boot") == 2
    for step in plan["steps"]:
        step["not_before_ms"] = 0
    toy = Toy(tmp_path, document)
    script = export(tmp_path, to, path)
    assert "DECAMP_BOOT" in toy.run(script, code=64, DECAMP_BOOT="").stderr
    assert not toy.log("start")
    toy.run(script)
    assert toy.hosts() == {v["uuid"]: v["host"] for v in document["vms"]}
    offs, boots = toy.log("poweroff"), toy.log("boot")
    assert [e["host"] for e in offs] == [e["to"] for e in boots] and len(boots) == 2
    for off, on in zip(offs, boots):
        assert on["time_s"] - off["time_s"] >= 1.5
        for event in toy.log("start"):  # nothing moves to or from a host that is off
            if off["host"] in (event["host"], event["to"]):
                assert not off["time_s"] < event["time_s"] < on["time_s"]
    n_moves = len(toy.log("start"))
    assert toy.run(script).stdout.count("skipped: ") == len(plan["steps"])
    assert len(toy.log("start")) == n_moves and len(toy.log("boot")) == 2


def test_a_host_with_vms_is_not_shut_down(tmp_path):
    document = goals.fleet(3, [goals.vm(0, "h1", gib=2)])
    for to in TOOLSTACKS:
        (tmp_path / to).mkdir()
        _, path = plan_file(tmp_path / to, document, "rolling", "h1")
        toy = Toy(tmp_path / to, document)
        (toy.dir / "vms" / str(uuid.uuid4())).write_text("h1", encoding="utf-8")  # of which the plan knows nothing
        (toy.dir / "names" / document["vms"][0]["uuid"]).write_text("vm0", encoding="utf-8")
        assert "not shut down" in toy.run(export(tmp_path / to, to, path), code=1).stdout
        assert not toy.log("poweroff")


def test_not_before_is_waited_for(tmp_path):
    document = parallel_fleet(2)
    plan, path = plan_file(tmp_path, document, "evacuate", "h1")
    plan["steps"][0]["not_before_ms"] = 2500
    path.write_text(json.dumps(plan), encoding="utf-8")
    toy = Toy(tmp_path, document)
    script = export(tmp_path, "virsh", path)
    began_s = time.monotonic()
    toy.run(script)
    start = {e["vm"]: e["time_s"] - began_s for e in toy.log("start")}
    assert 2.5 <= start[plan["steps"][0]["vm"]] <= 2.5 + LATE_S


def test_vms_that_are_shut_off_move_by_virsh_alone(tmp_path):
    document = parallel_fleet(3)
    for vm in document["vms"][:2]:
        vm["state"] = "shutoff"
    plan, path = plan_file(tmp_path, document, "evacuate", "h1")
    assert {s["action"] for s in plan["steps"]} == {"migrate", "cold_migrate"}
    toy = Toy(tmp_path, document)
    script = export(tmp_path, "virsh", path)
    toy.run(script)
    assert {e["vm"]: e["how"] for e in toy.log("start")} == dict(
        zip((vm["uuid"] for vm in document["vms"]), ("cold", "cold", "live")))
    assert toy.run(script).stdout.count("skipped: ") == 3
    for to in ("xl", "xe"):
        result = decamp("export", "--to", to, path)
        assert result.returncode == 1 and "VM vm0 is shut off (cold_migrate)" in result.stderr


def change(path, **keys):
    plan = json.loads(path.read_text(encoding="utf-8"))
    plan["steps"][0].update(keys)
    other = path.with_name(f"{uuid.uuid4()}.json")
    other.write_text(json.dumps(plan), encoding="utf-8")
    return other


def test_what_cannot_be_exported_is_said(tmp_path):
    document = parallel_fleet(2)
    _, path = plan_file(tmp_path, document, "evacuate", "h1")
    for arguments, code, words in (
            (("--to", "xl"), 64, "expected --to TARGET PLAN"),
            ((path,), 64, "expected --to xl, xe, virsh or ansible"),
            (("--to", "esx", path), 64, "expected xl, xe, virsh or ansible, got esx"),
            (("--to", "ansible", path), 64, "expected --toolstack"),
            (("--to", "xl", "--toolstack", "xe", path), 64, "only with --to ansible"),
            (("--to", "ansible", "--toolstack", "esx", path), 64, "got esx"),
            (("--to", "xl", tmp_path / "none.json"), 1, "none.json"),
            (("--to", "xl", change(path, to="-oProxyCommand=x")), 1, "begins with a dash"),
            (("--to", "virsh", change(path, to="h2/x?y")), 1, "cannot stand in libvirt's URI")):
        result = decamp("export", *arguments)
        assert result.returncode == code and words in result.stderr, f"{arguments}: {result.stderr}"
        assert result.stderr.count("\n") == 1 and result.stdout == ""
    infeasible = json.loads(path.read_text(encoding="utf-8"))
    infeasible.update(status="infeasible", steps=[])
    path.write_text(json.dumps(infeasible), encoding="utf-8")
    assert "the plan is infeasible" in decamp("export", "--to", "xl", path).stderr


# --- the playbook ---


def playbook(directory, plan_path, *options, toolstack="virsh"):
    path = directory / "plan.yml"
    ok("export", "--to", "ansible", "--toolstack", toolstack, plan_path, "--out", path, *options)
    if shutil.which("ansible-playbook") is None:
        pytest.skip("ansible-playbook (ansible-core) is not installed here")
    return path


def run_playbook(toy, path, *arguments, code=0):
    """By Ansible's own ssh connection, whose ssh is the toy's."""
    hosts = {h: {} for h in (toy.dir / "hosts").read_text(encoding="utf-8").split("\n")}
    variables = {"ansible_ssh_executable": str(toy.dir / "bin" / "ssh"), "ansible_ssh_transfer_method": "piped",
                 "ansible_python_interpreter": "/usr/bin/python3"}
    inventory = toy.root / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"children": {"vm_hosts": {"hosts": hosts, "vars": variables}}}}),
                         encoding="utf-8")
    environment = {**toy.environment, "HOME": str(toy.root), "ANSIBLE_ASYNC_DIR": str(toy.root / "async"),
                   "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0",
                   "LC_ALL": "C.UTF-8"}
    result = subprocess.run(["ansible-playbook", "-i", inventory, path, *arguments], env=environment,
                            capture_output=True, text=True, timeout=280, check=False)
    assert result.returncode == code, f"exit {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


def test_playbook_keeps_the_order_and_goes_on_after_a_failure(tmp_path):
    document = parallel_fleet(5)
    plan, path = plan_file(tmp_path, document, "evacuate", "h1", "--max-parallel", 3)
    toy = Toy(tmp_path, document)
    book = playbook(tmp_path, path)
    run_playbook(toy, book, "--syntax-check")
    _, waits = must_wait_for(plan)
    first = [s for s in plan["steps"] if not waits[s["id"]]]
    for step in first:
        (toy.dir / "seconds" / step["vm"]).write_text("8", encoding="utf-8")
    (toy.dir / "seconds" / first[0]["vm"]).write_text("1", encoding="utf-8")
    (toy.dir / "fail" / first[0]["vm"]).touch()
    result = run_playbook(toy, book, code=2)
    assert len(toy.log("start")) == len(first) == 3 and len(toy.log("end")) == 2  # what ran was waited for
    assert f"not known to be done: step {first[0]['id']} " in result.stdout
    for step in first:
        (toy.dir / "seconds" / step["vm"]).unlink()
    run_playbook(toy, book)
    assert toy.hosts() == goals.final_hosts(plan, document) and len(toy.log("end")) == len(plan["steps"])
    starts = {(e["vm"], e["to"]): e["time_s"] for e in toy.log("start")}
    ends = {(e["vm"], e["to"]): e["time_s"] for e in toy.log("end")}
    steps = {s["id"]: (s["vm"], s["to"]) for s in plan["steps"]}
    assert all(ends[steps[j]] <= starts[steps[i]] for i, before in waits.items() for j in before)
    overlaps = [sum(starts[b] < starts[a] < ends[b] for b in steps.values()) for a in steps.values()]
    assert max(overlaps) >= 1  # two ran at once
    n_moves = len(toy.log("start"))
    run_playbook(toy, book)
    assert len(toy.log("start")) == n_moves


def test_playbook_with_hostile_names_and_xl(tmp_path):
    names = ["it's $(touch /tmp/decamp-never)", "{{ 7*7 }}{% raw %}", "line\nbreak \"q\" \\ 😀\x85", "!unsafe '@1"]
    document = parallel_fleet(0)
    document["vms"] = [dict(goals.vm(i, "h1", gib=1), name=name, uuid=str(uuid.uuid4())) for i, name in
                       enumerate(names)]
    plan, path = plan_file(tmp_path, document, "evacuate", "h1")
    toy = Toy(tmp_path, document)
    run_playbook(toy, playbook(tmp_path, path, toolstack="xl"))
    assert toy.hosts() == goals.final_hosts(plan, document) and not pathlib.Path("/tmp/decamp-never").exists()
    assert sorted(e["rate"] for e in toy.log("pv")) == sorted(int(s["bandwidth_bytes_per_s"]) for s in plan["steps"])


def test_playbook_switches_hosts_off_and_on(tmp_path):
    document = goals.fleet(2, [goals.vm(0, "h1", gib=2)])
    plan, path = plan_file(tmp_path, document, "rolling", "h1", "--maintenance", "2s", "--return")
    assert [s["action"] for s in plan["steps"]] == ["migrate", "shutdown", "boot", "migrate"]
    toy = Toy(tmp_path, document)
    book = playbook(tmp_path, path, toolstack="xe")
    assert "set decamp_boot" in run_playbook(toy, book, code=2).stdout
    boots = ("-e", json.dumps({"decamp_boot": [str(toy.dir / "bin" / "boot")], "decamp_host_timeout_s": 30}))
    run_playbook(toy, book, *boots)
    off, on = toy.log("poweroff")[0], toy.log("boot")[0]
    assert off["host"] == on["to"] == "h1" and on["time_s"] - off["time_s"] >= 2
    assert [(e["host"], e["to"]) for e in toy.log("end")] == [("h1", "h2"), ("h2", "h1")]
    run_playbook(toy, book, *boots)  # all of it is done
    assert len(toy.log("end")) == 2 and len(toy.log("boot")) == len(toy.log("poweroff")) == 1


def test_playbook_refuses_an_old_plan(tmp_path):
    document = parallel_fleet(1)
    _, path = plan_file(tmp_path, document, "evacuate", "h1")
    plan = json.loads(path.read_text(encoding="utf-8"))
    plan["made_unix_ms"] = now_ms() - 600_000
    path.write_text(json.dumps(plan), encoding="utf-8")
    toy = Toy(tmp_path, document)
    assert "s old, expected at most 300 s" in run_playbook(toy, playbook(tmp_path, path, "--max-age", "5m"),
                                                           code=2).stdout
    assert not toy.log("start")
