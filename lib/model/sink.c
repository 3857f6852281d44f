/* SPDX-License-Identifier: MIT */
/* What a sink is made of. */

#include "model/sink.h"

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
