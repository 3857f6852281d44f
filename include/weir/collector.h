/* SPDX-License-Identifier: MIT */
/* The collector: devices are read, samples kept and delivered, on threads of its own. */

#pragma once
#include "weir/draft.h"
#include "weir/error.h"
#include "weir/log.h"
#include "weir/row.h"
#include "weir/sample.h"
#include "weir/sink.h"
#include "weir/source.h"

WEIR_C_BEGIN

/*
 * The life of one:
 *
 *     weir_collector_new
 *     weir_collector_add_source, _add_sink, _listen     what the program brings
 *     weir_collector_load_file, or _text, or _draft     what is to be collected
 *     weir_collector_start
 *     weir_collector_pause, _resume                     as often as wanted
 *     weir_collector_load_file ...                      while it runs: what is different is applied
 *     weir_collector_stop                               may be loaded and started again
 *     weir_collector_close
 *
 * Threads. Every function may be called from any thread, several at once. A collector has a thread
 * for devices (the loop), one for the store, one for each sink and one for each connection of an
 * own source; none of them takes signals. What is called back says on which. From inside a callback
 * only the functions marked [callback] may be called for the same collector; all others answer
 * WEIR_EPERM and do nothing. weir_collector_start has the process ignore SIGPIPE.
 *
 * Several collectors may run in one process, with a data directory each.
 */
typedef struct weir_collector weir_collector;

typedef struct weir_collector_options {
    size_t struct_size;   /* sizeof of it */
    const char *data_dir; /* instead of the configuration's; "memory": nothing on disk. Copied */
    uint64_t seed;        /* of what is random; 0: from the system */
    void *data;           /* for on_log */
    /* A line for each change of state, and each problem of a configuration. Any thread; must not
     * block. NULL: the library says nothing. */
    void (*on_log)(void *data, weir_log_level level, const char *event, const char *subject,
                   const char *text);
} weir_collector_options;

/* What happens to a collector, before and after. */
typedef enum weir_stage {
    WEIR_BEFORE_START,
    WEIR_AFTER_START,
    WEIR_BEFORE_PAUSE,
    WEIR_AFTER_PAUSE,
    WEIR_BEFORE_RESUME,
    WEIR_AFTER_RESUME,
    WEIR_BEFORE_STOP,
    WEIR_AFTER_STOP, /* also when a start failed */
    WEIR_BEFORE_CLOSE,
    WEIR_AFTER_CLOSE,   /* the last thing that is ever called back */
    WEIR_BEFORE_EXPIRY, /* of a plan whose lifetime or end has come */
    WEIR_AFTER_EXPIRY,
} weir_stage;

WEIR_API const char *weir_stage_text(weir_stage stage); /* "before start"; [callback] */

/* Samples that came together, normally with one reply. All is borrowed until return; nothing is
 * copied for it. */
typedef struct weir_batch_view {
    size_t struct_size;
    const char *connection;
    const char *device;
    uint32_t epoch; /* 0, grows at each backward step of the clock */
    uint32_t flags; /* WEIR_BATCH_... of weir/sample.h */
    uint64_t plans; /* which were due: one bit each, WEIR_PLAN_DEFAULT the plan `default` */
    weir_wall due;
    weir_wall sent; /* of the request; 0: none was sent */
    weir_wall received;
    size_t n_samples;
    const weir_sample *samples;
} weir_batch_view;

/* Who is told. struct_size is sizeof of it; each function may be NULL. All is copied but what data
 * points to. */
typedef struct weir_listener {
    size_t struct_size;
    void *data;
    /* plan: whose stage it is (weir/plan.h), then on the loop; NULL: the whole collector's, then on
     * the thread that starts, pauses, resumes, stops or closes it. */
    void (*on_stage)(void *data, weir_collector *collector, weir_stage stage, const char *plan);
    /* Every sample, also those that a deadband leaves out of the store. On the loop: while it runs,
     * no device is read, so hand on what takes long. */
    void (*on_batch)(void *data, weir_collector *collector, const weir_batch_view *batch);
    /* A device went up or down, the clock stepped: on the loop. A sink's state changed: on its
     * thread. Must not block. */
    void (*on_event)(void *data, weir_collector *collector, const weir_event *event);
    /* Only batches that one of these plans asked for, and stages of these plans and of the
     * collector: by their names, `default` too, also of plans that come later. 0: of all plans. */
    size_t n_plans;
    const char *const *plans;
} weir_listener;

