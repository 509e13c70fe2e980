#!/bin/sh
# What a host of an XAPI pool (XCP-ng, XenServer) does for an exported plan; it
# runs there as `sh -c TEXT sh VERB ARGUMENT...`. VMs are found by their UUID,
# hosts by their name-label, which must stand once in the pool.
#
#   place UUID HOST ACTION           prints here, absent, or half (a migration has not ended)
#   migrate UUID HOST TO RATE WAY    XAPI has no cap per migration: RATE and WAY are not used
#   alive HOST, enable HOST          does it answer; let it take VMs
#   shutdown HOST                    refused while VMs run there
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu

host_uuid() { # HOST
    found=$(xe host-list name-label="$1" --minimal) || exit 9
    case $found in
    '' | *,*) printf 'the pool has not exactly one host with the name-label %s\n' "$1" >&2; exit 9 ;;
    esac
    printf '%s' "$found"
}

case $1 in
place)
    host=$(host_uuid "$3") || exit 9
    at=$(xe vm-param-get uuid="$2" param-name=resident-on) || exit 9
    [ "$at" = "$host" ] || { echo absent; exit 0; }
    doing=$(xe vm-param-get uuid="$2" param-name=current-operations) || exit 9
    case $doing in
    *migrate*) echo half ;;
    *) echo here ;;
    esac
    ;;
migrate)
    to=$(host_uuid "$4") || exit 9
    exec xe vm-migrate uuid="$2" host-uuid="$to" live=true
    ;;
alive) host_uuid "$2" >/dev/null ;;
enable)
    host=$(host_uuid "$2") || exit 9
    exec xe host-enable uuid="$host"
    ;;
shutdown)
    host=$(host_uuid "$2") || exit 9
    xe host-disable uuid="$host"
    running=$(xe vm-list resident-on="$host" is-control-domain=false --minimal) || exit 9
    [ -z "$running" ] || { echo "not shut down: VMs run here" >&2; exit 1; }
    exec xe host-shutdown uuid="$host"
    ;;
*) echo "xe has no $1" >&2; exit 64 ;;
esac
