#!/bin/busybox sh
# migrate.sh NAME BYTES_PER_S FOLDER: predicts, holds, migrates to this same host
# through a bandwidth cap, releases. What there is to know is in FOLDER:
#   before.json     the fleet as the planner knew it before
#   predicted.json  the prediction for BYTES_PER_S made from it
#   stream.log      what the cap let through, see throttle.c
#   rounds.log      what the migration did, see round_log.c
#   times           when the command began and ended, in seconds since dom0's boot
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
name=$1 bytes_per_s=$2 folder=$3
hold_ms=300000

api() {
    curl --silent --show-error --fail-with-body --unix-socket "$DECAMP_SOCKET" -H 'Content-Type: application/json' \
        -d "$2" "http://localhost/v1/$1" || exit 1
    echo
}

rm -rf "$folder"
mkdir -p "$folder"
decamp snapshot --out "$folder/before.json" || exit 1
decamp predict "$name" --fleet "$folder/before.json" --bandwidth "${bytes_per_s}B/s" -o json \
    --out "$folder/predicted.json" || exit 1
api holds "{\"vms\": [\"$name\"], \"for_ms\": $hold_ms}"
cut -d' ' -f1 /proc/uptime >"$folder/times"
# With an empty -s the host is the whole command that the stream goes to.
ROUND_LOG=$folder/rounds.log LD_PRELOAD=/lab/round_log.so xl migrate -s '' "$name" \
    "LD_PRELOAD= throttle $bytes_per_s $folder/stream.log | xl migrate-receive" >"$folder/xl.log" 2>&1
status=$?
cut -d' ' -f1 /proc/uptime >>"$folder/times"
api releases "{\"vms\": [\"$name\"]}"
[ "$status" -eq 0 ] || tail -n 20 "$folder/xl.log"
exit "$status"
