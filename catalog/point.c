/* SPDX-License-Identifier: MIT */
/* Points: from what was written to what it means. */

#include "catalog/point.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "catalog/waveform.h"

/* One point on its way. good: nothing was wrong so far. */
struct build {
    weir_loader *l;
    const weir_point_in *in;
    const weir_point_rules *rules;
    weir_point *p;
    bool good;
    size_t problems_before;
};

void weir_point_in_init(weir_point_in *in)
{
    *in = (weir_point_in){.name = ""};
    weir_option_defaults(weir_point_table, in);
}

bool weir_point_in_read(weir_loader *l, weir_node mapping, weir_point_in *in)
{
    if (in->n_layers == WEIR_LAYERS_MAX) {
        weir_loader_problem(l, mapping, "this point is changed by more than %d profiles",
                            WEIR_LAYERS_MAX - 1);
        return false;
    }
    in->layers[in->n_layers++] = mapping;
    weir_loader_read(l, mapping, weir_point_table, in);
    return weir_loader_require(l, mapping, weir_point_table, "a point", in) &&
           weir_loader_check_name(l, weir_node_get(mapping, "name"), "a point", in->name, "/[]");
}

weir_node weir_point_in_key(const weir_point_in *in, const char *key)
{
    for (unsigned i = in->n_layers; i > 0; i--) {
        const weir_node node = weir_node_get(in->layers[i - 1], key);
        if (node.id)
            return node;
    }
    return (weir_node){0};
}

/* Where the point was written last, at its name. */
static weir_node at_point(const weir_point_in *in)
{
    const weir_node mapping = in->layers[in->n_layers - 1];
    const weir_node name = weir_node_get(mapping, "name");
    return name.id ? name : mapping;
}

/* Where to point at for a key: its value, or the point when it has none. */
static weir_node at(const struct build *b, const char *key)
{
    const weir_node node = weir_point_in_key(b->in, key);
    return node.id ? node : at_point(b->in);
}

static bool has(const struct build *b, const char *key)
{
    return weir_point_in_key(b->in, key).id != 0;
}

#define WRONG(b, key, ...) ((b)->good = false, weir_loader_problem((b)->l, at(b, key), __VA_ARGS__))

/* ---- where: table, function, address ---- */

/* Modbus Application Protocol 1.1b3, 6: these change something. */
static bool function_writes(int64_t function)
{
    return function == 5 || function == 6 || function == 15 || function == 16 || function == 21 ||
           function == 22 || function == 23;
}

static void build_function(struct build *b)
{
    if (has(b, "register"))
        WRONG(b, "function", "point '%s' has 'register' and 'function': keep one", b->in->name);
    if (function_writes(b->in->function))
        WRONG(b, "function", "function %" PRId64 " writes: a point can only read", b->in->function);
    b->p->table = WEIR_REGISTER_FUNCTION;
    b->p->function = (uint8_t)b->in->function;
}

static void build_address(struct build *b, bool table_given)
{
    weir_address address;
    if (!b->in->address.id) {
        if (b->p->table != WEIR_REGISTER_FUNCTION && !b->rules->placeless)
            WRONG(b, "address",
                  "point '%s' needs 'address': the first register or bit, counted "
                  "from 0",
                  b->in->name);
        return;
    }
    const char *text = weir_loader_scalar(b->l, b->in->address, "address");
    const bool quoted = weir_node_quoted(b->in->address);
    if (!text) {
        b->good = false;
    } else if (!weir_address_parse(text, quoted, &address)) {
        const bool modicon = !quoted && strlen(text) == 6 && strspn(text, "0123456789") == 6;
        WRONG(b, "address",
              "address must be between 0 and 65535, decimal or 0x, or Modicon text "
              "such as \"40001\", not \"%.80s\"%s",
              text, modicon ? ": put it in quotes?" : "");
    } else if (address.has_table && table_given && address.table != b->p->table) {
        WRONG(b, "address", "address \"%s\" is in the table %s, 'register' says %s: keep one", text,
              weir_register_text(address.table), weir_register_text(b->p->table));
    } else {
        b->p->address = address.wire;
        if (address.has_table && b->p->table != WEIR_REGISTER_FUNCTION) {
            b->p->table = address.table;
            b->p->function = (uint8_t)address.table;
        } else if (!table_given && b->p->table != WEIR_REGISTER_FUNCTION && !has(b, "function")) {
            WRONG(b, "register", "point '%s' needs 'register': coil, discrete, input or holding",
                  b->in->name);
        }
    }
}

