/* SPDX-License-Identifier: MIT */
/* The devices' rows on their way from the loop to the store: only the newest are of interest. */

#include "runtime/device_post.h"

#include <string.h>

#include "base/alloc.h"

void weir_device_post_init(weir_device_post *post)
{
    post->records = NULL;
    post->n = 0;
    (void)pthread_mutex_init(&post->lock, NULL);
}

void weir_device_post_deinit(weir_device_post *post)
{
    (void)pthread_mutex_destroy(&post->lock);
    weir_free(post->records);
}

/* Moves a text into the room behind the records; returns where the next one goes. */
static char *text_move(const char **text, char *room)
{
    const size_t length = strlen(*text) + 1;
    memcpy(room, *text, length);
    *text = room;
    return room + length;
}

static weir_device_record *records_copy(const weir_device_record *records, size_t n)
{
    size_t texts = 0;
    for (size_t i = 0; i < n; i++)
        texts += strlen(records[i].name) + strlen(records[i].connection) +
                 strlen(records[i].state) + strlen(records[i].error) + 4;
    weir_device_record *copy = weir_alloc(n * sizeof *copy + texts);
    char *room = copy ? (char *)(copy + n) : NULL;
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = records[i];
        room = text_move(&copy[i].name, room);
        room = text_move(&copy[i].connection, room);
        room = text_move(&copy[i].state, room);
        room = text_move(&copy[i].error, room);
    }
    return copy;
}

void weir_device_post_put(weir_device_post *post, const weir_device_record *records, size_t n)
{
    weir_device_record *copy = records_copy(records, n);
    if (!copy)
        return;
    (void)pthread_mutex_lock(&post->lock);
    weir_device_record *old = post->records;
    post->records = copy;
    post->n = n;
    (void)pthread_mutex_unlock(&post->lock);
    weir_free(old);
}

weir_device_record *weir_device_post_take(weir_device_post *post, size_t *ret_n)
{
    (void)pthread_mutex_lock(&post->lock);
    weir_device_record *records = post->records;
    *ret_n = post->n;
    post->records = NULL;
    (void)pthread_mutex_unlock(&post->lock);
    return records;
}
