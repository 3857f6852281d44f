/* SPDX-License-Identifier: MIT */
/* What weir read is asked for: from the command line to units, addresses and a point. */

#include "cli/read_plan.h"

#include <stdio.h>
#include <string.h>

#include "cli/mbpoll.h"
#include "cli/output.h"
#include "modbus/pdu.h"

#define AT(field)    .offset = offsetof(weir_read_options, field)
#define GIVEN(field) .set_offset = offsetof(weir_read_options, given.field)

const weir_option weir_read_option_table[] = {
    {.name = "unit",
     .letter = 'a',
     .type = WEIR_OPTION_STRING,
     AT(unit),
     .fallback = "1",
     .metavar = "LIST",
     .text = "Unit ids: 5, 11-18 or 1,4,36:40."},
    {.name = "address",
     .type = WEIR_OPTION_INT,
     AT(address),
     GIVEN(address),
     .max = 65535,
     .text = "First register or bit as on the wire: the first one is 0."},
    {.name = "reference",
     .letter = 'r',
     .type = WEIR_OPTION_STRING,
     AT(reference),
     GIVEN(reference),
     .fallback = "1",
     .metavar = "LIST",
     .text = "First register or bit as mbpoll counts: the first one is 1."},
    {.name = "zero-based",
     .letter = '0',
     .type = WEIR_OPTION_BOOL,
     AT(zero_based),
     .text = "References count from 0."},
    {.name = "count",
     .letter = 'c',
     .type = WEIR_OPTION_INT,
     AT(count),
     GIVEN(count),
     .fallback = "1",
     .min = 1,
     .max = 65536,
     .text = "Values to read; of a string: registers; of coils as bytes: bits."},
    {.name = "register",
     .type = WEIR_OPTION_STRING,
     AT(table),
     .metavar = "TABLE",
     .text = "coil, discrete, input or holding (default: holding, or what an mbpoll type says)."},
    {.name = "type",
     .letter = 't',
     .type = WEIR_OPTION_STRING,
     AT(type),
     .metavar = "TYPE",
     .text = "uint16, int32, float32 ..., or as mbpoll: 0 coil, 1 discrete, 3 input, 4 holding; 3 "
             "and 4 also with :int16 :hex :string :int :float :int64 :double. Without it every "
             "type and order is shown."},
    {.name = "order",
     .type = WEIR_OPTION_STRING,
     AT(order),
     .metavar = "ORDER",
     .text = "ABCD (default), CDAB, BADC, DCBA or an eight-letter form. mbpoll's types: CDAB, with "
             "-B ABCD."},
    {.name = "big-endian",
     .letter = 'B',
     .type = WEIR_OPTION_BOOL,
     AT(high_first),
     .text = "mbpoll's types of 32 and 64 bits have their high word first."},
    {.name = "once", .letter = '1', .type = WEIR_OPTION_BOOL, AT(once), .text = "Poll once."},
    {.name = "period",
     .letter = 'l',
     .type = WEIR_OPTION_STRING,
     AT(period),
     GIVEN(period),
     .fallback = "1000",
     .metavar = "TIME",
     .text = "Time between polls: milliseconds, or 5s."},
    {.name = "timeout",
     .letter = 'o',
     .type = WEIR_OPTION_STRING,
     AT(timeout),
     .fallback = "1",
     .metavar = "TIME",
     .text = "How long to wait for an answer: seconds, or 500ms."},
    {.name = "port",
     .letter = 'p',
     .type = WEIR_OPTION_INT,
     AT(port),
     GIVEN(port),
     .min = 1,
     .max = 65535,
     .text = "TCP port when URI has none; 502 else."},
    {.name = "quiet",
     .letter = 'q',
     .type = WEIR_OPTION_BOOL,
     AT(quiet),
     .text = "Values only: no YAML line, no statistics."},
    WEIR_FORMAT_OPTION(weir_read_options),
    {0}};

struct plan {
    const weir_invocation *in;
    const weir_read_options *options;
    weir_read_plan *ret;
};

