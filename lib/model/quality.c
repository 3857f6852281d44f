/* SPDX-License-Identifier: MIT */
/* Quality: how far a sample can be trusted, and why not. */

#include "model/quality.h"

#include <stddef.h>

weir_quality weir_quality_worse(weir_quality a, weir_quality b)
{
    return weir_quality_class(b) > weir_quality_class(a) ? b : a;
}

const char *weir_class_text(weir_class grade)
{
    switch (grade) {
#define X(name, number, text) \
    case name:                \
        return text;
        WEIR_CLASS_LIST(X)
#undef X
    }
    return "?";
}

const char *weir_cause_word(weir_cause cause)
{
    switch (cause) {
#define X(name, number, word, text) \
    case name:                      \
        return word;
        WEIR_CAUSE_LIST(X)
#undef X
    }
    return "?";
}

const char *weir_cause_text(weir_cause cause)
{
    switch (cause) {
#define X(name, number, word, text) \
    case name:                      \
        return text;
        WEIR_CAUSE_LIST(X)
#undef X
    }
    return "unknown cause";
}

const char *weir_exception_text(uint16_t code)
{
    /* Modbus Application Protocol 1.1b3, section 7; 9 is not assigned there. */
    static const char *const texts[] = {
        [1] = "illegal function",
        [2] = "illegal data address",
        [3] = "illegal data value",
        [4] = "server device failure",
        [5] = "acknowledge",
        [6] = "server device busy",
        [7] = "negative acknowledge", /* of the older Modbus protocol reference; still met */
        [8] = "memory parity error",
        [10] = "gateway path unavailable",
        [11] = "gateway target device failed to respond",
    };
    return code < sizeof texts / sizeof *texts ? texts[code] : NULL;
}

void weir_quality_format(weir_quality q, weir_text *t)
{
    const weir_cause cause = weir_quality_cause(q);
    const uint16_t detail = weir_quality_detail(q);
    weir_text_add(t, weir_class_text(weir_quality_class(q)));
    if (cause == WEIR_CAUSE_NONE)
        return;
    weir_text_format(t, "(%s", weir_cause_word(cause));
    if (cause == WEIR_CAUSE_EXCEPTION) {
        const char *text = weir_exception_text(detail);
        weir_text_format(t, " %u%s%s", detail, text ? ": " : "", text ? text : "");
    } else if (detail) {
        weir_text_format(t, " %u", detail);
    }
    weir_text_add_char(t, ')');
}
