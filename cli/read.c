/* SPDX-License-Identifier: MIT */
/* weir read: registers of a device, once or again and again; and what they may mean. */

/*
 * One poll asks every unit for every start address, in requests as long as the protocol allows, and
 * writes a row for each value. Without a type it shows what the first registers may mean. A device
 * that refuses or is silent gives rows of bad quality and a sentence on stderr; the loop goes on
 * until Ctrl-C. Only a connection that cannot be made at first ends the command at once.
 */

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "cli/blocking.h"
#include "cli/candidates.h"
#include "cli/commands.h"
#include "cli/mbpoll.h"
#include "cli/output.h"
#include "cli/rtt.h"

struct read_options {
    const char *unit, *reference, *type, *order, *table, *period, *timeout;
    int64_t address, count, port;
    bool zero_based, high_first, once, quiet;
    int format;
    struct {
        bool reference, address, count, port, period;
    } given;
};

#define AT(field)    .offset = offsetof(struct read_options, field)
#define GIVEN(field) .set_offset = offsetof(struct read_options, given.field)

static const weir_option read_option_table[] = {
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
     .text = "Values to read; of a string: registers."},
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
    WEIR_FORMAT_OPTION(struct read_options),
    {0}};

/* What is read, and how far it has come. */
struct read {
    const weir_invocation *in;
    const struct read_options *options;
    weir_blocking_options target;
    const char *host; /* "127.0.0.1:502" */
    size_t n_units, n_addresses;
    uint16_t *units, *addresses;
    int64_t period_us;
    weir_point point; /* address aside */
    bool explore;     /* no type was given */
    bool hex;
    bool repeat;

    weir_blocking *connection; /* NULL: lost, or not yet made */
    weir_output *output;
    weir_rtt rtt;
    uint64_t n_good, n_bad;
    weir_exit last_failure;
    weir_type best_type; /* explore: of the newest answer at the first address */
    weir_order best_order;
    uint16_t best_length;
    bool has_best;
};

static volatile sig_atomic_t stop;

/* --- from options to what is read --- */

/* A host, host:port or a URI. */
static weir_err plan_uri(struct read *r, weir_error *error)
{
    const char *text = r->in->args[0];
    WEIR_TEXT_AUTO whole = WEIR_TEXT_INIT;
    if (text[0] == '/')
        weir_text_add(&whole, "rtu://");
    else if (!strstr(text, "://") && strcmp(text, "simulated:") != 0)
        weir_text_add(&whole, "tcp://");
    weir_text_add(&whole, text);
    if (whole.failed)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_err err = weir_uri_parse(weir_text_get(&whole), r->in->arena, &r->target.uri, error);
    if (err)
        return err;
    if (r->target.uri.scheme == WEIR_SCHEME_SIMULATED)
        return weir_fail(error, WEIR_EINVAL,
                         "simulated: is no device to connect to; start one "
                         "with 'weir simulate' and read tcp://127.0.0.1:PORT");
    if (r->options->given.port)
        r->target.uri.port = (uint16_t)r->options->port;
    r->host = weir_arena_format(r->in->arena, "%s:%u", r->target.uri.host, r->target.uri.port);
    return r->host ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
}

static weir_err plan_addresses(struct read *r, weir_error *error)
{
    const struct read_options *o = r->options;
    weir_err err = weir_mbpoll_list_parse(o->unit, "--unit", 0, 255, r->in->arena, &r->units,
                                          &r->n_units, error);
    if (err)
        return err;
    if (o->given.address && o->given.reference)
        return weir_fail(error, WEIR_EINVAL, "--address counts from 0 and -r from 1: give one");
    if (o->given.address) {
        r->addresses = weir_arena_alloc(r->in->arena, 1, sizeof *r->addresses);
        if (!r->addresses)
            return weir_fail(error, WEIR_ENOMEM, "out of memory");
        r->addresses[0] = (uint16_t)o->address;
        r->n_addresses = 1;
        return WEIR_OK;
    }
    /* The fallback of -r is 1 whatever -0 says: as a reference of 0 it is register 0. */
    const char *reference = o->zero_based && !o->given.reference ? "0" : o->reference;
    err = weir_mbpoll_list_parse(reference, "-r", !o->zero_based, 65535 + !o->zero_based,
                                 r->in->arena, &r->addresses, &r->n_addresses, error);
    if (err)
        return err;
    /* 65536 as 1-based reference became 0 in 16 bits, and 0 - 1 is 65535: right again. */
    for (size_t i = 0; !o->zero_based && i < r->n_addresses; i++)
        r->addresses[i]--;
    return WEIR_OK;
}

