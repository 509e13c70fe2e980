"""Hosts run by libvirt on one machine: each a libvirtd of its own in network, mount and host name spaces of its own.

Needs root, and says what is missing (`lacks`) where it cannot run. All that is started is ended by pid.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

FOLDERS = {"run": "/run/libvirt", "lib": "/var/lib/libvirt", "etc": "/etc/libvirt", "log": "/var/log/libvirt",
           "cache": "/var/cache/libvirt"}
CONFIG = """unix_sock_dir = "{dir}/sock"
unix_sock_rw_perms = "0700"
auth_unix_rw = "none"
auth_unix_ro = "none"
host_uuid = "00000000-0000-4000-8000-{number:012d}"
log_outputs = "3:file:{dir}/libvirtd.log"
"""
QEMU_CONFIG = """user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
migration_address = "0.0.0.0"
"""
DOMAIN = """<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/></devices></domain>
"""


def lacks():
    """What this machine lacks, or None."""
    if os.geteuid() != 0:
        return "root"
    for command in ("ip", "unshare", "libvirtd", "virsh", "qemu-system-x86_64"):
        if shutil.which(command) is None:
            return command
    name = f"dct{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if made.returncode != 0:
        return "the right to make network namespaces"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


def run(*words, timeout_s=30):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=timeout_s, check=True).stdout


class LibvirtHosts:
    """Two hosts, h1 and h2, with a link between them. Use as a context manager."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.names = ("h1", "h2")
        self.daemons = {}

    def space(self, host):
        return f"dc{os.getpid()}{host}"

    def uri(self, host="{host}"):
        return f"qemu:///system?socket={self.directory}/{host}/sock/libvirt-sock"

    def __enter__(self):
        try:
            self._link()
            for number, host in enumerate(self.names, 1):
                self._start(host, number)
            for host in self.names:
                self._wait(host)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        for host in list(self.daemons):
            self.kill(host)
        for host in self.names:
            for pid_file in (self.directory / host / "run" / "qemu").glob("*.pid"):
                with contextlib.suppress(ProcessLookupError, ValueError):
                    os.kill(int(pid_file.read_text(encoding="utf-8")), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", self.space(host)], capture_output=True, check=False)

    def kill(self, host):
        """The host's daemon; its guests go on."""
        daemon = self.daemons.pop(host)
        daemon.kill()
        daemon.wait()

    def restart(self, host):
        """The daemon of a host where it was killed."""
        self._launch(host)
        self._wait(host)

    def shell(self):
        """A command that is to hosts as ssh is: HOST COMMAND."""
        path = self.directory / "shell"
        path.write_text(f"#!/bin/sh\nhost=$1; shift\nexport LIBVIRT_DEFAULT_URI=\"{self.uri('$host')}\"\n"
                        f"exec ip netns exec dc{os.getpid()}\"$host\" sh -c \"$*\"\n", encoding="utf-8")
        path.chmod(0o700)
        return path

    def virsh(self, host, *words):
        return run("timeout", 30, "virsh", "-q", "-c", self.uri(host), *words)

    def add(self, host, uuid, name, is_running):
        path = self.directory / f"{uuid}.xml"
        path.write_text(DOMAIN.format(name=name, uuid=uuid), encoding="utf-8")
        self.virsh(host, "create" if is_running else "define", path)

    def guests(self, host):
        """Their states by UUID."""
        return {u: self.virsh(host, "domstate", u).strip() for u in self.virsh(host, "list", "--all", "--uuid").split()}

    def _link(self):
        for host in self.names:
            run("ip", "netns", "add", self.space(host))
        one, other = map(self.space, self.names)
        run("ip", "link", "add", "eth0", "netns", one, "type", "veth", "peer", "name", "eth0", "netns", other)
        for number, host in enumerate(self.names, 1):
            run("ip", "-n", self.space(host), "addr", "add", f"10.79.0.{number}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                run("ip", "-n", self.space(host), "link", "set", device, "up")

    def _start(self, host, number):
        directory = self.directory / host
        for folder in (*FOLDERS, "sock"):
            (directory / folder).mkdir(parents=True)
        for folder in FOLDERS.values():
            os.makedirs(folder, exist_ok=True)
        (directory / "etc" / "libvirtd.conf").write_text(CONFIG.format(dir=directory, number=number), encoding="utf-8")
        (directory / "etc" / "qemu.conf").write_text(QEMU_CONFIG, encoding="utf-8")
        (directory / "hosts").write_text("127.0.0.1 localhost\n10.79.0.1 lvh1\n10.79.0.2 lvh2\n", encoding="utf-8")
        self._launch(host)

    def _launch(self, host):
        directory = self.directory / host
        mounts = "".join(f"mount --bind {directory}/{own} {path} && " for own, path in FOLDERS.items())
        script = (f"hostname lv{host} && {mounts} mount --bind {directory}/hosts /etc/hosts && "
                  f"exec libvirtd -f /etc/libvirt/libvirtd.conf -p {directory}/libvirtd.pid")
        with open(directory / "output", "wb") as output:
            self.daemons[host] = subprocess.Popen(
                ["ip", "netns", "exec", self.space(host), "unshare", "-m", "-u", "sh", "-c", script],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)

    def _wait(self, host):
        end_s = time.monotonic() + 30
        while True:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.virsh(host, "hostname")
                return
            assert time.monotonic() < end_s, (self.directory / host / "output").read_text(encoding="utf-8")
            time.sleep(0.2)
