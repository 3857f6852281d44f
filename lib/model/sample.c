/* SPDX-License-Identifier: MIT */
/* The words of events. */

#include "model/sample.h"

const char *weir_event_word(weir_event_kind kind)
{
    switch (kind) {
#define X(name, number, word) \
    case name:                \
        return word;
        WEIR_EVENT_LIST(X)
#undef X
    }
    return "?";
}