static weir_err plan_order(struct read *r, bool low_first, weir_error *error)
{
    const struct read_options *o = r->options;
    r->point.order = low_first && !o->high_first ? WEIR_ORDER_CDAB : WEIR_ORDER_ABCD;
    if (!o->order)
        return WEIR_OK;
    if (o->high_first)
        return weir_fail(error, WEIR_EINVAL, "-B and --order say the same thing: give one");
    if (!weir_order_parse(o->order, &r->point.order))
        return weir_fail(error, WEIR_EINVAL,
                         "--order must be ABCD, CDAB, BADC, DCBA or an eight-letter form such as "
                         "EFGHABCD, not \"%.40s\"",
                         o->order);
    return WEIR_OK;
}

static weir_err plan_type(struct read *r, weir_error *error)
{
    const struct read_options *o = r->options;
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
        return weir_fail(error, WEIR_EINVAL, "-t %s is a %s, --register says %s", o->type,
                         weir_register_text(type.table), o->table);
    if (type.has_table)
        table = type.table;
    bool bits = weir_register_is_bits(table);
    if (bits && o->type && type.type != WEIR_TYPE_BOOL)
        return weir_fail(error, WEIR_EINVAL, "a %s is a bool, not %s", weir_register_text(table),
                         weir_type_text(type.type));
    if (type.type == WEIR_TYPE_RAW)
        return weir_fail(error, WEIR_EINVAL, "use --type bytes to see registers as they came");
    r->explore = !o->type && !bits;
    r->hex = type.hex;
    r->point = (weir_point){.name = "",
                            .unit = "",
                            .description = "",
                            .table = table,
                            .function = (uint8_t)table,
                            .type = bits ? WEIR_TYPE_BOOL : type.type,
                            .bit = -1,
                            .count = 1,
                            .scale = 1};
    if (r->point.type == WEIR_TYPE_BITFIELD) {
        r->point.bit = 0;
        r->point.bit_width = 16;
    }
    return plan_order(r, type.low_first, error);
}

/* How many values; a string or bytes takes all its registers as one. */
static weir_err plan_count(struct read *r, weir_error *error)
{
    int64_t count = r->options->count;
    if (r->point.type == WEIR_TYPE_STRING || r->point.type == WEIR_TYPE_BYTES) {
        if (count > 125)
            return weir_fail(error, WEIR_EINVAL,
                             "--count of a string must be at most 125 registers");
        r->point.length = (uint16_t)(2 * count);
        count = 1;
    }
    r->point.count = (uint16_t)(count > UINT16_MAX ? UINT16_MAX : count);
    for (size_t i = 0; i < r->n_addresses; i++)
        if (r->addresses[i] + (uint64_t)count * weir_point_element_size(&r->point) > 65536)
            return weir_fail(error, WEIR_EINVAL, "address %u and %lld values reach beyond 65535",
                             r->addresses[i], (long long)count);
    return WEIR_OK;
}

static weir_err plan(struct read *r, weir_error *error)
{
    const struct read_options *o = r->options;
    weir_err err = plan_uri(r, error);
    if (!err)
        err = plan_addresses(r, error);
    if (!err)
        err = plan_type(r, error);
    if (!err)
        err = plan_count(r, error);
    if (!err)
        err = weir_mbpoll_time_parse(o->timeout, "--timeout", WEIR_S, 10 * WEIR_MS, WEIR_MINUTE,
                                     &r->target.timeout_us, error);
    if (!err)
        err = weir_mbpoll_time_parse(o->period, "--period", WEIR_MS, 10 * WEIR_MS, WEIR_DAY,
                                     &r->period_us, error);
    /* Looking at unknown registers needs one answer; whoever says how often or how many polls. */
    r->repeat = !o->once && (!r->explore || o->given.count || o->given.period);
    r->target.stop = &stop;
    r->target.observer = weir_rtt_observer(&r->rtt);
    return err;
}

