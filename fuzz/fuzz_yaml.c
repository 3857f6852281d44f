/* SPDX-License-Identifier: MIT */
/* Any bytes as a configuration, and as the profile it names: a catalog or problems, never both. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/effective.h"
#include "catalog/yaml.h"
#include "sinks/noop/noop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

static weir_err input_read(void *data, const char *path, weir_text *ret, weir_error *error)
{
    const struct input *input = data;
    (void)path;
    weir_text_add_n(ret, (const char *)input->data, input->size);
    return ret->failed ? weir_fail(error, WEIR_ENOMEM, "out of memory") : WEIR_OK;
}

static weir_err find_noop(const char *name, const weir_sink_type **ret, weir_error *error)
{
    *ret = &weir_sink_noop;
    return strcmp(name, "noop") ? weir_fail(error, WEIR_ENOTFOUND, "no such type") : WEIR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    const weir_yaml_files files = {.data = &input, .read = input_read};
    weir_effective *effective = weir_effective_new();
    const weir_yaml_options options = {
        .files = &files, .sink_type = find_noop, .effective = effective};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *catalog = NULL;
    weir_err err = weir_yaml_load_simulation("input.yaml", &options, &catalog, &problems);
    if ((err == WEIR_OK) != (catalog != NULL) || (err == WEIR_OK) != (problems.n == 0))
        abort();
    weir_effective_free(effective);
    weir_catalog_free(catalog);
    weir_problems_deinit(&problems);
    return 0;
}
