#!/usr/bin/env bash
# Compiles each header alone: a header must bring what it needs.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "$(dirname "$0")/../.."

failed=0
n=0
cflags=$(pkg-config --cflags jansson libuv)
for header in base/*.h model/*.h proto/*.h solver/*.h agent/*.h planner/*.h planner/*/*.h; do
    n=$((n + 1))
    # shellcheck disable=SC2086 # several flags
    if ! echo "#include \"$header\"" | ${CC:-cc} -std=gnu17 -D_GNU_SOURCE -I. $cflags -Wall -Wextra -Werror \
        -fsyntax-only -x c -; then
        echo "$header: does not compile alone" >&2
        failed=1
    fi
done
echo "$n headers compiled alone"
exit $failed
