/*
 * Hot, warm and cold pages: the fit and what follows from it.
 *
 * For given rates the best pages are a linear least-squares problem, whose
 * normal equations G n = b need sums over the points that are taken once for each
 * pair of rates. So every choice of one to three rates can be tried; solutions
 * with negative pages are left to the choice without that rate, which is tried
 * too (non-negative least squares by enumeration). The best choice is then
 * refined by moving each rate in ever smaller steps.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/redirty.h"

#include <math.h>
#include <stddef.h>

enum { N_RATES = 20, N_REFINEMENTS = 4, N_PARAMETERS = 2 * REDIRTY_CLASSES };

static const double SLOWEST = 0.1;        /* times one over the longest window */
static const double FASTEST = 3;          /* times one over the shortest */
static const double MOST_OFF_FRAC = 0.08; /* where the worst point is further off, the classes do not draw the curve */
static const double SINGULAR = 1e-10;

/* A choice of rates and the pages that suit it best. */
struct choice {
    size_t n;
    double rates[REDIRTY_CLASSES];
    double g[REDIRTY_CLASSES][REDIRTY_CLASSES];
    double b[REDIRTY_CLASSES];
    double pages[REDIRTY_CLASSES];
    double squares; /* of the relative distances */
};

/* A fit under way: each point weighs as one over its pages. */
struct fit {
    const struct dirty_curve *curve;
    double max_pages;
    double points_squares; /* what is left of a choice of no pages */
    double rates[N_RATES];
    double g[N_RATES][N_RATES];
    double b[N_RATES];
    struct choice best;
};

static double dirtied_frac(double writes_per_s, double window_s) {
    return -expm1(-writes_per_s * window_s);
}

static double weight(const struct dirty_point *point) {
    return 1 / fmax(point->pages, 1);
}

/* Cholesky: G = L L', then two triangular systems. False where rates are too much alike. */
static bool solve(struct choice *choice) {
    const size_t n = choice->n;
    double lower[REDIRTY_CLASSES][REDIRTY_CLASSES];
    for (size_t i = 0; i < n; i++) {
        double rest = choice->b[i];
        for (size_t j = 0; j <= i; j++) {
            double sum = choice->g[i][j];
            for (size_t k = 0; k < j; k++)
                sum -= lower[i][k] * lower[j][k];
            if (i == j && !(sum > SINGULAR * choice->g[i][i]))
                return false;
            lower[i][j] = i == j ? sqrt(sum) : sum / lower[j][j];
        }
        for (size_t k = 0; k < i; k++)
            rest -= lower[i][k] * choice->pages[k];
        choice->pages[i] = rest / lower[i][i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++)
            choice->pages[i] -= lower[k][i] * choice->pages[k];
        choice->pages[i] /= lower[i][i];
    }
    return true;
}

/* Solves `choice` and keeps it where it is the best so far. */
static void try_choice(struct fit *fit, struct choice *choice) {
    double all_pages = 0;
    if (!solve(choice))
        return;
    for (size_t i = 0; i < choice->n; i++) {
        if (choice->pages[i] < 0)
            return;
        all_pages += choice->pages[i];
    }
    const double scale = all_pages > fit->max_pages ? fit->max_pages / all_pages : 1;
    double squares = fit->points_squares;
    for (size_t i = 0; i < choice->n; i++)
        choice->pages[i] *= scale;
    for (size_t i = 0; i < choice->n; i++) {
        squares -= 2 * choice->b[i] * choice->pages[i];
        for (size_t j = 0; j < choice->n; j++)
            squares += choice->g[i][j] * choice->pages[i] * choice->pages[j];
    }
    choice->squares = squares;
    if (squares < fit->best.squares)
        fit->best = *choice;
}

/* Tries the rates in `picks`, indices into the range. */
static void try_picks(struct fit *fit, const size_t *picks, size_t n) {
    struct choice choice = {.n = n};
    for (size_t i = 0; i < n; i++) {
        choice.rates[i] = fit->rates[picks[i]];
        choice.b[i] = fit->b[picks[i]];
        for (size_t j = 0; j < n; j++)
            choice.g[i][j] = fit->g[picks[i]][picks[j]];
    }
    try_choice(fit, &choice);
}

static void try_all(struct fit *fit) {
    for (size_t i = 0; i < N_RATES; i++) {
        try_picks(fit, (const size_t[]){i}, 1);
        for (size_t j = i + 1; j < N_RATES; j++) {
            try_picks(fit, (const size_t[]){i, j}, 2);
            for (size_t k = j + 1; k < N_RATES; k++)
                try_picks(fit, (const size_t[]){i, j, k}, 3);
        }
    }
}

/* Tries the best choice with rate `i` multiplied by `factor`. */
static void try_moved(struct fit *fit, size_t i, double factor) {
    struct choice choice = {.n = fit->best.n};
    for (size_t j = 0; j < choice.n; j++)
        choice.rates[j] = fit->best.rates[j] * (j == i ? factor : 1);
    for (size_t p = 0; p < fit->curve->n_points; p++) {
        const struct dirty_point *point = &fit->curve->points[p];
        double shape[REDIRTY_CLASSES];
        for (size_t j = 0; j < choice.n; j++) {
            shape[j] = weight(point) * dirtied_frac(choice.rates[j], point->window_s);
            choice.b[j] += shape[j] * weight(point) * point->pages;
            for (size_t k = 0; k <= j; k++)
                choice.g[j][k] += shape[j] * shape[k];
        }
    }
    for (size_t j = 0; j < choice.n; j++) {
        for (size_t k = j + 1; k < choice.n; k++)
            choice.g[j][k] = choice.g[k][j];
    }
    try_choice(fit, &choice);
}

