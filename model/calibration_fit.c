/* Iteratively reweighted least squares in three unknowns. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/calibration_fit.h"

#include "model/spread.h"

#include <gsl/gsl_linalg.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

enum { PRE, POST, SLOWNESS, N_UNKNOWNS };
enum { ROWS_PER_SAMPLE = 2, N_ITERATIONS = 40, PARENT_COUNTS = 4 };

static const double bisquare_width = 4.685;   /* 95% efficient on normal residuals */
static const double sigma_of_median = 1.4826; /* of normal residuals' absolute values */
static const double smallest_residual = 0.05; /* keeps the weights of least absolute deviations finite */
static const double smallest_scale = 1;       /* the rows say what is usual: less is luck, and tells no outlier */
static const double unknown_weight = 0;       /* of a row whose observation is not known */
static const double time_sigma_ms = 20;       /* clocks, polling, scheduling ... */
static const double time_sigma_frac = 0.02;   /* ... and a bandwidth that is not constant */
static const double downtime_sigma_ms = 15;
static const double stop_sigma_frac = 0.15; /* what is dirty at the stop is the least sure of all */

/* value = pre x row[PRE] + ...; divided by the row's uncertainty. */
struct row {
    double factors[N_UNKNOWNS];
    double value;
    bool is_known;
};

static struct row divide(struct row row, double sigma) {
    for (size_t k = 0; k < N_UNKNOWNS; k++)
        row.factors[k] /= sigma;
    row.value /= sigma;
    row.is_known = true;
    return row;
}

static struct row row_at(const struct calibration_group *group, size_t number) {
    const struct calibration_sample *sample = group->samples[number / ROWS_PER_SAMPLE];
    const double ms_per_byte = 1e3 / sample->nominal_bytes_per_s;
    if (number % ROWS_PER_SAMPLE == 0) {
        const struct row row = {{1, 1, sample->bytes * ms_per_byte}, sample->migration_ms, true};
        return divide(row, hypot(time_sigma_ms, time_sigma_frac * sample->migration_ms));
    }
    if (sample->downtime_ms < 0 || sample->stop_bytes < 0)
        return (struct row){.is_known = false};
    const struct row row = {{0, 1, sample->stop_bytes * ms_per_byte}, sample->downtime_ms, true};
    return divide(row, hypot(downtime_sigma_ms, stop_sigma_frac * sample->stop_bytes * ms_per_byte));
}

struct fit {
    const struct calibration_group *group;
    double prior[N_UNKNOWNS], sigma[N_UNKNOWNS];
    double lowest[N_UNKNOWNS];
    bool is_pinned[N_UNKNOWNS]; /* to its lowest value */
    double figures[N_UNKNOWNS];
    double *residuals; /* one a row */
    double *sorted;    /* absolute, of the known rows */
};

/* Of a row, by its residual: of least absolute deviations, or with a scale of the bisquare. */
static double weight_of(double residual, double scale) {
    if (scale <= 0)
        return 1 / fmax(fabs(residual), smallest_residual);
    const double relative = residual / (bisquare_width * scale);
    return fabs(relative) < 1 ? pow(1 - relative * relative, 2) : 0;
}

/* Adds a row to the normal equations of the unknowns that are not pinned. */
static void add_row(const struct fit *fit, const struct row *row, double weight, double *matrix, double *vector) {
    double scaled[N_UNKNOWNS];
    double value = row->value;
    for (size_t k = 0; k < N_UNKNOWNS; k++) {
        scaled[k] = fit->is_pinned[k] ? 0 : row->factors[k] * fit->sigma[k];
        value -= row->factors[k] * (fit->is_pinned[k] ? fit->lowest[k] : fit->prior[k]);
    }
    for (size_t k = 0; k < N_UNKNOWNS; k++) {
        vector[k] += weight * scaled[k] * value;
        for (size_t j = 0; j < N_UNKNOWNS; j++)
            matrix[k * N_UNKNOWNS + j] += weight * scaled[k] * scaled[j];
    }
}