/* --- what went wrong --- */

static weir_exit exit_of_result(weir_reply_result result)
{
    switch (result) {
    case WEIR_REPLY_GOOD:
        return WEIR_EXIT_OK;
    case WEIR_REPLY_EXCEPTION:
        return WEIR_EXIT_REFUSED;
    case WEIR_REPLY_TIMEOUT:
        return WEIR_EXIT_TIMEOUT;
    case WEIR_REPLY_DISCONNECTED:
    case WEIR_REPLY_NOT_CONNECTED:
        return WEIR_EXIT_CONNECT;
    case WEIR_REPLY_WRONG_UNIT:
    case WEIR_REPLY_WRONG_FUNCTION:
    case WEIR_REPLY_MALFORMED:
    case WEIR_REPLY_CANCELED:
        break;
    }
    return WEIR_EXIT_FAILURE;
}

static const char *advice(const weir_blocking_answer *answer)
{
    if (answer->result == WEIR_REPLY_TIMEOUT)
        return "Is the unit id right (-a)? Does the device need longer (-o 3)?";
    if (answer->result == WEIR_REPLY_DISCONNECTED)
        return "Does the device allow another connection? Is it Modbus TCP, or rtu+tcp:// ?";
    if (answer->result == WEIR_REPLY_MALFORMED || answer->result == WEIR_REPLY_WRONG_UNIT)
        return "Is it tcp:// or rtu+tcp:// that the gateway speaks?";
    if (answer->result != WEIR_REPLY_EXCEPTION)
        return "";
    switch (answer->code) {
    case 1:
        return "Try another table: --register input, holding, coil or discrete.";
    case 2:
    case 3:
        return "Try fewer values (-c), an address one lower or higher, or --register input.";
    case 10:
    case 11:
        return "The gateway answers, the device behind it does not: is the unit id right (-a)?";
    default:
        return "";
    }
}

static void report(struct read *r, uint16_t unit, uint16_t address, weir_quality quality,
                   const weir_blocking_answer *answer)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    const char *broken = r->connection ? weir_blocking_broken(r->connection) : NULL;
    weir_text_format(&text, "%s unit %u, %s %u: ", r->host, unit,
                     weir_register_text(r->point.table), address);
    weir_text_add(&text, broken ? broken : weir_cause_text(weir_quality_cause(quality)));
    if (answer->result == WEIR_REPLY_EXCEPTION) {
        const char *words = weir_exception_text(answer->code);
        weir_text_format(&text, " with exception %u%s%s", answer->code, words ? ", " : "",
                         words ? words : "");
    }
    weir_text_format(&text, ". %s", advice(answer));
    weir_command_note(r->in, "%s", weir_text_get(&text));
    r->last_failure = exit_of_result(answer->result);
}

/* --- rows --- */

static weir_value text_value(const char *text)
{
    return weir_value_string(text, strlen(text));
}

/* point: NULL when the type is not known. */
static void show(struct read *r, uint16_t unit, uint16_t address, const weir_point *point,
                 const weir_value *value, weir_quality quality, bool likely)
{
    WEIR_TEXT_AUTO words = WEIR_TEXT_INIT;
    weir_value cells[8];
    size_t n = 0;
    unsigned width = point ? weir_type_width(point->type) : 0;
    bool table = weir_output_format(r->output) == WEIR_FORMAT_TABLE;
    if (r->n_units > 1)
        cells[n++] = weir_value_u64(unit);
    cells[n++] = text_value(weir_register_text(r->point.table));
    cells[n++] = weir_value_u64(address);
    cells[n++] = point ? text_value(weir_type_text(point->type)) : weir_value_null();
    cells[n++] = width >= 2 ? text_value(weir_order_text(point->order, width)) : weir_value_null();
    cells[n++] = *value;
    if (table && quality)
        weir_quality_format(quality, &words);
    else
        weir_text_add(&words, weir_class_text(weir_quality_class(quality)));
    cells[n++] = text_value(weir_text_get(&words));
    if (table && r->explore)
        cells[n++] = text_value(likely ? "likely" : "");
    if (!weir_output_row(r->output, cells))
        stop = 1;
    if (weir_quality_class(quality) == WEIR_BAD)
        r->n_bad++;
    else
        r->n_good++;
}

