"""The README's promise: one command ends with a plan in which host1 is empty."""
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import subprocess
import time

import cluster


def test_quickstart(tmp_path):
    began = time.monotonic()
    result = subprocess.run([cluster.ROOT / "examples" / "quickstart.sh"], cwd=tmp_path, capture_output=True, text=True,
                            timeout=300, stdin=subprocess.DEVNULL, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    print(f"quickstart took {time.monotonic() - began:.1f} s")
    plan = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    fleet = json.loads((tmp_path / "fleet.json").read_text(encoding="utf-8"))
    on_host1 = {v["uuid"] for v in fleet["vms"] if v["host"] == "host1"}
    assert len(on_host1) == 6
    assert {s["vm"] for s in plan["steps"]} == on_host1
    assert plan["id"] in (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert all(s["to"] != "host1" for s in plan["steps"])
    assert plan["gap_frac"] < 0.10