/* A host, host:port or a URI. */
static weir_err plan_uri(struct plan *p, weir_error *error)
{
    const char *text = p->in->args[0];
    WEIR_TEXT_AUTO whole = WEIR_TEXT_INIT;
    if (text[0] == '/')
        weir_text_add(&whole, "rtu://");
    else if (!strstr(text, "://") && strcmp(text, "simulated:") != 0)
        weir_text_add(&whole, "tcp://");
    weir_text_add(&whole, text);
    if (whole.failed)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_err err = weir_uri_parse(weir_text_get(&whole), p->in->arena, &p->ret->uri, error);
    if (err)
        return err;
    if (!weir_scheme_is_modbus(p->ret->uri.scheme))
        return weir_fail(error, WEIR_EINVAL,
                         "simulated: is no device to connect to; start one "
                         "with 'weir simulate' and read tcp://127.0.0.1:PORT");
    if (p->options->given.port)
        p->ret->uri.port = (uint16_t)p->options->port;
    p->ret->host = weir_arena_format(p->in->arena, "%s:%u", p->ret->uri.host, p->ret->uri.port);
    return p->ret->host ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
}

static weir_err plan_addresses(struct plan *p, weir_error *error)
{
    const weir_read_options *o = p->options;
    weir_err err = weir_mbpoll_list_parse(o->unit, "--unit", 0, 255, p->in->arena, &p->ret->units,
                                          &p->ret->n_units, error);
    if (err)
        return err;
    if (o->given.address && o->given.reference)
        return weir_fail(error, WEIR_EINVAL, "--address counts from 0 and -r from 1: give one");
    if (o->given.address) {
        p->ret->addresses = weir_arena_alloc(p->in->arena, 1, sizeof *p->ret->addresses);
        if (!p->ret->addresses)
            return weir_fail(error, WEIR_ENOMEM, "out of memory");
        p->ret->addresses[0] = (uint16_t)o->address;
        p->ret->n_addresses = 1;
        return WEIR_OK;
    }
    /* The fallback of -r is 1 whatever -0 says: as a reference of 0 it is register 0. */
    const char *reference = o->zero_based && !o->given.reference ? "0" : o->reference;
    err = weir_mbpoll_list_parse(reference, "-r", !o->zero_based, 65535 + !o->zero_based,
                                 p->in->arena, &p->ret->addresses, &p->ret->n_addresses, error);
    if (err)
        return err;
    /* 65536 as 1-based reference became 0 in 16 bits, and 0 - 1 is 65535: right again. */
    for (size_t i = 0; !o->zero_based && i < p->ret->n_addresses; i++)
        p->ret->addresses[i]--;
    return WEIR_OK;
}

static weir_err plan_order(struct plan *p, bool low_first, weir_error *error)
{
    const weir_read_options *o = p->options;
    p->ret->point.order = low_first && !o->high_first ? WEIR_ORDER_CDAB : WEIR_ORDER_ABCD;
    if (!o->order)
        return WEIR_OK;
    if (o->high_first)
        return weir_fail(error, WEIR_EINVAL, "-B and --order say the same thing: give one");
    if (!weir_order_parse(o->order, &p->ret->point.order))
        return weir_fail(error, WEIR_EINVAL,
                         "--order must be ABCD, CDAB, BADC, DCBA or an eight-letter form such as "
                         "EFGHABCD, not \"%.40s\"",
                         o->order);
    return WEIR_OK;
}

static weir_err plan_type(struct plan *p, weir_error *error)
{
    const weir_read_options *o = p->options;
    weir_mbpoll_type type = {.type = WEIR_TYPE_UINT16};
    weir_register table = WEIR_REGISTER_HOLDING;
    weir_err err = o->type ? weir_mbpoll_type_parse(o->type, &type, error) : WEIR_OK;
    if (err)
        return err;
    if (o->table && !weir_register_parse(o->table, &table))
        return weir_fail(error, WEIR_EINVAL,
                         "--register must be coil, discrete, input or holding, not \"%.40s\"",
                         o->table);
    if (o->table && type.has_table && type.table != table)
        return weir_fail(error, WEIR_EINVAL, "-t %s means %s registers, --register says %s",
                         o->type, weir_register_text(type.table), o->table);
    if (type.has_table)
        table = type.table;
    bool bits = weir_register_is_bits(table);
    bool packed = bits && o->type && type.type == WEIR_TYPE_BYTES;
    if (bits && o->type && type.type != WEIR_TYPE_BOOL && !packed)
        return weir_fail(error, WEIR_EINVAL, "a %s is a bool, or bytes with many bits, not %s",
                         weir_register_text(table), weir_type_text(type.type));
    if (type.type == WEIR_TYPE_RAW)
        return weir_fail(error, WEIR_EINVAL, "use --type bytes to see registers as they came");
    p->ret->explore = !o->type && !bits;
    p->ret->hex = type.hex;
    p->ret->point = (weir_point){.name = "",
                                 .unit = "",
                                 .description = "",
                                 .table = table,
                                 .function = (uint8_t)table,
                                 .type = bits && !packed ? WEIR_TYPE_BOOL : type.type,
                                 .bit = -1,
                                 .count = 1,
                                 .scale = 1};
    if (p->ret->point.type == WEIR_TYPE_BITFIELD) {
        p->ret->point.bit = 0;
        p->ret->point.bit_width = 16;
    }
    return plan_order(p, type.low_first, error);
}