static void refine(struct fit *fit) {
    double factor = sqrt(fit->rates[1] / fit->rates[0]);
    for (int step = 0; step < N_REFINEMENTS; step++) {
        for (size_t i = 0; i < fit->best.n; i++) {
            try_moved(fit, i, factor);
            try_moved(fit, i, 1 / factor);
        }
        factor = sqrt(factor);
    }
}

/* The sums over the points for each rate and each pair of rates. */
static void take_sums(struct fit *fit) {
    const struct dirty_curve *curve = fit->curve;
    const double slowest = SLOWEST / curve->points[curve->n_points - 1].window_s;
    const double fastest = FASTEST / curve->points[0].window_s;
    for (size_t i = 0; i < N_RATES; i++)
        fit->rates[i] = fastest * pow(slowest / fastest, (double)i / (N_RATES - 1));
    for (size_t p = 0; p < curve->n_points; p++) {
        const struct dirty_point *point = &curve->points[p];
        const double height = weight(point) * point->pages;
        double shape[N_RATES];
        fit->points_squares += height * height;
        for (size_t i = 0; i < N_RATES; i++) {
            shape[i] = weight(point) * dirtied_frac(fit->rates[i], point->window_s);
            fit->b[i] += shape[i] * height;
            for (size_t j = 0; j <= i; j++)
                fit->g[i][j] += shape[i] * shape[j];
        }
    }
    for (size_t i = 0; i < N_RATES; i++) {
        for (size_t j = i + 1; j < N_RATES; j++)
            fit->g[i][j] = fit->g[j][i];
    }
}

static double worst_frac(const struct redirty *redirty, const struct dirty_curve *curve) {
    double worst = 0;
    for (size_t p = 0; p < curve->n_points; p++) {
        const struct dirty_point *point = &curve->points[p];
        worst = fmax(worst, weight(point) * fabs(redirty_pages(redirty, point->window_s) - point->pages));
    }
    return worst;
}

void redirty_fit(const struct dirty_curve *curve, double max_pages, struct redirty *redirty_out) {
    *redirty_out = (struct redirty){.basis = REDIRTY_CURVE, .worst_frac = INFINITY};
    if (curve->n_points < N_PARAMETERS || !(curve->points[0].window_s > 0))
        return; /* too few points to determine three classes */
    struct fit fit = {.curve = curve, .max_pages = max_pages};
    take_sums(&fit);
    fit.best.squares = fit.points_squares; /* of no class at all: an idle guest's */
    try_all(&fit);
    refine(&fit);
    for (size_t i = 0; i < fit.best.n; i++)
        redirty_out->classes[i] = (struct redirty_class){fit.best.pages[i], fit.best.rates[i]};
    redirty_out->worst_frac = worst_frac(redirty_out, curve);
    if (redirty_out->worst_frac <= MOST_OFF_FRAC)
        redirty_out->basis = REDIRTY_FITTED;
}

double redirty_pages(const struct redirty *redirty, double window_s) {
    double pages = 0;
    for (size_t i = 0; i < REDIRTY_CLASSES; i++)
        pages += redirty->classes[i].pages * dirtied_frac(redirty->classes[i].writes_per_s, window_s);
    return pages;
}

struct redirty_window redirty_window_of(const struct redirty *redirty, const struct dirty_curve *curve,
                                        double max_pages, double window_s) {
    const bool all = isinf(window_s);
    struct redirty_window window = {
        .redirty = redirty,
        .curve = curve,
        .max_pages = max_pages,
        .window_s = window_s,
        .pages = all ? max_pages : dirty_curve_pages(curve, window_s, max_pages),
    };
    const double modelled = all ? max_pages : redirty_pages(redirty, window_s);
    for (size_t i = 0; i < REDIRTY_CLASSES && modelled > 0; i++) {
        const struct redirty_class *class = &redirty->classes[i];
        window.shares[i] = class->pages * (all ? 1 : dirtied_frac(class->writes_per_s, window_s)) / modelled;
    }
    return window;
}

double redirty_again_frac(const struct redirty_window *window, double after_s) {
    double frac = 0;
    if (window->redirty->basis == REDIRTY_FITTED) {
        for (size_t i = 0; i < REDIRTY_CLASSES; i++)
            frac += window->shares[i] * dirtied_frac(window->redirty->classes[i].writes_per_s, after_s);
        return fmin(frac, 1);
    }
    if (!(window->pages > 0))
        return 0;
    const double after = dirty_curve_pages(window->curve, after_s, window->max_pages);
    const double both = isinf(window->window_s)
                            ? window->max_pages
                            : dirty_curve_pages(window->curve, window->window_s + after_s, window->max_pages);
    return fmin(fmax((window->pages + after - both) / window->pages, 0), 1);
}

const char *redirty_basis_text(enum redirty_basis basis) {
    static const char *const texts[] = {
        [REDIRTY_NONE] = "",
        [REDIRTY_BITMAPS] = "bitmaps",
        [REDIRTY_FITTED] = "fitted model",
        [REDIRTY_CURVE] = "curve",
    };
    return texts[basis];
}