/* One step of weighted least squares; `scale` as in weight_of(), negative: all rows count alike. */
static void solve(struct fit *fit, double scale) {
    double matrix[N_UNKNOWNS * N_UNKNOWNS] = {1, 0, 0, 0, 1, 0, 0, 0, 1}; /* the prior */
    double vector[N_UNKNOWNS] = {0};
    double solution[N_UNKNOWNS];
    for (size_t i = 0; i < ROWS_PER_SAMPLE * fit->group->n; i++) {
        const struct row row = row_at(fit->group, i);
        const double weight = scale < 0 ? 1 : weight_of(fit->residuals[i], scale);
        add_row(fit, &row, row.is_known ? weight : unknown_weight, matrix, vector);
    }
    gsl_matrix_view a = gsl_matrix_view_array(matrix, N_UNKNOWNS, N_UNKNOWNS);
    gsl_vector_view b = gsl_vector_view_array(vector, N_UNKNOWNS);
    gsl_vector_view x = gsl_vector_view_array(solution, N_UNKNOWNS);
    (void)gsl_linalg_cholesky_decomp1(&a.matrix); /* positive definite by the prior */
    (void)gsl_linalg_cholesky_solve(&a.matrix, &b.vector, &x.vector);
    for (size_t k = 0; k < N_UNKNOWNS; k++)
        fit->figures[k] = fit->is_pinned[k] ? fit->lowest[k] : fit->prior[k] + fit->sigma[k] * solution[k];
}

/* Sets the residuals; returns their robust standard deviation. */
static double measure(struct fit *fit) {
    size_t n_known = 0;
    for (size_t i = 0; i < ROWS_PER_SAMPLE * fit->group->n; i++) {
        const struct row row = row_at(fit->group, i);
        double fitted = 0;
        for (size_t k = 0; k < N_UNKNOWNS; k++)
            fitted += row.factors[k] * fit->figures[k];
        fit->residuals[i] = row.value - fitted;
        if (row.is_known)
            fit->sorted[n_known++] = fabs(fit->residuals[i]);
    }
    return fmax(smallest_scale, sigma_of_median * gsl_stats_median(fit->sorted, 1, n_known));
}

static void run(struct fit *fit) {
    solve(fit, -1);
    double scale = measure(fit);
    for (size_t i = 0; i < N_ITERATIONS; i++) {
        solve(fit, 0);
        scale = measure(fit);
    }
    for (size_t i = 0; i < N_ITERATIONS; i++) {
        solve(fit, scale); /* the scale stays that of the start, which outliers do not move */
        (void)measure(fit);
    }
}

struct calibration_figures calibration_fit(const struct calibration_group *group,
                                           const struct calibration_figures *prior,
                                           const struct calibration_figures *sigma) {
    struct fit fit = {
        .group = group,
        .prior = {prior->pre_ms, prior->post_ms, prior->slowness},
        .sigma = {sigma->pre_ms, sigma->post_ms, sigma->slowness},
        .lowest = {[SLOWNESS] = 1},
        .residuals = group->scratch,
        .sorted = group->scratch + ROWS_PER_SAMPLE * group->n,
    };
    bool is_within = false;
    for (size_t round = 0; round <= N_UNKNOWNS && !is_within; round++) {
        run(&fit);
        is_within = true;
        for (size_t k = 0; k < N_UNKNOWNS; k++) {
            if (fit.figures[k] >= fit.lowest[k])
                continue;
            fit.is_pinned[k] = true;
            is_within = false;
        }
    }
    return (struct calibration_figures){
        .pre_ms = fit.figures[PRE], .post_ms = fit.figures[POST], .slowness = fit.figures[SLOWNESS]};
}

double calibration_fit_startup(const struct calibration_group *group, size_t n_min, double parent_ms) {
    size_t n = 0;
    for (size_t i = 0; i < group->n; i++) {
        if (group->samples[i]->startup_ms >= 0)
            group->scratch[n++] = group->samples[i]->startup_ms;
    }
    return n >= n_min ? gsl_stats_median(group->scratch, 1, n) : parent_ms;
}

double calibration_fit_spread(const struct calibration_group *group, const struct calibration_figures *figures,
                              double parent_frac) {
    for (size_t i = 0; i < group->n; i++) {
        const struct calibration_sample *sample = group->samples[i];
        const double bytes = sample->predicted_bytes > 0 ? sample->predicted_bytes : sample->bytes;
        const double predicted_ms =
            figures->pre_ms + figures->post_ms + figures->slowness * 1e3 * bytes / sample->nominal_bytes_per_s;
        group->scratch[i] = fabs(sample->migration_ms - predicted_ms) / predicted_ms;
    }
    const double n = (double)group->n;
    const double own_frac =
        sigma_of_median * gsl_stats_median(group->scratch, 1, group->n) * spread_small_sample_factor(group->n);
    return sqrt((n * own_frac * own_frac + PARENT_COUNTS * parent_frac * parent_frac) / (n + PARENT_COUNTS));
}
