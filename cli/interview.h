/* SPDX-License-Identifier: MIT */
/* The answers a first configuration is made of: given, or asked for on the terminal. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "catalog/profiles.h"
#include "cli/starter.h"
#include "model/catalog.h"

/* What need not be asked for; NULL: it is. */
typedef struct weir_given {
    const char *uri, *unit_id, *profile, *interval, *device;
    const char *sink; /* of weir_interview_sinks */
    const char *target;
} weir_given;

extern const char *const weir_interview_sinks[]; /* "none" and the types; ends with NULL */

typedef struct weir_interview {
    weir_arena *arena;    /* answers live there */
    const char *file;     /* that will be written: profiles are looked for beside it */
    weir_starter starter; /* what is answered so far */
    bool asks;            /* somebody is there to answer */
    bool explained;       /* how to answer was said: something was asked */
    size_t n_profiles;
    weir_profile_entry *profiles;
} weir_interview;

/*
 * Takes what is given, asks for the rest or takes what works anywhere, and has each answer judged
 * by the loader at once: asked for, until it is right.
 *
 * WEIR_EINVAL, WEIR_EUNSUPPORTED  what is given is wrong, or nobody answers what must be known; the
 *                                 error names the flag
 * WEIR_ECANCELED                  the end of input
 */
weir_err weir_interview_answer(weir_interview *i, const weir_given *given,
                               weir_error *error) WEIR_MUST_CHECK;

/* The catalog of the starter as it is so far; the error is its first problem. */
weir_err weir_interview_load(const weir_interview *i, weir_catalog **ret,
                             weir_error *error) WEIR_MUST_CHECK;
