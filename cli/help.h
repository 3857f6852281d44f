/* SPDX-License-Identifier: MIT */
/* Help on the terminal, from the command tables. */

#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/command.h"

void weir_help_overview(FILE *file);

/* Usage, examples, options; whole: the longer text too. */
void weir_help_command(const weir_command *command, bool whole, FILE *file);

/* Words of text from column `at` on, continued at `indent`. */
void weir_help_wrapped(FILE *file, const char *text, size_t at, size_t indent);

/* What is explained, and its text in a column beside it or below. */
void weir_help_entry(FILE *file, const char *head, const char *body);

/* The word that stands for an option's value: "FILE", "N", "TIME"; "" for BOOL. */
const char *weir_option_metavar(const weir_option *option);

/* " (default 1s; 100ms to 1h; one of tcp, rtu)" or nothing. */
void weir_option_notes(const weir_option *option, weir_text *t);
