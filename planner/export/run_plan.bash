# Runs the steps of a plan: each as soon as all it comes after have ended, however many that are at once.
#
# Settings, by the environment:
#   DECAMP_SSH        how commands reach a host, whose name follows
#                     (ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 -l root)
#   DECAMP_WAY        how a host reaches another, {host} (see `plan` below)
#   DECAMP_BOOT       a command that boots the host named by its last argument; needed where the plan boots hosts
#   DECAMP_MAX_AGE_S  how old the plan may be (see `plan` below)
#   DECAMP_STATE_DIR  what is done is kept here, for the next run (~/.local/state/decamp/DIGEST)
#   DECAMP_HOST_TIMEOUT_S  how long a host may take to boot or to shut down (900)
#
# Run again, it goes on: a step is skipped when its VM is where it was to go, which the toolstack is asked. When a step
# fails, or on an interrupt, those that run are waited for and no more start. Ends with 0 when all is done, 1 when
# something is left, 4 when the plan is too old, 64 when it cannot begin.
# SPDX-License-Identifier: GPL-3.0-or-later

ids=() after=() not_before_ms=() delay_ms=() action=() vm=() name=() from=() to=() rate=() later=()
next=() n_waits=() due_ms=() ready=() outcome=() job=() lost=()
n_running=0 n_failed=0 stopping='' needs_boot='' events=''

# TOOLSTACK ID DIGEST MADE_UNIX_S MAX_AGE_S WAY PROGRAM: what stands for the whole plan. PROGRAM runs on the hosts.
plan() {
    toolstack=$1 plan_id=$2 digest=$3 made_unix_s=$4
    max_age_s=${DECAMP_MAX_AGE_S:-$5} way=${DECAMP_WAY:-$6} program=$7
    read -r -a ssh <<<"${DECAMP_SSH:-ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 -l root}"
    read -r -a boot_command <<<"${DECAMP_BOOT:-}"
    host_timeout_s=${DECAMP_HOST_TIMEOUT_S:-900}
}

# ID AFTER NOT_BEFORE_MS DELAY_MS ACTION VM NAME FROM TO RATE LATER. AFTER: ids of steps; LATER: ids of those that move
# the same VM on; RATE in bytes/s, 0: no cap.
step() {
    local id=$1
    ids+=("$id")
    after[id]=$2 not_before_ms[id]=$3 delay_ms[id]=$4 action[id]=$5 vm[id]=$6
    name[id]=$7 from[id]=$8 to[id]=$9 rate[id]=${10} later[id]=${11}
    if [ "$5" = boot ]; then needs_boot=1; fi
}

say() { printf '%(%H:%M:%S)T %s\n' -1 "$*"; }

refuse() { # STATUS TEXT
    printf '%s: %s\n' "$0" "$2" >&2
    exit "$1"
}

describe() { # ID: one line without what a terminal would act on
    local line
    case ${action[$1]} in
    boot) printf -v line '%s' "${to[$1]}" ;;
    shutdown) printf -v line '%s' "${from[$1]}" ;;
    *) printf -v line '%q %q -> %q' "${name[$1]}" "${from[$1]}" "${to[$1]}" ;;
    esac
    case ${action[$1]} in boot | shutdown) printf -v line '%q' "$line" ;; esac
    printf 'step %s, %s %s' "$1" "${action[$1]}" "$line"
}

# --- what a step does; in a process of its own, its output in the step's log ---

quote() { # WORD...: as words of /bin/sh
    local word line='' quote="'\\''"
    for word; do line+=" '${word//\'/$quote}'"; done
    printf '%s' "${line# }"
}

on() { # HOST VERB ARGUMENT...: the program on the host
    local host=$1 verb=$2
    shift 2
    command "${ssh[@]}" "$host" "$(quote sh -c "$program" sh "$verb" "$@")"
}

ask() { # HOST VERB ARGUMENT...: what is answered at once or not at all
    local host=$1 verb=$2
    shift 2
    timeout -s KILL 60 "${ssh[@]}" "$host" "$(quote sh -c "$program" sh "$verb" "$@")"
}

place() { # ID HOST: here, half, absent; unknown where the host does not say
    local answer
    answer=$(ask "$2" place "${vm[$1]}" "$2" "${action[$1]}") || answer=unknown
    printf '%s' "$answer"
}

is_further_on() { # ID: is the VM where a later step takes it?
    local further
    for further in ${later[$1]}; do
        if [ "$(place "$1" "${to[further]}")" = here ]; then return 0; fi
    done
    return 1
}

skip() { # TEXT
    printf 'skipped: %s\n' "$1"
    result=skipped
}

