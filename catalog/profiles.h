/* SPDX-License-Identifier: MIT */
/* The profiles there are, for lists and suggestions. */

#pragma once
#include <stddef.h>

#include "base/alloc.h"
#include "base/error.h"
#include "catalog/yaml.h"

typedef struct weir_profile_entry {
    const char *name;        /* as a device names it */
    const char *description; /* "": it gives none, or cannot be read */
} weir_profile_entry;

/*
 * All profiles that a configuration named `file` could name, by name, each once: the one that
 * would be found first. options as for weir_yaml_load. Texts live in the arena. WEIR_ENOMEM.
 */
weir_err weir_profiles_list(const char *file, const weir_yaml_options *options, weir_arena *arena,
                            weir_profile_entry **ret, size_t *ret_n) WEIR_MUST_CHECK;
