/* SPDX-License-Identifier: MIT */
/* For tests only: a zone of the system's tzdata, and times written as text. */

#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/zone.h"

/* The bytes of /usr/share/zoneinfo/NAME; without tzdata the test fails and says so. */
static inline size_t zone_file_read(const char *name, uint8_t bytes[16384])
{
    char path[128];
    (void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is not there; script/bootstrap --test installs tzdata", path);
    const size_t n = f ? fread(bytes, 1, 16384, f) : 0;
    if (f)
        (void)fclose(f);
    return n;
}

static inline weir_zone *zone_of_name(const char *name)
{
    uint8_t bytes[16384];
    weir_error error = WEIR_ERROR_INIT;
    weir_zone *zone = NULL;
    if (weir_zone_parse(bytes, zone_file_read(name, bytes), &zone, &error) != WEIR_OK)
        fail_msg("%s: %s", name, error.text);
    return zone;
}

static inline weir_wall wall_of(const char *text)
{
    weir_wall t = {0};
    if (!weir_wall_parse(text, &t))
        fail_msg("\"%s\" is no time", text);
    return t;
}
