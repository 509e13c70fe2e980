"""Xen, its tools and a kernel, from the Debian archive as apt is configured here.

Nothing is installed: packages are downloaded into a cache and only the files
that the lab needs are taken out of them.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import pathlib
import re
import subprocess
import tarfile

PACKAGES = (
    "xen-hypervisor-4.17-amd64", "xen-utils-4.17", "xen-utils-common", "xenstore-utils", "libxenmisc4.17",
    "libxentoolcore1", "libxentoollog1", "libxencall1", "libxendevicemodel1", "libxenevtchn1", "libxenforeignmemory1",
    "libxengnttab1", "libxenhypfs1", "libxenstore4", "libyajl2", "busybox-static",
)
WANTED = re.compile(
    r"\./(boot/(vmlinuz-.*|xen-4\.17-amd64\.gz)|lib/modules/.*/drivers/xen/.*\.ko|(usr/)?bin/(busybox|xenstore.*)"
    r"|usr/lib/x86_64-linux-gnu/.*\.so.*|usr/lib/xen-4\.17/(bin|boot)/.*|etc/xen/.*)")


class Unavailable(Exception):
    """Something that the lab needs is not to be had on this machine."""


def _apt(*arguments, cwd=None):
    result = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    if result.returncode != 0:
        raise Unavailable(f"{' '.join(arguments[:2])} failed: {result.stderr.strip()[-300:]}")
    return result.stdout


def _kernel():
    """The image that linux-image-amd64 stands for now."""
    depends = re.findall(r"Depends: (linux-image-\S+-amd64)$", _apt("apt-cache", "depends", "linux-image-amd64"), re.M)
    if not depends:
        raise Unavailable("apt does not know linux-image-amd64")
    return depends[0]


def _wanted_versions():
    """{package: version} that apt would install; refreshes apt's lists where they know too little."""
    for attempt in ("as it is", "after an update"):
        try:
            names = [*PACKAGES, _kernel()]
            policy = _apt("apt-cache", "policy", *names)
            versions = dict(re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (\S+)", policy, re.M))
            missing = [name for name in names if versions.get(name, "(none)") == "(none)"]
            if missing:
                raise Unavailable(f"apt does not know {', '.join(missing)}")
            return versions
        except Unavailable:
            if attempt == "after an update":
                raise
            _apt("apt-get", "update", "-qq")
    raise AssertionError("not reached")


def _unpack(package, root):
    listing = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=listing.stdout, mode="r|") as archive:
        for member in archive:
            if WANTED.fullmatch(member.name) and (member.isfile() or member.issym()):
                archive.extract(member, root)
    listing.stdout.close()
    if listing.wait() != 0:
        raise Unavailable(f"{package.name} cannot be unpacked")


def fetch(cache):
    """The folder with the packages' files; downloads again only when the archive has other versions."""
    cache = pathlib.Path(cache)
    root, stamp = cache / "root", cache / "versions"
    versions = _wanted_versions()
    text = "".join(f"{name}={version}\n" for name, version in sorted(versions.items()))
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == text:
        return root
    downloads = cache / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    subprocess.run(["rm", "-rf", root], check=True)
    root.mkdir()
    for old in downloads.glob("*.deb"):
        old.unlink()
    _apt("apt-get", "download", "-qq", *(f"{name}={version}" for name, version in versions.items()), cwd=downloads)
    for package in sorted(downloads.glob("*.deb")):
        _unpack(package, root)
        package.unlink()
    stamp.write_text(text, encoding="utf-8")
    return root
