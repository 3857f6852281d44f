/* SPDX-License-Identifier: MIT */
#include "cli/generate.h"
weir_err weir_generate_store(weir_generate_job *job, weir_error *error)
{
    (void)job;
    return weir_fail(error, WEIR_EUNSUPPORTED, "not yet");
}
