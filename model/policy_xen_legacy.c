/*
 * The live rounds of Xen 3.0 to 4.5 (tools/libxc/xc_domain_save.c).
 *
 * A round goes through the frames it has to send in ascending order, in
 * batches of at most 1024. Before each batch it PEEKs at the dirty bitmap, and
 * skips what is dirty again: the CLEAN at the round's end brings it back.
 *   last live round: number `max_rounds` (29), or sent + skipped < 50, or
 *   total sent > `max_factor` (3) times the guest's frames
 * Then the guest stops, and what the last CLEAN found goes out unskipped. So
 * all of it sends at most 5 times the memory (Akoush et al. say 5 V less a page).
 *
 * A batch costs 4 bytes and 8 a frame, a page 4096 more. Frames without
 * memory cost their 8 bytes in round 1 and count as sent (as an HVM guest's do; a
 * PV guest's are left out, its gfn_count is its memory).
 *
 * Which pages are dirty again comes from a recorded burst, replayed, or in
 * expectation from redirty.h, with the pages of a class anywhere in memory.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/bitmap.h"
#include "model/dirty_replay.h"
#include "model/precopy_state.h"

#include <math.h>
#include <stdlib.h>

/* In expectation, so many steps make a round; a batch is the least of one. */
enum { STEPS_A_ROUND = 8 };

static const double NEGLIGIBLE_FRAC = 1e-9;

/* One migration under way. */
struct legacy {
    struct precopy *precopy;
    const struct stop_policy_class *class;
    double from_s;     /* the first page's time: the burst's begin */
    double total_sent; /* frames */
    uint64_t *to_send; /* with a recorded burst: this round's pages; heap */
    double beyond;     /* pages of round 1 past the burst's bitmaps, never dirty */
    struct dirty_replay replay;
    struct redirty_window window; /* without one: what this round sends */
};

/* What a round did. */
struct sweep {
    struct page_load sent;
    double skipped;
};

/* Sends `pages` in batches as full as can be. */
static void send_pages(struct legacy *legacy, struct sweep *sweep, double pages) {
    const struct stop_policy_class *class = legacy->class;
    const double bytes = pages * class->page_wire_bytes + ceil(pages / class->batch_frames) * class->batch_wire_bytes;
    precopy_send(legacy->precopy, bytes);
    sweep->sent.pages += pages;
    sweep->sent.bytes += bytes;
}

/* The lowest `n` bits of `bits`, or all where there are fewer. */
static uint64_t lowest_bits(uint64_t bits, unsigned n) {
    uint64_t rest = bits;
    while (n-- > 0 && rest != 0)
        rest &= rest - 1;
    return bits & ~rest;
}

/* One batch from page `*from` on; moves `*from` past the last page looked at. */
static void send_batch(struct legacy *legacy, struct sweep *sweep, size_t *from) {
    const size_t n_words = legacy->replay.trace->n_words;
    unsigned room = legacy->class->batch_frames;
    size_t i = *from / BITMAP_WORD_BITS;
    uint64_t wanted = ~(uint64_t)0 << (*from % BITMAP_WORD_BITS);
    dirty_replay_advance(&legacy->replay, legacy->precopy->time_s - legacy->from_s);
    for (; i < n_words && room > 0; i++, wanted = ~(uint64_t)0) {
        const uint64_t due = legacy->to_send[i] & wanted;
        if (due == 0)
            continue;
        uint64_t skipped = due & dirty_replay_peek(&legacy->replay, i);
        uint64_t sent = due & ~skipped;
        if ((unsigned)__builtin_popcountll(sent) >= room) {
            sent = lowest_bits(sent, room);
            const unsigned last = (unsigned)(BITMAP_WORD_BITS - 1 - __builtin_clzll(sent));
            skipped &= ((uint64_t)1 << last) - 1;
            room = 0;
            *from = i * BITMAP_WORD_BITS + last + 1;
        } else {
            room -= (unsigned)__builtin_popcountll(sent);
        }
        sweep->skipped += __builtin_popcountll(skipped);
    }
    if (room > 0)
        *from = n_words * BITMAP_WORD_BITS;
    if (room < legacy->class->batch_frames)
        send_pages(legacy, sweep, legacy->class->batch_frames - room);
}

/* A round over the recorded pages. */
static struct sweep sweep_recorded(struct legacy *legacy) {
    struct sweep sweep = {.skipped = 0};
    const size_t end = legacy->replay.trace->n_words * BITMAP_WORD_BITS;
    for (size_t from = 0; from < end;)
        send_batch(legacy, &sweep, &from);
    if (legacy->beyond > 0)
        send_pages(legacy, &sweep, legacy->beyond);
    legacy->beyond = 0;
    return sweep;
}

/* A round in expectation: steps of whole batches, each PEEKing where its
 * batches do on average. */
static struct sweep sweep_expected(struct legacy *legacy) {
    const struct precopy *precopy = legacy->precopy;
    const double batch = legacy->class->batch_frames;
    const double step = batch * fmax(ceil(legacy->window.pages / batch / STEPS_A_ROUND), 1);
    const double from_s = precopy->time_s;
    struct sweep sweep = {.skipped = 0};
    double left = legacy->window.pages;
    while (left > NEGLIGIBLE_FRAC * legacy->window.pages) {
        const double first_to_last_s = (step - batch) * legacy->class->page_wire_bytes / precopy_push_rate(precopy);
        const double peek_s = precopy->time_s - from_s + first_to_last_s / 2;
        const double send_frac = 1 - redirty_again_frac(&legacy->window, peek_s);
        const double pages = fmin(left * send_frac, step);
        if (send_frac < NEGLIGIBLE_FRAC) {
            sweep.skipped += left;
            break;
        }
        send_pages(legacy, &sweep, pages);
        sweep.skipped += pages / send_frac - pages;
        left -= pages / send_frac;
    }
    return sweep;
}

