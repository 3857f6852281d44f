/* SPDX-License-Identifier: MIT */
/* The types and byte orders a point can have on the wire, and the names other programs give them */

#include "model/type.h"

#include <strings.h>

#include "model/point_priv.h"

struct type_row {
    const char *word;
    uint8_t width;
    uint8_t kind;
};

static const struct type_row types[] = {
#define X(symbol, word, width, kind) [symbol] = {word, width, kind},
    WEIR_TYPE_LIST(X)
#undef X
};
_Static_assert(sizeof types / sizeof *types == WEIR_TYPE_COUNT, "a row for each type");

/*
 * Names from Telegraf, Kepware, IEC 61131-3, wb-mqtt-serial and SunSpec. Left out on purpose:
 * INT8H and UINT8H (the high byte is our order BA), and Python's struct letters, where case counts.
 */
static const struct type_alias {
    const char *word;
    weir_type type;
} type_aliases[] = {
    {"boolean", WEIR_TYPE_BOOL},
    {"bit", WEIR_TYPE_BOOL},
    {"s8", WEIR_TYPE_INT8},
    {"i8", WEIR_TYPE_INT8},
    {"sint", WEIR_TYPE_INT8},
    {"int8l", WEIR_TYPE_INT8},
    {"u8", WEIR_TYPE_UINT8},
    {"usint", WEIR_TYPE_UINT8},
    {"byte", WEIR_TYPE_UINT8},
    {"uint8l", WEIR_TYPE_UINT8},
    {"s16", WEIR_TYPE_INT16},
    {"i16", WEIR_TYPE_INT16},
    {"int", WEIR_TYPE_INT16},
    {"short", WEIR_TYPE_INT16},
    {"sunssf", WEIR_TYPE_INT16},
    {"u16", WEIR_TYPE_UINT16},
    {"uint", WEIR_TYPE_UINT16},
    {"ushort", WEIR_TYPE_UINT16},
    {"word", WEIR_TYPE_UINT16},
    {"acc16", WEIR_TYPE_UINT16},
    {"enum16", WEIR_TYPE_UINT16},
    {"bitfield16", WEIR_TYPE_UINT16},
    {"s32", WEIR_TYPE_INT32},
    {"i32", WEIR_TYPE_INT32},
    {"dint", WEIR_TYPE_INT32},
    {"long", WEIR_TYPE_INT32},
    {"u32", WEIR_TYPE_UINT32},
    {"udint", WEIR_TYPE_UINT32},
    {"ulong", WEIR_TYPE_UINT32},
    {"dword", WEIR_TYPE_UINT32},
    {"acc32", WEIR_TYPE_UINT32},
    {"enum32", WEIR_TYPE_UINT32},
    {"bitfield32", WEIR_TYPE_UINT32},
    {"s64", WEIR_TYPE_INT64},
    {"i64", WEIR_TYPE_INT64},
    {"lint", WEIR_TYPE_INT64},
    {"llong", WEIR_TYPE_INT64},
    {"u64", WEIR_TYPE_UINT64},
    {"ulint", WEIR_TYPE_UINT64},
    {"lword", WEIR_TYPE_UINT64},
    {"qword", WEIR_TYPE_UINT64},
    {"acc64", WEIR_TYPE_UINT64},
    {"f16", WEIR_TYPE_FLOAT16},
    {"half", WEIR_TYPE_FLOAT16},
    {"float16-ieee", WEIR_TYPE_FLOAT16},
    {"f32", WEIR_TYPE_FLOAT32},
    {"float", WEIR_TYPE_FLOAT32},
    {"real", WEIR_TYPE_FLOAT32},
    {"float32-ieee", WEIR_TYPE_FLOAT32},
    {"f64", WEIR_TYPE_FLOAT64},
    {"double", WEIR_TYPE_FLOAT64},
    {"lreal", WEIR_TYPE_FLOAT64},
    {"float64-ieee", WEIR_TYPE_FLOAT64},
    {"bcd", WEIR_TYPE_BCD16},
    {"lbcd", WEIR_TYPE_BCD32},
    {"str", WEIR_TYPE_STRING},
};

