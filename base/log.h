/*
 * Logging: levels and one hook. By default lines go to stderr, prefixed with
 * the level in the way systemd's journal understands when stderr is the
 * journal. Tests and the daemons replace the hook.
 *
 * Pure libraries (model, solver) never log.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

typedef void (*log_hook_fn)(void *context, enum log_level level, const char *line);

/* Replaces the sink of every line; NULL restores the default. Not thread
 * safe: set it once, before threads start. */
void log_set_hook(log_hook_fn hook, void *context);

/* Lines above `level` are dropped. The default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
