#!/usr/bin/env python3
"""Who may look at what: the table of the house, enforced.

Reads every #include of every C file and header of the parts, and names each
that the table forbids.
"""
# SPDX-License-Identifier: GPL-3.0-or-later
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# part -> parts it may include (itself always)
PARTS = {
    "base": set(),
    "model": {"base"},
    "proto": {"base", "model"},
    "solver": {"base", "model"},
    "agent": {"base", "model", "proto"},
    "planner": {"base", "model", "proto", "solver"},
}

# foreign header (pattern) -> the only files that may include it
ONLY_IN = {
    r"glpk\.h": {"solver/milp_glpk.c"},
    r"zmq\.h": {"agent/publisher.c", "planner/collector.c", "planner/feed.c", "planner/zap.c"},
    r"libvirt/.*\.h": {"agent/libvirt_facts.h", "agent/libvirt_facts.c", "agent/libvirt_worker.c"},
    r"(xenctrl|xenguest|xenstore|xen/.*)\.h": {"agent/source_xen.c"},
    r"yaml\.h": {"base/config_file.c"},
    r"curl/.*": {"planner/api_client.c"},
    r"microhttpd\.h": {"planner/api_server.c"},
    r"zstd\.h": {"proto/fleet_bitmaps.c"},
    r"sqlite3\.h": {"agent/history.c", "planner/apply/journal.c", "planner/store.c"},
}

# foreign headers a part must not know at all
FORBIDDEN = {
    "base": r"uv\.h|jansson\.h|msgpack.*",
    "model": r"uv\.h|jansson\.h|msgpack.*|time\.h|stdio\.h",
    "proto": r"uv\.h",
    "solver": r"uv\.h|jansson\.h|msgpack.*",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(<([^>]+)>|"([^"]+)")', re.M)


def complaints_of(path):
    name = path.relative_to(ROOT).as_posix()
    part = name.split("/")[0]
    for match in INCLUDE.finditer(path.read_text(encoding="utf-8")):
        foreign, ours = match.group(2), match.group(3)
        if ours is not None:
            target = ours.split("/")[0]
            if target not in PARTS:
                yield f'{name}: #include "{ours}": include by path from the root'
            elif not (ROOT / ours).is_file():
                yield f'{name}: #include "{ours}": no such file'
            elif target != part and target not in PARTS[part]:
                yield f'{name}: #include "{ours}": {part} may not include {target}'
            continue
        for pattern, allowed in ONLY_IN.items():
            if re.fullmatch(pattern, foreign) and name not in allowed:
                yield f"{name}: #include <{foreign}>: only {', '.join(sorted(allowed))} may"
        if part in FORBIDDEN and re.fullmatch(FORBIDDEN[part], foreign):
            yield f"{name}: #include <{foreign}>: {part} must not know it"


def main():
    files = [f for part in PARTS for f in sorted((ROOT / part).rglob("*.[ch]"))]
    found = [c for f in files for c in complaints_of(f)]
    print("\n".join(found) or f"{len(files)} files keep the include rules")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
