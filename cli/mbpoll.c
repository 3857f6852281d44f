/* SPDX-License-Identifier: MIT */
/* mbpoll's words on the command line: data types, lists of units and references. */

#include "cli/mbpoll.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"

/* After "3" and "4"; as in mbpoll 1.4's manual, and the two 64-bit types of later ones. */
static const struct format {
    const char *word;
    weir_type type;
    bool hex, low_first;
} formats[] = {
    {"", WEIR_TYPE_UINT16, false, false},     {":int16", WEIR_TYPE_INT16, false, false},
    {":hex", WEIR_TYPE_UINT16, true, false},  {":string", WEIR_TYPE_STRING, false, false},
    {":int", WEIR_TYPE_INT32, false, true},   {":float", WEIR_TYPE_FLOAT32, false, true},
    {":int64", WEIR_TYPE_INT64, false, true}, {":double", WEIR_TYPE_FLOAT64, false, true},
};

static bool parse_format(const char *text, weir_mbpoll_type *ret)
{
    weir_register table = text[0] == '3' ? WEIR_REGISTER_INPUT : WEIR_REGISTER_HOLDING;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(text + 1, formats[i].word)) {
            *ret = (weir_mbpoll_type){true, table, formats[i].type, formats[i].hex,
                                      formats[i].low_first};
            return true;
        }
    return false;
}

weir_err weir_mbpoll_type_parse(const char *text, weir_mbpoll_type *ret, weir_error *error)
{
    weir_type type;
    if (!strcmp(text, "0") || !strcmp(text, "1")) {
        *ret = (weir_mbpoll_type){.has_table = true,
                                  .table =
                                      text[0] == '0' ? WEIR_REGISTER_COIL : WEIR_REGISTER_DISCRETE,
                                  .type = WEIR_TYPE_BOOL};
        return WEIR_OK;
    }
    if ((text[0] == '3' || text[0] == '4') && parse_format(text, ret))
        return WEIR_OK;
    if (weir_type_parse(text, &type)) {
        *ret = (weir_mbpoll_type){.type = type};
        return WEIR_OK;
    }
    return weir_fail(error, WEIR_EINVAL,
                     "--type must be a type such as uint16, int32 or float32, or mbpoll's 0, 1, 3 "
                     "or 4, the last two also with :int16, :hex, :string, :int, :float, :int64 or "
                     ":double, not \"%.40s\"",
                     text);
}

/* One of "5", "36:40", "11-18"; copies it out to cut it. */
static bool parse_range(const char *text, size_t n, int64_t *ret_first, int64_t *ret_last)
{
    char copy[48];
    if (n == 0 || n >= sizeof copy)
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    char *middle = strpbrk(copy + 1, ":-");
    if (middle)
        *middle++ = '\0';
    return weir_parse_i64(copy, ret_first) && weir_parse_i64(middle ? middle : copy, ret_last);
}

weir_err weir_mbpoll_list_parse(const char *text, const char *what, int64_t min, int64_t max,
                                weir_arena *arena, uint16_t **ret, size_t *ret_n, weir_error *error)
{
    enum { ITEMS_MAX = 65536 };
    size_t n = 0;
    /* Two rounds over the text: count, then fill. */
    uint16_t *items = NULL;
    for (int round = 0; round < 2; round++) {
        n = 0;
        for (const char *at = text;; at++) {
            size_t length = strcspn(at, ",");
            int64_t first, last;
            if (!parse_range(at, length, &first, &last) || first < min || last > max ||
                first > last)
                return weir_fail(error, WEIR_EINVAL,
                                 "%s must be a number between %lld and %lld, a range such as 11-18 "
                                 "or a list of these, not \"%.40s\"",
                                 what, (long long)min, (long long)max, text);
            if (n + (size_t)(last - first + 1) > ITEMS_MAX)
                return weir_fail(error, WEIR_EINVAL, "%s has too many numbers", what);
            for (int64_t i = first; i <= last; i++, n++)
                if (items)
                    items[n] = (uint16_t)i;
            at += length;
            if (!*at)
                break;
        }
        if (!items && !(items = weir_arena_alloc(arena, n, sizeof *items)))
            return weir_fail(error, WEIR_ENOMEM, "out of memory");
    }
    *ret = items;
    *ret_n = n;
    return WEIR_OK;
}

weir_err weir_mbpoll_time_parse(const char *text, const char *what, int64_t unit_us, int64_t min_us,
                                int64_t max_us, int64_t *ret_us, weir_error *error)
{
    double number;
    int64_t us;
    if (weir_parse_double(text, &number))
        us = fabs(number) < 1e9 ? llround(number * (double)unit_us) : INT64_MAX;
    else if (!weir_parse_duration(text, &us))
        us = -1;
    if (us < min_us || us > max_us) {
        WEIR_TEXT_AUTO limits = WEIR_TEXT_INIT;
        weir_text_add_duration(&limits, min_us);
        weir_text_add(&limits, " and ");
        weir_text_add_duration(&limits, max_us);
        return weir_fail(error, WEIR_EINVAL,
                         "%s must be a number of %s or a duration such as 500ms, between %s, "
                         "not \"%.40s\"",
                         what, unit_us == WEIR_S ? "seconds" : "milliseconds",
                         weir_text_get(&limits), text);
    }
    *ret_us = us;
    return WEIR_OK;
}
