"""Guests of real QEMU processes, each in its host's network namespace.

A guest's processes are started by this module or by run/prepare (the command that `decamp apply` prepares a
destination with); all leave their pid in the run folder and are ended by it.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import time
import uuid

# Before QEMU 9.0 a guest whose memory is a multiple of 256 KiB loses dirty pages under TCG, and dies where it lands.
MEMORY_KIB = 96 * 1024 + 8
CMDLINE = ("console=ttyS0 quiet loglevel=0 nokaslr mitigations=off tsc=reliable no_timer_check random.trust_cpu=on"
           " init_on_alloc=0 transparent_hugepage=never nowatchdog panic=-1")
BEAT = re.compile(r"beat (\d+) written (\d+) passes (\d+) bad (\d+) longest_gap_ms (\d+)")
BOOT_S = 60
LANDED_S = 20


class GuestError(Exception):
    """A guest does not do as it should."""


@dataclasses.dataclass(frozen=True)
class Guest:
    """What a guest is told on its kernel's command line, see ../guest_init.c."""

    name: str
    pages_per_s: int
    pattern: str = "random"
    working_set_mib: int = 16
    cold_mib: int = 8

    @property
    def uuid(self):
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name + ".lab.decamp"))

    @property
    def cmdline(self):
        return (f"{CMDLINE} lab.pages_per_s={self.pages_per_s} lab.pattern={self.pattern}"
                f" lab.working_set_mib={self.working_set_mib} lab.cold_mib={self.cold_mib} lab.pass_s=20")


class Hypervisors:
    """All QEMUs of all hosts. Use as a context manager: none outlives it."""

    def __init__(self, network, work, run):
        self.network = network
        self.work = pathlib.Path(work) # kernel and initial file system
        self.run = pathlib.Path(run)   # a short path: QEMU's sockets are in it
        self.guests = {}

    def __enter__(self):
        for host in self.network.hosts:
            for kind in ("agent", "driver", "console", "pid"):
                (self.run / host / kind).mkdir(parents=True)
        prepare = self.run / "prepare"
        prepare.write_text(f'#!/bin/sh\nexec "{self.run}/$1/await-$2"\n', encoding="utf-8")
        prepare.chmod(0o755)
        return self

    def __exit__(self, *unused):
        for path in self.run.glob("*/pid/*"):
            self._kill(path)

    def command(self, guest, host):
        """QEMU's words, without where a migration would come from."""
        place = self.run / host
        return ["ip", "netns", "exec", self.network.namespace(host), "qemu-system-x86_64", "-name",
                f"{guest.name},debug-threads=on", "-uuid", guest.uuid, "-M", "pc", "-accel", "tcg", "-m",
                f"{MEMORY_KIB}K", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial",
                f"file:{place}/console/{guest.uuid}", "-kernel", str(self.work / "vmlinuz"), "-initrd",
                str(self.work / "guest.cpio.gz"), "-append", guest.cmdline, "-pidfile", f"{place}/pid/{guest.uuid}",
                "-qmp", f"unix:{place}/agent/{guest.uuid},server=on,wait=off", "-qmp",
                f"unix:{place}/driver/{guest.uuid},server=on,wait=off"]

    def boot(self, guests, host):
        for guest in guests:
            self.guests[guest.name] = guest
            self._write_incoming(guest)
        todo = list(guests)
        while todo: # a guest in forty takes its clock for ten times slower than it is: it is booted again
            for guest in todo:
                self.start(guest, host)
            for guest in todo:
                self.wait_for_beats(guest, host, 2, BOOT_S)
            todo = self._too_fast(todo, host)
            for guest in todo:
                self.kill(guest, host)

    def start(self, guest, host):
        with open(self.run / host / f"{guest.name}.log", "ab") as log:
            subprocess.Popen([*self.command(guest, host), "-daemonize"], stdin=subprocess.DEVNULL, stdout=log,
                             stderr=log).wait(timeout=30)

    def _write_incoming(self, guest):
        """For each host a script that awaits the guest there, which run/prepare calls for `decamp apply`."""
        for host in self.network.hosts:
            words = " ".join(f"'{word}'" for word in self.command(guest, host))
            path = self.run / host / f"await-{guest.uuid}"
            path.write_text(f"#!/bin/sh\n[ ! -e {self.run}/{host}/lost ] || {{ echo {host} is lost >&2; exit 1; }}\n"
                            f"{words} -incoming defer -daemonize >&2 && echo {self.network.address(host)}\n",
                            encoding="utf-8")
            path.chmod(0o755)

    def console(self, guest, host):
        path = self.run / host / "console" / guest.uuid
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def beats(self, guest, host):
        """[(beat, written, passes, bad, longest gap in ms)] that the guest has told of on that host."""
        return [tuple(int(n) for n in match) for match in BEAT.findall(self.console(guest, host))]

    def wait_for_beats(self, guest, host, n, within_s):
        """Until the guest beats n times more on that host."""
        n_before = len(self.beats(guest, host))
        until_s = time.monotonic() + within_s
        while len(self.beats(guest, host)) < n_before + n:
            if time.monotonic() > until_s:
                raise GuestError(f"{guest.name} is not alive on {host}: {self.console(guest, host)[-300:]!r}")
            time.sleep(0.1)

    def _too_fast(self, guests, host):
        """Those whose clock runs tenfold: so does what they write."""
        before = {guest: len(self.beats(guest, host)) for guest in guests}
        time.sleep(2)
        return [guest for guest, n in before.items() if len(self.beats(guest, host)) - n > 5]

    def places(self, guests):
        """{name: hosts on which the guest beats now}; exactly one in a healthy cluster."""
        before = {(guest, host): len(self.beats(guest, host)) for guest in guests for host in self.network.hosts}
        time.sleep(2.5)
        return {guest.name: [host for host in self.network.hosts
                             if len(self.beats(guest, host)) > before[guest, host]] for guest in guests}

    def bad_pages(self, guest):
        """Pages that were not as it had left them, at any time on any host."""
        return max((beat[3] for host in self.network.hosts for beat in self.beats(guest, host)), default=0)

    def kill(self, guest, host):
        self._kill(self.run / host / "pid" / guest.uuid)
        for kind in ("agent", "driver", "console"):
            (self.run / host / kind / guest.uuid).unlink(missing_ok=True)

    def lose(self, host):
        """Nothing more can be prepared there; what runs there runs on."""
        (self.run / host / "lost").touch()

    def find(self, host):
        (self.run / host / "lost").unlink()

    @staticmethod
    def _kill(path):
        try:
            pid = int(path.read_text())
            if b"qemu-system" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            pass # it has ended by itself
        path.unlink(missing_ok=True)
