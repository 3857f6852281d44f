/* SPDX-License-Identifier: MIT */
/* What becomes of a block that the device refuses, and what is learnt from it. */

/*
 * A block refused with exception 2, 3 or 4 is halved between points until the bad ones stand alone;
 * they are remembered and left out of later groupings, everything else is delivered in the same
 * read. The halves are asked for in the order they arise, so that good parts are known before the
 * smallest pieces are reached.
 *
 * Both halves answer: it was their being together that the device refused. Either a hole between
 * them that it does not have, or more registers than it bears; the first becomes a cut, the second
 * a lower limit.
 *
 * Exception 1 refuses a function code: the whole table waits, unless it worked before. Exception 4
 * can be the device failing for a moment: when no part of a block works it is not taken apart
 * further, and nothing is remembered.
 */

#include "modbus/master_priv.h"

enum {
    FAILING_DEPTH = 3, /* eight parts of a block, all refused with exception 4: the device fails */
    REPROBES_MAX = 8,  /* refused points asked again in one read, so that it stays short */
    REPROBE_MINUTES = WEIR_REPROBE_US / WEIR_MINUTE,
};

/* Halving goes on past the next due time, once: without it the device would never be known. This
 * is for the slowest: 600 requests of 50 ms. */
static const int64_t split_budget_us = 30 * WEIR_S;

static unsigned table_unit(weir_register table)
{
    return weir_register_is_bits(table) ? 1 : 2; /* offsets count bits, or bytes */
}

static uint32_t block_address(const block *b, uint32_t offset)
{
    return b->request.address + (offset - b->base) / table_unit(b->table);
}

/* The block asks again for a point that is refused. */
static bool block_was_refused(const block *b)
{
    const job *j = b->job;
    const weir_poll *poll = j->poll;
    if (poll->n_alone == 0 || b->first < poll->groups[poll->n_groups].first)
        return false;
    uint32_t point = master_point_index(j, &poll->items[b->first]);
    return weir_learnt_find(&j->device->learnt, point) != NULL;
}

/* Refused points. */

static void point_log_refused(block *b, const weir_poll_item *item, uint8_t code)
{
    const weir_point *p = item->point;
    bool function = b->table == WEIR_REGISTER_FUNCTION;
    const char *meaning = weir_exception_text(code);
    weir_master_log(b->job->master, WEIR_LOG_WARNING, "point_refused",
                    "%s/%s: refused with exception %u (%s) at %s %u: check address and profile; "
                    "asked again every %dm",
                    b->job->device->device->name, p->name, code, meaning ? meaning : "unknown",
                    function ? "function" : weir_register_text(b->table),
                    function ? p->function : block_address(b, item->offset), REPROBE_MINUTES);
}

static void block_refuse_points(block *b, uint8_t code)
{
    job *j = b->job;
    const weir_poll_item *items = j->poll->items + b->first;
    weir_mono again_at = weir_mono_add(j->master->now, WEIR_REPROBE_US);
    for (uint32_t i = 0; i < b->n; i++) {
        if (i > 0 && items[i].point == items[i - 1].point)
            continue;
        uint32_t point = master_point_index(j, &items[i]);
        if (weir_learnt_refuse(&j->device->learnt, point, code, again_at))
            point_log_refused(b, &items[i], code);
    }
}

static weir_refusal *group_refusal(const job *j, const weir_group *g)
{
    uint32_t point = master_point_index(j, &j->poll->items[g->first]);
    return weir_learnt_find(&j->device->learnt, point);
}

static bool job_ask_alone(job *j, const weir_group *g)
{
    block *b = weir_master_block_new(j, g, g->first, g->n);
    if (b)
        weir_master_piece_add(j, b);
    return b != NULL;
}

/* A read that asks for nothing would not notice that the device is gone: then the point that has
 * waited longest is asked. NULL: there is something to ask for. */
