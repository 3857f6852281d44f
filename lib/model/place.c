/* SPDX-License-Identifier: MIT */
/* Where a tag is on the wire, as the text that sinks and SQL show. */

#include "model/place.h"

#include <string.h>

#include "base/number.h"

void weir_place_format(const weir_point *p, uint32_t element, weir_text *t)
{
    const unsigned size = weir_point_element_size(p), first = p->address + element * size;
    if (p->table == WEIR_REGISTER_FUNCTION) {
        weir_text_format(t, "function %u at %u", p->function, first);
        return;
    }
    weir_text_format(t, "%s %u", weir_register_text(p->table), first);
    if (size > 1 && weir_type_width(p->type) == 0 && p->length)
        weir_text_format(t, "-%u", first + size - 1);
}

/* A number of at most five digits; NULL: there is none. */
static const char *number_take(const char *text, uint16_t *ret)
{
    uint32_t number = 0;
    const size_t n = strspn(text, "0123456789");
    for (size_t i = 0; i < n && i < 6; i++)
        number = number * 10 + (uint32_t)(text[i] - '0');
    if (n == 0 || n > 5 || number > UINT16_MAX)
        return NULL;
    *ret = (uint16_t)number;
    return text + n;
}

bool weir_place_parse(const char *address, weir_place *ret)
{
    static const weir_register tables[] = {WEIR_REGISTER_COIL, WEIR_REGISTER_DISCRETE,
                                           WEIR_REGISTER_HOLDING, WEIR_REGISTER_INPUT};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const char *word = weir_register_text(tables[i]);
        const size_t n = strlen(word);
        uint16_t first, last;
        const char *rest = strncmp(address, word, n) == 0 && address[n] == ' '
                               ? number_take(address + n + 1, &first)
                               : NULL;
        if (!rest)
            continue;
        last = first;
        if (*rest == '-' && (!number_take(rest + 1, &last) || last < first))
            return false;
        *ret = (weir_place){tables[i], first, (uint32_t)last - first + 1};
        return true;
    }
    return false;
}
