/* SPDX-License-Identifier: MIT */
/* The mistakes of a configuration, on stderr. */

#include "daemon/problems.h"

#include <stdio.h>

void weir_problems_print(const weir_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_problem_format(&problems->items[i], &line);
        (void)fprintf(stderr, "%s\n", weir_text_get(&line));
    }
}

weir_err weir_problems_fail(const weir_problems *problems, weir_err err, const char *file,
                            weir_error *error)
{
    weir_problems_print(problems);
    if (err != WEIR_ECONFIG)
        return weir_fail(error, err, "%s: %s", file, weir_err_text(err));
    return weir_fail(error, err, "%zu problem%s in %s", problems->n, problems->n == 1 ? "" : "s",
                     file);
}
