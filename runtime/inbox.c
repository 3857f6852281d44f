/* SPDX-License-Identifier: MIT */
/* The inbox: batches and events on their way from the loop to the store thread. */

#include "runtime/inbox.h"

#include <string.h>

#include "base/alloc.h"

enum {
    CHUNK_BYTES = 256 * 1024,
    SPARES_MAX = 4,           /* 1 MiB kept for reuse: a second of a large plant */
    WAKE_BYTES = 1024 * 1024, /* from here on the store thread helps before its time */
};

struct weir_inbox_chunk {
    weir_inbox_chunk *next;
    size_t capacity;
    size_t used;
    size_t read; /* by weir_inbox_each */
    _Alignas(8) unsigned char bytes[];
};

/* A record: this, then a weir_batch with samples and contents, a weir_event with texts, or a
 * weir_correction with texts and offsets. */
enum record_kind { RECORD_BATCH, RECORD_EVENT, RECORD_CORRECTION };

struct record {
    uint32_t size; /* of all, a multiple of 8 */
    enum record_kind kind;
};

static size_t round8(size_t n)
{
    return (n + 7) / 8 * 8;
}

weir_err weir_inbox_init(weir_inbox *inbox, size_t limit_bytes, void (*wake)(void *data),
                         void *data)
{
    *inbox = (weir_inbox){.limit = limit_bytes, .wake = wake, .data = data};
    return pthread_mutex_init(&inbox->lock, NULL) ? WEIR_ENOMEM : WEIR_OK;
}

static void chunks_free(weir_inbox_chunk *chunk)
{
    while (chunk) {
        weir_inbox_chunk *next = chunk->next;
        weir_free(chunk);
        chunk = next;
    }
}

void weir_inbox_deinit(weir_inbox *inbox)
{
    chunks_free(inbox->first);
    chunks_free(inbox->spare);
    (void)pthread_mutex_destroy(&inbox->lock);
}

static weir_inbox_chunk *inbox_new_chunk(weir_inbox *inbox, size_t need)
{
    weir_inbox_chunk *chunk = inbox->spare;
    if (chunk && need <= chunk->capacity) {
        inbox->spare = chunk->next;
    } else {
        size_t capacity = need > CHUNK_BYTES ? need : CHUNK_BYTES;
        chunk = weir_alloc(sizeof *chunk + capacity);
        if (!chunk)
            return NULL;
        chunk->capacity = capacity;
    }
    chunk->next = NULL;
    chunk->used = chunk->read = 0;
    if (inbox->last)
        inbox->last->next = chunk;
    else
        inbox->first = chunk;
    inbox->last = chunk;
    return chunk;
}

/* Room for a record of that size, or NULL. The lock is held. */
static unsigned char *inbox_reserve(weir_inbox *inbox, size_t size, enum record_kind kind)
{
    const bool is_full = inbox->bytes + size > inbox->limit;
    if ((is_full && kind != RECORD_CORRECTION) || size > UINT32_MAX)
        return NULL;
    weir_inbox_chunk *chunk = inbox->last;
    if (!chunk || chunk->capacity - chunk->used < size)
        chunk = inbox_new_chunk(inbox, size);
    if (!chunk)
        return NULL;
    unsigned char *at = chunk->bytes + chunk->used;
    chunk->used += size;
    inbox->bytes += size;
    const struct record record = {(uint32_t)size, kind};
    memcpy(at, &record, sizeof record);
    return at + sizeof record;
}

static bool has_content(const weir_value *v)
{
    return v->kind == WEIR_KIND_STRING || v->kind == WEIR_KIND_BYTES;
}

/* Copies strings and bytes behind the samples, and points the copies there. */
static void pack_contents(weir_sample *samples, size_t n, unsigned char *room)
{
    for (size_t i = 0; i < n; i++) {
        weir_value *v = &samples[i].value;
        if (!has_content(v))
            continue;
        if (v->length)
            memcpy(room, v->as.bytes, v->length);
        v->as.bytes = room;
        room += v->length;
    }
}

static size_t texts_size(const weir_event *event)
{
    return strlen(event->subject) + strlen(event->text) + 2;
}

/* Copies the texts into the room, and points the event there. */
static void pack_texts(weir_event *event, unsigned char *room)
{
    const size_t n_subject = strlen(event->subject) + 1;
    char *texts = (char *)room;
    memcpy(texts, event->subject, n_subject);
    memcpy(texts + n_subject, event->text, strlen(event->text) + 1);
    event->subject = texts;
    event->text = texts + n_subject;
}

/* After adding: whether the store thread should come before its time. The lock is held. */
static bool inbox_should_wake(weir_inbox *inbox)
{
    if (inbox->woken || !inbox->wake || !(inbox->urgent || inbox->bytes >= WAKE_BYTES))
        return false;
    inbox->woken = true;
    return true;
}