static const weir_group *job_only_alone(const job *j)
{
    const weir_poll *poll = j->poll;
    const weir_group *oldest = NULL;
    for (size_t i = poll->n_groups; i < poll->n_groups + poll->n_alone; i++) {
        const weir_group *g = &poll->groups[i];
        const weir_refusal *r = group_refusal(j, g), *o = oldest ? group_refusal(j, oldest) : NULL;
        if (!r)
            return NULL;
        oldest = !o || r->again_at.us < o->again_at.us ? g : oldest;
    }
    return j->asked ? NULL : oldest;
}

void weir_master_add_refused(job *j)
{
    const weir_poll *poll = j->poll;
    const weir_group *only = j->over ? NULL : job_only_alone(j);
    weir_mono now = j->master->now;
    size_t n_asked = 0, n = 0;
    for (size_t i = poll->n_groups; i < poll->n_groups + poll->n_alone; i++) {
        const weir_group *g = &poll->groups[i];
        weir_refusal *r = group_refusal(j, g);
        bool due = r && weir_mono_reached(now, r->again_at) && n_asked < REPROBES_MAX;
        if (!j->over && (!r || due || g == only) && job_ask_alone(j, g)) {
            n_asked += r != NULL;
            continue;
        }
        weir_quality quality = j->over ? j->rest
                               : r     ? weir_bad(WEIR_CAUSE_EXCEPTION, r->code)
                                       : weir_bad(WEIR_CAUSE_OVERFLOW, 0);
        n = weir_master_collect_bad(j, n, g, quality);
    }
    weir_master_deliver_collected(j, n);
}

/* Tables. */

static bool block_refuse_table(block *b, uint8_t code)
{
    job *j = b->job;
    if (code != 1 || b->table == WEIR_REGISTER_FUNCTION)
        return false;
    weir_refused_table *t = &j->device->learnt.tables[b->table];
    if (t->works)
        return false;
    if (t->code == 0)
        weir_master_log(j->master, WEIR_LOG_WARNING, "table_refused",
                        "%s: refused function %u (%s) with exception 1 (illegal function): check "
                        "the points' register; asked again every %dm",
                        j->device->device->name, b->request.function, weir_register_text(b->table),
                        REPROBE_MINUTES);
    t->code = code;
    t->again_at = weir_mono_add(j->master->now, WEIR_REPROBE_US);
    return true;
}

/* Halving. */

static block *block_half(const block *b, uint32_t first, uint32_t n, split *s)
{
    static const weir_group none; /* all that a group would give is the whole block's */
    block *half = weir_master_block_new(b->job, &none, first, n);
    if (!half)
        return NULL;
    weir_poll_span span = weir_poll_span_of(b->job->poll->items + first, n);
    half->table = b->table;
    half->base = span.first;
    half->depth = b->depth < UINT8_MAX ? b->depth + 1 : b->depth;
    half->split = s;
    half->request.function = b->request.function;
    half->request.address = (uint16_t)block_address(b, span.first);
    half->request.count = (uint16_t)((span.end - span.first) / table_unit(b->table));
    return half;
}

/* False when memory is short. */
static bool block_split(block *b, uint32_t n_left, uint8_t code)
{
    job *j = b->job;
    weir_master *m = j->master;
    split *s = weir_master_split_new(m);
    if (!s)
        return false;
    block *left = block_half(b, b->first, n_left, s);
    block *right = left ? block_half(b, b->first + n_left, b->n - n_left, s) : NULL;
    if (!right) {
        if (left)
            weir_master_block_free(m, left);
        weir_master_split_free(m, s);
        return false;
    }
    s->table = b->table;
    s->code = code;
    s->pending = 2;
    s->count = b->request.count;
    s->left_last = (uint32_t)left->request.address + left->request.count - 1;
    s->right_first = right->request.address;
    weir_master_piece_add(j, left);
    weir_master_piece_add(j, right);
    return true;
}

static bool block_may_split(block *b, uint8_t code)
{
    job *j = b->job;
    weir_mono now = j->master->now;
    if (j->over || weir_mono_reached(now, weir_mono_add(j->started, split_budget_us)))
        return false;
    if (block_was_refused(b))
        return false;
    if (code != 4)
        return true;
    if (!weir_mono_reached(now, j->device->learnt.failing_until))
        return false;
    if (b->depth >= FAILING_DEPTH && !j->worked) {
        j->device->learnt.failing_until = weir_mono_add(now, WEIR_REPROBE_US);
        return false;
    }
    return true;
}

