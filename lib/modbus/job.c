/* SPDX-License-Identifier: MIT */
/* A read under way: which requests it makes, and what their replies do to it. */

/*
 * The happy path. weir_master_read keeps the read as a job. The next step finds or makes the poll
 * of its intervals (poll.c) and hands the link a first request, or as many as may be in flight.
 * Every reply is decoded into one batch and makes room for the next request. After the last one the
 * refused points get their bad samples, and the read is reported.
 *
 * What can go wrong:
 * - The device is silent through all retries, or its gateway says so (exceptions 10 and 11): the
 *   rest of the job ends the same way without a request, so a dead unit holds the bus for one
 *   request a read, not for all.
 * - The connection is down or goes: the same, with the cause the owner gave.
 * - The device refuses a block (exceptions 1 to 4): refuse.c halves it, and pieces of it are asked
 *   for after the job's groups.
 * - Memory is short: what cannot be asked for is delivered as bad(overflow).
 *
 * Nothing is reported from inside weir_master_read. Only as many requests are with the link as it
 * can have on the wire: what waits here can be given up, what waits there cannot.
 */

#include "modbus/master_priv.h"

#include "base/alloc.h"

enum { POLLS_MAX = 32 }; /* sets of intervals remembered for a device */

static void master_on_reply(weir_request *request, const weir_reply *reply);

/* Objects: from the free list, else new; never given back before the end. */

/* `function: N`: what the point's fields say of the request. Most functions that read without an
 * address take no data (7, 11, 12, 17); 24 takes the address of a queue; 1-4 are asked for the
 * bytes that are expected. Modbus Application Protocol 1.1b3, 6. */
static void block_ask_function(block *b, const weir_point *p)
{
    enum { READ_FIFO_QUEUE = 24 };
    weir_request *r = &b->request;
    if (p->function >= 1 && p->function <= 4) {
        bool bits = weir_register_is_bits((weir_register)p->function);
        r->address = p->address;
        r->count = (uint16_t)(bits ? 8 * p->length : (p->length + 1) / 2);
        r->count = r->count ? r->count : 1;
    } else if (p->function == READ_FIFO_QUEUE) {
        b->data[0] = (uint8_t)(p->address >> 8);
        b->data[1] = (uint8_t)p->address;
        r->data = b->data;
        r->n_data = sizeof b->data;
    }
}

block *weir_master_block_new(job *j, const weir_group *group, uint32_t first, uint32_t n)
{
    weir_master *m = j->master;
    block *b = m->free_blocks;
    if (b)
        m->free_blocks = b->next;
    else if (!(b = weir_alloc(sizeof *b)))
        return NULL;
    *b = (block){.job = j, .table = group->table, .first = first, .n = n};
    b->request.unit = j->device->device->unit_id;
    b->request.function = group->function;
    b->request.address = group->address;
    b->request.count = group->count;
    b->request.class = WEIR_CLASS_POLL;
    b->request.on_reply = master_on_reply;
    if (group->n > 0 && group->table == WEIR_REGISTER_FUNCTION)
        block_ask_function(b, j->poll->items[first].point);
    return b;
}

void weir_master_block_free(weir_master *m, block *b)
{
    b->next = m->free_blocks;
    m->free_blocks = b;
}

split *weir_master_split_new(weir_master *m)
{
    split *s = m->free_splits;
    if (s)
        m->free_splits = s->next_free;
    else if (!(s = weir_alloc(sizeof *s)))
        return NULL;
    *s = (split){0};
    return s;
}

void weir_master_split_free(weir_master *m, split *s)
{
    s->next_free = m->free_splits;
    m->free_splits = s;
}

job *weir_master_job_new(weir_master *m)
{
    job *j = m->free_jobs;
    if (j)
        m->free_jobs = j->next;
    else if (!(j = weir_alloc(sizeof *j)))
        return NULL;
    *j = (job){.master = m};
    return j;
}

void weir_master_piece_add(job *j, block *b)
{
    b->next = NULL;
    if (j->pieces)
        j->pieces_last->next = b;
    else
        j->pieces = b;
    j->pieces_last = b;
}

/* The polls of a device. */

/* The poll for these points as far as it still fits what was learnt; moved to the front. */
static weir_poll *polls_find(master_device *d, uint64_t key)
{
    weir_poll **at = &d->polls;
    for (size_t n = 0; *at;) {
        weir_poll *poll = *at;
        bool stale = poll->version != d->learnt.version;
        if (!stale && poll->key != key && n++ < POLLS_MAX) {
            at = &poll->next;
            continue;
        }
        *at = poll->next;
        if (!stale && poll->key == key) {
            poll->next = d->polls;
            d->polls = poll;
            return poll;
        }
        weir_poll_unref(poll);
    }
    return NULL;
}

