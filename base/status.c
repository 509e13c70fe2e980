/* The one table of status texts. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/status.h"

const char *status_text(enum dc_status status) {
    switch (status) {
#define X(name, value, text) \
    case DC_##name:          \
        return text;
        DC_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}