/* --- life --- */

/* options may be NULL. WEIR_EINVAL, WEIR_ENOMEM. */
WEIR_API weir_err weir_collector_new(const weir_collector_options *options, weir_collector **ret,
                                     weir_error *error) WEIR_MUST_CHECK;

/*
 * Before the catalog that names them is loaded. Copied. WEIR_EINVAL: the name is missing, or there
 * is one of that name already; WEIR_EPERM: it runs; WEIR_ENOMEM.
 */
WEIR_API weir_err weir_collector_add_source(weir_collector *collector,
                                            const weir_own_source *source,
                                            weir_error *error) WEIR_MUST_CHECK;
WEIR_API weir_err weir_collector_add_sink(weir_collector *collector, const weir_own_sink *sink,
                                          weir_error *error) WEIR_MUST_CHECK;

/* While it does not run. Copied; told in the order of adding. WEIR_EPERM, WEIR_ENOMEM. */
WEIR_API weir_err weir_collector_listen(weir_collector *collector, const weir_listener *listener,
                                        weir_error *error) WEIR_MUST_CHECK;

/*
 * What is to be collected: a file as weir.yaml(5) describes, its text, or a draft's tree. name:
 * what messages call the text, and whose folder its profiles are looked for in. Replaces what was
 * loaded before; when it fails, that stays.
 *
 * While the collector runs, what is different is applied, and nothing else is touched: other
 * connections keep their sockets, other devices miss no reading, other sinks go on; a removed tag
 * keeps its history. Connections of own sources are closed and opened again. data_dir and
 * clock.trust take effect with the next start.
 *
 * WEIR_ECONFIG   error has the first problem and how many there are; on_log gets all of them,
 *                event "problem".
 * WEIR_EINVAL, WEIR_EUNSUPPORTED, WEIR_EINUSE, WEIR_EIO   while it runs: it could not be applied.
 * WEIR_ENOMEM
 */
WEIR_API weir_err weir_collector_load_file(weir_collector *collector, const char *path,
                                           weir_error *error) WEIR_MUST_CHECK;
WEIR_API weir_err weir_collector_load_text(weir_collector *collector, const char *text, size_t n,
                                           const char *name, weir_error *error) WEIR_MUST_CHECK;
WEIR_API weir_err weir_collector_load_draft(weir_collector *collector, weir_draft *draft,
                                            weir_error *error) WEIR_MUST_CHECK;

/*
 * Starts collecting. Returns when all threads run; devices that do not answer are no failure.
 *
 * WEIR_EINUSE    another process has the data directory.
 * WEIR_EINVAL    nothing was loaded, or it runs already.
 * WEIR_EDAMAGED, WEIR_EIO, WEIR_EPERM, WEIR_ENOMEM
 */
WEIR_API weir_err weir_collector_start(weir_collector *collector,
                                       weir_error *error) WEIR_MUST_CHECK;

/* No device is read until it is resumed; what is under way ends, what was acquired is committed and
 * delivered. Slots of the pause yield no samples and count as no overruns. WEIR_EINVAL: it does not
 * run, or is (not) paused already. */
WEIR_API weir_err weir_collector_pause(weir_collector *collector, weir_error *error);
WEIR_API weir_err weir_collector_resume(weir_collector *collector, weir_error *error);

/*
 * Stops: no callback of it is under way when this returns, but those of the store are. Waits for
 * own sources and sinks that block. What was acquired is committed first.
 *
 * WEIR_EIO       the last commit failed: samples since the one before are lost.
 * WEIR_EINVAL    it does not run.
 */
WEIR_API weir_err weir_collector_stop(weir_collector *collector, weir_error *error);

/* Stops it if it runs, and frees it and all it gave. Accepts NULL. No other thread may still use
 * it. WEIR_EPERM: from inside a callback of its own, and nothing was freed. */
WEIR_API weir_err weir_collector_close(weir_collector *collector);

typedef enum weir_collector_state {
    WEIR_COLLECTOR_IDLE,
    WEIR_COLLECTOR_RUNNING,
    WEIR_COLLECTOR_PAUSED,
} weir_collector_state;

WEIR_API weir_collector_state weir_collector_get_state(weir_collector *collector); /* [callback] */

/* --- tags --- */

