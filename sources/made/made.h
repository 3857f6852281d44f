/* SPDX-License-Identifier: MIT */
/* What sources have in common that make their values up: each read is answered at the next step. */

#pragma once
#include "model/source.h"

/* A place for one value: whose it is. */
typedef struct weir_made_place {
    const weir_device *device;
    const weir_point *point;
    uint32_t element;
    weir_wall due;
    uint8_t *room; /* weir_made_kind.room bytes, until the batch is handed on */
} weir_made_place;

/* What a source of this kind has of its own. */
typedef struct weir_made_kind {
    size_t room; /* what a value may need for its contents */
    /* A null value becomes bad(na). */
    weir_value (*value)(void *state, const weir_made_place *place);
} weir_made_kind;

/* Room for the samples of the largest device. */
typedef struct weir_made_buffers {
    weir_sample *samples;
    uint8_t *rooms;
} weir_made_buffers;

/* The beginning of such a source's state. */
typedef struct weir_made {
    const weir_made_kind *kind;
    weir_source_host host;
    weir_read *waiting;
    size_t n_waiting, capacity;
    weir_made_buffers buffers;
} weir_made;

weir_err weir_made_init(weir_made *made, const weir_made_kind *kind, const weir_source_host *host,
                        weir_error *error) WEIR_MUST_CHECK;

/* Functions of weir_source_type; state begins with weir_made. */
void weir_made_deinit(void *state);
void weir_made_read(void *state, const weir_read *read);
void weir_made_step(void *state, weir_mono now);
weir_err weir_made_prepare(void *state, const weir_source_change *change, void **ret_prepared,
                           weir_error *error) WEIR_MUST_CHECK;
void weir_made_apply(void *state, const weir_source_change *change, void *prepared);
void weir_made_discard(void *state, void *prepared);
