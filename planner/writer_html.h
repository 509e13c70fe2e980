/*
 * Results as HTML, for pages: each list a <table> whose id is the list's key, each line for people a <dt> and a <dd>
 * (for a <dl> that the caller puts around them).
 *
 * Nothing in it comes from elsewhere or runs: names are text, whatever they look like.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/writer.h"

/* Lists go to one stream and lines to the other; both stay the caller's, and what goes wrong with them shows when they
 * are closed. */
DC_WARN_UNUSED enum dc_status writer_html_new(FILE *lists, FILE *lines, struct writer **writer_out,
                                              struct dc_error *err);
