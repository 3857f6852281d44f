/* SPDX-License-Identifier: MIT */
/* weir read: registers of a device, once or again and again; and what they may mean. */

/*
 * One poll asks every unit for every start address, in requests as long as the protocol allows, and
 * writes a row for each value. Without a type it shows what the first registers may mean. A device
 * that refuses or is silent gives rows of bad quality and a sentence on stderr; the loop goes on
 * until Ctrl-C. Only a connection that cannot be made at first ends the command at once.
 */

#include <stdio.h>
#include <string.h>

#include "cli/blocking.h"
#include "cli/candidates.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/read_plan.h"
#include "cli/rtt.h"
#include "modbus/pdu.h"
#include "runtime/clock.h"

/* What is read, and how far it has come. */
struct read {
    const weir_invocation *in;
    const weir_read_options *options;
    weir_read_plan plan;
    weir_blocking_options target;
    weir_blocking *connection; /* NULL: lost, or not yet made */
    weir_output *output;
    weir_rtt rtt;
    uint64_t n_good, n_bad;
    weir_exit last_failure;
    weir_quality *said; /* [units * addresses]: what stderr was last told; 0: that all is well */
    weir_quality *said_here;
    bool said_connect;
    weir_point best; /* explore: what the newest answer at the first address seems to be */
    bool has_best;
};

static volatile sig_atomic_t stop;

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

