/* Whole files, through plain system calls: the limit holds before memory is taken. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/file_text.h"

#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 64 * 1024, TEMPORARY_TRIES = 16 };

static enum dc_status open_to_read(const char *path, int *fd_out, struct dc_error *err) {
    if (strcmp(path, "-") == 0) {
        *fd_out = STDIN_FILENO;
        return DC_OK;
    }
    *fd_out = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd_out >= 0)
        return DC_OK;
    if (errno == ENOENT)
        return error_set(err, DC_ENOTFOUND, "%s: no such file", path);
    return error_set_errno(err, errno, "%s", path);
}

/* Reads to the end of `fd`; the text has room for one byte more. */
static enum dc_status read_all(int fd, size_t max_bytes, char **text, size_t *n_bytes, struct dc_error *err) {
    size_t capacity = 0;
    for (;;) {
        if (!vec_reserve((void **)text, &capacity, *n_bytes + CHUNK_BYTES + 1, 1))
            return error_set_nomem(err);
        const ssize_t r = read(fd, *text + *n_bytes, CHUNK_BYTES);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return error_set_errno(err, errno, "read");
        if (r == 0)
            return DC_OK;
        *n_bytes += (size_t)r;
        if (*n_bytes > max_bytes)
            return error_set(err, DC_ELIMIT, "longer than %zu bytes", max_bytes);
    }
}

enum dc_status file_text_read(const char *path, size_t max_bytes, char **text_out, size_t *n_bytes_out,
                              struct dc_error *err) {
    char *text = NULL;
    size_t n_bytes = 0;
    int fd = -1;
    *text_out = NULL;
    *n_bytes_out = 0;
    enum dc_status rc = open_to_read(path, &fd, err);
    if (rc != DC_OK)
        return rc;
    rc = read_all(fd, max_bytes, &text, &n_bytes, err);
    if (fd != STDIN_FILENO)
        (void)close(fd);
    if (rc != DC_OK) {
        free(text);
        (void)error_prefix(err, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
        return rc;
    }
    text[n_bytes] = '\0';
    *text_out = text;
    *n_bytes_out = n_bytes;
    return DC_OK;
}

int file_text_write_all(int fd, const char *text, size_t n_bytes) {
    while (n_bytes > 0) {
        const ssize_t r = write(fd, text, n_bytes);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return errno;
        text += r;
        n_bytes -= (size_t)r;
    }
    return 0;
}

/* A new file beside `path`, with the permissions that the umask leaves. */
static int open_temporary(const char *path, char **name_out) {
    for (int attempt = 0; attempt < TEMPORARY_TRIES; attempt++) {
        if (asprintf(name_out, "%s.%ld-%d.tmp", path, (long)getpid(), attempt) < 0) {
            *name_out = NULL;
            errno = ENOMEM;
            return -1;
        }
        const int fd = open(*name_out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        const int os_errno = errno;
        if (fd >= 0)
            return fd;
        free(*name_out);
        *name_out = NULL;
        errno = os_errno;
        if (os_errno != EEXIST)
            return -1;
    }
    return -1;
}

/* The rename itself is safe on disk only once its folder is. A file system that cannot flush
 * folders (EINVAL) has nothing to promise. */
static int sync_folder(const char *path) {
    char *copy = strdup(path);
    if (copy == NULL)
        return ENOMEM;
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int os_errno = fd < 0 ? errno : 0;
    if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL)
        os_errno = errno;
    if (fd >= 0)
        (void)close(fd);
    free(copy);
    return os_errno;
}

static int replace(const char *path, const char *text, size_t n_bytes) {
    char *name = NULL;
    const int fd = open_temporary(path, &name);
    if (fd < 0)
        return errno;
    int os_errno = file_text_write_all(fd, text, n_bytes);
    if (os_errno == 0 && fsync(fd) != 0)
        os_errno = errno;
    if (close(fd) != 0 && os_errno == 0)
        os_errno = errno;
    if (os_errno == 0 && rename(name, path) != 0)
        os_errno = errno;
    if (os_errno != 0)
        (void)unlink(name);
    free(name);
    return os_errno != 0 ? os_errno : sync_folder(path);
}

static int write_directly(const char *path, const char *text, size_t n_bytes) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int os_errno = file_text_write_all(fd, text, n_bytes);
    if (close(fd) != 0 && os_errno == 0)
        os_errno = errno;
    return os_errno;
}

enum dc_status file_text_write_atomic(const char *path, const char *text, size_t n_bytes, struct dc_error *err) {
    struct stat info;
    const bool exists = stat(path, &info) == 0;
    int os_errno;
    if (exists && !S_ISREG(info.st_mode)) {
        os_errno = write_directly(path, text, n_bytes);
    } else {
        char *target = exists ? realpath(path, NULL) : NULL; /* a link stays, what it names is replaced */
        os_errno = replace(target != NULL ? target : path, text, n_bytes);
        free(target);
    }
    return os_errno == 0 ? DC_OK : error_set_errno(err, os_errno, "%s: cannot be written", path);
}
