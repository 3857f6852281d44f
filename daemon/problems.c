/* SPDX-License-Identifier: MIT */
/* The mistakes of a configuration, on stderr. */

#include "daemon/problems.h"

#include <stdio.h>

enum {
    SHOWN_MAX = 50
}; /* more would push the first, often the cause of the rest, off the screen */

void weir_problems_print(const weir_problems *problems)
{
    const size_t n = problems->n + problems->n_more;
    for (size_t i = 0; i < problems->n && i < SHOWN_MAX; i++) {
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_problem_format(&problems->items[i], &line);
        (void)fprintf(stderr, "%s\n", weir_text_get(&line));
    }
    if (n > SHOWN_MAX)
        (void)fprintf(stderr, "and %zu more, which are not shown\n", n - SHOWN_MAX);
}

weir_err weir_problems_fail(const weir_problems *problems, weir_err err, const char *file,
                            weir_error *error)
{
    weir_problems_print(problems);
    if (err != WEIR_ECONFIG)
        return weir_fail(error, err, "%s: %s", file, weir_err_text(err));
    const size_t n = problems->n + problems->n_more;
    return weir_fail(error, err, "%zu problem%s in %s", n, n == 1 ? "" : "s", file);
}
