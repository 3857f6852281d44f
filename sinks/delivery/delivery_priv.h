/* SPDX-License-Identifier: MIT */
/* What the files of delivery share: one sink's progress, the batch at hand, its state. */

#pragma once
#include "sinks/delivery/bisect.h"
#include "sinks/delivery/delivery.h"
#include "sinks/delivery/filter.h"
#include "sinks/delivery/pace.h"
#include "sinks/delivery/spans.h"

/* Until a send, a test or a resume has to be over. */
#define WEIR_SEND_DEADLINE (30 * WEIR_S)

enum {
    DELIVERY_MARKS = 16,      /* one a second at most: more than the ten seconds asked for */
    DELIVERY_OUTCOMES = 1000, /* rows, for the rule of the half that is rejected */
    DELIVERY_REMEMBERED = 400 /* of them, when one is taken after that half was */
};

typedef enum weir_batch_kind {
    BATCH_NONE,
    BATCH_LOG,    /* what is new, live or backlog */
    BATCH_RETRY,  /* rows that were set aside, by order */
    BATCH_REPLAY, /* history, by order */
} weir_batch_kind;

/* Rows that are being sent, and what of the log or of history they stand for. */
typedef struct weir_delivery_batch {
    weir_batch_kind kind;
    bool is_backlog;
    weir_bisect search;           /* how many rows, and which of them are settled */
    uint64_t first_seq, last_seq; /* LOG: the stretch that is done when all are */
    int64_t last_ts;              /* LOG: of the last sample in it, sent or not */
    uint64_t replay_id;           /* REPLAY */
    int64_t replay_done;          /* REPLAY: then all before this ts has gone ... */
    size_t replay_skip;           /* ... and so many samples of it */
} weir_delivery_batch;

struct weir_delivery {
    const weir_sink_config *config;
    const weir_sink_type *type;
    weir_take *take;
    const weir_delivery_host *host;
    weir_sink_host sink_host;
    void *state; /* of the sink */
    bool in_order;
    weir_sink_filter filter;
    weir_pace pace;

    /* How far it is. */
    bool begun; /* the cursor was read */
    bool moved; /* and the postbox does not have it yet */
    weir_spans done;
    weir_spans held;    /* not to be sent for now: their clock may yet be corrected */
    weir_mono held_due; /* look again */
    uint64_t head;      /* committed */
    uint64_t live_from; /* > 0: there is a backlog up to here, and what is behind is live */
    bool resumed;
    uint64_t resume_seq; /* the sink has all up to here that was not held */
    struct {
        uint64_t seq;
        weir_mono at; /* when it was first seen to be committed */
    } marks[DELIVERY_MARKS];
    size_t n_marks;
    bool was_live; /* the last batch was */

    /* Orders. */
    bool paused;
    uint64_t n_set_aside, n_retries;
    uint64_t replay_id;
    int64_t replay_from, replay_to, replay_done;
    size_t replay_skip;
    uint64_t retry_after; /* seq */
    weir_mono retries_due;

    /* What was taken and is not in a batch yet; valid until the next call of take. */
    weir_take_chunk chunk;
    size_t chunk_at;    /* rows before it are in a batch or left out */
    uint64_t chunk_seq; /* the first that is not */
    weir_batch_kind chunk_kind;
    int64_t chunk_until; /* REPLAY */
    double wanted_share; /* of what is taken, passes the filter, of late */

    weir_delivery_batch batch;
    weir_sink_row *rows; /* of the batch */
    size_t capacity;

    weir_mono wait_until; /* after a failure */
    weir_mono idle_due;
    size_t odd_one;                      /* while most rows are rejected: which row is tried next */
    uint8_t outcomes[DELIVERY_OUTCOMES]; /* 1: rejected */
    size_t next_outcome, n_rejected;

    const char *state_text;
    char why[256], remedy[256];
    weir_wall since, delivered;
    weir_mono told; /* when a state was last told */
    char told_why[256];
    bool take_failing; /* said so */
    uint64_t lost;     /* samples, not told yet */
    weir_mono lost_due;
    int64_t oldest_ts; /* of what is not done, about */
    uint64_t sent, repeated, left_out;
};

/* choice.c: fills the batch with what goes next. False: nothing, until *ret_next. */
bool weir_delivery_choose(weir_delivery *d, weir_mono now, weir_mono *ret_next);

/* All rows of a replay's batch are settled. False: the postbox does not take it now. */
bool weir_delivery_replayed(weir_delivery *d, const weir_delivery_batch *batch);

/* Nothing of what was taken is used any more; unsettled rows of the batch are taken again. */
void weir_delivery_drop_batch(weir_delivery *d);

/* The numbers are done: with the sink, or passed over. is_backlog: they had waited. */
void weir_delivery_mark(weir_delivery *d, uint64_t first, uint64_t last, bool is_backlog);

/* The log could not be read: told once. Returns when to try again. */
weir_mono weir_delivery_take_failed(weir_delivery *d, const weir_error *error);
void weir_delivery_take_works(weir_delivery *d);

/* batch.c: sends what is next of the batch, and judges the answer. */
void weir_delivery_send(weir_delivery *d);

/* An answer of LATER: state, and how long to wait. */
void weir_delivery_put_off(weir_delivery *d, const weir_send_answer *answer);

/* state.c: told when it is another one. */
void weir_delivery_set_state(weir_delivery *d, const char *state, const char *why,
                             const char *remedy);
