/* SPDX-License-Identifier: MIT */
/* The mistakes of a configuration, on stderr. */

#include "daemon/problems.h"

#include <stdio.h>
#include <string.h>

void weir_problems_print(const weir_problems *problems)
{
    const size_t n = problems->n + problems->n_more;
    for (size_t i = 0; i < problems->n && i < WEIR_PROBLEMS_SHOWN; i++) {
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_problem_format(&problems->items[i], &line);
        (void)fprintf(stderr, "%s\n", weir_text_get(&line));
    }
    if (n > WEIR_PROBLEMS_SHOWN)
        (void)fprintf(stderr, "and %zu more, which are not shown\n", n - WEIR_PROBLEMS_SHOWN);
}

/* Others: files that it includes, profiles, config.db, databases. */
static bool all_in(const weir_problems *problems, const char *file)
{
    for (size_t i = 0; i < problems->n; i++)
        if (!problems->items[i].where.file || strcmp(problems->items[i].where.file, file) != 0)
            return false;
    return true;
}

weir_err weir_problems_describe(const weir_problems *problems, weir_err err, const char *file,
                                weir_error *error)
{
    if (err != WEIR_ECONFIG)
        return weir_fail(error, err, "%s: %s", file, weir_err_text(err));
    const size_t n = problems->n + problems->n_more;
    return weir_fail(error, err, "%zu problem%s in %s%s", n, n == 1 ? "" : "s", file,
                     all_in(problems, file) ? "" : " and what belongs to it");
}

weir_err weir_problems_fail(const weir_problems *problems, weir_err err, const char *file,
                            weir_error *error)
{
    weir_problems_print(problems);
    return weir_problems_describe(problems, err, file, error);
}
