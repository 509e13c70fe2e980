/* Numbers with units, read strictly and printed shortly. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    double factor;
};

static const struct unit byte_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1024.0},
    {"MiB", 1048576.0},
    {"GiB", 1073741824.0},
    {"TiB", 1024e0 * 1073741824.0},
    {"kB", 1e3},
    {"KB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
    {"TB", 1e12},
    {"K", 1024.0},
    {"M", 1048576.0},
    {"G", 1073741824.0},
    {"T", 1024e0 * 1073741824.0},
};

static const struct unit rate_units[] = {
    {"", 1},           {"B/s", 1},         {"kB/s", 1e3},           {"MB/s", 1e6},    {"GB/s", 1e9},
    {"KiB/s", 1024.0}, {"MiB/s", 1048576}, {"GiB/s", 1073741824.0}, {"bit/s", 0.125}, {"kbit/s", 125},
    {"Mbit/s", 125e3}, {"Gbit/s", 125e6},  {"kbit", 125},           {"Mbit", 125e3},  {"Gbit", 125e6},
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1e3}, {"min", 60e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3},
};

static enum dc_status parse(const char *text, const struct unit *units, size_t n_units, const char *expected,
                            double *value_out, struct dc_error *err) {
    char *end = NULL;
    const double number = strtod(text, &end);
    if (end == text || !isfinite(number) || number < 0 || strpbrk(text, "xXpP") != NULL)
        return error_set(err, DC_EINVAL, "\"%s\": expected %s", text, expected);
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < n_units; i++) {
        if (strcmp(end, units[i].name) == 0) {
            *value_out = number * units[i].factor;
            return DC_OK;
        }
    }
    return error_set(err, DC_EINVAL, "\"%s\": expected %s", text, expected);
}

enum dc_status units_parse_bytes(const char *text, double *bytes_out, struct dc_error *err) {
    return parse(text, byte_units, sizeof(byte_units) / sizeof(byte_units[0]), "a size such as 96MiB or 2GiB",
                 bytes_out, err);
}

enum dc_status units_parse_rate(const char *text, double *bytes_per_s_out, struct dc_error *err) {
    return parse(text, rate_units, sizeof(rate_units) / sizeof(rate_units[0]), "a rate such as 1Gbit/s or 120MiB/s",
                 bytes_per_s_out, err);
}

enum dc_status units_parse_duration(const char *text, double *ms_out, struct dc_error *err) {
    return parse(text, duration_units, sizeof(duration_units) / sizeof(duration_units[0]),
                 "a duration such as 300ms, 30s, 30m or 2h", ms_out, err);
}

/* Three significant digits, never in exponent form. */
static char *format_scaled(double value, const char *const *names, size_t n_names, double base, char *text,
                           size_t text_bytes) {
    size_t i = 0;
    while (i + 1 < n_names && fabs(value) >= base * 0.9995) {
        value /= base;
        i++;
    }
    const double magnitude = fabs(value);
    const int decimals = i == 0 || magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2;
    (void)snprintf(text, text_bytes, "%.*f %s", decimals, value, names[i]);
    return text;
}

char *units_format_bytes(double bytes, char *text, size_t text_bytes) {
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    return format_scaled(bytes, names, sizeof(names) / sizeof(names[0]), 1024, text, text_bytes);
}

char *units_format_rate(double bytes_per_s, char *text, size_t text_bytes) {
    static const char *const names[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
    return format_scaled(bytes_per_s * 8, names, sizeof(names) / sizeof(names[0]), 1000, text, text_bytes);
}

char *units_format_duration(double ms, char *text, size_t text_bytes) {
    if (ms < 999.5)
        (void)snprintf(text, text_bytes, "%.0f ms", ms);
    else if (ms < 59950)
        (void)snprintf(text, text_bytes, "%.1f s", ms / 1e3);
    else if (ms < 3599500)
        (void)snprintf(text, text_bytes, "%.0f min %02.0f s", floor(round(ms / 1e3) / 60), fmod(round(ms / 1e3), 60));
    else
        (void)snprintf(text, text_bytes, "%.0f h %02.0f min", floor(round(ms / 60e3) / 60), fmod(round(ms / 60e3), 60));
    return text;
}
