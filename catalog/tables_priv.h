/* SPDX-License-Identifier: MIT */
/* Words for the rows of option tables. */

#pragma once
#include <stddef.h>

#include "base/clock.h"
#include "catalog/tables.h"

/* Where a value goes, and how we know it was given. */
#define AT(type, field)    .offset = offsetof(type, field)
#define GIVEN(type, field) .set_offset = offsetof(type, given.field)
#define END          \
    {                \
        .name = NULL \
    }
#define LATER(key, kind, words_of_it)                                                    \
    {                                                                                    \
        .name = key, .type = kind, .flags = WEIR_OPTION_UNSUPPORTED, .text = words_of_it \
    }
