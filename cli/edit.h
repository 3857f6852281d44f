/* SPDX-License-Identifier: MIT */
/* Changing what is stored: by the running weir, or by ourselves when none runs. */

#pragma once
#include "cli/command.h"
#include "store/edit.h"

/* Options that both commands have, at the start of their structs. */
struct weir_edit_options {
    const char *config, *data_dir;
    weir_option_strings env_files;
};

#define WEIR_EDIT_OPTIONS(options)                                                                \
    {.name = "data-dir",                                                                          \
     .type = WEIR_OPTION_STRING,                                                                  \
     .offset = offsetof(options, place.data_dir),                                                 \
     .metavar = "DIR",                                                                            \
     .text = "The data directory. Without it the configuration's, else ./weir-data."},            \
        {.name = "config",                                                                        \
         .letter = 'c',                                                                           \
         .type = WEIR_OPTION_STRING,                                                              \
         .offset = offsetof(options, place.config),                                               \
         .metavar = "FILE",                                                                       \
         .text = "The configuration that names the data directory. Without it ./weir.yaml, then " \
                 "/etc/weir/weir.yaml."},                                                         \
        WEIR_ENV_FILE_OPTION_AT(offsetof(options, place.env_files))

/* Makes the edit; ret_n: tags, sinks or rows concerned. */
weir_err weir_edit_make(const weir_invocation *in, const struct weir_edit_options *place,
                        const weir_edit *edit, uint64_t *ret_n, weir_error *error) WEIR_MUST_CHECK;
