/* SPDX-License-Identifier: MIT */
/* Any bytes as an environment file, and as a text whose variables it has. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "catalog/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_env *env = weir_env_new(NULL);
    char *text = weir_alloc_zero(size + 1, 1);
    weir_env_expansion expansion;
    memcpy(text, data, size);
    weir_env_parse(env, "fuzz.env", text, size, &problems);
    weir_env_expand(env, text, &expansion);
    if (!weir_env_concerns(text) && size < 60000 &&
        strcmp(weir_text_get(&expansion.text), text) != 0)
        abort();
    weir_env_expansion_deinit(&expansion);
    weir_env_free(env);
    weir_free(text);
    weir_problems_deinit(&problems);
    return 0;
}
