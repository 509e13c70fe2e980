"""What a lab boots, from the Debian archive as apt is configured here.

Nothing is installed: packages are downloaded into a cache and only the files
that the lab needs are taken out of them.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import pathlib
import re
import subprocess
import tarfile


class Unavailable(Exception):
    """Something that the lab needs is not to be had on this machine."""


def _apt(*arguments, cwd=None):
    result = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    if result.returncode != 0:
        raise Unavailable(f"{' '.join(arguments[:2])} failed: {result.stderr.strip()[-300:]}")
    return result.stdout


def _kernel(meta_package):
    """The image that a package such as linux-image-amd64 stands for now."""
    depends = re.findall(r"Depends: (linux-image-\S+-amd64)$", _apt("apt-cache", "depends", meta_package), re.M)
    if not depends:
        raise Unavailable(f"apt does not know {meta_package}")
    return depends[0]


def _wanted_versions(packages, kernel):
    """{package: version} that apt would install; refreshes apt's lists where they know too little."""
    for attempt in ("as it is", "after an update"):
        try:
            names = [*packages, _kernel(kernel)]
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


def _unpack(package, wanted, root):
    listing = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=listing.stdout, mode="r|") as archive:
        for member in archive:
            if re.fullmatch(wanted, member.name) and (member.isfile() or member.issym()):
                archive.extract(member, root)
    listing.stdout.close()
    if listing.wait() != 0:
        raise Unavailable(f"{package.name} cannot be unpacked")


def fetch(cache, packages, kernel, wanted):
    """The folder with those files of `packages` and of the kernel that match `wanted`; downloads again only when the
    archive has other versions."""
    cache = pathlib.Path(cache)
    root, stamp = cache / "root", cache / "versions"
    versions = _wanted_versions(packages, kernel)
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
        _unpack(package, wanted, root)
        package.unlink()
    stamp.write_text(text, encoding="utf-8")
    return root
