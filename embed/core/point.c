/* SPDX-License-Identifier: MIT */
/* Points from public options; decoding and encoding for other programs. */

#include "embed/core/point.h"

#include <stdio.h>
#include <string.h>

#include "embed/core/options.h"
#include "modbus/pdu.h"

/* What the handle of other programs points to. The arena holds this struct too. */
struct point_handle {
    weir_point point; /* first: the handle is its address */
    weir_arena *arena;
};

static weir_err place_check(const weir_point_options *o, weir_point *p, weir_error *error)
{
    p->table = o->table;
    p->function = o->table ? (uint8_t)o->table : o->function;
    p->address = o->address;
    if ((unsigned)o->table > WEIR_REGISTER_INPUT)
        return weir_fail(error, WEIR_EINVAL, "point '%s': no such table: %d", p->name,
                         (int)o->table);
    if (!o->table && (o->function == 0 || o->function > 127 || weir_pdu_is_write(o->function)))
        return weir_fail(error, WEIR_EINVAL,
                         "point '%s' needs a table, or a function code that reads (1..127)",
                         p->name);
    return WEIR_OK;
}

static bool type_has_bit(weir_type type)
{
    return type == WEIR_TYPE_BOOL || type == WEIR_TYPE_BITFIELD || type == WEIR_TYPE_INT8 ||
           type == WEIR_TYPE_UINT8 || type == WEIR_TYPE_INT16 || type == WEIR_TYPE_UINT16;
}

static weir_err type_check(const weir_point_options *o, weir_point *p, weir_error *error)
{
    if ((unsigned)o->type >= WEIR_TYPE_COUNT || (unsigned)o->order >= WEIR_ORDER_COUNT)
        return weir_fail(error, WEIR_EINVAL, "point '%s': no such type or order", p->name);
    p->type = !o->table                                                       ? WEIR_TYPE_RAW
              : weir_register_is_bits(o->table) && o->type != WEIR_TYPE_BYTES ? WEIR_TYPE_BOOL
                                                                              : o->type;
    p->order = o->order;
    p->length = o->length;
    p->count = o->count ? o->count : 1;
    p->bit = o->has_bit ? (int8_t)o->bit : -1;
    p->bit_width = o->bit_width;
    if (o->table && p->type == WEIR_TYPE_RAW)
        return weir_fail(error, WEIR_EINVAL, "point '%s': type raw is for `function`", p->name);
    if ((p->type == WEIR_TYPE_STRING || p->type == WEIR_TYPE_BYTES) && !p->length)
        return weir_fail(error, WEIR_EINVAL, "point '%s' needs a length", p->name);
    if (weir_point_is_packed(p) && p->length > WEIR_READ_BITS_MAX)
        return weir_fail(error, WEIR_EINVAL, "point '%s': a request has at most %d bits", p->name,
                         WEIR_READ_BITS_MAX);
    if (o->has_bit && (weir_register_is_bits(o->table) || !type_has_bit(p->type)))
        return weir_fail(error, WEIR_EINVAL, "point '%s': a bit is for 16-bit registers", p->name);
    if (o->bit > 15 || (o->has_bit ? o->bit : 0) + o->bit_width > 16)
        return weir_fail(error, WEIR_EINVAL, "point '%s': a register has 16 bits", p->name);
    if (!o->table && p->count > 1)
        return weir_fail(error, WEIR_EINVAL, "point '%s': `function` has no count", p->name);
    if (o->table && p->address + weir_point_size(p) > 65536u)
        return weir_fail(error, WEIR_EINVAL, "point '%s' ends beyond address 65535", p->name);
    return WEIR_OK;
}

static weir_err values_check(const weir_point_options *o, weir_arena *arena, weir_point *p,
                             weir_error *error)
{
    weir_error inner = WEIR_ERROR_INIT;
    if (weir_point_set_scale(p, o->scale, o->offset, NULL, &inner) != WEIR_OK)
        return weir_fail(error, WEIR_EINVAL, "point '%s': %s", p->name, inner.text);
    p->has_min = o->has_min;
    p->has_max = o->has_max;
    p->min = o->min;
    p->max = o->max;
    if (!o->n_na)
        return WEIR_OK;
    uint64_t *na = weir_arena_alloc(arena, o->n_na, sizeof *na);
    if (!na)
        return weir_fail(error, WEIR_ENOMEM, "point '%s'", p->name);
    memcpy(na, o->na, o->n_na * sizeof *na);
    p->na = na;
    p->n_na = o->n_na;
    return WEIR_OK;
}

weir_err weir_point_of_options(const weir_point_options *options, weir_arena *arena,
                               weir_point *ret, weir_error *error)
{
    weir_point_options o;
    weir_point p = WEIR_POINT_INIT;
    weir_err err = weir_options_read(&o, sizeof o, options, "weir_point_options", error);
    if (err != WEIR_OK)
        return err;
    if (!o.name || !*o.name)
        return weir_fail(error, WEIR_EINVAL, "a point needs a name");
    p.name = weir_arena_text(arena, o.name);
    p.unit = o.unit ? weir_arena_text(arena, o.unit) : "";
    if (!p.name || !p.unit)
        return weir_fail(error, WEIR_ENOMEM, "point '%s'", o.name);
    err = place_check(&o, &p, error);
    if (err == WEIR_OK)
        err = type_check(&o, &p, error);
    if (err == WEIR_OK)
        err = values_check(&o, arena, &p, error);
    if (err == WEIR_OK)
        *ret = p;
    return err;
}

weir_err weir_point_new(const weir_point_options *options, weir_point **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    struct point_handle *handle = arena ? weir_arena_alloc(arena, 1, sizeof *handle) : NULL;
    if (!handle)
        return weir_fail(error, WEIR_ENOMEM, "a point");
    weir_err err = weir_point_of_options(options, arena, &handle->point, error);
    if (err != WEIR_OK)
        return err;
    handle->arena = arena;
    arena = NULL;
    *ret = &handle->point;
    return WEIR_OK;
}

void weir_point_free(weir_point *point)
{
    if (point)
        weir_arena_free(((struct point_handle *)(void *)point)->arena);
}

size_t weir_point_wire_size(const weir_point *point)
{
    return weir_point_wire_bytes(point);
}

size_t weir_point_room_size(const weir_point *point)
{
    /* A byte that is no UTF-8 becomes the three bytes of U+FFFD. */
    const bool raw = point->table == WEIR_REGISTER_FUNCTION && !point->length;
    return raw ? WEIR_PDU_MAX : 3u * point->length;
}

weir_value weir_decode(const weir_point *point, const uint8_t *wire, size_t n, char *room,
                       size_t capacity, weir_quality *ret_quality)
{
    uint8_t nothing[1];
    weir_writer writer = weir_writer_of(room ? (uint8_t *)room : nothing, room ? capacity : 0);
    return weir_point_decode(point, wire, n, &writer, ret_quality);
}

weir_err weir_encode(const weir_point *point, const weir_value *value, uint8_t *ret,
                     size_t capacity, size_t *ret_n, weir_error *error)
{
    return weir_point_encode(point, value, ret, capacity, ret_n, error);
}
