/* SPDX-License-Identifier: MIT */
/* Rings of requests, one for each class and unit. */

#include "modbus/queue.h"

#include <assert.h>
#include <string.h>

int weir_unit_set_next(const weir_unit_set *set, uint8_t unit)
{
    unsigned first = unit / 64;
    uint64_t word = set->words[first] & ~0ull << unit % 64;
    for (unsigned i = 0; i <= WEIR_UNITS / 64; i++) {
        unsigned at = (first + i) % (WEIR_UNITS / 64);
        if (i > 0)
            word = set->words[at];
        if (word)
            return (int)(at * 64) + __builtin_ctzll(word);
    }
    return -1;
}

bool weir_unit_set_equal(const weir_unit_set *a, const weir_unit_set *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Puts the request at the front of its ring and says which link of the ring ends it. */
static weir_request **queue_insert(weir_queue *queue, weir_request *request)
{
    struct weir_queue_class *class = &queue->classes[request->class];
    weir_request **last = &class->last[request->unit];
    if (*last) {
        request->next = (*last)->next;
        (*last)->next = request;
    } else {
        request->next = request;
        *last = request;
        weir_unit_set_add(&class->waiting, request->unit);
    }
    queue->n++;
    return last;
}

void weir_queue_push(weir_queue *queue, weir_request *request)
{
    *queue_insert(queue, request) = request;
}

void weir_queue_push_first(weir_queue *queue, weir_request *request)
{
    (void)queue_insert(queue, request);
}

static weir_request *class_first(const struct weir_queue_class *class,
                                 bool (*may_send)(const void *data, uint8_t unit), const void *data)
{
    int first = weir_unit_set_next(&class->waiting, class->turn);
    int unit = first;
    while (unit >= 0) {
        if (may_send(data, (uint8_t)unit))
            return class->last[unit]->next;
        unit = weir_unit_set_next(&class->waiting, (uint8_t)(unit + 1));
        if (unit == first)
            break;
    }
    return NULL;
}

weir_request *weir_queue_first(const weir_queue *queue,
                               bool (*may_send)(const void *data, uint8_t unit), const void *data)
{
    weir_request *request = NULL;
    for (int i = 0; i < WEIR_REQUEST_CLASSES && !request; i++)
        request = class_first(&queue->classes[i], may_send, data);
    return request;
}

void weir_queue_take(weir_queue *queue, weir_request *request)
{
    struct weir_queue_class *class = &queue->classes[request->class];
    weir_request **last = &class->last[request->unit];
    assert(*last && (*last)->next == request);
    if (*last == request) {
        *last = NULL;
        weir_unit_set_remove(&class->waiting, request->unit);
    } else {
        (*last)->next = request->next;
    }
    request->next = NULL;
    class->turn = (uint8_t)(request->unit + 1);
    queue->n--;
}

void weir_queue_remove(weir_queue *queue, weir_request *request)
{
    struct weir_queue_class *class = &queue->classes[request->class];
    weir_request **last = &class->last[request->unit];
    weir_request *before = *last;
    while (before->next != request)
        before = before->next;
    if (before == request) {
        *last = NULL;
        weir_unit_set_remove(&class->waiting, request->unit);
    } else {
        before->next = request->next;
        if (*last == request)
            *last = before;
    }
    request->next = NULL;
    queue->n--;
}

static bool every_unit(const void *data, uint8_t unit)
{
    (void)data;
    (void)unit;
    return true;
}

weir_request *weir_queue_take_all(weir_queue *queue)
{
    weir_request *chain = NULL;
    weir_request **end = &chain;
    for (weir_request *r; (r = weir_queue_first(queue, every_unit, NULL));) {
        weir_queue_take(queue, r);
        *end = r;
        end = &r->next;
    }
    return chain;
}
