/* The log hook: the only mutable global of the house. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void log_to_stderr(void *context, enum log_level level, const char *line) {
    (void)context;
    /* sd-daemon(3): "<3>" is an error, "<4>" a warning, "<6>" information, "<7>" debug. */
    static const char *const journal_prefix[] = {"<3>", "<4>", "<6>", "<7>"};
    static const char *const plain_prefix[] = {"error: ", "warning: ", "", "debug: "};
    const char *const *prefix = getenv("JOURNAL_STREAM") != NULL ? journal_prefix : plain_prefix;
    fprintf(stderr, "%s%s\n", prefix[level], line);
}

static struct {
    log_hook_fn hook;
    void *context;
    enum log_level level;
} sink = {.hook = log_to_stderr, .level = LOG_LEVEL_INFO};

void log_set_hook(log_hook_fn hook, void *context) {
    sink.hook = hook != NULL ? hook : log_to_stderr;
    sink.context = context;
}

void log_set_level(enum log_level level) {
    sink.level = level;
}

void log_write(enum log_level level, const char *format, ...) {
    if (level > sink.level)
        return;
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    sink.hook(sink.context, level, line);
}