static weir_poll *polls_get(weir_master *m, master_device *d, const weir_read *read)
{
    weir_poll *poll = polls_find(d, weir_read_key(read));
    if (poll)
        return poll;
    weir_error error = WEIR_ERROR_INIT;
    if (weir_poll_new(m->catalog, read, &d->learnt, &poll, &error)) {
        weir_master_log(m, WEIR_LOG_ERROR, "poll", "%s: cannot be read: %s", d->device->name,
                        error.text);
        return NULL;
    }
    if (!weir_master_reserve(m, poll)) {
        weir_master_log(m, WEIR_LOG_ERROR, "poll", "%s: cannot be read: out of memory",
                        d->device->name);
        weir_poll_unref(poll);
        return NULL;
    }
    poll->next = d->polls;
    d->polls = poll;
    return poll;
}

/* Jobs. */

void weir_master_job_free(job *j)
{
    weir_master *m = j->master;
    for (block *b = j->pieces, *next; b; b = next) {
        next = b->next;
        weir_master_split_ended(b, false);
        weir_master_block_free(m, b);
    }
    weir_poll_unref(j->poll);
    j->next = m->free_jobs;
    m->free_jobs = j;
}

static void job_unlink(job *j)
{
    if (j->prev)
        j->prev->next = j->next;
    else
        j->master->running = j->next;
    if (j->next)
        j->next->prev = j->prev;
}

static void job_finish(job *j)
{
    weir_master *m = j->master;
    weir_read_result result = j->answered ? WEIR_READ_GOOD
                              : j->silent ? WEIR_READ_SILENT
                                          : WEIR_READ_LINK;
    /* Nothing to ask for, with the connection up: nothing speaks against the device. */
    if (!j->asked && !j->over)
        result = WEIR_READ_GOOD;
    weir_read read = j->read;
    weir_quality worst = j->worst;
    job_unlink(j);
    weir_master_job_free(j);
    m->host->on_read_done(m->host->data, &read, result, worst);
}

/* The rest of the job is not asked for and ends with this quality. */
static void job_give_up(job *j, weir_quality rest)
{
    if (!j->over)
        j->rest = rest;
    j->over = true;
}

/* A group of a table whose function the device does not know waits for its turn, unless it is the
 * last that could show whether the device is there at all. */
static bool group_waits(job *j, const weir_group *g)
{
    if (g->table == WEIR_REGISTER_FUNCTION)
        return false;
    weir_refused_table *t = &j->device->learnt.tables[g->table];
    if (t->code == 0)
        return false;
    bool last = j->group == j->poll->n_groups && j->poll->n_alone == 0 && !j->asked;
    if (!last && !weir_mono_reached(j->master->now, t->again_at))
        return true;
    t->again_at = weir_mono_add(j->master->now, WEIR_REPROBE_US); /* one group asks for all */
    return false;
}

static void job_skip(job *j, const weir_group *g, weir_quality quality)
{
    weir_master_deliver_bad(j, j->poll->items + g->first, g->n, quality, NULL);
}

/* The next block of the groups that are not refused; NULL: none left. */
static block *job_next_group(job *j)
{
    while (j->group < j->poll->n_groups) {
        const weir_group *g = &j->poll->groups[j->group++];
        if (j->over)
            job_skip(j, g, j->rest);
        else if (group_waits(j, g))
            job_skip(j, g, weir_bad(WEIR_CAUSE_EXCEPTION, j->device->learnt.tables[g->table].code));
        else {
            block *b = weir_master_block_new(j, g, g->first, g->n);
            if (b)
                return b;
            job_give_up(j, weir_bad(WEIR_CAUSE_OVERFLOW, 0)); /* out of memory */
            job_skip(j, g, j->rest);
        }
    }
    return NULL;
}

static block *job_next_piece(job *j)
{
    while (j->pieces) {
        block *b = j->pieces;
        j->pieces = b->next;
        if (!j->over)
            return b;
        weir_master_deliver_bad(j, j->poll->items + b->first, b->n, j->rest, NULL);
        weir_master_split_ended(b, false);
        weir_master_block_free(j->master, b);
    }
    return NULL;
}