static void build_place(struct build *b)
{
    bool table_given = b->rules->placeless;
    if (b->in->given.function) {
        build_function(b);
    } else if (b->in->registers.id) {
        const char *text = weir_loader_scalar(b->l, b->in->registers, "register");
        table_given = true;
        if (!text)
            b->good = false;
        else if (!weir_register_parse(text, &b->p->table))
            WRONG(b, "register", "register must be coil, discrete, input or holding, not \"%.80s\"",
                  text);
        b->p->function = (uint8_t)b->p->table;
    }
    build_address(b, table_given);
}

/* ---- what: type, order, length, bit, count ---- */

static bool type_has_bit(weir_type type)
{
    return type == WEIR_TYPE_BOOL || type == WEIR_TYPE_BITFIELD || type == WEIR_TYPE_INT8 ||
           type == WEIR_TYPE_UINT8 || type == WEIR_TYPE_INT16 || type == WEIR_TYPE_UINT16;
}

static bool type_has_length(weir_type type)
{
    return type == WEIR_TYPE_STRING || type == WEIR_TYPE_BYTES || type == WEIR_TYPE_RAW;
}

static void build_type(struct build *b)
{
    weir_point *p = b->p;
    const bool function = p->table == WEIR_REGISTER_FUNCTION;
    p->type = function ? WEIR_TYPE_RAW : WEIR_TYPE_BOOL;
    if (!b->in->type.id && b->rules->placeless && !has(b, "register") && !function) {
        p->type = WEIR_TYPE_FLOAT64;
        return;
    }
    if (!b->in->type.id) {
        if (!function && !weir_register_is_bits(p->table) && !has(b, "bit"))
            WRONG(b, "type", "point '%s' needs 'type', such as uint16 or float32", b->in->name);
        return;
    }
    const char *text = weir_loader_scalar(b->l, b->in->type, "type");
    if (!text) {
        b->good = false;
    } else if (!weir_type_parse(text, &p->type)) {
        const char *words[WEIR_TYPE_COUNT];
        for (int i = 0; i < WEIR_TYPE_COUNT; i++)
            words[i] = weir_type_text((weir_type)i);
        WRONG(b, "type", "unknown type \"%.80s\"%s", text,
              weir_loader_meant(b->l, text, words, WEIR_TYPE_COUNT));
    } else if (weir_register_is_bits(p->table) && p->type != WEIR_TYPE_BOOL &&
               p->type != WEIR_TYPE_BYTES) {
        WRONG(b, "type", "a %s is a bool, or bytes with many bits of it, not %s",
              weir_register_text(p->table), text);
    } else if (function && p->type != WEIR_TYPE_RAW) {
        WRONG(b, "type", "with 'function' the type is raw, not %s; write 'register' instead", text);
    } else if (!function && p->type == WEIR_TYPE_RAW) {
        WRONG(b, "type",
              "type raw needs 'function' instead of 'register'; for the bytes of "
              "registers write type bytes and a length");
    }
}

static void build_order(struct build *b)
{
    b->p->order = b->rules->order;
    if (!b->in->order.id)
        return;
    const char *text = weir_loader_scalar(b->l, b->in->order, "order");
    if (!text)
        b->good = false;
    else if (!weir_order_parse(text, &b->p->order))
        WRONG(b, "order",
              "order must be AB, BA, ABCD, CDAB, BADC, DCBA or an eight-letter form, "
              "not \"%.80s\"",
              text);
}

