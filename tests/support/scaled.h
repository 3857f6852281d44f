/* SPDX-License-Identifier: MIT */
/* How often a test does something: a small count in script/test, the full one in script/soak. */

#pragma once
#include <stdlib.h>
#include <string.h>

static inline int testing_scaled(int small, int full)
{
    const char *scale = getenv("WEIR_SCALE");
    return scale && strcmp(scale, "full") == 0 ? full : small;
}
