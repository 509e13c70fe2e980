#!/usr/bin/python3 -IS
"""Commands that behave as xl, xe, virsh, ssh, pv and poweroff do towards an exported plan, in a toy cluster.

The cluster is a folder (TOY_DIR): vms/UUID holds the host a VM is at, names/UUID its name, off/HOST stands for a host
that is off, fail/UUID makes the VM's next migration fail, seconds/UUID says how long one takes. What is done is a line
of JSON in log. Called under the name of the command it stands for; ssh tells it which host it is on.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import json
import os
import pathlib
import sys
import time

DIR = pathlib.Path(os.environ["TOY_DIR"])
HOST = os.environ.get("TOY_HOST", "")


def log(event, **keys):
    with open(DIR / "log", "a", encoding="utf-8") as file:
        file.write(json.dumps({"event": event, "time_s": time.monotonic(), "host": HOST, **keys}) + "\n")


def read(folder, name, default=""):
    with contextlib.suppress(FileNotFoundError):
        return (DIR / folder / name).read_text(encoding="utf-8")
    return default


def vms_at(host):
    return sorted(v.name for v in (DIR / "vms").iterdir() if v.read_text(encoding="utf-8") == host)


def move(uuid, to, how, rate=None):
    """The migration itself."""
    if not to or (DIR / "off" / to).exists() or read("vms", uuid) != HOST:
        return 1
    log("start", vm=uuid, to=to, how=how, rate=rate)
    time.sleep(float(read("seconds", uuid, "0.3")))
    failing = DIR / "fail" / uuid
    if failing.exists():
        failing.unlink()
        log("failed", vm=uuid, to=to)
        return 1
    (DIR / "vms" / f".{uuid}").write_text(to, encoding="utf-8")
    (DIR / "vms" / f".{uuid}").rename(DIR / "vms" / uuid)
    log("end", vm=uuid, to=to)
    return 0


def ssh(words):
    """Options, a host, a command for its shell."""
    while words[0].startswith("-"):
        words = words[2:] if words[0] in ("-o", "-l") else words[1:]
    host = words[0].split("@")[-1]
    if (DIR / "off" / host).exists():
        return 255
    os.execve("/bin/sh", ["sh", "-c", " ".join(words[1:])], {**os.environ, "TOY_HOST": host})


def xl(words):
    if words[0] == "vm-list":
        print("UUID                                  ID    name")
        print("00000000-0000-0000-0000-000000000000  0    Domain-0")
        for uuid in vms_at(HOST):
            print(f"{uuid}  {numbers()[uuid]}    {read('names', uuid)}")
    elif words[0] == "migrate-receive":
        sys.stdin.buffer.read()
        print(HOST)
    elif words[0] == "migrate":
        assert words[1:3] == ["-s", ""], words
        uuid = {str(n): u for u, n in numbers().items()}[words[3]]
        with os.popen(f"echo pages | {{ {words[4]}; }}") as received:
            to = received.read().rstrip("\n")
        return move(uuid, to, "xl")
    else:
        assert words == ["info"], words
    return 0


def numbers():
    """The domain numbers of a host's VMs."""
    return {v.name: i for i, v in enumerate(sorted((DIR / "vms").iterdir()), 1)}


def pv(words):
    assert words[:2] == ["-q", "-L"] and len(words) == 3, words
    log("pv", rate=int(words[2]))
    sys.stdout.buffer.write(sys.stdin.buffer.read())
    return 0


def virsh(words):
    if words[0] == "list":
        print("\n".join(vms_at(HOST)))
    elif words[0] == "hostname":
        print(HOST)
    elif words[0] == "domstate":
        print("shut off (unknown)" if read("cold", words[-1]) else "running (booted)")
    elif words[0] == "domjobinfo":
        print("Job type:         None")
    else:
        assert words[0] == "migrate" and {"--persistent", "--undefinesource"} <= set(words), words
        options = dict(zip(words, words[1:]))
        to = options["--desturi"].removeprefix("qemu+ssh://root@").removesuffix("/system")
        how = "cold" if "--offline" in words else "live"
        return move(options["--domain"], to, how, int(options["--bandwidth"]) if "--bandwidth" in options else None)
    return 0


def xe(words):
    keys = dict(w.split("=", 1) for w in words[1:] if "=" in w)
    host_of = {f"uuid of {h}": h for h in read("", "hosts").split("\n")}
    if words[0] == "host-list":
        print(f"uuid of {keys['name-label']}")
    elif words[0] == "vm-param-get" and keys["param-name"] == "resident-on":
        print(f"uuid of {read('vms', keys['uuid'])}")
    elif words[0] == "vm-param-get":
        print("")
    elif words[0] == "vm-list":
        print(",".join(vms_at(host_of[keys["resident-on"]])))
    elif words[0] == "vm-migrate":
        assert keys["live"] == "true"
        return move(keys["uuid"], host_of[keys["host-uuid"]], "xe")
    elif words[0] == "host-shutdown":
        return poweroff([])
    else:
        assert words[0] in ("host-enable", "host-disable"), words
        log(words[0])
    return 0


def poweroff(words):
    assert not words and HOST
    log("poweroff")
    (DIR / "off" / HOST).touch()
    return 0


def boot(words):
    log("boot", to=words[0])
    (DIR / "off" / words[0]).unlink()
    return 0


if __name__ == "__main__":
    sys.exit({f.__name__: f for f in (ssh, xl, xe, virsh, pv, poweroff, boot)}[pathlib.Path(sys.argv[0]).name](
        sys.argv[1:]))