static void build_bits(struct build *b)
{
    weir_point *p = b->p;
    p->bit = -1;
    if (b->in->given.bit && (weir_register_is_bits(p->table) || !type_has_bit(p->type)))
        WRONG(b, "bit",
              "'bit' is for 16-bit registers (bool, bitfield, int16, uint16), not for "
              "%s",
              weir_register_is_bits(p->table) ? "coils and discrete inputs"
                                              : weir_type_text(p->type));
    if (b->in->given.bit)
        p->bit = (int8_t)b->in->bit;
    if (b->in->given.bit_width) {
        const int64_t first = b->in->given.bit ? b->in->bit : 0;
        p->bit_width = (uint8_t)b->in->bit_width;
        if (p->type != WEIR_TYPE_BITFIELD)
            WRONG(b, "bit_width", "'bit_width' is for type bitfield, not for %s",
                  weir_type_text(p->type));
        else if (first + b->in->bit_width > 16)
            WRONG(b, "bit_width",
                  "bit %" PRId64 " and %" PRId64 " bits from there: a register "
                  "has 16",
                  first, b->in->bit_width);
    }
}

static void build_length(struct build *b)
{
    weir_point *p = b->p;
    if (b->in->given.length && !type_has_length(p->type))
        WRONG(b, "length", "'length' is for string, bytes and raw, not for %s",
              weir_type_text(p->type));
    if (!has(b, "length") && type_has_length(p->type) && p->type != WEIR_TYPE_RAW)
        WRONG(b, "length", "point '%s' needs 'length': how many %s the %s has", b->in->name,
              weir_point_is_packed(p) ? "bits" : "bytes",
              weir_point_is_packed(p) ? "value" : weir_type_text(p->type));
    p->length = (uint16_t)b->in->length;
}

static void build_size(struct build *b)
{
    weir_point *p = b->p;
    const bool bits = weir_register_is_bits(p->table);
    p->count = (uint16_t)b->in->count;
    if (!b->good)
        return;
    const unsigned element = weir_point_element_size(p), size = weir_point_size(p);
    if (p->table == WEIR_REGISTER_FUNCTION) {
        if (p->count > 1)
            WRONG(b, "count", "a point with 'function' has no count");
        return;
    }
    const unsigned most = bits ? b->rules->bits_max : b->rules->registers_max;
    if (element > most)
        WRONG(b, "length", "point '%s' has %u %s, one request carries at most %u", b->in->name,
              element, bits ? "bits" : "registers", most);
    if (p->address + size > 65536u)
        WRONG(b, size > element ? "count" : "address",
              "point '%s' begins at %u and has %u %s: addresses end at 65535", b->in->name,
              p->address, size, bits ? "bits" : "registers");
}

/* ---- value: scale, na, min and max, enum ---- */

static void build_scale(struct build *b)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_node scale = b->in->scale, offset = b->in->offset;
    const char *scale_text = scale.id ? weir_loader_scalar(b->l, scale, "scale") : NULL;
    const char *offset_text = offset.id ? weir_loader_scalar(b->l, offset, "offset") : NULL;
    if ((scale.id && !scale_text) || (offset.id && !offset_text)) {
        b->good = false;
        return;
    }
    if (!b->good)
        return;
    /* First without the multiplier, to know whose mistake it is. */
    if (weir_point_set_scale(b->p, scale_text, offset_text, NULL, &error) != WEIR_OK) {
        double v;
        WRONG(b,
              scale.id && (!offset.id || !weir_parse_double(scale_text, &v) || v == 0) ? "scale"
              : offset.id && !strncmp(error.text, "offset", 6)                         ? "offset"
              : scale.id                                                               ? "scale"
                                                                                       : "offset",
              "%s", error.text);
    } else if (b->rules->multiply && weir_point_set_scale(b->p, scale_text, offset_text,
                                                          b->rules->multiply, &error) != WEIR_OK) {
        b->good = false;
        weir_loader_problem(b->l, b->rules->multiply_at, "point '%s': %s", b->in->name, error.text);
    }
}