static void show_value(struct read *r, uint16_t unit, uint16_t address, const weir_point *point,
                       const uint8_t *wire, size_t n)
{
    uint8_t text[768]; /* 250 bytes of a string, each perhaps replaced by U+FFFD */
    char hex[8];
    weir_writer room = weir_writer_of(text, sizeof text);
    weir_quality quality;
    weir_value value = weir_point_decode(point, wire, n, &room, &quality);
    if (r->hex && value.kind == WEIR_KIND_U64) {
        (void)snprintf(hex, sizeof hex, "0x%04X", (unsigned)value.as.u);
        value = text_value(hex);
    }
    show(r, unit, address, point, &value, quality, false);
}

static void show_candidates(struct read *r, uint16_t unit, uint16_t address, const uint8_t *wire,
                            size_t n_registers)
{
    weir_candidate candidates[WEIR_CANDIDATES_MAX];
    uint8_t text[256];
    weir_writer room = weir_writer_of(text, sizeof text);
    size_t n = weir_candidates_make(wire, n_registers, &room, candidates);
    for (size_t i = 0; i < n; i++) {
        const weir_point point = {.type = candidates[i].type, .order = candidates[i].order};
        show(r, unit, address, &point, &candidates[i].value, candidates[i].quality,
             candidates[i].likely);
    }
    const weir_candidate *best = &candidates[weir_candidates_best(candidates, n)];
    if (address != r->addresses[0])
        return;
    r->has_best = true;
    r->best_type = best->type;
    r->best_order = best->order;
    r->best_length = (uint16_t)(best->type == WEIR_TYPE_STRING ? 2 * n_registers : 0);
}

/* --- one poll --- */

static bool connect_again(struct read *r, weir_error *error)
{
    return r->connection || !weir_blocking_open(&r->target, &r->connection, error);
}

/* False: stopped. The answer may be any; a lost connection is closed. */
static bool ask(struct read *r, uint16_t unit, uint16_t address, uint16_t count,
                weir_blocking_answer *ret)
{
    weir_error error = WEIR_ERROR_INIT;
    *ret = (weir_blocking_answer){.result = WEIR_REPLY_NOT_CONNECTED};
    if (!connect_again(r, &error)) {
        if (error.code != WEIR_ECANCELED)
            weir_command_note(r->in, "%s", error.text);
        return error.code != WEIR_ECANCELED;
    }
    return !weir_blocking_read(r->connection, (uint8_t)unit, r->point.function, address, count, ret,
                               &error);
}

static void drop_lost(struct read *r, const weir_blocking_answer *answer)
{
    if (!r->connection ||
        (answer->result != WEIR_REPLY_DISCONNECTED && answer->result != WEIR_REPLY_NOT_CONNECTED &&
         !weir_blocking_broken(r->connection)))
        return;
    weir_blocking_close(r->connection);
    r->connection = NULL;
}

static weir_quality quality_of(const weir_blocking_answer *answer)
{
    const weir_reply reply = {.result = answer->result, .code = answer->code};
    return weir_reply_quality(&reply);
}

static void fail(struct read *r, uint16_t unit, uint16_t address, const weir_point *point,
                 unsigned n_values, const weir_blocking_answer *answer)
{
    const weir_value null = weir_value_null();
    weir_quality quality = quality_of(answer);
    if (answer->result == WEIR_REPLY_NOT_CONNECTED)
        r->last_failure = WEIR_EXIT_CONNECT; /* said when connecting failed */
    else
        report(r, unit, address, quality, answer);
    unsigned size = weir_point_element_size(&r->point);
    for (unsigned i = 0; i < n_values; i++)
        show(r, unit, (uint16_t)(address + i * size), point, &null, quality, false);
    drop_lost(r, answer);
}

