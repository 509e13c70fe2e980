/* One file a mark; its content is the boot id. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_marks.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };
static const char prefix[] = "log-dirty-";

static void mark_path(const struct xen_marks *marks, uint32_t domid, const char *uuid, char path_out[PATH_BYTES]) {
    (void)snprintf(path_out, PATH_BYTES, "%s/%s%u-%s", marks->state_dir, prefix, (unsigned)domid, uuid);
}

enum dc_status xen_marks_init(struct xen_marks *marks_out, const char *state_dir, const char *proc_dir,
                              struct dc_error *err) {
    *marks_out = (struct xen_marks){.state_dir = state_dir};
    return identity_boot_id(proc_dir, marks_out->boot_id, err);
}

enum dc_status xen_marks_set(const struct xen_marks *marks, uint32_t domid, const char *uuid, struct dc_error *err) {
    char path[PATH_BYTES];
    mark_path(marks, domid, uuid, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(err, errno, "%s", path);
    const size_t n_bytes = strlen(marks->boot_id);
    const ssize_t n = write(fd, marks->boot_id, n_bytes);
    const int os_errno = n < 0 ? errno : ENOSPC;
    (void)close(fd);
    return n == (ssize_t)n_bytes ? DC_OK : error_set_errno(err, os_errno, "%s", path);
}

bool xen_marks_has(const struct xen_marks *marks, uint32_t domid, const char *uuid) {
    char path[PATH_BYTES], boot_id[IDENTITY_BYTES] = "";
    mark_path(marks, domid, uuid, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t n = read(fd, boot_id, sizeof(boot_id) - 1);
    (void)close(fd);
    return n > 0 && strcmp(boot_id, marks->boot_id) == 0;
}

void xen_marks_clear(const struct xen_marks *marks, uint32_t domid, const char *uuid) {
    char path[PATH_BYTES];
    mark_path(marks, domid, uuid, path);
    if (unlink(path) != 0 && errno != ENOENT)
        log_warn("source xen: %s: %s", path, strerror(errno));
}

void xen_marks_each(const struct xen_marks *marks, void (*visit)(void *context, uint32_t domid, const char *uuid),
                    void *context) {
    const size_t n_prefix = sizeof(prefix) - 1;
    DIR *dir = opendir(marks->state_dir);
    if (dir == NULL)
        return;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strncmp(entry->d_name, prefix, n_prefix) != 0)
            continue;
        char *dash = NULL;
        const unsigned long domid = strtoul(entry->d_name + n_prefix, &dash, 10);
        if (*dash == '-' && dash != entry->d_name + n_prefix && domid <= UINT32_MAX)
            visit(context, (uint32_t)domid, dash + 1);
    }
    (void)closedir(dir);
}
