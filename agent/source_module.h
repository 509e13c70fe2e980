/*
 * Sources that are loaded at run time, because the libraries they need exist
 * on some hosts only: one agent binary runs where Xen is absent, and says
 * clearly what is missing when Xen is asked for.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/source.h"

struct source_module {
    void *handle; /* of dlopen */
    const struct source_ops *ops;
};

/* Loads DIRECTORY/source_NAME.so. DC_EUNSUPPORTED names the file or the library that is missing, or
 * tells that the module belongs to another build. */
DC_WARN_UNUSED enum dc_status source_module_load(const char *directory, const char *name,
                                                 struct source_module *module_out, struct dc_error *err);

/* Once the loop has run dry: callbacks of the source live in the module. Idempotent. */
void source_module_unload(struct source_module *module);