/* How many values; a string or bytes takes all its registers, or bits, as one. */
static weir_err plan_count(struct plan *p, weir_error *error)
{
    int64_t count = p->options->count;
    if (weir_point_is_packed(&p->ret->point)) {
        if (count > WEIR_READ_BITS_MAX)
            return weir_fail(error, WEIR_EINVAL, "--count of bits as bytes must be at most %d",
                             WEIR_READ_BITS_MAX);
        p->ret->point.length = (uint16_t)count;
        count = 1;
    } else if (p->ret->point.type == WEIR_TYPE_STRING || p->ret->point.type == WEIR_TYPE_BYTES) {
        if (count > 125)
            return weir_fail(error, WEIR_EINVAL,
                             "--count of a string must be at most 125 registers");
        p->ret->point.length = (uint16_t)(2 * count);
        count = 1;
    }
    p->ret->point.count = (uint16_t)(count > UINT16_MAX ? UINT16_MAX : count);
    for (size_t i = 0; i < p->ret->n_addresses; i++)
        if (p->ret->addresses[i] + (uint64_t)count * weir_point_element_size(&p->ret->point) >
            65536)
            return weir_fail(error, WEIR_EINVAL, "address %u and %lld values reach beyond 65535",
                             p->ret->addresses[i], (long long)count);
    return WEIR_OK;
}

weir_err weir_read_plan_make(const weir_invocation *in, weir_read_plan *ret, weir_error *error)
{
    const weir_read_options *o = in->options;
    struct plan plan = {in, o, ret};
    weir_err err = plan_uri(&plan, error);
    if (!err)
        err = plan_addresses(&plan, error);
    if (!err)
        err = plan_type(&plan, error);
    if (!err)
        err = plan_count(&plan, error);
    if (!err)
        err = weir_mbpoll_time_parse(o->timeout, "--timeout", WEIR_S, 10 * WEIR_MS, WEIR_MINUTE,
                                     &ret->timeout_us, error);
    if (!err)
        err = weir_mbpoll_time_parse(o->period, "--period", WEIR_MS, 10 * WEIR_MS, WEIR_DAY,
                                     &ret->period_us, error);
    /* Looking at unknown registers needs one answer; whoever says how many or how often polls. */
    ret->repeat = !o->once && (!ret->explore || o->given.count || o->given.period);
    return err;
}

void weir_read_plan_format(const weir_read_plan *plan, size_t address, const weir_point *point,
                           weir_text *t)
{
    const char *table = weir_register_text(plan->point.table);
    unsigned width = weir_read_order_width(point);
    weir_text_format(t, "- {name: %s-%u, register: %s, address: %u, type: %s", table,
                     plan->addresses[address], table, plan->addresses[address],
                     weir_type_text(point->type));
    if (width >= 2)
        weir_text_format(t, ", order: %s", weir_order_text(point->order, width));
    if (point->length)
        weir_text_format(t, ", length: %u", point->length);
    if (point->count > 1)
        weir_text_format(t, ", count: %u", point->count);
    weir_text_add(t, "}");
}

unsigned weir_read_order_width(const weir_point *point)
{
    if (weir_register_is_bits(point->table))
        return 0;
    /* Of text only the order within a register is shown. */
    return point->type == WEIR_TYPE_STRING || point->type == WEIR_TYPE_BYTES
               ? 2
               : weir_type_width(point->type);
}