void weir_master_refused(block *b, const weir_reply *reply)
{
    job *j = b->job;
    const weir_poll_item *items = j->poll->items + b->first;
    uint8_t code = reply->code;
    if (!block_refuse_table(b, code)) {
        size_t half = weir_poll_halve(items, b->n);
        bool passing = code == 4 && !(b->depth > 0 && j->worked);
        if (half > 0 && block_may_split(b, code) && block_split(b, (uint32_t)half, code)) {
            weir_master_split_ended(b, false);
            return;
        }
        if (block_was_refused(b) || (half == 0 && !passing))
            block_refuse_points(b, code);
    }
    weir_master_deliver_bad(j, items, b->n, weir_reply_quality(reply), reply);
    weir_master_split_ended(b, false);
}

/* What the halves' both answering says. */

/* The limit is at least what any reply has held. */
static void split_learn_limit(const split *s, job *j)
{
    weir_learnt *l = &j->device->learnt;
    const char *what = weir_register_is_bits(s->table) ? "bits" : "registers";
    uint16_t most = weir_learnt_most_answered(l, s->table);
    most = s->count_worked > most ? s->count_worked : most;
    if (weir_learnt_limit(l, s->table, most))
        weir_master_log(j->master, WEIR_LOG_NOTICE, "device_limit",
                        "%s: refused %u %s in one request (exception %u) and answered %u: asked "
                        "for at most %u from now on; set max_%s_per_request: %u",
                        j->device->device->name, s->count, what, s->code, most, most, what, most);
}

static void split_learn_cut(const split *s, job *j)
{
    if (weir_learnt_cut(&j->device->learnt, s->table, s->left_last, s->right_first))
        weir_master_log(j->master, WEIR_LOG_NOTICE, "device_limit",
                        "%s: refused %s %u and %u in one request (exception %u) and answered them "
                        "apart: kept apart from now on",
                        j->device->device->name, weir_register_text(s->table), s->left_last,
                        s->right_first, s->code);
}

static void split_learn(const split *s, job *j)
{
    if (s->count_worked >= s->count)
        return; /* one half was as large as the whole: the refusal has passed */
    bool hole = s->right_first > s->left_last + 1;
    bool larger = s->count > weir_learnt_most_answered(&j->device->learnt, s->table);
    /* Exception 3 is the one for a quantity (Modbus Application Protocol 1.1b3, 7). */
    if (larger && (s->code == 3 || !hole))
        split_learn_limit(s, j);
    else if (s->left_last < s->right_first && (s->code != 4 || hole))
        split_learn_cut(s, j);
}

void weir_master_split_ended(block *b, bool worked)
{
    split *s = b->split;
    if (!s)
        return;
    b->split = NULL;
    if (worked && b->request.count > s->count_worked)
        s->count_worked = b->request.count;
    s->refused |= !worked;
    if (--s->pending > 0)
        return;
    if (!s->refused)
        split_learn(s, b->job);
    weir_master_split_free(b->job->master, s);
}

/* Good replies. */

void weir_master_accepted(block *b)
{
    job *j = b->job;
    weir_learnt *l = &j->device->learnt;
    if (weir_learnt_answered(l, b->table, b->request.count))
        weir_master_log(j->master, WEIR_LOG_NOTICE, "table_accepted",
                        "%s: answers function %u (%s) again", j->device->device->name,
                        b->request.function, weir_register_text(b->table));
    if (!block_was_refused(b))
        return;
    const weir_poll_item *item = &j->poll->items[b->first];
    if (weir_learnt_accept(l, master_point_index(j, item))) {
        weir_master_log(j->master, WEIR_LOG_NOTICE, "point_accepted", "%s/%s: answered again",
                        j->device->device->name, item->point->name);
        /* A controller that was starting refused everything: the others need not wait. */
        weir_learnt_doubt(l);
    }
}
