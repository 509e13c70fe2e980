/*
 * Words of /bin/sh: a text of any content as one word that the shell takes for that text.
 *
 * In:  any text, such as a VM's name. Out: the text in single quotes, each single quote in it as '\''.
 *
 * Quoting keeps the shell from reading a name, not a program from taking one with a leading dash for an option: see to
 * that where the word is used.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdio.h>

/* Appends the word. What goes wrong with the stream shows when it is closed. */
void shell_quote_put(FILE *stream, const char *text);

/* The word (heap, the caller frees it); NULL when out of memory. */
char *shell_quote_text(const char *text);
