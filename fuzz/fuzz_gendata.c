/* SPDX-License-Identifier: MIT */
/* Any bytes as a gendata file: a catalog whose waves can be walked, or problems. */

#include <stdint.h>
#include <stdlib.h>

#include "catalog/gendata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *bytes;
static size_t n_bytes;

static weir_err input_read(void *data, const char *path, weir_text *ret, weir_error *error)
{
    (void)data, (void)path;
    weir_text_add_n(ret, (const char *)bytes, n_bytes);
    return ret->failed ? weir_fail(error, WEIR_ENOMEM, "out of memory") : WEIR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const weir_yaml_files files = {NULL, input_read, NULL};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_gendata made = {0};
    weir_wall ts[64];
    double values[64];
    bytes = data, n_bytes = size;
    weir_err err = weir_gendata_load("input.json", &files, &made, &problems);
    if ((err == WEIR_OK) != (made.catalog != NULL) || (err == WEIR_OK) != (problems.n == 0))
        abort();
    for (size_t i = 0; made.catalog && i < made.catalog->n_tags && i < 4; i++) {
        weir_fourier_walk *walk = weir_fourier_walk_new(&made.waves[i], 1);
        weir_wall first, last;
        if (walk && weir_fourier_range(&made.waves[i], &first, &last) &&
            weir_fourier_fill(walk, first, (weir_wall){last.us + 1}, 64, ts, values) == 0)
            abort();
        weir_fourier_walk_free(walk);
    }
    weir_catalog_free(made.catalog);
    weir_problems_deinit(&problems);
    return 0;
}
