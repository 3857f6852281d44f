/* SPDX-License-Identifier: MIT */
/* The master's inside, shared by the files that run reads, deliver samples and learn. */

#pragma once
#include "modbus/learnt.h"
#include "modbus/master.h"
#include "modbus/poll.h"
#include "modbus/tally.h"

struct job;

typedef struct master_device {
    const weir_device *device;
    uint32_t index;      /* in the catalog */
    uint32_t same_unit;  /* position + 1 of the next device with this unit id; 0: none */
    uint64_t last_ended; /* number of its last ended request, for late replies */
    weir_learnt learnt;
    weir_tally tally;
    weir_poll *polls; /* most recently used first */
} master_device;

/*
 * Two halves of a block that was refused as a whole. When both answer, it was not an address that
 * the device refused but their being together.
 */
typedef struct split {
    struct split *next_free;
    weir_register table;
    uint8_t code;
    uint8_t pending;                 /* halves not ended */
    bool refused;                    /* a half was not answered */
    uint16_t count;                  /* registers or bits of the whole */
    uint16_t count_worked;           /* of the larger half */
    uint32_t left_last, right_first; /* addresses at the border */
} split;

/* One request: items first .. first + n - 1 of its job's poll. */
typedef struct block {
    weir_request request; /* first: the link gives this back */
    struct block *next;   /* free list, the job's pieces, or its requests on the link */
    struct job *job;
    split *split; /* it is a half of this; NULL: a whole group */
    weir_register table;
    uint8_t depth; /* how often halved */
    uint32_t first, n;
    uint8_t data[2]; /* of a function code that takes an address */
    uint32_t base;   /* offset of its first register or bit in its group's items */
} block;

/* A read under way. */
typedef struct job {
    struct job *next, *prev;
    weir_master *master;
    master_device *device;
    weir_poll *poll;
    weir_read read;
    weir_mono started;
    size_t group;                /* the next group to ask for */
    block *pieces, *pieces_last; /* halves and refused points to ask for, in this order */
    block *on_link;
    uint32_t n_on_link;
    uint64_t oldest;                      /* number of its request longest on the link */
    bool asked, answered, worked, silent; /* a request made; any reply; a good one; none in time */
    bool over;                            /* nothing more is asked for: the rest is `rest` */
    weir_quality rest;
    weir_quality worst;
} job;

struct weir_master {
    const weir_source_host *host;
    const weir_catalog *catalog;
    const weir_connection *connection;
    weir_link *link;
    weir_mono now; /* of the call that is running */
    bool connected, freeing;
    weir_cause down; /* why it is not connected */
    bool serial;     /* replies have no ids of use */
    uint32_t window; /* requests of one read on the link at once */
    size_t n_devices;
    master_device *devices; /* ascending by index */
    uint32_t unit[256];     /* position + 1 of the first device with a unit id; 0: none */
    uint64_t n_submitted;
    job *fresh, *fresh_last; /* read, not started */
    job *running;
    job *free_jobs;
    block *free_blocks;
    split *free_splits;
    size_t samples_capacity, room_capacity;
    weir_sample *samples; /* of the batch being delivered */
    uint8_t *room;        /* and its strings */
};

/* deliver.c: samples to the host. */

/* Memory for the largest batch of a poll. */
bool weir_master_reserve(weir_master *m, const weir_poll *poll) WEIR_MUST_CHECK;
void weir_master_deliver_good(block *b, const weir_reply *reply);
/* reply NULL: no request was made. */
void weir_master_deliver_bad(job *j, const weir_poll_item *items, size_t n, weir_quality quality,
                             const weir_reply *reply);
/* For one batch out of several groups: adds the bad samples of one, after n; returns how many. */
size_t weir_master_collect_bad(job *j, size_t n, const weir_group *group, weir_quality quality);
void weir_master_deliver_collected(job *j, size_t n);
/* Without memory for a poll: every point of the read. */
void weir_master_deliver_nothing(job *j);

/* refuse.c: exceptions 1 to 4 and what is learnt from them. */

/* The device answered the block with an exception: halves it, or delivers it as bad. */
void weir_master_refused(block *b, const weir_reply *reply);
/* The block ended (not by being halved again): its split may be complete. */
void weir_master_split_ended(block *b, bool worked);
/* A good reply: what it says of refused points and tables. */
void weir_master_accepted(block *b);
/* Once the job's groups have been asked for: refused points whose time has come become pieces, the
 * others are delivered as bad. */
void weir_master_add_refused(job *j);

/* job.c: reads, requests and their objects, which come from free lists. */

/* NULL: memory is short. */
job *weir_master_job_new(weir_master *m) WEIR_MUST_CHECK;
void weir_master_job_free(job *j);
/* A running one is over without a word: late replies are dropped. */
void weir_master_job_drop(job *j);
/* Asks for the first of it; may end it at once. */
void weir_master_job_start(job *j);
block *weir_master_block_new(job *j, const weir_group *group, uint32_t first, uint32_t n);
void weir_master_block_free(weir_master *m, block *b);
void weir_master_piece_add(job *j, block *b);
split *weir_master_split_new(weir_master *m);
void weir_master_split_free(weir_master *m, split *s);
/* master.c */

/* A device's place among those of its connection, with what a read of it needs in memory: a job for
 * each that can be under way, put before *jobs. False: no memory. */
bool weir_master_device_init(master_device *d, const weir_device *device, uint32_t index,
                             job **jobs) WEIR_MUST_CHECK;
void weir_master_device_deinit(master_device *d);
/* The same endpoint with other timing, from now on. */
void weir_master_set_connection(weir_master *m, const weir_connection *connection);
void weir_master_unit_add(uint32_t unit[256], master_device *devices, size_t position);

/* Whether every point can be asked for at all: found here, it is the configuration's error. */
weir_err weir_master_device_check(const weir_catalog *catalog, const master_device *d,
                                  weir_error *error) WEIR_MUST_CHECK;

void weir_master_log(weir_master *m, weir_log_level level, const char *event, const char *format,
                     ...) WEIR_PRINTF(4, 5);
static inline uint32_t master_point_index(const job *j, const weir_poll_item *item)
{
    return (uint32_t)(item->point - j->device->device->points);
}
