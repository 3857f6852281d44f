/* SPDX-License-Identifier: MIT */
/* Fuzzes every parser of a single word; what is read must print and read back. */

#include <stdlib.h>

#include "base/clock.h"
#include "base/number.h"
#include "model/catalog.h"
#include "model/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_words(const char *text, weir_arena *arena)
{
    weir_address address;
    weir_uri uri;
    weir_place place;
    weir_point p = WEIR_POINT_INIT;
    weir_type type;
    weir_order order;
    uint64_t u;
    double d;
    (void)weir_address_parse(text, true, &address);
    (void)weir_address_parse(text, false, &address);
    if (weir_place_parse(text, &place) && place.first + place.n > 65536)
        abort();
    (void)weir_type_parse(text, &type);
    (void)weir_order_parse(text, &order);
    (void)weir_parse_size(text, &u);
    (void)weir_parse_double(text, &d);
    (void)!weir_uri_parse(text, arena, &uri, NULL);
    (void)!weir_point_set_scale(&p, text, text, text, NULL);
}

static void parse_and_print(const char *text)
{
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    char time[28];
    weir_wall wall, wall_again;
    int64_t i, i_again;
    int8_t e, e_again;
    if (weir_wall_parse(text, &wall)) {
        weir_wall_format(wall, time);
        if (!weir_wall_parse(time, &wall_again) || wall_again.us != wall.us)
            abort();
    }
    if (weir_parse_duration(text, &i)) {
        weir_text_add_duration(&t, i);
        if (!weir_parse_duration(weir_text_get(&t), &i_again) || i_again != i)
            abort();
    }
    weir_text_clear(&t);
    if (weir_parse_decimal(text, &i, &e)) {
        weir_text_add_decimal(&t, i, e);
        if (!weir_parse_decimal(weir_text_get(&t), &i_again, &e_again) || i_again != i ||
            e_again != e)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_arena *arena = weir_arena_new();
    const char *text = arena ? weir_arena_text_n(arena, (const char *)data, size) : NULL;
    if (text) {
        parse_words(text, arena);
        parse_and_print(text);
    }
    weir_arena_free(arena);
    return 0;
}