/* Four registers, or fewer when the device has no more there. */
static bool explore(struct read *r, uint16_t unit, uint16_t address)
{
    enum { WINDOW = 4 }; /* a float64 */
    const weir_point word = {.type = WEIR_TYPE_UINT16,
                             .bit = -1,
                             .count = 1,
                             .scale = 1,
                             .name = "",
                             .table = r->point.table};
    uint16_t given = r->options->given.count ? (uint16_t)r->point.count : WINDOW;
    uint16_t n = given > 125 ? 125 : given;
    weir_blocking_answer answer;
    if (n > 65536 - address)
        n = (uint16_t)(65536 - address);
    for (;; n /= 2) {
        if (!ask(r, unit, address, n, &answer))
            return false;
        bool too_far =
            answer.result == WEIR_REPLY_EXCEPTION && (answer.code == 2 || answer.code == 3);
        if (!too_far || n == 1 || r->options->given.count)
            break;
    }
    if (answer.result != WEIR_REPLY_GOOD) {
        fail(r, unit, address, NULL, 1, &answer);
        return true;
    }
    show_candidates(r, unit, address, answer.data, n < WINDOW ? n : WINDOW);
    for (uint16_t i = 1; r->options->given.count && i < n; i++)
        show_value(r, unit, (uint16_t)(address + i), &word, answer.data + 2 * i, 2);
    return true;
}

/* Splits bits into one byte each, as weir_point_decode wants them. */
static void show_answer(struct read *r, uint16_t unit, uint16_t address, unsigned n_values,
                        const weir_blocking_answer *answer)
{
    unsigned size = weir_point_element_size(&r->point);
    for (unsigned i = 0; i < n_values; i++) {
        uint16_t at = (uint16_t)(address + i * size);
        uint8_t bit = answer->data[i / 8] >> i % 8 & 1;
        if (weir_register_is_bits(r->point.table))
            show_value(r, unit, at, &r->point, &bit, 1);
        else
            show_value(r, unit, at, &r->point, answer->data + (size_t)2 * i * size,
                       (size_t)2 * size);
    }
}

static bool read_typed(struct read *r, uint16_t unit, uint16_t address)
{
    unsigned size = weir_point_element_size(&r->point);
    unsigned at_once = (weir_register_is_bits(r->point.table) ? 2000 : 125) / size;
    weir_blocking_answer answer;
    for (unsigned done = 0, n; done < r->point.count; done += n) {
        uint16_t at = (uint16_t)(address + done * size);
        n = r->point.count - done < at_once ? r->point.count - done : at_once;
        if (!ask(r, unit, at, (uint16_t)(n * size), &answer))
            return false;
        if (answer.result == WEIR_REPLY_GOOD)
            show_answer(r, unit, at, n, &answer);
        else
            fail(r, unit, at, &r->point, n, &answer);
    }
    return true;
}

static bool poll_all(struct read *r)
{
    for (size_t u = 0; u < r->n_units && !stop; u++)
        for (size_t a = 0; a < r->n_addresses && !stop; a++)
            if (!(r->explore ? explore : read_typed)(r, r->units[u], r->addresses[a]))
                return false;
    weir_output_flush(r->output);
    return !stop;
}

/* --- the end --- */

/* Where people look: after the table, or on stderr where stdout is for a program. */
static void print_yaml(struct read *r, weir_format format)
{
    FILE *file = format == WEIR_FORMAT_TABLE ? stdout : stderr;
    weir_type type = r->explore ? r->best_type : r->point.type;
    weir_order order = r->explore ? r->best_order : r->point.order;
    uint16_t length = r->explore ? r->best_length : r->point.length;
    unsigned width =
        type == WEIR_TYPE_STRING || type == WEIR_TYPE_BYTES ? 2 : weir_type_width(type);
    const char *table = weir_register_text(r->point.table);
    if (format == WEIR_FORMAT_TABLE)
        (void)fputc('\n', file);
    for (size_t i = 0; i < (r->explore ? 1 : r->n_addresses); i++) {
        (void)fprintf(file, "- {name: %s-%u, register: %s, address: %u, type: %s", table,
                      r->addresses[i], table, r->addresses[i], weir_type_text(type));
        if (width >= 2)
            (void)fprintf(file, ", order: %s", weir_order_text(order, width));
        if (length)
            (void)fprintf(file, ", length: %u", length);
        if (!r->explore && r->point.count > 1)
            (void)fprintf(file, ", count: %u", r->point.count);
        (void)fputs("}\n", file);
    }
}

static void print_statistics(const struct read *r)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_rtt_format(&r->rtt, &text);
    (void)fprintf(stderr, "%s\n", weir_text_get(&text));
}

