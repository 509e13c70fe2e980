"""The emulated machine: QEMU without KVM, Xen, dom0, and a line for commands into dom0."""
# SPDX-License-Identifier: GPL-3.0-or-later
import base64
import gzip
import re
import socket
import subprocess
import time

# SMAP off: dom0 dies at its first IRET with it. AVX and XSAVE off: guests take #UD. No -icount: PVH guests livelock.
CPU = "max,-smap,-xsave,-avx,-avx2,-f16c,-fma,-vaes,-vpclmulqdq"
# dom0 on processor 0, guests on processor 1 (dom0.py): guests that change processors die, see README.md.
XEN = "console=com1 com1=115200,8n1 dom0_mem=640M,max:640M dom0_max_vcpus=1 dom0_vcpus_pin loglvl=all guest_loglvl=all"
DOM0 = "console=hvc0 rdinit=/init loglevel=4 lab.host={host}"
BOOT_TIMEOUT_S = 180


class MachineError(Exception):
    """The machine does not do what it should."""


class Machine:
    """Use as a context manager. With an `address` it has a network card, on a cable to the machine `peer`."""

    def __init__(self, work, host="xen1", address=None, peer=None):
        self.work = work
        self.host = host
        self.address = address
        self.peer = peer
        self.console_log = work / f"console-{host}.log"
        self.process = None
        self.line = None
        self.received = b""
        self.n_commands = 0

    def __enter__(self):
        path = self.work / f"commands-{self.host}.sock"
        dom0 = DOM0.format(host=self.host)
        card = []
        if self.address is not None:
            dom0 += f" lab.address={self.address}"
            (self.work / f"{self.host}.cable").unlink(missing_ok=True)
            card = ["-netdev", f"dgram,id=cable,local.type=unix,local.path={self.host}.cable,remote.type=unix,"
                    f"remote.path={self.peer}.cable",
                    "-device", f"e1000,netdev=cable,mac=52:54:00:00:00:{self.address.rsplit('.', 1)[1]:0>2}"]
        for file in (path, self.console_log):
            file.unlink(missing_ok=True)
        command = [
            "setpriv", "--pdeathsig", "KILL",  # it must not outlive the lab
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-machine", "q35",
            "-accel", "tcg,thread=multi,tb-size=512", "-cpu", CPU, "-smp", "2", "-m", "2048",
            "-kernel", "xen", "-append", XEN, "-initrd", f"vmlinuz {dom0},dom0.cpio.gz",
            "-serial", f"file:{self.console_log.name}", "-serial", f"unix:{path.name},server=on,wait=off",
            *card,
        ]
        with open(self.work / f"qemu-{self.host}.log", "wb") as log:
            self.process = subprocess.Popen(command, cwd=self.work, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._connect(path)
            self._receive_until(rb"lab: dom0 is ready\n", BOOT_TIMEOUT_S)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        if self.line is not None:
            self.line.close()
        self.process.kill()
        self.process.wait()

    def console(self):
        """What Xen and dom0's kernel have said so far."""
        return self.console_log.read_text(encoding="utf-8", errors="replace")

    def _connect(self, path):
        deadline = time.monotonic() + 20
        while self.line is None:
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(str(path))
                self.line = line
            except OSError:
                line.close()
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise MachineError(f"QEMU: {(self.work / f'qemu-{self.host}.log').read_text().strip()}") from None
                time.sleep(0.1)

    def _receive_until(self, pattern, timeout_s):
        """The match of `pattern`; what is up to its end counts as read."""
        deadline = time.monotonic() + timeout_s
        self.line.settimeout(1)
        while True:
            match = re.search(pattern, self.received, re.S)
            if match:
                self.received = self.received[match.end():]
                return match
            if time.monotonic() > deadline:
                raise MachineError(f"no answer within {timeout_s:.0f} s; {self.console()[-500:]}")
            try:
                data = self.line.recv(65536)
            except TimeoutError:
                continue
            if not data:
                raise MachineError(f"the machine ended: {self.console()[-500:]}")
            self.received += data

    def run(self, script, timeout_s=60):
        """Runs a shell script in dom0: (exit code, output)."""
        self.n_commands += 1
        number = self.n_commands
        self.line.sendall(b"%d %s\n" % (number, base64.b64encode(script.encode())))
        match = self._receive_until(rb"begin %d (\d+)\n(.*?)end %d\n" % (number, number), timeout_s)
        return int(match.group(1)), gzip.decompress(base64.b64decode(match.group(2))).decode(errors="replace")

    def check(self, script, timeout_s=60):
        """The output of a script that must succeed."""
        code, output = self.run(script, timeout_s)
        if code != 0:
            raise MachineError(f"exit code {code} of {script!r}: {output[-1000:]}")
        return output
