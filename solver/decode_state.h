/*
 * The decoder's state, shared by its parts only: decode.c (events), admit.c
 * (who may start), share.c (who gets how much bandwidth), after.c (what a step
 * waits for).
 *
 * A VM that moves is a mover. Its phases in order: WAITING, PRE (setup, no
 * bytes), LIVE (pre-copy), STOP (stop-and-copy), POST (resume, no bytes), DONE.
 *
 * What is guaranteed to a mover in flight is `hard`: its floor, or its rate once it is
 * pinned. At every time, the hard rates of those that send at that time fit
 * into every arc; so each always gets at least its floor.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/decode.h"

enum mover_phase { MOVER_WAITING, MOVER_PRE, MOVER_LIVE, MOVER_STOP, MOVER_POST, MOVER_DONE };

struct mover {
    /* Of the problem and the placement. */
    size_t vm, from, to;
    const struct problem_cost *cost;
    const uint32_t *arcs;
    size_t n_arcs;
    double best_bytes_per_s, floor_bytes_per_s;
    double best_live_s, best_stop_s; /* at its best bandwidth */
    bool possible;                   /* there is a path, wide enough for its floor */
    size_t group;                    /* movers of one group start together; SIZE_MAX: alone */

    /* Of one decode. */
    size_t place;
    double threshold_frac;
    enum mover_phase phase;
    double start_s, begin_s, stopped_s, sent_s, end_s; /* begin, sent: first and last page */
    double hard, promised, rate;                       /* bytes/s; promised: what it was started for */
    bool pinned;                                       /* rate and time of the last page are fixed */
    double left_frac, since_s;                         /* of its transfer, as of then */
    double live_s, stop_s;                             /* whole phases at the present rate */
    double next_s;                                     /* end of its phase at the present rate */
    double gone_s;                                     /* last page at the present rate; INFINITY before the first */
    double bytes;
    /* Why it could not start, and since when that has not changed. */
    const uint64_t *blocked_by;
    uint64_t blocked_stamp;
    uint32_t blocked_arc; /* DECODE_NONE: something else */
    double wake_s;        /* the arc's next handover, as of wake_changes */
    uint64_t wake_changes;
};

static const uint32_t DECODE_NONE = UINT32_MAX;

/* A mover in flight on one arc of its path: an entry of that arc's list. */
struct flow_node {
    uint32_t mover, previous, next;
};

struct arc_state {
    uint32_t first; /* of its flow nodes, or DECODE_NONE */
    double hard;    /* sum over the list */
    double left;    /* scratch of the water-filling */
    double load;    /* rates, and what is promised to those in setup */
    double load_before;
    uint64_t stamp;      /* changes when there may be more for a mover that waits */
    uint64_t changes;    /* counts the changes of rates on it */
    uint64_t wake_scan;  /* the scan in which a waiting mover answered for its next handover */
    uint64_t share_scan; /* the scan in which most_share was found */
    double most_share;   /* no mover later in that scan gets more of it */
};

struct host_state {
    double initial_free_bytes, free_bytes;
    unsigned n_in_flight;
    uint64_t stamp; /* changes when a migration from or to it ends */
};

struct rate_entry {
    size_t mover;
    struct solution_rate rate;
};

struct decoder {
    const struct problem *problem;
    enum problem_quantile quantile;
    size_t n_movers, max_path;
    struct mover *movers;
    size_t *mover_of; /* per VM, or SIZE_MAX */
    struct arc_state *arcs;
    struct host_state *hosts;
    struct flow_node *nodes; /* max_path per mover */
    size_t *rule_begin;      /* per mover: its rules that bind in time, in rule_list */
    size_t *rule_list;
    size_t *group_begin; /* per group: its movers, in group_list */
    size_t *group_list;

    double clock_end_s; /* on the monotonic clock */

    /* Of one decode. */
    double now_s;
    size_t n_waiting, n_in_flight, n_sharing, n_pins;
    size_t *waiting;   /* movers in order */
    size_t *in_flight; /* movers, any phase from PRE to POST */
    size_t *sharing;   /* movers in PRE, LIVE or STOP with bytes to send, by place */
    size_t *pins;      /* pinned while an admission is tried */
    bool rates_stale;
    bool has_news; /* something changed that a waiting mover may wait for */
    double longest_pre_s;
    uint64_t end_stamp; /* changes when a migration ends */
    uint64_t scan;
    size_t n_wakes;
    double wake_s; /* earliest of those waiting */
    struct decode_score score;

    /* Only while a schedule is written. */
    bool recording, out_of_memory;
    struct rate_entry *log;
    size_t n_log, log_capacity;
};
