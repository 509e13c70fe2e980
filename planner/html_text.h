/*
 * Text that others chose, put into HTML where it can be nothing but text.
 *
 * In:  UTF-8. Out: HTML on a stream; what goes wrong with the stream shows when it is closed.
 *
 * Characters that draw nothing, end a line or turn the direction of what follows (U+202E) are shown by their number,
 * [U+202E]: a name cannot look like another one.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdio.h>

/* Into an element, or between the double quotes of an attribute. */
void html_text_put(FILE *stream, const char *text);

/* JSON into a <script> element: the same JSON, without a character that could end the element or is not seen. */
void html_text_put_json(FILE *stream, const char *json);
