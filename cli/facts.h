/* SPDX-License-Identifier: MIT */
/* Named facts about one thing: a line each for people, one row for programs. */

#pragma once
#include "cli/output.h"

typedef struct weir_fact {
    const char *name;
    weir_value value;
    const char *text; /* what people see instead, such as a size; "": not shown; NULL: the value */
} weir_fact;

/* False: out of memory. */
bool weir_facts_print(FILE *file, weir_format format, const weir_fact *facts, size_t n);
