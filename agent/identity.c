/* The kernel's boot id, and random bytes. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/identity.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum dc_status identity_boot_id(const char *proc_dir, char boot_id_out[IDENTITY_BYTES], struct dc_error *err) {
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/sys/kernel/random/boot_id", proc_dir);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set_errno(err, errno, "%s", path);
    enum dc_status rc = DC_OK;
    if (fgets(boot_id_out, IDENTITY_BYTES, file) == NULL || *boot_id_out == '\n')
        rc = error_set(err, DC_EIO, "%s: cannot be read", path);
    else
        boot_id_out[strcspn(boot_id_out, "\n")] = '\0';
    (void)fclose(file);
    return rc;
}

enum dc_status identity_make(struct identity *identity_out, struct dc_error *err) {
    *identity_out = (struct identity){.boot_id = ""};
    uint8_t random[16];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return error_set_errno(err, errno, "random numbers");
    for (size_t i = 0; i < sizeof(random); i++)
        (void)snprintf(identity_out->instance_id + 2 * i, 3, "%02x", (unsigned)random[i]);
    return identity_boot_id("/proc", identity_out->boot_id, err);
}
