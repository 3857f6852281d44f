/* SPDX-License-Identifier: MIT */
/* What is wrong with a file, all of it at once: where, what, and what to do. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"
#include "model/catalog.h"

typedef struct weir_problem {
    weir_err code;    /* WEIR_ECONFIG, WEIR_EUNSUPPORTED, WEIR_ESYNTAX, WEIR_EIO */
    weir_where where; /* line 0: the whole file. where.file lives as long as the problem */
    char *text;
} weir_problem;

/* A growing list. `failed`: memory was short and something is missing. */
typedef struct weir_problems {
    size_t n;
    size_t capacity;
    weir_problem *items;
    size_t n_more; /* that came when there were WEIR_PROBLEMS_MAX */
    bool failed;
} weir_problems;

#define WEIR_PROBLEMS_INIT \
    {                      \
        0                  \
    }

/* Nobody reads more; what follows is only counted. */
enum { WEIR_PROBLEMS_MAX = 1000 };

void weir_problems_deinit(weir_problems *problems);

/* Copies file name and text. */
void weir_problems_add(weir_problems *problems, weir_err code, weir_where where, const char *format,
                       ...) WEIR_PRINTF(4, 5);

/* By file, line and column; of the same problem said twice one stays. */
void weir_problems_sort(weir_problems *problems);

/* "weir.yaml:7:5: unknown key 'intervall': did you mean 'interval'?"; control characters as \x1b.
 */
void weir_problem_format(const weir_problem *problem, weir_text *t);