static bool open_output(struct read *r)
{
    static const char *const names[] = {"unit_id", "register", "address", "type",
                                        "order",   "value",    "quality", "meaning"};
    bool one_unit = r->n_units == 1;
    weir_format format = (weir_format)r->options->format;
    if (format == WEIR_FORMAT_AUTO)
        format = weir_format_of(stdout);
    bool meaning = format == WEIR_FORMAT_TABLE && r->explore;
    r->output = weir_output_new(stdout, format, names + one_unit, (size_t)(7 - one_unit + meaning));
    return r->output != NULL;
}

static int finish(struct read *r)
{
    weir_format format = weir_output_format(r->output);
    weir_output_end(r->output);
    r->output = NULL;
    if (!r->options->quiet && r->n_good && (!r->explore || r->has_best))
        print_yaml(r, format);
    if (!r->options->quiet && r->repeat)
        print_statistics(r);
    if (!r->n_bad)
        return WEIR_EXIT_OK;
    if (r->n_good)
        return WEIR_EXIT_PARTLY;
    return r->last_failure ? r->last_failure : WEIR_EXIT_PARTLY;
}

static int read_run(const weir_invocation *in)
{
    weir_error error = WEIR_ERROR_INIT;
    struct read *r = weir_arena_alloc(in->arena, 1, sizeof *r);
    if (!r) {
        (void)weir_fail(&error, WEIR_ENOMEM, "out of memory");
        return weir_command_fail(in, &error);
    }
    r->in = in;
    r->options = in->options;
    weir_err err = plan(r, &error);
    if (err == WEIR_EINVAL)
        return weir_command_usage(in, "%s", error.text);
    if (err)
        return weir_command_fail(in, &error);
    weir_blocking_watch(&stop);
    if (!connect_again(r, &error))
        return weir_command_fail(in, &error);
    if (!open_output(r)) {
        (void)weir_fail(&error, WEIR_ENOMEM, "out of memory");
        weir_blocking_close(r->connection);
        return weir_command_fail(in, &error);
    }
    weir_mono next = weir_blocking_now();
    while (poll_all(r) && r->repeat) {
        next = weir_mono_add(next, r->period_us);
        if (weir_mono_reached(weir_blocking_now(), next))
            next = weir_blocking_now(); /* slower than the period: as fast as it goes */
        weir_blocking_wait(next, &stop);
    }
    weir_blocking_close(r->connection);
    return finish(r);
}

static const weir_example read_examples[] = {
    {"weir read tcp://192.168.1.113:502 --address 52",
     "what the four holding registers from 52 on may mean: every type and order"},
    {"weir read tcp://192.168.1.113 --register input --address 0 --type float32 --once",
     "one value, exactly so"},
    {"weir read 192.168.1.113 -a 1 -t 3:float -B -r 1 -c 10",
     "as mbpoll: ten floats from input register 1 (30001) every second"},
    {0}};

const weir_command weir_command_read = {
    .name = "read",
    .summary = "Read registers of a device, or find out what they mean",
    .arguments = "URI",
    .args_min = 1,
    .args_max = 1,
    .options = read_option_table,
    .options_size = sizeof(struct read_options),
    .examples = read_examples,
    .text =
        "URI is tcp://HOST:PORT for Modbus TCP, rtu+tcp://HOST:PORT for RTU frames in a TCP "
        "stream; "
        "a bare HOST is tcp. It reads every second until Ctrl-C, or once with -1.\n\n"
        "The letters are those of mbpoll and mean the same: -r counts from 1 unless -0 is given, "
        "and mbpoll's types :int and :float have their low word first unless -B is given. The long "
        "names are weir's: --address counts from 0 as on the wire, and types such as float32 have "
        "the order ABCD unless --order says otherwise.\n\n"
        "Without a type, four registers are read once and shown in every type and order that "
        "fits; 'likely' marks numbers of the size that meters show, and readable text. Where fewer "
        "registers exist, fewer are read.\n\n"
        "The line that ends a reading is a point for weir.yaml; it goes to standard output under a "
        "table, else to standard error. The columns and json keys are register, address, type, "
        "order, value, quality, and unit_id in front when several units are asked.",
    .run = read_run,
};
