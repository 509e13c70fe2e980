"""Initial file systems for what the labs boot, and the guests' only process."""
# SPDX-License-Identifier: GPL-3.0-or-later
import gzip
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
COMPILE = ("cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wvla", "-Werror")


def compile_guest(folder):
    """`folder` becomes a guest's whole file system."""
    for name in ("proc", "dev"):
        (folder / name).mkdir(parents=True)
    subprocess.run([*COMPILE, "-static", "-o", folder / "init", HERE / "guest_init.c"], check=True)


def pack(folder, archive):
    """A compressed cpio of `folder`, as the kernel takes it."""
    listing = "\0".join(str(p.relative_to(folder)) for p in sorted(folder.rglob("*")))
    cpio = subprocess.run(["cpio", "--quiet", "-0", "-o", "-H", "newc", "-R", "0:0"], cwd=folder, check=True,
                          input=listing.encode(), stdout=subprocess.PIPE)
    archive.write_bytes(gzip.compress(cpio.stdout, compresslevel=1))
