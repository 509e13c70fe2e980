/* Whatever the text, the reader of plan documents refuses it in one line or
 * reads something that is written and read again to the same bytes. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/plan_doc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
    struct plan first, second;
    struct dc_error err = DC_ERROR_NONE;
    char *once = NULL;
    char *twice = NULL;
    if (plan_doc_read((const char *)data, n_bytes, &first, &err) != DC_OK) {
        if (err.text[0] == '\0' || strchr(err.text, '\n') != NULL)
            abort();
        return 0;
    }
    if (plan_doc_write(&first, &once, &err) != DC_OK || plan_doc_read(once, strlen(once), &second, &err) != DC_OK ||
        plan_doc_write(&second, &twice, &err) != DC_OK || strcmp(once, twice) != 0)
        abort();
    plan_doc_dispose(&first);
    plan_doc_dispose(&second);
    free(once);
    free(twice);
    return 0;
}
