#!/usr/bin/env bash
# clang-tidy as a failing check over the compile commands of the build folder
# named as first argument.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${1:?usage: tidy.sh BUILD_FOLDER}
command -v clang-tidy >/dev/null || { echo "clang-tidy is not installed here"; exit 77; }
find base model proto solver agent planner -name '*.c' -print0 |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p "$build" 2>/dev/null
echo "clang-tidy has nothing to say"
