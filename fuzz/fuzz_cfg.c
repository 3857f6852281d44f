/* SPDX-License-Identifier: MIT */
/* Any bytes as a config.cfg: a catalog or problems; with [RUNTIME] rewritten, the same again. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/cfg_file.h"
#include "catalog/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static weir_err load(const char *text, size_t n, size_t *ret_problems)
{
    weir_problems problems = WEIR_PROBLEMS_INIT, warnings = WEIR_PROBLEMS_INIT;
    const weir_yaml_options options = {.warnings = &warnings};
    weir_catalog *catalog = NULL;
    const weir_err err =
        weir_yaml_load_text(text, n, "a/config.cfg", &options, &catalog, &problems);
    if ((err == WEIR_OK) != (catalog != NULL) || (err == WEIR_OK) != (problems.n == 0))
        abort();
    *ret_problems = problems.n;
    weir_catalog_free(catalog);
    weir_problems_deinit(&problems);
    weir_problems_deinit(&warnings);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WEIR_TEXT_AUTO once = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO twice = WEIR_TEXT_INIT;
    size_t n, n_again;
    if (load((const char *)data, size, &n) != WEIR_OK)
        return 0; /* weir does not rewrite what it does not run with */
    if (!weir_cfg_stamp((const char *)data, size, (weir_wall){1}, 2, &once) ||
        load(weir_text_get(&once), once.length, &n_again) != WEIR_OK || n != n_again ||
        !weir_cfg_stamp(weir_text_get(&once), once.length, (weir_wall){1}, 2, &twice) ||
        once.length != twice.length ||
        memcmp(weir_text_get(&once), weir_text_get(&twice), once.length) != 0)
        abort();
    return 0;
}
