/* SPDX-License-Identifier: MIT */
/* Where `weir generate` puts what it makes: a data directory, or standard output. */

#pragma once
#include <stdatomic.h>
#include <stdbool.h>

#include "cli/command.h"
#include "cli/generator.h"
#include "cli/progress.h"

typedef enum weir_generate_format {
    WEIR_GENERATE_STORE,
    WEIR_GENERATE_CSV,
    WEIR_GENERATE_JSONL,
} weir_generate_format;

/* What both outputs share. */
typedef struct weir_generate_job {
    const weir_generator *generator;
    const char *data_dir;
    weir_progress progress;
    const atomic_bool *stop; /* set by a signal: end where it is complete */
    const weir_invocation *in;
    uint64_t done;  /* samples */
    uint64_t bytes; /* on the disk */
} weir_generate_job;

/* Tag by tag, each ascending in time, in the form of `weir export`. WEIR_ENOMEM; WEIR_EIO: cannot
 * write; WEIR_ECANCELED: stopped, or with no text: nobody reads any more. */
weir_err weir_generate_text(weir_generate_job *job, weir_generate_format format,
                            weir_error *error) WEIR_MUST_CHECK;

/* Into the data directory, which nobody uses. WEIR_ECANCELED: stopped; what is complete is kept. */
weir_err weir_generate_store(weir_generate_job *job, weir_error *error) WEIR_MUST_CHECK;
