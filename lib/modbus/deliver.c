/* SPDX-License-Identifier: MIT */
/* From replies to samples: one reply, one batch. */

#include "modbus/master_priv.h"

#include <assert.h>

#include "base/alloc.h"
#include "modbus/pdu.h"

bool weir_master_reserve(weir_master *m, const weir_poll *poll)
{
    if (poll->items_most > m->samples_capacity) {
        weir_sample *samples = weir_alloc_zero(poll->items_most, sizeof *samples);
        if (!samples)
            return false;
        weir_free(m->samples);
        m->samples = samples;
        m->samples_capacity = poll->items_most;
    }
    if (poll->room_most > m->room_capacity) {
        uint8_t *room = weir_alloc(poll->room_most);
        if (!room)
            return false;
        weir_free(m->room);
        m->room = room;
        m->room_capacity = poll->room_most;
    }
    return true;
}

static void job_deliver(job *j, const weir_sample *samples, size_t n, const weir_reply *reply)
{
    weir_master *m = j->master;
    if (n == 0)
        return;
    int64_t anchor_us = m->host->wall(m->host->data).us - m->host->now(m->host->data).us;
    bool came =
        reply && (reply->result == WEIR_REPLY_GOOD || reply->result == WEIR_REPLY_EXCEPTION);
    weir_mono received = came ? reply->received_at : m->now;
    weir_batch batch = {
        .connection = m->host->connection,
        .device = j->device->index,
        .catalog_revision = m->catalog->revision,
        .epoch = j->read.epoch,
        .flags = j->read.flags,
        .n_samples = (uint32_t)n,
        .plans = j->read.plans,
        .due = j->read.due,
        .received = {received.us + anchor_us},
        .anchor_us = anchor_us,
        .samples = samples,
    };
    if (reply && reply->sent)
        batch.sent = (weir_wall){reply->sent_at.us + anchor_us};
    m->host->on_batch(m->host->data, &batch);
}

/* Registers: the bytes of each item lie in the reply as the decoder wants them. */
static void decode_registers(const block *b, const weir_reply *reply, weir_sample *ret)
{
    const weir_poll_item *items = b->job->poll->items + b->first;
    weir_writer room = weir_writer_of(b->job->master->room, b->job->master->room_capacity);
    const uint8_t *data = reply->data;
    for (uint32_t i = 0; i < b->n; i++) {
        ret[i].value = weir_point_decode(items[i].point, data + (items[i].offset - b->base),
                                         items[i].length, &room, &ret[i].quality);
    }
}

/* Bits: one, or as many as a packed point has. */
static void decode_bits(const block *b, const weir_reply *reply, weir_sample *ret)
{
    const weir_poll_item *items = b->job->poll->items + b->first;
    weir_writer room = weir_writer_of(b->job->master->room, b->job->master->room_capacity);
    for (uint32_t i = 0; i < b->n; i++) {
        uint8_t wire[WEIR_READ_BITS_MAX / 8];
        weir_pdu_take_bits(reply->data, items[i].offset - b->base, items[i].length, wire);
        ret[i].value = weir_point_decode(items[i].point, wire, (items[i].length + 7u) / 8, &room,
                                         &ret[i].quality);
    }
}

/* `function: N`: all that came after the function code. */
static void decode_function(const block *b, const weir_reply *reply, weir_sample *ret)
{
    const weir_poll_item *items = b->job->poll->items + b->first;
    for (uint32_t i = 0; i < b->n; i++) {
        weir_writer room = weir_writer_of(b->job->master->room, b->job->master->room_capacity);
        ret[i].value =
            weir_point_decode(items[i].point, reply->data, reply->n_data, &room, &ret[i].quality);
    }
}

void weir_master_deliver_good(block *b, const weir_reply *reply)
{
    job *j = b->job;
    const weir_poll_item *items = j->poll->items + b->first;
    weir_sample *samples = j->master->samples;
    assert(b->table == WEIR_REGISTER_FUNCTION ||
           reply->n_data >= (weir_register_is_bits(b->table) ? (b->request.count + 7u) / 8
                                                             : 2u * b->request.count));
    if (b->table == WEIR_REGISTER_FUNCTION)
        decode_function(b, reply, samples);
    else if (weir_register_is_bits(b->table))
        decode_bits(b, reply, samples);
    else
        decode_registers(b, reply, samples);
    for (uint32_t i = 0; i < b->n; i++) {
        samples[i].tag = items[i].tag;
        samples[i].ts = j->read.due;
        if (samples[i].quality != 0)
            j->worst = weir_quality_worse(j->worst, samples[i].quality);
    }
    job_deliver(j, samples, b->n, reply);
}

static weir_sample sample_bad(job *j, weir_tag_uid tag, weir_quality quality)
{
    j->worst = weir_quality_worse(j->worst, quality);
    return (weir_sample){.tag = tag, .quality = quality, .ts = j->read.due};
}

size_t weir_master_collect_bad(job *j, size_t n, const weir_group *group, weir_quality quality)
{
    const weir_poll_item *items = j->poll->items + group->first;
    for (size_t i = 0; i < group->n; i++)
        j->master->samples[n + i] = sample_bad(j, items[i].tag, quality);
    return n + group->n;
}

void weir_master_deliver_collected(job *j, size_t n)
{
    job_deliver(j, j->master->samples, n, NULL);
}

void weir_master_deliver_bad(job *j, const weir_poll_item *items, size_t n, weir_quality quality,
                             const weir_reply *reply)
{
    weir_sample *samples = j->master->samples;
    for (size_t i = 0; i < n; i++)
        samples[i] = sample_bad(j, items[i].tag, quality);
    job_deliver(j, samples, n, reply);
}

void weir_master_deliver_nothing(job *j)
{
    const weir_device *d = j->device->device;
    weir_sample samples[64]; /* memory is short: a few at a time */
    size_t n = 0;
    for (uint32_t i = 0; i < d->n_tags; i++) {
        const weir_tag *tag = &j->master->catalog->tags[d->first_tag + i];
        if (!weir_read_wants(&j->read, d, tag->point))
            continue;
        samples[n++] = sample_bad(j, tag->uid, weir_bad(WEIR_CAUSE_OVERFLOW, 0));
        if (n == sizeof samples / sizeof *samples) {
            job_deliver(j, samples, n, NULL);
            n = 0;
        }
    }
    job_deliver(j, samples, n, NULL);
}
