/* SPDX-License-Identifier: MIT */
/* The devices' rows on their way from the loop to the store: only the newest are of interest. */

#pragma once
#include <pthread.h>
#include <stddef.h>

#include "store/store.h"

typedef struct weir_device_post {
    pthread_mutex_t lock;        /* of what follows */
    weir_device_record *records; /* with their texts behind, one allocation; NULL: none wait */
    size_t n;
} weir_device_post;

void weir_device_post_init(weir_device_post *post);
void weir_device_post_deinit(weir_device_post *post);

/* Copies; replaces what waits. Without memory nothing changes: the next ones come in a minute. Any
 * thread. */
void weir_device_post_put(weir_device_post *post, const weir_device_record *records, size_t n);

/* What waits, the caller's to free (weir_free); NULL: nothing. Any thread. */
weir_device_record *weir_device_post_take(weir_device_post *post, size_t *ret_n);
