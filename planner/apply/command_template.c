/* One walk over the template that keeps track of the shell's quotes; fields become single-quoted words. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/command_template.h"

#include "planner/shell_quote.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double no_cap_bytes_per_s = 1e12;
static const double mib_bytes = 1048576;

static const char *const fields[] = {"uuid", "name", "from",     "to",          "host",
                                     "pipe", "rate", "rate_mib", "downtime_ms", "memory_bytes"};
enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]), NO_FIELD = -1, NUMBER_BYTES = 32 };

/* What the template's shell would be in, at one character. */
enum quoting { OUTSIDE, SINGLE, DOUBLE };

struct walk {
    const char *at;
    enum quoting quoting;
};

static char *close_text(FILE *stream, char **text) {
    if (fclose(stream) == 0)
        return *text;
    free(*text);
    return NULL;
}

/* The length of "{word}" at `text`, 0 where it is no such thing. */
static size_t field_length(const char *text) {
    if (text[0] != '{')
        return 0;
    const size_t length = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz_");
    return length > 0 && text[1 + length] == '}' ? length + 2 : 0;
}

static int find_field(const char *text, size_t length) {
    for (int i = 0; i < (int)N_FIELDS; i++) {
        if (strlen(fields[i]) == length - 2 && strncmp(fields[i], text + 1, length - 2) == 0)
            return i;
    }
    return NO_FIELD;
}

/* The characters from `walk` on that are taken as they stand, at least one; 0 at a field. */
static size_t plain_length(const struct walk *walk) {
    const char *at = walk->at;
    if (walk->quoting != SINGLE && at[0] == '\\')
        return at[1] == '\0' ? 1 : 1 + (field_length(at + 1) > 0 ? field_length(at + 1) : 1);
    if (walk->quoting != SINGLE && at[0] == '$' && field_length(at + 1) > 0)
        return 1 + field_length(at + 1);
    return field_length(at) > 0 ? 0 : 1;
}

static enum quoting next_quoting(const struct walk *walk) {
    if (*walk->at == '\'' && walk->quoting != DOUBLE)
        return walk->quoting == SINGLE ? OUTSIDE : SINGLE;
    if (*walk->at == '"' && walk->quoting != SINGLE)
        return walk->quoting == DOUBLE ? OUTSIDE : DOUBLE;
    return walk->quoting;
}

/* A braced word within quotes that names no field is the shell's, or awk's. */
static enum dc_status check_field(const struct walk *walk, size_t length, struct dc_error *err) {
    const int field = find_field(walk->at, length);
    if (field != NO_FIELD && walk->quoting != OUTSIDE)
        return error_set(err, DC_EINVAL, "%.*s stands within quotes: a field brings its own, take them away",
                         (int)length, walk->at);
    if (field == NO_FIELD && walk->quoting == OUTSIDE)
        return error_set(err, DC_EINVAL,
                         "%.*s is no field; expected {uuid}, {name}, {from}, {to}, {host}, {pipe}, {rate}, {rate_mib}, "
                         "{downtime_ms} or {memory_bytes}",
                         (int)length, walk->at);
    return DC_OK;
}

enum dc_status command_template_check(const char *text, struct dc_error *err) {
    struct walk walk = {.at = text};
    while (*walk.at != '\0') {
        const size_t plain = plain_length(&walk);
        const size_t length = plain > 0 ? plain : field_length(walk.at);
        if (plain == 0) {
            const enum dc_status rc = check_field(&walk, length, err);
            if (rc != DC_OK)
                return rc;
        }
        if (plain == 1)
            walk.quoting = next_quoting(&walk);
        walk.at += length;
    }
    return walk.quoting == OUTSIDE ? DC_OK : error_set(err, DC_EINVAL, "a quote is not closed");
}

/* The texts in the order of `fields`; what follows them is a number. */
static const char *text_of(const struct command_values *values, int field) {
    const char *const texts[] = {values->uuid, values->name, values->from, values->to, values->host, values->pipe};
    return texts[field];
}

static double number_of(const struct command_values *values, int field) {
    const double rate = values->rate_bytes_per_s > 0 ? values->rate_bytes_per_s : no_cap_bytes_per_s;
    if (strcmp(fields[field], "rate") == 0)
        return fmax(1, floor(rate));
    if (strcmp(fields[field], "rate_mib") == 0)
        return fmax(1, floor(rate / mib_bytes));
    return strcmp(fields[field], "downtime_ms") == 0 ? floor(values->downtime_limit_ms) : floor(values->memory_bytes);
}

static enum dc_status put_field(FILE *stream, const struct command_values *values, int field, struct dc_error *err) {
    enum { N_TEXTS = 6, PIPE = 5 };
    if (field >= N_TEXTS) {
        char number[NUMBER_BYTES];
        (void)snprintf(number, sizeof(number), "%.0f", number_of(values, field));
        shell_quote_put(stream, number);
        return DC_OK;
    }
    const char *text = text_of(values, field);
    if (text == NULL)
        return error_set(err, DC_EINVAL, "{%s} is not known to this command", fields[field]);
    if (text[0] == '-' && field != PIPE)
        return error_set(err, DC_EINVAL, "%s \"%s\" begins with a dash, which a command takes for an option",
                         fields[field], text);
    shell_quote_put(stream, text);
    return DC_OK;
}

static enum dc_status expand(FILE *stream, const char *text, const struct command_values *values,
                             struct dc_error *err) {
    struct walk walk = {.at = text};
    while (*walk.at != '\0') {
        size_t length = plain_length(&walk);
        const int field = length == 0 ? find_field(walk.at, field_length(walk.at)) : NO_FIELD;
        if (length == 0)
            length = field_length(walk.at);
        if (length == 1)
            walk.quoting = next_quoting(&walk);
        if (field == NO_FIELD) {
            (void)fwrite(walk.at, 1, length, stream);
        } else {
            const enum dc_status rc = put_field(stream, values, field, err);
            if (rc != DC_OK)
                return rc;
        }
        walk.at += length;
    }
    return DC_OK;
}

enum dc_status command_template_expand(const char *text, const struct command_values *values, char **command_out,
                                       struct dc_error *err) {
    char *command = NULL;
    size_t n_bytes = 0;
    *command_out = NULL;
    enum dc_status rc = command_template_check(text, err);
    if (rc != DC_OK)
        return rc;
    FILE *stream = open_memstream(&command, &n_bytes);
    if (stream == NULL)
        return error_set_nomem(err);
    rc = expand(stream, text, values, err);
    command = close_text(stream, &command);
    if (rc != DC_OK) {
        free(command);
        return rc;
    }
    *command_out = command;
    return command != NULL ? DC_OK : error_set_nomem(err);
}
