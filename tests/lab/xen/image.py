"""What the machine boots: Xen, and initial file systems for dom0 and for the guests.

dom0's holds Xen's tools, decamp's three programs with the libraries that they
need (copied from this machine), their keys and configuration, and the lab's
own C programs, compiled here.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import gzip
import pathlib
import re
import shutil
import subprocess

import initramfs

HERE = pathlib.Path(__file__).resolve().parent
LIBRARIES = pathlib.Path("usr/lib/x86_64-linux-gnu")
PACKAGES = (
    "xen-hypervisor-4.17-amd64", "xen-utils-4.17", "xen-utils-common", "xenstore-utils", "libxenmisc4.17",
    "libxentoolcore1", "libxentoollog1", "libxencall1", "libxendevicemodel1", "libxenevtchn1", "libxenforeignmemory1",
    "libxengnttab1", "libxenhypfs1", "libxenstore4", "libyajl2", "busybox-static", "dropbear-bin", "libtomcrypt1",
    "libtommath1", "pv",
)
WANTED = (
    r"\./(boot/(vmlinuz-.*|xen-4\.17-amd64\.gz)|lib/modules/.*/(drivers/xen/.*|e1000)\.ko"
    r"|(usr/)?s?bin/(busybox|xenstore.*|dropbear|dropbearkey|dbclient|pv)"
    r"|usr/lib/x86_64-linux-gnu/.*\.so.*|usr/lib/xen-4\.17/(bin|boot)/.*|etc/xen/.*)")
XEN_PROGRAMS = ("xl", "xenstored", "xenconsoled", "xen-init-dom0", "libxl-save-helper", "xenctx")
MODULES = ("xen-privcmd", "xen-evtchn", "xenfs/xenfs", "xen-gntdev", "xen-gntalloc")

PLANNER_YAML = """\
listen: tcp://0.0.0.0:7450
secret_key_file: /lab/keys/planner.key
allow_list_file: /lab/keys/allowed
api_socket: /tmp/planner.sock
store_path: /tmp/planner.sqlite
"""
AGENT_YAML = """\
host: @host@
planner: tcp://xen1:7450
planner_public_key_file: /lab/keys/planner.pub
secret_key_file: /lab/keys/@host@.key
source: xen
module_dir: /lab/modules
state_dir: /tmp/state
sampling_budget_frac: 1
"""
# Of the machines' dom0s, where there is a network between them (pair.py).
ADDRESSES = {"xen1": "10.99.0.1", "xen2": "10.99.0.2"}
# dbclient under the name and with the options that the driver `xl` knows.
SSH = """\
#!/bin/busybox sh
while [ "$1" = -o ]; do shift 2; done
exec dbclient -y -y -i /lab/keys/id "$@"
"""


def _run(*arguments, cwd=None):
    subprocess.run([str(a) for a in arguments], cwd=cwd, check=True)


def _libraries_of(files, own):
    """The shared libraries that `files` need and `own` (a folder) has not."""
    found = set()
    for file in files:
        result = subprocess.run(["ldd", file], capture_output=True, text=True, check=False,
                                env={"LD_LIBRARY_PATH": str(own), "PATH": "/usr/bin:/bin"})
        found.update(re.findall(r"=> (/\S+)", result.stdout))
    return {pathlib.Path(path) for path in found if not path.startswith(str(own))}


def _copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _make_keys(decamp, folder):
    folder.mkdir(parents=True)
    for name in ("planner", *ADDRESSES):
        _run(decamp, "keys", "new", name, "--dir", folder, "-q")
    for name in ADDRESSES:
        _run(decamp, "keys", "allow", folder / "allowed", name, folder / f"{name}.pub", "-q")


def _add_network(packages, root):
    """What one dom0 needs to reach the other: names, a network card's driver, ssh by a key of the lab's own."""
    for name in ("sbin/dropbear", "bin/dropbearkey", "bin/dbclient", "bin/pv"):
        _copy(packages / "usr" / name, root / "usr" / name)
    (root / "usr/bin/xl").symlink_to("../lib/xen-4.17/bin/xl")
    (root / "usr/bin/ssh").write_text(SSH, encoding="utf-8")
    (root / "usr/bin/ssh").chmod(0o755)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n", encoding="utf-8")
    (root / "etc/hosts").write_text("".join(f"{address} {name}\n" for name, address in ADDRESSES.items()),
                                    encoding="utf-8")
    (root / "root/.ssh").mkdir(parents=True, mode=0o700)
    (root / "etc/dropbear").mkdir()
    made = subprocess.run([root / "usr/bin/dropbearkey", "-t", "ed25519", "-f", root / "lab/keys/id"], check=True,
                          capture_output=True, text=True, env={"LD_LIBRARY_PATH": str(root / LIBRARIES)})
    public = next(line for line in made.stdout.splitlines() if line.startswith("ssh-"))
    (root / "root/.ssh/authorized_keys").write_text(public + "\n", encoding="utf-8")
    found = next(packages.glob("lib/modules/*/kernel/drivers/net/ethernet/intel/e1000/e1000.ko"))
    _copy(found, root / "modules" / found.name)


def _add_xen(packages, root):
    for name in XEN_PROGRAMS:
        _copy(packages / "usr/lib/xen-4.17/bin" / name, root / "usr/lib/xen-4.17/bin" / name)
    busybox = [p for p in (packages / "bin/busybox", packages / "usr/bin/busybox") if p.exists()]
    _copy(busybox[0], root / "bin/busybox")
    _copy(packages / "usr/bin/xenstore", root / "bin/xenstore")
    (root / "bin/xenstore-read").symlink_to("xenstore")
    (root / LIBRARIES).mkdir(parents=True)
    for library in (packages / LIBRARIES).glob("*.so*"):
        shutil.copy(library, root / LIBRARIES / library.name)
    shutil.copytree(packages / "etc/xen", root / "etc/xen", symlinks=True)
    with open(root / "etc/xen/xl.conf", "a", encoding="utf-8") as file:
        file.write('autoballoon="off"\n')
    for module in MODULES:
        found = next(packages.glob(f"lib/modules/*/kernel/drivers/xen/{module}.ko"))
        _copy(found, root / "modules" / found.name)


def _add_decamp(bin_dir, root):
    lab = root / "lab"
    for name in ("decamp", "decamp-agent", "decamp-planner"):
        _copy(bin_dir / name, lab / name)
    _copy(bin_dir.parent / "lib/decamp/source_xen.so", lab / "modules/source_xen.so")
    _make_keys(bin_dir / "decamp", lab / "keys")
    (lab / "planner.yaml").write_text(PLANNER_YAML, encoding="utf-8")
    (lab / "agent.yaml").write_text(AGENT_YAML, encoding="utf-8")
    for name in ("curl", "nice"):
        _copy(shutil.which(name), lab / name)


def _add_own(root, guest):
    lab = root / "lab"
    initramfs.compile_guest(guest)
    _run(*initramfs.COMPILE, "-o", lab / "throttle", HERE / "throttle.c")
    _run(*initramfs.COMPILE, "-shared", "-fPIC", "-o", lab / "round_log.so", HERE / "round_log.c", "-ldl", "-lpthread")
    _copy(HERE / "migrate.sh", lab / "migrate.sh")
    _copy(HERE / "dom0_init.sh", root / "init")
    (root / "init").chmod(0o755)


def build(packages, bin_dir, work):
    """Files for the machine in folder `work`: xen, vmlinuz and dom0.cpio.gz."""
    root, guest = work / "dom0", work / "guest"
    for folder in (root, guest):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name in "dev proc sys run tmp lib64 var/log/xen/console var/lib/xen var/lib/xenstored".split():
        (root / name).mkdir(parents=True)
    (root / "var/run").symlink_to("../run")
    _add_xen(packages, root)
    _add_decamp(bin_dir, root)
    _add_own(root, guest)
    _add_network(packages, root)
    (root / "lib").symlink_to("usr/lib")
    programs = [p for p in root.rglob("*") if p.is_file() and p.read_bytes()[:4] == b"\x7fELF"]
    for library in _libraries_of(programs, root / LIBRARIES):
        shutil.copy(library, root / LIBRARIES / library.name)
    shutil.copy("/lib/x86_64-linux-gnu/libgcc_s.so.1", root / LIBRARIES)  # by name, when a thread of xl is cancelled
    shutil.copy("/lib64/ld-linux-x86-64.so.2", root / "lib64")
    kernel = next(packages.glob("boot/vmlinuz-*"))
    _copy(kernel, root / "lab/guest/vmlinuz")
    initramfs.pack(guest, root / "lab/guest/initrd")
    initramfs.pack(root, work / "dom0.cpio.gz")
    shutil.copy(kernel, work / "vmlinuz")
    (work / "xen").write_bytes(gzip.decompress((packages / "boot/xen-4.17-amd64.gz").read_bytes()))
