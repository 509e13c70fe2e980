/*
 * Which of the pages that were dirtied are dirtied AGAIN soon: three classes
 * of pages, hot, warm and cold, fitted to the curve W(t).
 *
 * In:  W(t), and how long the first window was.
 * Out: of the pages dirtied in it, how many are dirty again t seconds later.
 *
 * A class of N pages that are each written at random r times a second has
 *   W(t) = sum of N * (1 - exp(-r t))
 *   again(T, t) = sum of N * (1 - exp(-r T)) * (1 - exp(-r t))
 * A guest that sweeps its memory in order is no such mixture: its curve rises
 * in a straight line and stops. Where no three classes draw the curve, again()
 * comes from the curve itself,
 *   again(T, t) = W(T) + W(t) - W(T + t)
 * which is exact where dirtying is stationary, and as coarse as the points of
 * the curve.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/dirty_profile.h"

#include <stdbool.h>

enum { REDIRTY_CLASSES = 3 };

/* Where it is from which pages are dirtied again. */
enum redirty_basis {
    REDIRTY_NONE,    /* not asked: the policy does not skip */
    REDIRTY_BITMAPS, /* recorded page by page */
    REDIRTY_FITTED,  /* hot, warm and cold classes */
    REDIRTY_CURVE,   /* W(t) alone, which no three classes draw */
};

struct redirty_class {
    double pages;
    double writes_per_s; /* of each page */
};

struct redirty {
    enum redirty_basis basis;                      /* FITTED or CURVE; NONE before the fit */
    struct redirty_class classes[REDIRTY_CLASSES]; /* hottest first; 0 pages for a class that is not needed */
    double worst_frac;                             /* the worst point's distance from the curve */
};

/* Fits the classes to `curve`, at most `max_pages` in them together: least
 * squares of the relative distances, over all choices of up to three rates from a
 * geometric range (each is linear in its pages), then refined. Some 80
 * microseconds: fit once, simulate often. */
void redirty_fit(const struct dirty_curve *curve, double max_pages, struct redirty *redirty_out);

/* W(window_s) of the classes. */
double redirty_pages(const struct redirty *redirty, double window_s);

/* What `again` needs to know of the first window. */
struct redirty_window {
    const struct redirty *redirty; /* lent, as is the curve */
    const struct dirty_curve *curve;
    double max_pages;
    double window_s;
    double pages;                   /* dirtied in it */
    double shares[REDIRTY_CLASSES]; /* of them, by class; of FITTED */
};

/* The window of `window_s`; INFINITY stands for all `max_pages`. */
struct redirty_window redirty_window_of(const struct redirty *redirty, const struct dirty_curve *curve,
                                        double max_pages, double window_s);

/* Of the window's pages, the share (0..1) dirtied again within `after_s` of its end. */
double redirty_again_frac(const struct redirty_window *window, double after_s);

/* For people and documents: "bitmaps", "fitted model", "curve", "" for NONE; static storage. */
const char *redirty_basis_text(enum redirty_basis basis);
