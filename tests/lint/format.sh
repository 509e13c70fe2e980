#!/usr/bin/env bash
# clang-format as a failing check. A newer clang-format may lay out a line differently; the
# one of Debian 12 (14) decides.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "$(dirname "$0")/../.."

tool=$(command -v clang-format-14 || true)
if [ -z "$tool" ]; then
    echo "clang-format-14 is not installed here"
    exit 77
fi
files=$(find base model proto solver agent planner tests -name '*.[ch]' | sort)
# shellcheck disable=SC2086 # a list of files without blanks
"$tool" --dry-run --Werror $files
echo "$(echo "$files" | wc -l) files formatted as .clang-format says"
