/* SPDX-License-Identifier: MIT */
/* The store worker's inside, shared with what says how the store is and mends it. */

#pragma once
#include "runtime/device_post.h"
#include "runtime/worker.h"

struct weir_worker {
    weir_store *store;
    weir_inbox *inbox;
    const weir_platform *platform;
    weir_postbox *postbox; /* NULL: none */
    int64_t max_loss_us;
    weir_mono commit_due;
    weir_mono maintain_due;
    bool maintain_failing;  /* said so */
    weir_inbox_taken taken; /* not yet appended, when memory was short */
    bool must_commit;
    uint64_t refused_reported;
    weir_wall refused_none; /* when nothing had been refused last */
    uint64_t rejected;      /* samples of batches that the store will never take */
    bool devices_failing;   /* said so */
    bool postbox_failing;   /* likewise */

    weir_mono check_due, hint_due;
    weir_mono recover_next, repair_next; /* not before */
    int64_t recover_pause;               /* 0: the last try succeeded */
    char obstacle[512];                  /* why the last recovery failed; "": it did not */
    int64_t slowest[2];                  /* commits of this minute and the one before, us */
    weir_mono minute_due;

    weir_device_post devices;

    pthread_mutex_t lock; /* of what follows */
    weir_worker_view view;
};

/* A line of the log. */
void weir_worker_log(const weir_worker *w, weir_log_level level, const char *event,
                     const char *text);

/* An event and a line. The event waits with all else until it can be stored. */
void weir_worker_tell(weir_worker *w, weir_event_kind kind, weir_log_level level, const char *line,
                      const char *text);

/* What the store itself has to tell: a repair at its opening, a WAL that grows. */
void weir_worker_tell_notice(weir_worker *w);

/* What the others see after a commit, or after err. A change of the state is told. */
void weir_worker_publish(weir_worker *w, weir_err err, const weir_error *error, bool committed);

/* The same state, for another reason: how the recovery failed says more than the first failure. */
void weir_worker_note_error(weir_worker *w, const weir_error *error);

/* A commit took so long. */
void weir_worker_note_time(weir_worker *w, int64_t us);

/* Closes and opens the file, when err calls for it and the last try is not too near. False: not
 * done; *err has what it ran into. */
bool weir_worker_recover(weir_worker *w, weir_err *err, weir_error *error);

/* Something else than a commit has failed: told, and the file opened anew, as when a commit does.
 */
void weir_worker_handle(weir_worker *w, weir_err err, weir_error *error);
