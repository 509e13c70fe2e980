/* dlopen of a source, with a clear word about what is missing. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/source_module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char *hint_for(const char *name) {
    return strcmp(name, "xen") == 0 ? ": is this a Xen dom0?" : "";
}

enum dc_status source_module_load(const char *directory, const char *name, struct source_module *module_out,
                                  struct dc_error *err) {
    *module_out = (struct source_module){.handle = NULL};
    char path[4096];
    const int n = snprintf(path, sizeof(path), "%s/source_%s.so", directory, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return error_set(err, DC_ERANGE, "source %s: the path of its module is too long", name);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return error_set(err, DC_EUNSUPPORTED, "source %s: %s%s", name, dlerror(), hint_for(name));
    const struct source_module_info *info = dlsym(handle, SOURCE_MODULE_SYMBOL);
    if (info == NULL || info->abi != SOURCE_ABI) {
        (void)dlclose(handle);
        return error_set(err, DC_EUNSUPPORTED, "source %s: %s belongs to another version of decamp-agent", name, path);
    }
    module_out->handle = handle;
    module_out->ops = info->ops;
    return DC_OK;
}

void source_module_unload(struct source_module *module) {
    if (module->handle != NULL)
        (void)dlclose(module->handle);
    *module = (struct source_module){.handle = NULL};
}
