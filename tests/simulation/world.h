/* SPDX-License-Identifier: MIT */
/* A whole plant and its collector in one thread from one seed: devices, network, clocks, disk. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "model/catalog.h"
#include "runtime/inbox.h"
#include "runtime/loop.h"
#include "runtime/platform.h"
#include "runtime/worker.h"
#include "simulation/ledger.h"
#include "simulation/network.h"
#include "simulation/sinks.h"
#include "store/store.h"
#include "support/fault_vfs.h"

/*
 * A plant of a test's own, which the test judges by itself: of what leaves the engine and what is
 * stored the world then compares nothing.
 */
typedef struct sim_world_plant {
    const char *yaml; /* the configuration, without data_dir */
    weir_slave_host slaves;
    void (*on_batch)(void *data, const weir_batch *batch);
    void (*on_committed)(void *data); /* all that left the engine is on the disk; may be NULL */
    void *data;
} sim_world_plant;

/*
 * The process (loop, worker, store) can die and be started again any number of times; the plant,
 * the clocks and the disk stay. The store has a thread of its own in reality: what its disk takes
 * of time delays the store here, and not the loop.
 *
 * Zero is the default of every field.
 */
typedef struct sim_world_config {
    uint64_t seed;
    unsigned devices;     /* units 1 .. n, named m1 .. mN */
    unsigned points;      /* of each, uint32, named p0 .. pN; 1 */
    bool two_tables;      /* odd points are input registers: two requests for a poll */
    unsigned connections; /* that share the devices; 1 */
    const char *scheme;   /* tcp */
    const char *settings; /* more of a connection: ", retries: 0" */
    const char *store;    /* more of the store: ", retention: 30d" */
    int64_t interval_us;  /* 1 s */
    int64_t max_loss_us;  /* 1 s */
    int64_t devices_us;   /* their states go to the store this often; 0: never */
    size_t inbox_limit;   /* 16 MiB */
    unsigned sinks;       /* see sinks.h; 0 */
    bool plants_lost_backlog;
    sim_network_faults faults;
    bool says_all;         /* violations are printed when they are found, not only counted */
    sim_world_plant plant; /* in place of devices, points, connections and what they are like */
} sim_world_config;

/* What a unit does when it is asked. */
typedef enum sim_unit_state {
    SIM_UNIT_WELL,
    SIM_UNIT_SILENT,
    SIM_UNIT_REFUSING, /* exception 4 */
    SIM_UNIT_BUSY,     /* exception 6 */
    SIM_UNIT_DEAD,     /* its gateway says so: exception 11 */
} sim_unit_state;

typedef struct sim_tag_state {
    int64_t last_ts;    /* of this life; 0: none */
    uint64_t n_steps;   /* of the wall clock, by then */
    uint64_t n_missing; /* slots in this life without a sample */
} sim_tag_state;

typedef struct sim_world {
    sim_world_config config;
    weir_mono now;
    int64_t wall_offset;
    bool is_unsynchronized; /* what the kernel says of the wall clock */
    weir_random random;
    sim_network network;
    weir_slave_host slave_host;
    sim_unit_state units[SIM_UNITS_MAX];
    weir_catalog *catalog;
    fault_vfs *disk;
    char folder[64]; /* holds nothing but the lock: the files are in `disk` */
    char vfs_name[32];

    /* of one life */
    bool is_running;
    weir_platform platform, store_platform;
    weir_store *store;
    weir_inbox inbox;
    weir_postbox *postbox;
    weir_worker *worker;
    weir_loop *loop;
    weir_mono worker_next, worker_free_at, devices_next;
    int64_t store_ahead_us; /* the store's thread is in a slow call for so long */
    int64_t started_wall;
    uint64_t refused; /* by the inbox, as last seen */
    sim_tag_state *tags;
    uint64_t n_clock_steps;
    weir_mono clock_stepped;

    sim_sink sinks[SIM_SINKS_MAX];
    unsigned n_sinks;

    /* the judge */
    sim_ledger ledger;
    uint64_t committed_seq; /* as last reported */
    uint64_t checked_seq;
    uint64_t n_samples, n_good, n_refused, n_lives;
    uint64_t n_gone;    /* committed, and removed by a limit before a check had found them */
    int64_t gone_until; /* newest ts that a limit may have removed, as of the last check */
    uint64_t lost, invented, violations;
    int64_t longest_loss_us; /* age of the oldest sample that an end cost */
    bool is_disk_faulty;     /* told by whoever makes the faults: max_loss cannot be kept */
    weir_mono disk_well_since;
    char problem[400]; /* the first violation */
    uint64_t trace;    /* of every sample and report, in order */
} sim_world;

void sim_world_open(sim_world *w, const sim_world_config *config);
void sim_world_close(sim_world *w);

weir_wall sim_world_wall(const sim_world *w);

/* What the wall clock would show had nobody set it. */
weir_wall sim_world_true_wall(const sim_world *w);

/* Starts the process. False: the store could not be opened; error says why. A store that does not
 * begin where the last process reported it to be is a violation. */
bool sim_world_start(sim_world *w, weir_error *error);

/* Exchanges the catalog of the process that runs, as the collector does, for that of a plant of the
 * test's own (config.plant.yaml). refuses: the loop has made ready, and the store says no. Returns
 * how many others still had the older catalog. False: what cannot be is left as it is. */
bool sim_world_apply(sim_world *w, const char *yaml, bool refuses, size_t *ret_left,
                     weir_error *error);

/* To the next thing that happens, or to `until`. */
void sim_world_step(sim_world *w, weir_mono until);
void sim_world_run(sim_world *w, int64_t us);

/* In order, with a last commit; false: that failed. */
bool sim_world_stop(sim_world *w);
void sim_world_kill(sim_world *w);
void sim_world_power_cut(sim_world *w);

/* What happens to the wall clock alone. */
void sim_world_step_clock(sim_world *w, int64_t us);

/* Counts it, keeps the first one's text with seed and simulated time. */
void sim_world_violation(sim_world *w, const char *format, ...) WEIR_PRINTF(2, 3);

/* Adds to the trace, by which two runs are compared. */
void sim_world_trace(sim_world *w, uint64_t x);

/* Compares the store, as any reader sees it, with what was produced and reported since the last
 * check. */
void sim_world_check(sim_world *w);

/* Compares a tag's day that was checked before. */
void sim_world_check_day(sim_world *w, int64_t day, uint32_t tag);

/* weir_store_verify, and that all samples add up: those that are there, and what gaps and expiry
 * have recorded as removed, are those that were ever committed. */
void sim_world_verify(sim_world *w);
void sim_world_add_up(sim_world *w);

/* The first column of the first row. */
int64_t sim_world_sql(sim_world *w, const char *sql);
