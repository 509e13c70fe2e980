"""What the lab does in dom0: guests, the agent, the planner, and questions to them."""
# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses
import re
import time

from machine import MachineError

AGENT_LOG = "/tmp/agent.log"
STATE = "/tmp/state"
BEAT = re.compile(r"^beat (\d+) written (\d+) passes (\d+) bad (\d+) longest_gap_ms (\d+)\s*$", re.M)
TRIPLE_FAULT = re.compile(r"\(XEN\) d(\d+)v\d+ Triple fault")


class Silent(MachineError):
    """A guest that has a domain and says nothing."""


@dataclasses.dataclass(frozen=True)
class Guest:
    """What a guest is told on its kernel's command line, see guest_init.c."""
    name: str
    pages_per_s: int
    pattern: str = "cyclic"
    working_set_mib: int = 10
    cold_mib: int = 2
    memory_mib: int = 96


@dataclasses.dataclass(frozen=True)
class Beat:
    """What a guest says of itself once a second."""
    number: int
    n_written: int
    n_passes: int
    n_bad: int
    longest_gap_ms: int


def guest_config(guest):
    """For xl. Native TSC: PVH guests need it here; processor 1: see README.md."""
    return f"""name="{guest.name}"
type="pvh"
kernel="/lab/guest/vmlinuz"
ramdisk="/lab/guest/initrd"
memory={guest.memory_mib}
maxmem={guest.memory_mib}
vcpus=1
cpus="1"
tsc_mode="native"
on_crash="preserve"
extra="console=hvc0 loglevel=3 rdinit=/init lab.pages_per_s={guest.pages_per_s} lab.pattern={guest.pattern} \
lab.working_set_mib={guest.working_set_mib} lab.cold_mib={guest.cold_mib}"
"""


class Dom0:
    """Over a Machine."""

    def __init__(self, machine):
        self.machine = machine

    # --- guests ---

    def create(self, guest):
        self.machine.check(f"rm -f /var/log/xen/console/guest-{guest.name}*.log\ncat >/tmp/{guest.name}.cfg <<'END'\n"
                           f"{guest_config(guest)}END\nxl create -q /tmp/{guest.name}.cfg", 60)

    def destroy(self, name):
        self.machine.run(f"xl destroy {name}")

    def domid(self, name):
        """None where no domain is called so."""
        code, output = self.machine.run(f"xl domid {name} 2>/dev/null")
        return int(output) if code == 0 else None

    def uuid(self, name):
        return self.machine.check(f"xenstore-read /local/domain/$(xl domid {name})/vm").strip().rsplit("/", 1)[-1]

    def beats(self, name, arrived=False):
        """What a guest said: before its first migration, or (`arrived`) since its last one."""
        log = f"/var/log/xen/console/guest-{name}{'--incoming' if arrived else ''}.log"
        _, output = self.machine.run(f"cat {log} 2>/dev/null")
        return [Beat(*map(int, match.groups())) for match in BEAT.finditer(output)]

    def forget_arrival(self, name):
        """Empties what the guest says after a migration, for the next one."""
        self.machine.run(f": >/var/log/xen/console/guest-{name}--incoming.log")

    def wait_for(self, what, condition, timeout_s, error=MachineError):
        """The first true value of condition()."""
        deadline = time.monotonic() + timeout_s
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise error(f"{what}: not within {timeout_s} s")
            time.sleep(0.5)

    def wait_until_alive(self, name, arrived=False, n_passes=2, since=None, timeout_s=60):
        """Its last beat, once it has looked at all of its memory `n_passes` times since beat `since` (or its first)."""
        def looked():
            beats = self.beats(name, arrived)
            return beats[-1] if beats and beats[-1].n_passes - (since or beats[0]).n_passes >= n_passes else None
        return self.wait_for(f"{name} lives", looked, timeout_s, Silent)

    def registers(self, name):
        """Of its processor, and what it runs."""
        return self.machine.run(f"/usr/lib/xen-4.17/bin/xenctx $(xl domid {name}) 0 2>&1 | head -n 12")[1]

    def triple_faults(self):
        """The domids of the guests that died of one."""
        return [int(domid) for domid in TRIPLE_FAULT.findall(self.machine.console())]

    # --- decamp ---

    def start_planner(self, **settings):
        """With `settings` besides image.PLANNER_YAML."""
        text = "".join(f"{name}: {value}\n" for name, value in settings.items())
        self.machine.check(f"{{ cat /lab/planner.yaml; cat <<'END'\n{text}END\n}} >/tmp/planner.yaml\n"
                           "decamp-planner --config /tmp/planner.yaml >/tmp/planner.log 2>&1 &\n"
                           "echo $! >/tmp/planner.pid\n"
                           "until [ -S /tmp/planner.sock ]; do usleep 100000; done", 30)

    def start_agent(self, options):
        """With `options` besides image.AGENT_YAML."""
        text = "".join(f"{name}: {value}\n" for name, value in options.items())
        self.machine.check(f"{{ sed 's/@host@/{self.machine.host}/' /lab/agent.yaml; cat <<'END'\n{text}END\n}} >/tmp/agent.yaml\n"
                           "mkdir -p /tmp/state; decamp-agent --config /tmp/agent.yaml --check-config")
        self.start_agent_again()

    def start_agent_again(self):
        """Ahead of the toolstack: a migration takes all of dom0's processor."""
        self.machine.check(f"nice -n -10 decamp-agent -v --config /tmp/agent.yaml >>{AGENT_LOG} 2>&1 &\n"
                           "echo $! >/tmp/agent.pid; usleep 500000; kill -0 $(cat /tmp/agent.pid)")

    def stop_agent(self, signal="TERM"):
        self.machine.check(f"pid=$(cat /tmp/agent.pid); kill -{signal} $pid\n"
                           "for i in $(seq 100); do kill -0 $pid 2>/dev/null || exit 0; usleep 100000; done\n"
                           "exit 1", 30)

    def agent_lives(self):
        return self.machine.run("kill -0 $(cat /tmp/agent.pid)")[0] == 0

    def agent_said(self, text):
        return self.machine.run(f"grep -q '{text}' {AGENT_LOG}")[0] == 0

    def n_bursts(self, uuid):
        """How many bursts of a VM the agent has brought to their end."""
        return int(self.machine.run(f"grep -c '({uuid}): burst ' {AGENT_LOG}")[1])

    def in_burst(self, domid):
        """Does the agent's mark say that log-dirty of this domain is on?"""
        return self.machine.run(f"ls {STATE} | grep -q '^log-dirty-{domid}-'")[0] == 0
