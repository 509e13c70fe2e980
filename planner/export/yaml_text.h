/*
 * Texts in YAML that stay what they are: as double-quoted scalars, and never taken for templates by Ansible.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdio.h>

/* Appends `!unsafe "text"`: all but plain ASCII is escaped. `text` is UTF-8, as documents are; a byte that is not
 * becomes U+FFFD. What goes wrong with the stream shows when it is closed. */
void yaml_text_put(FILE *stream, const char *text);

/* Appends the lines of `text` as a literal block's, each indented by so many blanks. */
void yaml_text_put_block(FILE *stream, const char *text, int indent);