must_be_at() { # ID HOST: once its migration has ended; a toolstack may take a moment to say so
    local try where=''
    for try in 1 2 3 4 5; do
        where=$(place "$1" "$2")
        if [ "$where" = here ]; then return 0; fi
        if [ "$try" -lt 5 ]; then sleep 1; fi
    done
    printf 'the VM should be at %q now, which says: %s\n' "$2" "$where"
    return 1
}

move() { # ID
    local id=$1 at_to at_from r=0
    at_to=$(place "$id" "${to[id]}")
    if [ "$at_to" = here ]; then skip 'it is there'; return 0; fi
    if [ -n "$recorded" ]; then
        if is_further_on "$id"; then skip 'it has moved on'; return 0; fi
        printf 'an earlier run moved it, but it is not there\n'
        return 1
    fi
    if [ "$at_to" != absent ]; then
        printf 'at %q it is: %s; a migration of it may be under way\n' "${to[id]}" "$at_to"
        return 1
    fi
    at_from=$(place "$id" "${from[id]}")
    if [ "$at_from" != here ]; then
        if [ "$at_from" = absent ] && is_further_on "$id"; then skip 'it has moved on'; return 0; fi
        printf 'at %q it is: %s, at %q: %s\n' "${from[id]}" "$at_from" "${to[id]}" "$at_to"
        return 1
    fi
    on "${from[id]}" "${action[id]}" "${vm[id]}" "${from[id]}" "${to[id]}" "${rate[id]}" "$way" || r=$?
    if [ "$r" -ne 0 ]; then printf '%s ended with %s\n' "$toolstack" "$r"; fi
    must_be_at "$id" "${to[id]}"
}

wait_until() { # HOST alive|dead
    local end_s=$((SECONDS + host_timeout_s)) now
    while :; do
        if ask "$1" alive "$1" 2>/dev/null; then now=alive; else now=dead; fi
        if [ "$now" = "$2" ]; then return 0; fi
        if [ "$SECONDS" -ge "$end_s" ]; then break; fi
        sleep 1
    done
    printf '%q is not %s after %s s\n' "$1" "$2" "$host_timeout_s"
    return 1
}

boot() { # HOST
    if ask "$1" alive "$1"; then
        skip 'it is on'
    else
        command "${boot_command[@]}" "$1" || return 1
        wait_until "$1" alive || return 1
    fi
    ask "$1" enable "$1"
}

# The connection may break on the way down (255, or 137 for one that hangs): then only the host's silence counts.
shut_down() { # ID HOST
    local r=0
    if ! ask "$2" alive "$2"; then
        printf '%q does not answer; if it is off already: touch %q\n' "$2" "$state/$1"
        return 1
    fi
    ask "$2" shutdown "$2" || r=$?
    case $r in
    0 | 137 | 255) wait_until "$2" dead ;;
    *) return 1 ;;
    esac
}

run_step() { # ID
    local id=$1 recorded='' result='done' r=0
    trap '' INT TERM HUP QUIT
    if [ -e "$state/$id" ]; then recorded=1; fi
    case $recorded:${action[id]} in
    :boot) boot "${to[id]}" || r=$? ;;
    :shutdown) shut_down "$id" "${from[id]}" || r=$? ;;
    1:boot | 1:shutdown) skip 'an earlier run did it' ;;
    *) move "$id" || r=$? ;;
    esac
    if [ "$r" -ne 0 ]; then result=failed; fi
    if [ "$r" -eq 0 ] && [ -z "$recorded" ]; then
        if ! { printf '%s\n' "$result" >"$state/$id.new" && mv "$state/$id.new" "$state/$id"; }; then result=failed; fi
    fi
    printf '%s %s\n' "$id" "$result" >&"$events"
}

# --- when a step is done; in the script's own process ---

