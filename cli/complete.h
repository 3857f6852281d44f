/* SPDX-License-Identifier: MIT */
/* What may follow on a command line: for shells that complete. */

#pragma once
#include <stdio.h>

/*
 * words: those behind "weir", up to the one that is being typed, which may be "". shell: "bash"
 * cuts words at = and :, and wants only what follows the last of them.
 *
 * Writes one candidate a line, with a tab and a few words about it if there are any; a line that
 * begins with the tab asks the shell for "files" or "dirs". A candidate that ends with / goes on.
 * Nothing is ever said on stderr. Returns the exit code: 0.
 */
int weir_complete(const char *shell, int n_words, char **words, FILE *file);