static block *job_next(job *j)
{
    block *b = job_next_group(j);
    if (b)
        return b;
    if (j->group == j->poll->n_groups) {
        j->group++; /* once */
        weir_master_add_refused(j);
    }
    return job_next_piece(j);
}

static void job_submit(job *j, block *b)
{
    weir_master *m = j->master;
    m->n_submitted++;
    if (j->n_on_link++ == 0)
        j->oldest = m->n_submitted;
    j->asked = true;
    b->next = j->on_link;
    j->on_link = b;
    weir_link_submit(m->link, &b->request, m->now);
}

/* Asks for as much as may be asked for at once; ends the job when nothing is left. */
static void job_pump(job *j)
{
    if (!j->master->connected)
        job_give_up(j, weir_bad(j->master->down, 0));
    block *b;
    while ((j->over || j->n_on_link < j->master->window) && (b = job_next(j)))
        job_submit(j, b);
    if (j->n_on_link == 0)
        job_finish(j);
}

void weir_master_job_start(job *j)
{
    weir_master *m = j->master;
    j->started = m->now;
    j->next = m->running;
    if (m->running)
        m->running->prev = j;
    m->running = j;
    j->poll = polls_get(m, j->device, &j->read);
    if (j->poll) {
        j->poll->refs++;
        job_pump(j);
        return;
    }
    weir_master_deliver_nothing(j);
    j->over = true;
    job_finish(j);
}

/* Replies. */

static void block_good(block *b, const weir_reply *reply)
{
    b->job->answered = b->job->worked = true;
    weir_master_deliver_good(b, reply);
    weir_master_accepted(b);
    weir_master_split_ended(b, true);
}

static void block_bad(block *b, const weir_reply *reply, weir_quality quality)
{
    job *j = b->job;
    weir_master_deliver_bad(j, j->poll->items + b->first, b->n, quality, reply);
    weir_master_split_ended(b, false);
}

static void block_silent(block *b, const weir_reply *reply)
{
    weir_quality quality = weir_reply_quality(reply);
    b->job->silent = true;
    job_give_up(b->job, quality);
    block_bad(b, reply, quality);
}

static void block_exception(block *b, const weir_reply *reply)
{
    if (reply->code == 10 || reply->code == 11) { /* the gateway's word, not the device's */
        block_silent(b, reply);
        return;
    }
    b->job->answered = true;
    if (reply->code >= 1 && reply->code <= 4)
        weir_master_refused(b, reply);
    else
        block_bad(b, reply, weir_reply_quality(reply));
}

static void block_reply(block *b, const weir_reply *reply)
{
    switch (reply->result) {
    case WEIR_REPLY_GOOD:
        block_good(b, reply);
        break;
    case WEIR_REPLY_EXCEPTION:
        block_exception(b, reply);
        break;
    case WEIR_REPLY_TIMEOUT:
    case WEIR_REPLY_WRONG_UNIT: /* somebody answered, not this device */
        block_silent(b, reply);
        break;
    case WEIR_REPLY_MALFORMED:
        if (b->job->master->serial) { /* costs the bus as much as silence */
            block_silent(b, reply);
            break;
        }
        b->job->answered = true;
        block_bad(b, reply, weir_reply_quality(reply));
        break;
    case WEIR_REPLY_WRONG_FUNCTION:
    case WEIR_REPLY_DISCONNECTED:
    case WEIR_REPLY_CANCELED: /* no request a reader may make */
        block_bad(b, reply, weir_reply_quality(reply));
        break;
    case WEIR_REPLY_NOT_CONNECTED:
        block_bad(b, reply, weir_bad(b->job->master->down, 0));
        break;
    }
}

static void job_off_link(job *j, const block *b)
{
    block **at = &j->on_link;
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    j->n_on_link--;
}

void weir_master_job_drop(job *j)
{
    weir_master *m = j->master;
    while (j->on_link) {
        block *b = j->on_link;
        weir_link_cancel(m->link, &b->request, m->now);
        job_off_link(j, b);
        weir_master_split_ended(b, false);
        weir_master_block_free(m, b);
    }
    job_unlink(j);
    weir_master_job_free(j);
}

static void master_on_reply(weir_request *request, const weir_reply *reply)
{
    block *b = (block *)request;
    job *j = b->job;
    weir_master *m = j->master;
    job_off_link(j, b);
    if (!m->freeing) {
        j->device->last_ended = m->n_submitted;
        block_reply(b, reply);
    } else {
        weir_master_split_ended(b, false);
    }
    weir_master_block_free(m, b);
    if (!m->freeing)
        job_pump(j);
}