/* Of what is loaded; uids are known once it was started. What is returned lives until the
 * collector is closed. All [callback]. NULL: no such tag. */
WEIR_API size_t weir_collector_count_tags(weir_collector *collector);
WEIR_API const weir_tag_info *weir_collector_tag_at(weir_collector *collector, size_t i);
WEIR_API const weir_tag_info *weir_collector_tag(weir_collector *collector, weir_tag_uid uid);
WEIR_API const weir_tag_info *weir_collector_find_tag(weir_collector *collector, const char *name);

/* --- current values --- */

/* The latest sample of a tag, in the caller's memory. */
typedef struct weir_current_sample {
    weir_sample sample; /* strings and bytes point to text, cut to what fits */
    weir_wall received;
    char text[64];
} weir_current_sample;

/*
 * The latest sample of a tag by name, at most 100 ms old.
 *
 * WEIR_ENOTFOUND   no such tag, or nothing was read of it yet: error says which.
 * WEIR_EINVAL      it does not run. WEIR_ETIMEOUT: the loop did not answer within a second.
 */
WEIR_API weir_err weir_collector_current(weir_collector *collector, const char *tag,
                                         weir_current_sample *ret,
                                         weir_error *error) WEIR_MUST_CHECK;

/* All current values at one moment: immutable, for any thread, also after a stop, until freed.
 * Free them before the collector is closed. Errors as above. */
typedef struct weir_values weir_values;
WEIR_API weir_err weir_collector_values(weir_collector *collector, weir_values **ret,
                                        weir_error *error) WEIR_MUST_CHECK;
WEIR_API void weir_values_free(weir_values *values); /* accepts NULL */
WEIR_API size_t weir_values_count(const weir_values *values);
/* The tag at that place and its sample, copied; false: nothing was read of it yet, or i is too
 * large. ret_tag may be NULL. */
WEIR_API bool weir_values_get(const weir_values *values, size_t i, const weir_tag_info **ret_tag,
                              weir_current_sample *ret);

/* How a device is. Texts are the vocabulary of weir's tables: connecting, online, degraded,
 * offline, disabled. */
typedef struct weir_device_info {
    size_t struct_size; /* set by the caller */
    const char *state;
    weir_wall since;
    weir_wall last_good; /* 0: never */
    weir_quality error;  /* of the last failed read; 0: none since the last good one */
    uint64_t requests, timeouts, overruns;
} weir_device_info;

/* WEIR_ENOTFOUND: no such device; the rest as weir_collector_current. */
WEIR_API weir_err weir_collector_device(weir_collector *collector, const char *device,
                                        weir_device_info *ret, weir_error *error) WEIR_MUST_CHECK;

/* --- history --- */

/* What was committed of a tag, from..to both included, ascending by time; each identity (ts, epoch)
 * once, as it was said last. Collecting goes on meanwhile; what is acquired is committed within the
 * configuration's max_loss. One thread at a time. */
typedef struct weir_samples weir_samples;

/* Of a running collector. WEIR_EINVAL: it does not run; WEIR_ENOTFOUND: no such tag. */
WEIR_API weir_err weir_collector_samples(weir_collector *collector, const char *tag, weir_wall from,
                                         weir_wall to, weir_samples **ret,
                                         weir_error *error) WEIR_MUST_CHECK;

/* Of a data directory, whoever writes it, if anyone does. WEIR_ENOTFOUND: no store, or no such tag.
 * WEIR_EDAMAGED, WEIR_EPERM, WEIR_EIO, WEIR_ENOMEM. */
WEIR_API weir_err weir_samples_open(const char *data_dir, const char *tag, weir_wall from,
                                    weir_wall to, weir_samples **ret,
                                    weir_error *error) WEIR_MUST_CHECK;

/* The next one; strings and bytes live until the next call. *ret_any: there was one. WEIR_EDAMAGED,
 * WEIR_EIO, WEIR_ENOMEM. */
WEIR_API weir_err weir_samples_next(weir_samples *samples, weir_sample *ret, bool *ret_any,
                                    weir_error *error) WEIR_MUST_CHECK;
WEIR_API void weir_samples_free(weir_samples *samples); /* accepts NULL */

/* --- clocks --- */

WEIR_API weir_mono weir_mono_now(void); /* CLOCK_MONOTONIC; [callback] */
WEIR_API weir_wall weir_wall_now(void); /* CLOCK_REALTIME; [callback] */

WEIR_C_END
