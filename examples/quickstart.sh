#!/usr/bin/env bash
# decamp's quick start: from a fresh clone to an evacuation plan, in one command.
#
#   ./examples/quickstart.sh
#
# Installs what is needed (from debian/control), builds, makes keys, starts one
# planner and four agents on loopback that replay recorded page dirtying of 24
# VMs, waits for their predictions and asks: how do we empty host1? Leaves
# plan.json, fleet.json and plan.html in the current folder and stops all it started.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$PWD
build=$root/build/quickstart
hosts=(host1 host2 host3 host4)
n_vms=24

say() { printf '\n== %s\n' "$*" >&2; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

say "packages"
"$root/tests/install_packages.sh" nocheck

say "build"
cmake -S "$root" -B "$build" -G Ninja -DBUILD_TESTING=OFF >/dev/null
cmake --build "$build" >"$build/build.log" 2>&1 || { tail -40 "$build/build.log" >&2; die "the build failed"; }
export PATH=$build/bin:$PATH

session=$(mktemp -d)
pids=()
stop_all() {
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$session"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

say "keys: one for the planner, one for each agent"
for name in planner "${hosts[@]}"; do decamp keys new "$name" --dir "$session" -q; done
for host in "${hosts[@]}"; do decamp keys allow "$session/allowed" "$host" "$session/$host.pub" -q; done

say "one planner, four agents (CURVE on loopback)"
port=$(/usr/bin/env python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' \
    2>/dev/null || echo $((20000 + RANDOM % 20000)))
cat >"$session/planner.yaml" <<CONFIG
listen: tcp://127.0.0.1:$port
secret_key_file: $session/planner.key
allow_list_file: $session/allowed
topology_file: $root/examples/data/topology.json
api_socket: $session/planner.sock
store_path: $session/planner.sqlite
CONFIG
decamp check-config "$session/planner.yaml" -q
decamp-planner --config "$session/planner.yaml" 2>"$session/planner.log" &
pids+=($!)
for host in "${hosts[@]}"; do
    mkdir "$session/$host"
    cat >"$session/$host.yaml" <<CONFIG
host: $host
planner: tcp://127.0.0.1:$port
planner_public_key_file: $session/planner.pub
secret_key_file: $session/$host.key
source: replay
replay_file: $root/examples/data/replay-fleet.json
replay_speed: 3000
state_dir: $session/$host
CONFIG
    decamp-agent --config "$session/$host.yaml" 2>"$session/$host.log" &
    pids+=($!)
done
export DECAMP_SOCKET=$session/planner.sock

say "waiting for the predictions of $n_vms VMs"
n_predicted=0
for _ in $(seq 150); do
    if decamp snapshot --out "$out/fleet.json" 2>/dev/null; then
        n_predicted=$({ grep -o '"grid"' "$out/fleet.json" || true; } | wc -l) # none yet is no error
        [ "$n_predicted" -lt "$n_vms" ] || break
    fi
    sleep 0.2
done
[ "$n_predicted" -ge "$n_vms" ] || {
    tail -n 5 "$session"/*.log >&2
    die "only $n_predicted of $n_vms VMs were predicted within 30 s"
}

sleep 2 # a few more bursts: predictions come as p50 and p95 over the history

say "decamp hosts"
decamp hosts

say "decamp evacuate host1"
decamp evacuate host1 -o json --out "$out/plan.json"
plan_id=$(sed -n 's/^ *"id": "\([0-9a-f]*\)".*/\1/p' "$out/plan.json" | head -n 1)
decamp snapshot "$plan_id" --out "$out/fleet.json" # the fleet that this plan was made from
decamp show "$out/plan.json" --fleet "$out/fleet.json"
decamp show "$out/plan.json" --fleet "$out/fleet.json" -o html --out "$out/plan.html"

say "decamp verify plan.json --fleet fleet.json"
decamp verify "$out/plan.json" --fleet "$out/fleet.json"

stop_all
say "done: open $out/plan.html in a browser; $out/plan.json and $out/fleet.json are yours, too"