/* A raw word as the type's own bytes: 0x8000, 65535, -1; for floats also the number itself. */
static bool na_parse(const weir_point *p, const char *text, uint64_t *ret)
{
    const unsigned width = weir_type_width(p->type);
    const unsigned bits =
        p->type == WEIR_TYPE_BOOL || p->type == WEIR_TYPE_BITFIELD ? 16 : 8 * width;
    const bool hex = strpbrk(text, "xX") != NULL;
    uint64_t u;
    int64_t i;
    double d;
    if (!hex && p->type == WEIR_TYPE_FLOAT32 && weir_parse_double(text, &d)) {
        const float f = (float)d;
        uint32_t word;
        memcpy(&word, &f, sizeof word);
        *ret = word;
        return true;
    }
    if (!hex && p->type == WEIR_TYPE_FLOAT64 && weir_parse_double(text, &d)) {
        memcpy(ret, &d, sizeof *ret);
        return true;
    }
    if (weir_parse_u64(text, &u)) {
        *ret = u;
        return bits == 64 || u >> bits == 0;
    }
    if (weir_parse_i64(text, &i) && i < 0 && (bits == 64 || i >= -((int64_t)1 << (bits - 1)))) {
        *ret = bits == 64 ? (uint64_t)i : (uint64_t)i & (((uint64_t)1 << bits) - 1);
        return true;
    }
    return false;
}

static void build_na(struct build *b)
{
    const weir_node na = b->in->na;
    const bool list = weir_node_is(na, WEIR_NODE_LIST);
    const size_t n = list ? weir_node_count(na) : na.id ? 1 : 0;
    uint64_t *words = n ? weir_loader_scratch(b->l, n, sizeof *words) : NULL;
    if (!words)
        return;
    if (type_has_length(b->p->type) || weir_register_is_bits(b->p->table)) {
        WRONG(b, "na", "'na' is for numbers in registers");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const weir_node item = list ? weir_node_item(na, i) : na;
        const char *text = weir_loader_scalar(b->l, item, "na");
        if (!text) {
            b->good = false;
        } else if (!na_parse(b->p, text, &words[i])) {
            b->good = false;
            weir_loader_problem(b->l, item,
                                "na must be raw %s numbers such as 0x8000, not "
                                "\"%.80s\"",
                                weir_type_text(b->p->type), text);
        }
    }
    b->p->na = weir_loader_keep(b->l, words, n * sizeof *words);
    b->p->n_na = b->p->na ? n : 0;
}

static bool type_is_enumerable(const weir_point *p)
{
    const uint8_t kind = weir_type_kind(p->type);
    return weir_point_is_bool(p) || kind == WEIR_KIND_I64 || kind == WEIR_KIND_U64;
}

static void build_enum(struct build *b)
{
    const weir_node words = b->in->enumeration;
    if (!words.id || !weir_loader_expect(b->l, words, WEIR_NODE_MAPPING, "enum")) {
        b->good = b->good && !words.id;
        return;
    }
    if (!type_is_enumerable(b->p)) {
        WRONG(b, "enum", "'enum' is for whole numbers and bools, not for %s",
              weir_type_text(b->p->type));
        return;
    }
    const size_t n = weir_node_count(words);
    weir_enum_item *items = weir_loader_scratch(b->l, n, sizeof *items);
    for (size_t i = 0; items && i < n; i++) {
        const weir_node key = weir_node_key(words, i);
        const char *text = weir_loader_scalar(b->l, weir_node_value(words, i), "enum");
        if (!weir_parse_i64(weir_node_text(key), &items[i].raw)) {
            b->good = false;
            weir_loader_problem(b->l, key,
                                "enum goes from whole numbers to words, such as "
                                "{0: stop, 1: run}, not from \"%.80s\"",
                                weir_node_text(key));
        }
        items[i].text = weir_loader_text(b->l, text ? text : "");
        b->good = b->good && text;
    }
    if (items)
        b->p->enum_items = weir_loader_keep(b->l, items, n * sizeof *items);
    b->p->n_enum = b->p->enum_items ? n : 0;
}

