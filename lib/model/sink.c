/* SPDX-License-Identifier: MIT */
/* What a sink is made of. */

#include "model/sink.h"

#include <stdarg.h>
#include <stdio.h>

const char *weir_trouble_text(weir_trouble trouble)
{
    switch (trouble) {
#define X(name, word) \
    case name:        \
        return word;
        WEIR_TROUBLE_LIST(X)
#undef X
    }
    return "?";
}

void weir_send_later(weir_send_answer *answer, weir_trouble trouble, const char *remedy,
                     const char *format, ...)
{
    va_list va;
    *answer = (weir_send_answer){.result = WEIR_SEND_LATER, .trouble = trouble};
    va_start(va, format);
    (void)vsnprintf(answer->why, sizeof answer->why, format, va);
    va_end(va);
    (void)snprintf(answer->remedy, sizeof answer->remedy, "%s", remedy);
}