/* Once for each change of state. */
static void report(struct read *r, uint16_t unit, uint16_t address, weir_quality quality,
                   const weir_blocking_answer *answer)
{
    r->last_failure = exit_of_result(answer->result);
    if (*r->said_here == quality)
        return;
    *r->said_here = quality;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    const char *broken = r->connection ? weir_blocking_broken(r->connection) : NULL;
    weir_text_format(&text, "%s unit %u, %s %u: ", r->plan.host, unit,
                     weir_register_text(r->plan.point.table), address);
    weir_text_add(&text, broken ? broken : weir_cause_text(weir_quality_cause(quality)));
    if (answer->result == WEIR_REPLY_EXCEPTION) {
        const char *words = weir_exception_text(answer->code);
        weir_text_format(&text, " with exception %u%s%s", answer->code, words ? ", " : "",
                         words ? words : "");
    }
    weir_text_format(&text, ". %s", advice(answer));
    weir_command_note(r->in, "%s", weir_text_get(&text));
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
    unsigned width = point ? weir_read_order_width(point) : 0;
    bool table = weir_output_format(r->output) == WEIR_FORMAT_TABLE;
    if (r->plan.n_units > 1)
        cells[n++] = weir_value_u64(unit);
    cells[n++] = text_value(weir_register_text(r->plan.point.table));
    cells[n++] = weir_value_u64(address);
    cells[n++] = point ? text_value(weir_type_text(point->type)) : weir_value_null();
    cells[n++] = width >= 2 ? text_value(weir_order_text(point->order, width)) : weir_value_null();
    cells[n++] = *value;
    if (table && quality)
        weir_quality_format(quality, &words);
    else
        weir_text_add(&words, weir_class_text(weir_quality_class(quality)));
    cells[n++] = text_value(weir_text_get(&words));
    if (table && r->plan.explore)
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
    if (r->plan.hex && value.kind == WEIR_KIND_U64) {
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
    if (address != r->plan.addresses[0])
        return;
    r->has_best = true;
    r->best = (weir_point){.type = best->type, .order = best->order, .count = 1};
    if (best->type == WEIR_TYPE_STRING)
        r->best.length = (uint16_t)(2 * n_registers);
}

/* --- one poll --- */

static bool connect_again(struct read *r, weir_error *error)
{
    if (!r->connection && weir_blocking_open(&r->target, &r->connection, error))
        return false;
    r->said_connect = false;
    return true;
}

/* False: stopped. The answer may be any; a lost connection is closed. */
static bool ask(struct read *r, uint16_t unit, uint16_t address, uint16_t count,
                weir_blocking_answer *ret)
{
    weir_error error = WEIR_ERROR_INIT;
    *ret = (weir_blocking_answer){.result = WEIR_REPLY_NOT_CONNECTED};
    if (!connect_again(r, &error)) {
        if (error.code != WEIR_ECANCELED && !r->said_connect)
            weir_command_note(r->in, "%s", error.text);
        r->said_connect = true;
        return error.code != WEIR_ECANCELED;
    }
    return !weir_blocking_read(r->connection, (uint8_t)unit, r->plan.point.function, address, count,
                               ret, &error);
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
    unsigned size = weir_point_element_size(&r->plan.point);
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
                             .table = r->plan.point.table};
    uint16_t given = r->options->given.count ? (uint16_t)r->plan.point.count : WINDOW;
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

static void show_answer(struct read *r, uint16_t unit, uint16_t address, unsigned n_values,
                        const weir_blocking_answer *answer)
{
    const weir_point *point = &r->plan.point;
    unsigned size = weir_point_element_size(point), n_wire = weir_point_wire_bytes(point);
    for (unsigned i = 0; i < n_values; i++) {
        uint16_t at = (uint16_t)(address + i * size);
        uint8_t bits[WEIR_READ_BITS_MAX / 8];
        const uint8_t *wire = bits;
        if (weir_register_is_bits(point->table))
            weir_pdu_take_bits(answer->data, i * size, size, bits);
        else
            wire = answer->data + (size_t)i * n_wire;
        show_value(r, unit, at, point, wire, n_wire);
    }
}

static bool read_typed(struct read *r, uint16_t unit, uint16_t address)
{
    unsigned size = weir_point_element_size(&r->plan.point);
    unsigned at_once = (weir_register_is_bits(r->plan.point.table) ? WEIR_READ_BITS_MAX
                                                                   : WEIR_READ_REGISTERS_MAX) /
                       size;
    weir_blocking_answer answer;
    for (unsigned done = 0, n; done < r->plan.point.count; done += n) {
        uint16_t at = (uint16_t)(address + done * size);
        n = r->plan.point.count - done < at_once ? r->plan.point.count - done : at_once;
        if (!ask(r, unit, at, (uint16_t)(n * size), &answer))
            return false;
        if (answer.result == WEIR_REPLY_GOOD)
            show_answer(r, unit, at, n, &answer);
        else
            fail(r, unit, at, &r->plan.point, n, &answer);
    }
    return true;
}

static bool poll_all(struct read *r)
{
    for (size_t u = 0; u < r->plan.n_units; u++)
        for (size_t a = 0; a < r->plan.n_addresses; a++) {
            const uint64_t n_bad = r->n_bad;
            r->said_here = &r->said[u * r->plan.n_addresses + a];
            if (stop || !(r->plan.explore ? explore : read_typed)(r, r->plan.units[u],
                                                                  r->plan.addresses[a]))
                return false;
            if (r->n_bad == n_bad)
                *r->said_here = 0;
        }
    weir_output_flush(r->output);
    return !stop;
}

/* --- the end --- */

/* Where people look: after the table, or on stderr where stdout is for a program. */
static void print_yaml(struct read *r, weir_format format)
{
    FILE *file = format == WEIR_FORMAT_TABLE ? stdout : stderr;
    const weir_point *point = r->plan.explore ? &r->best : &r->plan.point;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    for (size_t i = 0; i < (r->plan.explore ? 1 : r->plan.n_addresses); i++) {
        weir_read_plan_format(&r->plan, i, point, &text);
        weir_text_add_char(&text, '\n');
    }
    (void)fprintf(file, "%s%s", format == WEIR_FORMAT_TABLE ? "\n" : "", weir_text_get(&text));
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
    bool one_unit = r->plan.n_units == 1;
    weir_format format = (weir_format)r->options->format;
    if (format == WEIR_FORMAT_AUTO)
        format = weir_format_of(stdout);
    bool meaning = format == WEIR_FORMAT_TABLE && r->plan.explore;
    r->output = weir_output_new(stdout, format, names + one_unit, (size_t)(7 - one_unit + meaning));
    return r->output != NULL;
}

static int finish(struct read *r)
{
    weir_format format = weir_output_format(r->output);
    weir_output_end(r->output);
    r->output = NULL;
    if (!r->options->quiet && r->n_good && (!r->plan.explore || r->has_best))
        print_yaml(r, format);
    if (!r->options->quiet && r->plan.repeat)
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
    weir_err err = weir_read_plan_make(in, &r->plan, &error);
    if (err == WEIR_EINVAL)
        return weir_command_usage(in, "%s", error.text);
    if (err)
        return weir_command_fail(in, &error);
    r->target = (weir_blocking_options){.uri = r->plan.uri,
                                        .timeout_us = r->plan.timeout_us,
                                        .observer = weir_rtt_observer(&r->rtt),
                                        .stop = &stop};
    weir_blocking_watch(&stop);
    if (!connect_again(r, &error))
        return weir_command_fail(in, &error);
    r->said = weir_arena_alloc(in->arena, r->plan.n_units * r->plan.n_addresses, sizeof *r->said);
    if (!r->said || !open_output(r)) {
        (void)weir_fail(&error, WEIR_ENOMEM, "out of memory");
        weir_blocking_close(r->connection);
        return weir_command_fail(in, &error);
    }
    weir_mono next = weir_system_mono();
    while (poll_all(r) && r->plan.repeat) {
        next = weir_mono_add(next, r->plan.period_us);
        if (weir_mono_reached(weir_system_mono(), next))
            next = weir_system_mono(); /* slower than the period: as fast as it goes */
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
    .summary = "read registers of a device, or find out what they mean",
    .arguments = "URI",
    .args_min = 1,
    .args_max = 1,
    .options = weir_read_option_table,
    .options_size = sizeof(weir_read_options),
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
