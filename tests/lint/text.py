#!/usr/bin/env python3
"""Habits of the house that a machine can see, in every tracked text file.

Licence lines, file and function sizes, names with a unit, no unfinished spots.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = {".c", ".h", ".js", ".py", ".sh"}
# Made by build.sh beside it from others' packages, whose licences stand at its head.
GENERATED = {"planner/page/echarts/echarts.min.js"}
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
UNITLESS = re.compile(r"\b[a-z_]+_bps\b")
FUNCTION_END = re.compile(r"^\}")
FUNCTION_START = re.compile(r"^[a-z].*\(")


def tracked_files():
    if shutil.which("git") is not None:
        listing = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=False)
        if listing.returncode == 0:
            return [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [p for p in ROOT.rglob("*") if p.is_file() and "build" not in p.relative_to(ROOT).parts]


def long_functions(lines):
    """A function of this style begins and ends in column 0; what is indented is inside."""
    start = None
    for number, line in enumerate(lines, 1):
        if FUNCTION_START.match(line):
            start = number
        if FUNCTION_END.match(line) and start is not None:
            if number - start > MAX_FUNCTION_LINES:
                yield start, number - start
            start = None


def complaints_of(path):
    name = path.relative_to(ROOT).as_posix()
    if path.suffix not in CODE or name in GENERATED or not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    if not any("SPDX-License-Identifier: GPL-3.0-or-later" in line for line in lines[:30]):
        yield f"{name}: no SPDX licence line near the top"
    if path.suffix in {".c", ".h"} and len(lines) > MAX_FILE_LINES:
        yield f"{name}: {len(lines)} lines; more than {MAX_FILE_LINES} is two jobs"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield f"{name}: no #pragma once"
    if path.suffix == ".c":
        for start, length in long_functions(lines):
            yield f"{name}:{start}: a function of {length} lines; {MAX_FUNCTION_LINES} is the limit"
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield f"{name}:{number}: an unfinished spot"
        if UNITLESS.search(line):
            yield f"{name}:{number}: a rate without a unit (bits or bytes?)"


def main():
    files = tracked_files()
    found = [c for f in files for c in complaints_of(f)]
    print("\n".join(found) or f"{len(files)} files looked at")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
