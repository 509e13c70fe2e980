#!/bin/sh
# What a host that is run by xl does for an exported plan; it runs there as
# `sh -c TEXT sh VERB ARGUMENT...`. VMs are found by their UUID, so no name is
# ever taken for an option, a number or a pattern.
#
#   place UUID HOST ACTION           prints here, absent, or half (a migration has not ended)
#   migrate UUID HOST TO RATE WAY    RATE in bytes/s, 0: no cap; WAY: a command that reaches {host}
#   alive HOST, enable HOST          does it answer; let it take VMs
#   shutdown HOST                    refused while VMs run there
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu

quote() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

# Lines of `xl vm-list`: UUID, number, name. While a migration lasts the name ends in --incoming at its
# destination, and in --migratedaway once the source has sent all.
numbers() { # UUID: "here NUMBER" or "half NUMBER"
    list=$(xl vm-list) || exit 9
    printf '%s\n' "$list" | uuid=$1 awk 'tolower($1) == tolower(ENVIRON["uuid"]) {
        print ($0 ~ /--(incoming|migratedaway) *$/ ? "half" : "here"), $2 }'
}

case $1 in
place)
    found=$(numbers "$2") || exit 9
    case $found in
    *here*) echo here ;;
    *half*) echo half ;;
    *) echo absent ;;
    esac
    ;;
migrate)
    found=$(numbers "$2") || exit 9
    number=$(printf '%s\n' "$found" | awk '$1 == "here" { print $2; exit }')
    [ -n "$number" ] || { echo "no such VM runs here" >&2; exit 1; }
    # With an empty -s xl takes its host argument for the whole shell command: the cap stands in the pipe.
    pipe="${6%%"{host}"*}$(quote "$4")${6#*"{host}"} xl migrate-receive"
    [ "$5" -eq 0 ] || pipe="pv -q -L $5 | $pipe"
    exec xl migrate -s '' "$number" "$pipe"
    ;;
alive) exec xl info >/dev/null ;;
enable) ;;
shutdown)
    list=$(xl vm-list) || exit 9
    running=$(printf '%s\n' "$list" | awk 'NR > 1 && $2 > 0' | wc -l)
    [ "$running" -eq 0 ] || { echo "not shut down: $running VMs run here" >&2; exit 1; }
    exec poweroff
    ;;
*) echo "xl has no $1" >&2; exit 64 ;;
esac