/* Frames without memory, at the end of round 1. */
static void send_holes(struct legacy *legacy, struct sweep *sweep) {
    const struct precopy_vm *vm = legacy->precopy->vm;
    const double holes = fmax(vm->policy.gfn_count - vm->memory_pages, 0);
    const double bytes = holes * legacy->class->hole_wire_bytes +
                         ceil(holes / legacy->class->batch_frames) * legacy->class->batch_wire_bytes;
    precopy_send(legacy->precopy, bytes);
    sweep->sent.bytes += bytes;
    legacy->total_sent += holes;
}

/* The CLEAN after a round that began at `from_s`: what is to be sent next, what was skipped among it. */
static double clean(struct legacy *legacy, double from_s, double skipped) {
    const struct precopy_vm *vm = legacy->precopy->vm;
    if (legacy->to_send != NULL) {
        dirty_replay_advance(&legacy->replay, legacy->precopy->time_s - legacy->from_s);
        return (double)dirty_replay_clean(&legacy->replay, legacy->to_send);
    }
    legacy->window =
        redirty_window_of(legacy->window.redirty, vm->curve, vm->memory_pages, legacy->precopy->time_s - from_s);
    legacy->window.pages = fmax(legacy->window.pages, skipped);
    return legacy->window.pages;
}

static bool is_last(const struct legacy *legacy, unsigned round, const struct sweep *sweep) {
    const struct precopy_vm *vm = legacy->precopy->vm;
    const struct stop_policy *policy = &vm->policy;
    const struct stop_policy *defaults = &legacy->class->defaults;
    const double max_factor = policy->max_factor > 0 ? policy->max_factor : defaults->max_factor;
    return round >= (policy->max_rounds > 0 ? policy->max_rounds : defaults->max_rounds) ||
           sweep->sent.pages + sweep->skipped < policy->target_dirty_pages ||
           legacy->total_sent > max_factor * fmax(vm->memory_pages, policy->gfn_count);
}

static void run_rounds(struct legacy *legacy) {
    struct precopy *precopy = legacy->precopy;
    const struct precopy_vm *vm = precopy->vm;
    bool last = false;
    double dirty_pages = 0;
    for (unsigned round = 1; !last; round++) {
        const double from_s = precopy->time_s;
        struct sweep sweep = legacy->to_send != NULL ? sweep_recorded(legacy) : sweep_expected(legacy);
        if (round == 1)
            send_holes(legacy, &sweep);
        legacy->total_sent += sweep.sent.pages;
        precopy_close_round(precopy, sweep.sent, from_s);
        last = is_last(legacy, round, &sweep);
        dirty_pages = clean(legacy, from_s, sweep.skipped);
    }
    const double pages = fmin(dirty_pages + vm->overhead.suspend_pages, vm->memory_pages);
    precopy->rest = (struct page_load){
        .pages = pages,
        .bytes = pages * legacy->class->page_wire_bytes +
                 ceil(pages / legacy->class->batch_frames) * legacy->class->batch_wire_bytes,
    };
}

/* Round 1 sends the guest's memory: the pages that are ever dirty, and of the others the lowest. */
static void mark_memory(struct legacy *legacy) {
    const struct dirty_trace *trace = legacy->replay.trace;
    double missing = legacy->precopy->vm->memory_pages - (double)trace->n_ever;
    bitmap_fill(legacy->to_send, trace->n_pages);
    for (size_t i = 0; i < trace->n_words; i++) {
        uint64_t clean_pages = legacy->to_send[i] & ~trace->ever[i];
        if (missing < BITMAP_WORD_BITS)
            clean_pages = lowest_bits(clean_pages, (unsigned)fmax(missing, 0));
        legacy->to_send[i] = trace->ever[i] | clean_pages;
        missing -= __builtin_popcountll(clean_pages);
    }
    legacy->beyond = fmax(floor(missing), 0);
}

static void run_recorded(struct legacy *legacy) {
    struct precopy *precopy = legacy->precopy;
    const struct dirty_trace *trace = precopy->vm->trace;
    precopy->rc = dirty_replay_init(&legacy->replay, trace, dirty_trace_speed(trace, precopy->vm->curve), precopy->err);
    if (precopy->rc != DC_OK)
        return;
    legacy->to_send = calloc(trace->n_words, sizeof(legacy->to_send[0]));
    if (legacy->to_send != NULL) {
        mark_memory(legacy);
        run_rounds(legacy);
    } else {
        precopy->rc = error_set_nomem(precopy->err);
    }
    free(legacy->to_send);
    dirty_replay_dispose(&legacy->replay);
    precopy->result->redirty_basis = REDIRTY_BITMAPS;
}

void policy_xen_legacy_run(struct precopy *precopy) {
    const struct precopy_vm *vm = precopy->vm;
    struct legacy legacy = {.precopy = precopy, .class = vm->policy.policy, .from_s = precopy->time_s};
    if (vm->trace != NULL) {
        run_recorded(&legacy);
        return;
    }
    struct redirty fitted;
    const struct redirty *redirty = vm->redirty;
    if (redirty == NULL) {
        redirty_fit(vm->curve, vm->memory_pages, &fitted);
        redirty = &fitted;
    }
    legacy.window = redirty_window_of(redirty, vm->curve, vm->memory_pages, INFINITY);
    run_rounds(&legacy);
    precopy->result->redirty_basis = redirty->basis;
}
