/* Files UUID.run (locked, holds the host), UUID.rc and UUID.err of one folder. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/command_record.h"

#include "base/file_text.h"
#include "planner/shell_quote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { MOST_BYTES = 1 << 20 };

/* Of the VM's file; heap. A uuid is a name from a document: what is no letter or digit of it is none of a path's. */
static char *path_of(const char *dir, const char *uuid, const char *suffix) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s%s", dir, uuid, suffix) < 0)
        return NULL;
    for (char *c = path + strlen(dir) + 1; *c != '\0' && c < path + strlen(dir) + 1 + strlen(uuid); c++) {
        if (strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-", *c) == NULL)
            *c = '_';
    }
    return path;
}

enum dc_status command_record_begin(const char *dir, const char *uuid, const char *from, int *lock_fd_out,
                                    struct dc_error *err) {
    enum dc_status rc = DC_OK;
    char *path = path_of(dir, uuid, ".run");
    char *result = path_of(dir, uuid, ".rc");
    int fd = -1;
    *lock_fd_out = -1;
    if (path == NULL || result == NULL)
        rc = error_set_nomem(err);
    else if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
        rc = error_set_errno(err, errno, "%s: cannot be opened", path);
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        rc = errno == EWOULDBLOCK ? error_set(err, DC_EBUSY, "the command of an earlier migration of it still runs")
                                  : error_set_errno(err, errno, "%s: cannot be locked", path);
    else if ((unlink(result) != 0 && errno != ENOENT) || ftruncate(fd, 0) != 0 ||
             file_text_write_all(fd, from, strlen(from)) != 0 || fsync(fd) != 0)
        rc = error_set_errno(err, errno, "%s: cannot be written", path);
    free(path);
    free(result);
    if (rc == DC_OK)
        *lock_fd_out = fd;
    else if (fd >= 0)
        (void)close(fd);
    return rc;
}

int command_record_open_errors(const char *dir, const char *uuid) {
    char *path = path_of(dir, uuid, ".err");
    const int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    free(path);
    return fd;
}

char *command_record_wrap(const char *dir, const char *uuid, const char *command) {
    char *path = path_of(dir, uuid, ".rc");
    char *quoted_path = path != NULL ? shell_quote_text(path) : NULL;
    char *quoted = shell_quote_text(command);
    char *wrapped = NULL;
    if (quoted_path == NULL || quoted == NULL ||
        asprintf(&wrapped, "f=%s; /bin/sh -c %s; r=$?; echo $r >\"$f.new\" && mv -f -- \"$f.new\" \"$f\"; exit $r",
                 quoted_path, quoted) < 0)
        wrapped = NULL;
    free(path);
    free(quoted_path);
    free(quoted);
    return wrapped;
}

/* The whole file, "" where there is none; heap. */
static char *read_text(const char *dir, const char *uuid, const char *suffix) {
    char *path = path_of(dir, uuid, suffix);
    char *text = NULL;
    size_t n_bytes = 0;
    if (path != NULL && file_text_read(path, MOST_BYTES, &text, &n_bytes, NULL) != DC_OK)
        text = strdup("");
    free(path);
    return text;
}

/* Is the lock somebody's? */
static bool is_locked(const char *dir, const char *uuid) {
    char *path = path_of(dir, uuid, ".run");
    const int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    const bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return locked;
}

/* The last line, in place. */
static void keep_last_line(char *text) {
    size_t length = strlen(text);
    while (length > 0 && (unsigned char)text[length - 1] <= ' ')
        text[--length] = '\0';
    const char *end = strrchr(text, '\n');
    if (end != NULL)
        memmove(text, end + 1, strlen(end + 1) + 1);
}

enum dc_status command_record_read(const char *dir, const char *uuid, struct command_record *record_out,
                                   struct dc_error *err) {
    *record_out = (struct command_record){.state = COMMAND_RECORD_NONE};
    const bool running = is_locked(dir, uuid); /* before the result is looked for: it comes before the lock goes */
    char *result = read_text(dir, uuid, ".rc");
    record_out->from = read_text(dir, uuid, ".run");
    record_out->reason = read_text(dir, uuid, ".err");
    if (result == NULL || record_out->from == NULL || record_out->reason == NULL) {
        free(result);
        command_record_dispose(record_out);
        return error_set_nomem(err);
    }
    keep_last_line(record_out->reason);
    if (running) {
        record_out->state = COMMAND_RECORD_RUNNING;
    } else if (result[0] != '\0') {
        record_out->state = COMMAND_RECORD_ENDED;
        record_out->exit_status = (int)strtol(result, NULL, 10);
    }
    free(result);
    return DC_OK;
}

void command_record_dispose(struct command_record *record) {
    free(record->from);
    free(record->reason);
    *record = (struct command_record){0};
}
