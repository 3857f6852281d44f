/* SPDX-License-Identifier: MIT */
/* Sinks of the program's own, as a type of sinks like all others. */

#include "embed/own_sink.h"

#include "base/alloc.h"
#include "embed/collector_priv.h"
#include "embed/core/options.h"

enum { ROWS_DEFAULT = 5000 };

struct own_options {
    weir_option_map options;
};

struct weir_own_sink_type {
    weir_sink_type type;
    weir_own_sink own;
    weir_collector *collector;
};

struct own_state {
    const weir_own_sink_type *type;
    void *state; /* of the program */
    bool opened;
};

static const weir_option own_option_table[] = {
    {.name = "options",
     .type = WEIR_OPTION_MAP,
     .offset = offsetof(struct own_options, options),
     .text = "Texts by name, for the program's own sink."},
    {0}};

static bool own_is_ending(const void *ending)
{
    const weir_sink_host *host = ending;
    return host->is_ending(host->data);
}

static weir_err own_init(void *state, const weir_sink_host *host, const void *options,
                         weir_error *error)
{
    _Static_assert(sizeof(weir_label) == sizeof(struct weir_option_pair),
                   "a label is a pair of texts");
    struct own_state *s = state;
    const struct own_options *o = options;
    s->type = host->context;
    s->state = s->type->own.data;
    const weir_own_sink_place place = {.struct_size = sizeof place,
                                       .name = host->name,
                                       .store = host->store,
                                       .n_options = o->options.n,
                                       .options = (const weir_label *)(void *)o->options.items,
                                       .is_ending = own_is_ending,
                                       .ending = host};
    if (!s->type->own.open)
        return WEIR_OK;
    const weir_collector *before = weir_callback_enter(s->type->collector);
    const weir_err err = s->type->own.open(s->type->own.data, &place, &s->state, error);
    weir_callback_leave(before);
    s->opened = err == WEIR_OK;
    return err;
}

static void own_deinit(void *state)
{
    struct own_state *s = state;
    if (!s->opened || !s->type->own.close)
        return;
    const weir_collector *before = weir_callback_enter(s->type->collector);
    s->type->own.close(s->state);
    weir_callback_leave(before);
}

static void own_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                     weir_send_answer *ret)
{
    struct own_state *s = state;
    const weir_collector *before = weir_callback_enter(s->type->collector);
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    s->type->own.send(s->state, rows, n, deadline, ret);
    weir_callback_leave(before);
    ret->why[sizeof ret->why - 1] = ret->remedy[sizeof ret->remedy - 1] = '\0';
    if (ret->result == WEIR_SEND_REJECTED && ret->first_bad != SIZE_MAX && ret->first_bad >= n)
        ret->first_bad = SIZE_MAX;
}

static void own_idle(void *state, weir_mono now)
{
    struct own_state *s = state;
    (void)now;
    if (!s->type->own.idle)
        return;
    const weir_collector *before = weir_callback_enter(s->type->collector);
    s->type->own.idle(s->state);
    weir_callback_leave(before);
}

weir_err weir_own_sink_new(const weir_own_sink *own, weir_collector *collector,
                           weir_own_sink_type **ret, weir_error *error)
{
    weir_own_sink o;
    weir_err err = weir_options_read(&o, sizeof o, own, "weir_own_sink", error);
    if (err != WEIR_OK)
        return err;
    if (!o.name || !*o.name || !o.send)
        return weir_fail(error, WEIR_EINVAL, "a sink needs a name and a send");
    weir_own_sink_type *t = weir_alloc_zero(1, sizeof *t);
    char *name = weir_alloc_text(o.name);
    if (!t || !name) {
        weir_free(t);
        weir_free(name);
        return weir_fail(error, WEIR_ENOMEM, "sink '%s'", o.name);
    }
    t->own = o;
    t->own.name = name;
    t->collector = collector;
    t->type = (weir_sink_type){.abi = WEIR_SINK_ABI,
                               .name = name,
                               .summary = "of this program",
                               .text = "",
                               .options = own_option_table,
                               .options_size = sizeof(struct own_options),
                               .state_size = sizeof(struct own_state),
                               .flags = o.in_order ? WEIR_SINK_IN_ORDER : 0,
                               .rows_max = o.rows_max ? o.rows_max : ROWS_DEFAULT,
                               .init = own_init,
                               .deinit = own_deinit,
                               .send = own_send,
                               .idle = own_idle,
                               .context = t};
    *ret = t;
    return WEIR_OK;
}

void weir_own_sink_free(weir_own_sink_type *type)
{
    if (!type)
        return;
    weir_free((char *)type->own.name);
    weir_free(type);
}

const weir_sink_type *weir_own_sink_get(const weir_own_sink_type *type)
{
    return &type->type;
}
