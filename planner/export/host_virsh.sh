#!/bin/sh
# What a host that is run by libvirt does for an exported plan; it runs there as
# `sh -c TEXT sh VERB ARGUMENT...`. VMs are found by their UUID.
#
#   place UUID HOST ACTION           prints here, absent, or half (a migration has not ended)
#   migrate UUID HOST TO RATE WAY    RATE in bytes/s, 0: no cap; WAY: libvirt's URI of {host}
#   cold_migrate, likewise           moves the definition of a VM that is shut off
#   alive HOST, enable HOST          does it answer; let it take VMs
#   shutdown HOST                    refused while VMs run there
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu

uri() { printf '%s' "${2%%"{host}"*}$1${2#*"{host}"}"; } # TO WAY

known() { # UUID
    list=$(virsh list --all --uuid) || exit 9
    printf '%s\n' "$list" | grep -qixF -e "$1"
}

# Of a VM that moves alive a definition alone (shut off) is no VM; of one that moves cold it is all there is.
place() { # UUID ACTION
    known "$1" || { echo absent; return; }
    state=$(virsh domstate --reason "$1") || exit 9
    case $2:$state in
    *migrating* | *'(starting up)'*) echo half ;;
    migrate:'shut off'*) echo absent ;;
    migrate:*)
        job=$(virsh domjobinfo "$1") || exit 9
        case $job in
        *Outgoing*) echo half ;;
        *) echo here ;;
        esac
        ;;
    cold_migrate:'shut off'*) echo here ;;
    *) echo 'the VM is not shut off' >&2; exit 1 ;;
    esac
}

case $1 in
place) place "$2" "$4" ;;
migrate)
    known "$2" || { echo "no such VM is here" >&2; exit 1; }
    # Whole MiB/s, rounded down (the links' shares hold), but never 0, which is no cap.
    mib=$(($5 / 1048576))
    [ "$mib" -gt 0 ] || mib=1
    [ "$5" -gt 0 ] || mib=
    exec virsh migrate --live --persistent --undefinesource ${mib:+--bandwidth "$mib"} \
        --domain "$2" --desturi "$(uri "$4" "$6")"
    ;;
cold_migrate)
    known "$2" || { echo "no such VM is here" >&2; exit 1; }
    exec virsh migrate --offline --persistent --undefinesource --domain "$2" --desturi "$(uri "$4" "$6")"
    ;;
alive) exec virsh hostname >/dev/null ;;
enable) ;;
shutdown)
    running=$(virsh list --uuid) || exit 9
    [ -z "$running" ] || { echo "not shut down: VMs run here" >&2; exit 1; }
    exec poweroff
    ;;
*) echo "virsh has no $1" >&2; exit 64 ;;
esac
