/* SPDX-License-Identifier: MIT */
/* What weir read is asked for: from the command line to units, addresses and a point. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "cli/command.h"
#include "model/catalog.h"
#include "model/point.h"

/* As written. */
typedef struct weir_read_options {
    const char *unit, *reference, *type, *order, *table, *period, *timeout;
    int64_t address, count, port;
    bool zero_based, high_first, once, quiet;
    int format;
    struct {
        bool reference, address, count, port, period;
    } given;
} weir_read_options;

extern const weir_option weir_read_option_table[];

/* As meant. */
typedef struct weir_read_plan {
    weir_uri uri;
    const char *host; /* "127.0.0.1:502" */
    size_t n_units, n_addresses;
    uint16_t *units, *addresses; /* addresses: on the wire, 0-based */
    int64_t timeout_us, period_us;
    weir_point point; /* what stands at each address; its own address is not used */
    bool explore;     /* no type was given: show all */
    bool hex;
    bool repeat;
} weir_read_plan;

/* in: an invocation with weir_read_options. Memory is of in->arena. WEIR_EINVAL: error says what is
 * wrong with which option; WEIR_EUNSUPPORTED: a scheme this version lacks; WEIR_ENOMEM. */
weir_err weir_read_plan_make(const weir_invocation *in, weir_read_plan *ret,
                             weir_error *error) WEIR_MUST_CHECK;

/* The line of weir.yaml for a point (type, order, length, count) at plan->addresses[address]. */
void weir_read_plan_format(const weir_read_plan *plan, size_t address, const weir_point *point,
                           weir_text *t);

/* The width whose order is worth showing: of text 2, of bits 0, else the type's. */
unsigned weir_read_order_width(const weir_point *point);