bool weir_type_parse(const char *word, weir_type *ret)
{
    for (int i = 0; i < WEIR_TYPE_COUNT; i++)
        if (!strcasecmp(word, types[i].word)) {
            *ret = (weir_type)i;
            return true;
        }
    for (size_t i = 0; i < sizeof type_aliases / sizeof *type_aliases; i++)
        if (!strcasecmp(word, type_aliases[i].word)) {
            *ret = type_aliases[i].type;
            return true;
        }
    return false;
}

const char *weir_type_word(size_t i)
{
    const size_t n_aliases = sizeof type_aliases / sizeof *type_aliases;
    if (i < WEIR_TYPE_COUNT)
        return types[i].word;
    return i - WEIR_TYPE_COUNT < n_aliases ? type_aliases[i - WEIR_TYPE_COUNT].word : NULL;
}

const char *weir_type_text(weir_type type)
{
    return types[type].word;
}

unsigned weir_type_width(weir_type type)
{
    return types[type].width;
}

uint8_t weir_type_kind(weir_type type)
{
    return types[type].kind;
}

static const char *const orders8[WEIR_ORDER_COUNT] = {
#define X(symbol, word4, word8) [symbol] = word8,
    WEIR_ORDER_LIST(X)
#undef X
};

/*
 * "BA" is little-endian, so for wider values it means DCBA. big-swap and the like are the names of
 * PLC4X and others, MSW-BE of Telegraf, be and mbe of Zabbix.
 */
static const struct order_alias {
    const char *word;
    weir_order order;
} order_aliases[] = {
    {"AB", WEIR_ORDER_ABCD},          {"ABCD", WEIR_ORDER_ABCD},   {"BA", WEIR_ORDER_DCBA},
    {"DCBA", WEIR_ORDER_DCBA},        {"CDAB", WEIR_ORDER_CDAB},   {"BADC", WEIR_ORDER_BADC},
    {"big", WEIR_ORDER_ABCD},         {"little", WEIR_ORDER_DCBA}, {"big-swap", WEIR_ORDER_BADC},
    {"little-swap", WEIR_ORDER_CDAB}, {"MSW-BE", WEIR_ORDER_ABCD}, {"MSW-LE", WEIR_ORDER_BADC},
    {"LSW-BE", WEIR_ORDER_CDAB},      {"LSW-LE", WEIR_ORDER_DCBA}, {"be", WEIR_ORDER_ABCD},
    {"le", WEIR_ORDER_DCBA},          {"mbe", WEIR_ORDER_BADC},    {"mle", WEIR_ORDER_CDAB},
};

bool weir_order_parse(const char *word, weir_order *ret)
{
    for (int i = 0; i < WEIR_ORDER_COUNT; i++)
        if (!strcasecmp(word, orders8[i])) {
            *ret = (weir_order)i;
            return true;
        }
    for (size_t i = 0; i < sizeof order_aliases / sizeof *order_aliases; i++)
        if (!strcasecmp(word, order_aliases[i].word)) {
            *ret = order_aliases[i].order;
            return true;
        }
    return false;
}

const char *weir_order_word(size_t i)
{
    const size_t n_aliases = sizeof order_aliases / sizeof *order_aliases;
    if (i < n_aliases)
        return order_aliases[i].word;
    return i - n_aliases < WEIR_ORDER_COUNT ? orders8[i - n_aliases] : NULL;
}

const char *weir_order_text(weir_order order, unsigned width)
{
    static const char *const orders4[] = {"ABCD", "BADC", "CDAB", "DCBA"}; /* by their swaps */
    if (width == 8)
        return orders8[order];
    if (width == 4)
        return orders4[weir_order_swaps[order] & 3];
    return weir_order_swaps[order] & 1 ? "BA" : "AB";
}

void weir_order_bytes(weir_order order, unsigned width, uint8_t ret_from[8])
{
    for (unsigned i = 0; i < width; i++)
        ret_from[i] = (uint8_t)(i ^ (weir_order_swaps[order] & (width - 1)));
}
