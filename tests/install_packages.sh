#!/usr/bin/env bash
# Installs what debian/control lists and is missing. With the argument
# "nocheck" the packages that only the tests need are left out.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-}
missing() {
    command -v dpkg-checkbuilddeps >/dev/null || { echo "dpkg-dev"; return; }
    DEB_BUILD_PROFILES=$profile dpkg-checkbuilddeps debian/control 2>&1 | sed 's/.*: //' || true
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "install_packages: these packages are missing, and neither root nor sudo is at hand: $wanted" >&2
        exit 1
    }
    as_root=(sudo)
fi
echo "install_packages: installing $wanted" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEB_BUILD_PROFILES="$profile" DEBIAN_FRONTEND=noninteractive \
    apt-get build-dep -qq -y --no-install-recommends ./ >/dev/null
still=$(missing)
[ -z "$still" ] || { echo "install_packages: still missing after the installation: $still" >&2; exit 1; }
