#!/bin/sh
# A toolstack whose cluster is a folder: DIR/hosts/HOST/UUID holds "runs", "migrating", "incoming" or "paused".
#
#   toy_toolstack.sh DIR migrate UUID FROM TO [RATE] | abort UUID | locate UUID HOST | boot HOST | shutdown HOST
#
# What goes wrong is told by files: DIR/fail/UUID (fails as long as it has lines, one is taken off each time),
# DIR/hang/UUID (never ends by itself), DIR/lost/HOST (does not answer), DIR/seconds (of a migration). DIR/log
# remembers what began and ended.
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
dir=$1 verb=$2
shift 2

say() { echo "$(date +%s.%N) $*" >>"$dir/log"; }

back() { # the VM is its source's again
    rm -f "$dir/hosts/$3/$1"
    echo runs >"$dir/hosts/$2/$1"
    say "failed $1 $2 $3"
    echo "$4" >&2
    exit 1
}

migrate() {
    [ "$(cat "$dir/hosts/$2/$1" 2>/dev/null)" = runs ] || { echo "$1 does not run on $2" >&2; exit 1; }
    [ ! -e "$dir/hosts/$3/$1" ] || { echo "$1 is on $3 already" >&2; exit 1; }
    [ ! -e "$dir/lost/$3" ] || { echo "$3 does not answer" >&2; exit 1; }
    if [ -s "$dir/fail/$1" ]; then
        sed -i 1d "$dir/fail/$1"
        echo "no luck with $1" >&2
        exit 1
    fi
    say "begin $1 $2 $3 ${4:-}"
    echo incoming >"$dir/hosts/$3/$1"
    echo migrating >"$dir/hosts/$2/$1"
    sleep "$(cat "$dir/seconds")"
    while [ -e "$dir/hang/$1" ] && [ ! -e "$dir/abort/$1" ]; do sleep 0.05; done
    [ ! -e "$dir/abort/$1" ] || { rm "$dir/abort/$1"; back "$1" "$2" "$3" "ended as asked"; }
    [ ! -e "$dir/lost/$3" ] || back "$1" "$2" "$3" "$3 has gone in the middle"
    rm "$dir/hosts/$2/$1" # for a moment it is nowhere, as with real ones
    echo runs >"$dir/hosts/$3/$1.new"
    mv "$dir/hosts/$3/$1.new" "$dir/hosts/$3/$1"
    say "end $1 $2 $3"
}

case $verb in
migrate) migrate "$@" ;;
abort) mkdir -p "$dir/abort" && : >"$dir/abort/$1" ;;
locate)
    [ ! -e "$dir/lost/$2" ] || { echo "$2 does not answer" >&2; exit 9; }
    cat "$dir/hosts/$2/$1" 2>/dev/null || echo absent
    ;;
boot | shutdown) say "$verb $1" ;;
esac
