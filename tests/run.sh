#!/usr/bin/env bash
# All of the tests in one command: installs what debian/control lists, builds
# with gcc, with clang and under AddressSanitizer + UBSan, and runs every test.
#
#   ./tests/run.sh            everything, as CI does
#   ./tests/run.sh asan-ubsan only that preset (ci, ci-clang, asan-ubsan, tsan)
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "$(dirname "$0")/.."

presets=("$@")
[ ${#presets[@]} -gt 0 ] || presets=(ci ci-clang asan-ubsan)

./tests/install_packages.sh

failed=()
for preset in "${presets[@]}"; do
    printf '\n== %s: build\n' "$preset"
    cmake --preset "$preset" >/dev/null
    cmake --build --preset "$preset"
    printf '\n== %s: test\n' "$preset"
    # Lint looks at the sources, not at what a compiler made of them, and a lab
    # takes its time: once is enough. End to end, a second compiler shows nothing
    # that the sanitizers do not.
    skip=()
    [ "$preset" = "${presets[0]}" ] || skip=(-LE 'lint|lab')
    [ "$preset" != ci-clang ] || [ ${#presets[@]} -eq 1 ] || skip=(-LE 'lint|lab|e2e')
    ctest --preset "$preset" -j "$(nproc)" "${skip[@]}" || failed+=("$preset")
done

if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
printf '\nall tests passed: %s\n' "${presets[*]}"