bool weir_inbox_put_batch(weir_inbox *inbox, const weir_batch *batch)
{
    const size_t samples_size = batch->n_samples * sizeof *batch->samples;
    size_t contents = 0;
    for (size_t i = 0; i < batch->n_samples; i++)
        if (has_content(&batch->samples[i].value))
            contents += batch->samples[i].value.length;
    const size_t size = sizeof(struct record) + sizeof *batch + samples_size + round8(contents);

    (void)pthread_mutex_lock(&inbox->lock);
    unsigned char *at = inbox_reserve(inbox, size, RECORD_BATCH);
    if (at) {
        weir_batch copy = *batch;
        unsigned char *samples = at + sizeof copy;
        copy.samples = (const weir_sample *)(const void *)samples;
        memcpy(at, &copy, sizeof copy);
        if (samples_size)
            memcpy(samples, batch->samples, samples_size);
        if (contents)
            pack_contents((weir_sample *)(void *)samples, batch->n_samples, samples + samples_size);
    } else {
        inbox->refused += batch->n_samples;
    }
    const bool wake = inbox_should_wake(inbox);
    (void)pthread_mutex_unlock(&inbox->lock);
    if (wake)
        inbox->wake(inbox->data);
    return at != NULL;
}

bool weir_inbox_put_event(weir_inbox *inbox, const weir_event *event, bool urgent)
{
    const size_t size = sizeof(struct record) + sizeof *event + round8(texts_size(event));

    (void)pthread_mutex_lock(&inbox->lock);
    unsigned char *at = inbox_reserve(inbox, size, RECORD_EVENT);
    if (at) {
        weir_event copy = *event;
        pack_texts(&copy, at + sizeof copy);
        memcpy(at, &copy, sizeof copy);
        inbox->urgent |= urgent;
    } else {
        inbox->refused++;
    }
    const bool wake = inbox_should_wake(inbox);
    (void)pthread_mutex_unlock(&inbox->lock);
    if (wake)
        inbox->wake(inbox->data);
    return at != NULL;
}

bool weir_inbox_put_correction(weir_inbox *inbox, const weir_correction *correction)
{
    const size_t n_offsets = correction->n_offsets * sizeof *correction->offsets;
    const size_t size = sizeof(struct record) + sizeof *correction + n_offsets +
                        round8(texts_size(&correction->event));

    (void)pthread_mutex_lock(&inbox->lock);
    unsigned char *at = inbox_reserve(inbox, size, RECORD_CORRECTION);
    if (at) {
        weir_correction copy = *correction;
        unsigned char *offsets = at + sizeof copy;
        copy.offsets = (const weir_epoch_offset *)(const void *)offsets;
        if (n_offsets)
            memcpy(offsets, correction->offsets, n_offsets);
        pack_texts(&copy.event, offsets + n_offsets);
        memcpy(at, &copy, sizeof copy);
        inbox->urgent = true;
    }
    const bool wake = inbox_should_wake(inbox);
    (void)pthread_mutex_unlock(&inbox->lock);
    if (wake)
        inbox->wake(inbox->data);
    return at != NULL;
}

weir_inbox_taken weir_inbox_take(weir_inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->lock);
    weir_inbox_taken taken = {inbox->first, inbox->urgent, inbox->refused};
    inbox->first = inbox->last = NULL;
    inbox->bytes = 0;
    inbox->urgent = inbox->woken = false;
    (void)pthread_mutex_unlock(&inbox->lock);
    return taken;
}

static weir_err record_visit(const struct record *record, const weir_inbox_visitor *visitor)
{
    const void *body = record + 1;
    switch (record->kind) {
    case RECORD_BATCH:
        return visitor->batch(visitor->data, body);
    case RECORD_EVENT:
        return visitor->event(visitor->data, body);
    case RECORD_CORRECTION:
        return visitor->correction(visitor->data, body);
    }
    return WEIR_EINVAL;
}

weir_err weir_inbox_each(weir_inbox_taken *taken, const weir_inbox_visitor *visitor)
{
    for (weir_inbox_chunk *c = taken->first; c; c = c->next)
        while (c->read < c->used) {
            const unsigned char *at = c->bytes + c->read;
            const struct record *record = (const struct record *)(const void *)at;
            weir_err err = record_visit(record, visitor);
            if (err)
                return err;
            c->read += record->size;
        }
    return WEIR_OK;
}

void weir_inbox_release(weir_inbox *inbox, weir_inbox_taken *taken)
{
    weir_inbox_chunk *rest = NULL;
    size_t n_spare = 0;
    (void)pthread_mutex_lock(&inbox->lock);
    for (weir_inbox_chunk *c = inbox->spare; c; c = c->next)
        n_spare++;
    for (weir_inbox_chunk *c = taken->first, *next; c; c = next) {
        next = c->next;
        weir_inbox_chunk **list = &rest;
        if (c->capacity == CHUNK_BYTES && n_spare < SPARES_MAX) {
            list = &inbox->spare;
            n_spare++;
        }
        c->next = *list;
        *list = c;
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    chunks_free(rest);
    taken->first = NULL;
}

size_t weir_inbox_bytes(weir_inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->lock);
    size_t bytes = inbox->bytes;
    (void)pthread_mutex_unlock(&inbox->lock);
    return bytes;
}

uint64_t weir_inbox_refused(weir_inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->lock);
    uint64_t refused = inbox->refused;
    (void)pthread_mutex_unlock(&inbox->lock);
    return refused;
}
