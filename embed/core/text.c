/* SPDX-License-Identifier: MIT */
/* Values and qualities as text in a caller's memory; the version. */

#include <stdio.h>
#include <string.h>

#include "model/quality.h"
#include "model/value.h"

static size_t text_copy(const weir_text *t, char *ret, size_t capacity)
{
    const size_t n = t->length < capacity ? t->length : capacity - 1;
    if (capacity == 0)
        return t->length;
    memcpy(ret, weir_text_get(t), n);
    ret[n] = '\0';
    return t->length;
}

size_t weir_value_text(const weir_value *v, char *ret, size_t capacity)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_value_format(v, &text);
    return text_copy(&text, ret, capacity);
}

size_t weir_quality_text(weir_quality q, char *ret, size_t capacity)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_quality_format(q, &text);
    return text_copy(&text, ret, capacity);
}

const char *weir_version(void)
{
    return WEIR_VERSION;
}