static void build_limits(struct build *b)
{
    weir_point *p = b->p;
    p->has_min = b->in->given.min;
    p->has_max = b->in->given.max;
    p->min = b->in->min;
    p->max = b->in->max;
    if ((p->has_min || p->has_max) && type_has_length(p->type))
        WRONG(b, p->has_min ? "min" : "max", "'min' and 'max' are for numbers, not for %s",
              weir_type_text(p->type));
    else if (p->has_min && p->has_max && p->min > p->max)
        WRONG(b, "min", "point '%s' has a min (%g) above its max (%g): swap them", b->in->name,
              p->min, p->max);
}

static void build_deadband(struct build *b)
{
    const weir_deadband own =
        weir_deadband_read(b->l, b->in->deadband, b->in->max_unchanged_interval);
    if (b->good && b->l->problems->n == b->problems_before)
        b->good = weir_deadband_set(b->l, &own, &b->rules->deadband, at_point(b->in), b->p);
}

/* ---- simulate ---- */

/* Keys that were given change the usual form; one limit alone takes the other along. */
static void simulate_merge(const weir_simulate_in *in, weir_simulate *s)
{
    if (in->given.wave)
        s->wave = (weir_wave)(in->wave + 1);
    if (in->given.period)
        s->period_us = in->period;
    if (in->given.min)
        s->min = in->min;
    if (in->given.max)
        s->max = in->max;
    if (in->given.min && !in->given.max && s->max < s->min)
        s->max = s->min;
    if (in->given.max && !in->given.min && s->min > s->max)
        s->min = s->max;
}

static void simulate_store(const weir_simulate *s, weir_point *p)
{
    p->simulate.wave = s->wave;
    p->simulate.min = s->min;
    p->simulate.max = s->max;
    p->simulate.period_us = s->period_us;
    p->simulate.resolution_mantissa = s->resolution_mantissa;
    p->simulate.resolution_exponent = s->resolution_exponent;
}

static void build_simulate(struct build *b)
{
    weir_simulate_in in = {0};
    weir_simulate s;
    const weir_node node = b->in->simulate;
    const weir_node at_min = weir_node_get(node, "min"), at_max = weir_node_get(node, "max");
    const size_t before = b->l->problems->n;
    double low, high;
    if (!b->good || (b->rules->placeless && !node.id))
        return;
    s = weir_waveform_default(b->p);
    simulate_store(&s, b->p);
    if (!node.id || !weir_loader_expect(b->l, node, WEIR_NODE_MAPPING, "simulate"))
        return;
    weir_loader_read(b->l, node, weir_simulate_table, &in);
    simulate_merge(&in, &s);
    if (in.resolution &&
        (!weir_parse_decimal(in.resolution, &s.resolution_mantissa, &s.resolution_exponent) ||
         s.resolution_mantissa <= 0))
        weir_loader_problem(b->l, weir_node_get(node, "resolution"),
                            "resolution must be a number above 0 such as 0.1, not \"%.80s\"",
                            in.resolution);
    weir_waveform_limits(b->p, &low, &high);
    if (s.min > s.max)
        weir_loader_problem(b->l, at_min, "simulate has a min (%g) above its max (%g): swap them",
                            s.min, s.max);
    else if (!type_has_length(b->p->type) && in.given.min && s.min < low)
        weir_loader_problem(b->l, at_min, "point '%s' can show %g to %g: simulate it within",
                            b->in->name, low, high);
    else if (!type_has_length(b->p->type) && in.given.max && s.max > high)
        weir_loader_problem(b->l, at_max, "point '%s' can show %g to %g: simulate it within",
                            b->in->name, low, high);
    if (!in.resolution)
        weir_waveform_fit_resolution(&s);
    simulate_store(&s, b->p);
    b->good = b->l->problems->n == before;
}