clock() { # sets now_ms, which no change of the date moves
    local uptime rest
    read -r uptime rest </proc/uptime
    now_ms=$((10#${uptime/./} * 10))
}

launch() { # ID
    say "starts: $(describe "$1")"
    run_step "$1" </dev/null >"$state/$1.log" 2>&1 &
    job[$1]=$!
    n_running=$((n_running + 1))
}

launch_due() { # sets wait_ms: how long until the next is due
    local id rest=()
    wait_ms=5000
    for id in ${ready[@]+"${ready[@]}"}; do
        if [ "${due_ms[id]}" -le "$now_ms" ]; then
            launch "$id"
        else
            rest+=("$id")
            if [ $((due_ms[id] - now_ms)) -lt "$wait_ms" ]; then wait_ms=$((due_ms[id] - now_ms)); fi
        fi
    done
    ready=(${rest[@]+"${rest[@]}"})
}

make_ready() { # ID: nothing it comes after is left
    due_ms[$1]=$((now_ms + delay_ms[$1]))
    if [ "${due_ms[$1]}" -lt $((begin_ms + not_before_ms[$1])) ]; then
        due_ms[$1]=$((begin_ms + not_before_ms[$1]))
    fi
    ready+=("$1")
}

stop() { # TEXT
    if [ -z "$stopping" ]; then say "$1: no more steps start, $n_running are waited for"; fi
    stopping=1
}

end_step() { # ID done|skipped|failed
    local id
    outcome[$1]=$2
    unset "job[$1]"
    n_running=$((n_running - 1))
    clock
    if [ "$2" = failed ]; then
        n_failed=$((n_failed + 1))
        say "FAILED: $(describe "$1")"
        tail -n 5 "$state/$1.log" | tr -d '\000-\011\013-\037\177' | sed 's/^/         /'
        stop 'a step failed'
        return 0
    fi
    say "$2: $(describe "$1")"
    for id in ${next[$1]:-}; do
        n_waits[id]=$((n_waits[id] - 1))
        if [ "${n_waits[id]}" -eq 0 ]; then make_ready "$id"; fi
    done
}

# A job that was killed says nothing. It is lost when it is found gone twice: its last word may still be in the pipe.
find_lost() {
    local id
    for id in "${!job[@]}"; do
        if kill -0 "${job[id]}" 2>/dev/null; then continue; fi
        if [ -n "${lost[id]:-}" ]; then end_step "$id" failed; else lost[id]=1; fi
    done
}

run_steps() {
    local id ending seconds
    while :; do
        clock
        wait_ms=5000
        if [ -z "$stopping" ]; then launch_due; fi
        if [ "$n_running" -eq 0 ] && { [ -n "$stopping" ] || [ "${#ready[@]}" -eq 0 ]; }; then break; fi
        printf -v seconds '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000))
        if read -r -t "$seconds" -u "$events" id ending; then
            end_step "$id" "$ending"
        else
            find_lost
        fi
    done
}

link_steps() {
    local id before
    for id in ${ids[@]+"${ids[@]}"}; do
        n_waits[id]=0
        for before in ${after[id]}; do
            n_waits[id]=$((n_waits[id] + 1))
            next[before]="${next[before]:-} $id"
        done
    done
    clock
    begin_ms=$now_ms
    for id in ${ids[@]+"${ids[@]}"}; do
        if [ "${n_waits[id]}" -eq 0 ]; then make_ready "$id"; fi
    done
}

check() {
    local age_s word
    for word in "$max_age_s" "$host_timeout_s"; do
        case $word in '' | *[!0-9]*) refuse 64 "expected a number of seconds, got $word" ;; esac
    done
    printf -v age_s '%(%s)T' -1
    age_s=$((age_s - made_unix_s))
    if [ "$age_s" -gt "$max_age_s" ]; then
        refuse 4 "the plan is $age_s s old, more than $max_age_s s (DECAMP_MAX_AGE_S): ask for a new one"
    fi
    if [ "$age_s" -lt -60 ]; then refuse 4 "the plan was made in $((-age_s)) s from now: see to the clocks"; fi
    if [ -n "$needs_boot" ] && [ "${#boot_command[@]}" -eq 0 ]; then
        refuse 64 'the plan boots hosts: set DECAMP_BOOT to a command that boots the host named by its last argument'
    fi
}

# The lock is inherited by every step, so that no second run begins while a migration of this one is under way.
open_state() {
    local lock
    umask 077
    state=${DECAMP_STATE_DIR:-${XDG_STATE_HOME:-${HOME:?set DECAMP_STATE_DIR}/.local/state}/decamp/$digest}
    mkdir -p "$state"
    exec {lock}>"$state/lock"
    flock -n "$lock" || refuse 64 "a run of this plan, or a migration that one began, is under way ($state)"
    rm -f "$state/events"
    mkfifo "$state/events"
    exec {events}<>"$state/events"
}

run() {
    local id n_left=0
    if [ $# -ne 0 ]; then refuse 64 'expected no arguments; its settings stand at its head'; fi
    check
    open_state
    trap 'stop interrupted' INT TERM HUP
    say "plan $plan_id by $toolstack: ${#ids[@]} steps; what is done is kept in $state"
    link_steps
    run_steps
    for id in ${ids[@]+"${ids[@]}"}; do
        if [ "${outcome[id]:-failed}" = failed ]; then
            n_left=$((n_left + 1))
            printf 'left: %s (%s)\n' "$(describe "$id")" "${outcome[id]:-not started}" >&2
        fi
    done
    if [ "$n_left" -gt 0 ]; then
        printf '%s of %s steps are left, %s failed; run this script again to go on\n' "$n_left" "${#ids[@]}" "$n_failed" >&2
        exit 1
    fi
    say "all ${#ids[@]} steps are done"
}