static void build_access(struct build *b)
{
    if (b->in->access == WEIR_ACCESS_READ)
        return;
    b->good = false;
    weir_problems_add(b->l->problems, WEIR_EUNSUPPORTED, weir_node_where(at(b, "access")),
                      "writing is not supported by this version: leave out 'access' or write r");
}

bool weir_point_build(weir_loader *l, const weir_point_in *in, const weir_point_rules *rules,
                      weir_point *ret)
{
    /* Copied byte by byte, and field by field below: equal points are then equal also between
     * their fields, where they are compared to be shared. */
    static const weir_point plain = WEIR_POINT_INIT;
    struct build b = {l, in, rules, ret, true, l->problems->n};
    const weir_where where = weir_node_where(in->layers[in->n_layers - 1]);
    memcpy(ret, &plain, sizeof *ret);
    ret->name = in->name;
    ret->unit = in->unit;
    ret->description = in->description;
    ret->was = in->was;
    ret->key = weir_loader_key(l, where);
    ret->file = weir_loader_text(l, where.file);
    ret->line = where.line;
    ret->counter = in->counter;
    ret->allow_overlap = in->allow_overlap || rules->placeless;
    ret->group = (uint32_t)in->group;
    ret->labels = weir_loader_labels(l, &in->labels, &ret->n_labels);
    build_access(&b);
    build_place(&b);
    build_type(&b);
    build_order(&b);
    build_bits(&b);
    build_length(&b);
    build_size(&b);
    build_scale(&b);
    build_na(&b);
    build_limits(&b);
    build_enum(&b);
    build_deadband(&b);
    build_simulate(&b);
    if (in->interval.id)
        ret->interval_us = weir_loader_interval(l, in->interval);
    return b.good && l->problems->n == b.problems_before;
}

/* ---- overlap ---- */

struct span {
    const weir_point *point;
    const weir_point_in *in;
    unsigned end;
};

static int span_compare(const void *x, const void *y)
{
    const struct span *a = x, *b = y;
    if (a->point->table != b->point->table)
        return a->point->table < b->point->table ? -1 : 1;
    if (a->point->address != b->point->address)
        return a->point->address < b->point->address ? -1 : 1;
    return a->end == b->end ? 0 : a->end > b->end ? -1 : 1; /* the longer first */
}

static void say_overlap(weir_loader *l, const struct span *a, const struct span *b)
{
    const weir_node at_a = at_point(a->in), at_b = at_point(b->in);
    weir_loader_problem(l, at_b,
                        "points '%s' (%s %u-%u, %s) and '%s' (%u-%u) overlap in part: correct "
                        "an address or type, or say allow_overlap: true",
                        a->point->name, weir_register_text(a->point->table), a->point->address,
                        a->end - 1,
                        weir_loader_place(l, weir_node_where(at_b), weir_node_where(at_a)),
                        b->point->name, b->point->address, b->end - 1);
}

/* With the spans sorted, those still open around a new one lie in each other like boxes. */
bool weir_points_check_overlap(weir_loader *l, const weir_point *points,
                               const weir_point_in *const *ins, size_t n)
{
    struct span *spans = weir_loader_scratch(l, n, sizeof *spans);
    struct span *open = weir_loader_scratch(l, n, sizeof *open);
    size_t n_spans = 0, n_open = 0;
    bool good = true;
    if (!spans || !open)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!points[i].allow_overlap && points[i].table != WEIR_REGISTER_FUNCTION)
            spans[n_spans++] =
                (struct span){&points[i], ins[i], points[i].address + weir_point_size(&points[i])};
    qsort(spans, n_spans, sizeof *spans, span_compare);
    for (size_t i = 0; i < n_spans; i++) {
        const struct span *s = &spans[i];
        while (n_open && (open[n_open - 1].point->table != s->point->table ||
                          open[n_open - 1].end <= s->point->address))
            n_open--;
        if (n_open && open[n_open - 1].end < s->end) {
            say_overlap(l, &open[n_open - 1], s);
            good = false;
        }
        open[n_open++] = *s;
    }
    return good;
}
