/* SPDX-License-Identifier: MIT */
/* Sources of the program's own: a thread for each connection, behind a source as all others.
 *
 * The happy path: the loop asks for a read -> a job with room for its samples goes into the queue
 * of the connection's thread -> that opens the connection if it is not open, and calls the
 * program's read, which may block -> the job goes back, the loop is poked -> its next step hands
 * the samples on and ends the read.
 *
 * The ways it fails:
 * - open fails: the samples are bad(connect), the read ends as one without a connection; the next
 *   read tries again.
 * - read says so: it ends as silent or without connection; what it filled in is kept.
 * - The end comes while a read is under way: the loop goes at once, interrupt is called, and the
 *   thread ends when the program's function returns; weir_own_source_join waits for that.
 * - No memory for a job: the read ends at the next step with bad(overflow).
 *
 * Another catalog in which the connection is the same: the thread and what open began stay. Jobs
 * under way find their device under its new number; those of a device that is read otherwise now
 * come back to nobody. What a job says of names is of the catalog it was made for. */

#include "embed/own_source.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "embed/collector_priv.h"
#include "embed/core/options.h"
#include "runtime/clock.h"

/* A read under way. `read` and `pending` are the loop's alone. */
struct job {
    struct job *next;
    struct job *pending; /* of own.pending */
    weir_read read;      /* device WEIR_DEVICE_NONE: nobody waits for it any more */
    weir_wall due;
    weir_wall sent, received;
    weir_read_result result;
    bool tried_open, opened; /* what came of it is told to the host */
    char why[256];
    char *texts; /* contents of strings and bytes */
    /* Of the tag table: the catalog may be exchanged while the program reads. */
    const char *connection, *device;
    uint8_t unit_id;
    size_t n;
    weir_sample *samples;       /* [n] */
    const weir_tag_info **tags; /* [n] */
};

struct jobs {
    struct job *first, *last;
};

/* A connection's thread. Its own from init until join; what is shared is under the lock. */
struct own_thread {
    struct own_thread *next; /* of the type's list */
    weir_own_source_type *type;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ending;          /* the loop's part is gone, and with it the host */
    bool ended;           /* nothing but joining is left */
    bool reading;         /* the program's read is under way, and may be interrupted */
    bool changed_catalog; /* since the program was told */
    struct jobs todo, done;
    weir_source_host host; /* poke alone, and until ending */
    int64_t timeout_us;
    void *state; /* of the program; the thread's, and under the lock interrupt's while reading */
    bool open;
};

struct weir_own_source_type {
    weir_source_type type;
    weir_own_source own;
    weir_collector *collector;
    struct own_thread *threads; /* whoever starts, then the loop, then whoever stops */
};

/* The loop's part. */
struct own {
    struct own_thread *thread; /* NULL: init failed */
    const weir_own_source_type *type;
    weir_source_host host;
    struct job *pending; /* all that the thread has not given back */
    weir_read *failed;   /* no memory was there for these */
    size_t n_failed, failed_capacity;
    bool told, up; /* on_link */
};

static void jobs_put(struct jobs *jobs, struct job *job)
{
    job->next = NULL;
    if (jobs->last)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
}

static void job_free(struct job *job)
{
    if (job)
        weir_free(job->texts);
    weir_free(job);
}

static void jobs_free(struct jobs *jobs)
{
    for (struct job *job = jobs->first, *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
    *jobs = (struct jobs){0};
}

/* --- the thread ----------------------------------------------------------------------------- */

static void thread_open(struct own_thread *t, struct job *job)
{
    const weir_own_source *own = &t->type->own;
    weir_error error = WEIR_ERROR_INIT;
    if (t->open)
        return;
    job->tried_open = true;
    t->state = own->data;
    const weir_collector *before = weir_callback_enter(t->type->collector);
    t->open = !own->open || own->open(own->data, job->connection, &t->state, &error) == WEIR_OK;
    weir_callback_leave(before);
    job->opened = t->open;
    (void)snprintf(job->why, sizeof job->why, "%.255s",
                   *error.text ? error.text : weir_err_text(error.code));
}

static void thread_close(struct own_thread *t)
{
    if (t->open && t->type->own.close) {
        const weir_collector *before = weir_callback_enter(t->type->collector);
        t->type->own.close(t->state);
        weir_callback_leave(before);
    }
    t->open = false;
}

static void job_fail(struct job *job, weir_quality quality)
{
    for (size_t i = 0; i < job->n; i++)
        job->samples[i].quality = quality;
}

/* What a program may get wrong is put right, and what it lent is copied. */
static void job_take(struct job *job)
{
    size_t length = 0;
    for (size_t i = 0; i < job->n; i++) {
        weir_sample *s = &job->samples[i];
        const bool lent = s->value.kind == WEIR_KIND_STRING || s->value.kind == WEIR_KIND_BYTES;
        s->tag = job->tags[i]->uid;
        if (s->value.kind >= WEIR_KIND_COUNT ||
            (s->value.kind == WEIR_KIND_STRING && s->value.length <= WEIR_VALUE_LENGTH_MAX &&
             !weir_utf8_valid(s->value.as.text, s->value.length)))
            s->quality = weir_bad(WEIR_CAUSE_MALFORMED, 0);
        else if (lent && s->value.length > WEIR_VALUE_LENGTH_MAX)
            s->quality = weir_bad(WEIR_CAUSE_OVERFLOW, 0);
        if (weir_quality_class(s->quality) == WEIR_BAD)
            s->value = weir_value_null();
        else if (lent)
            length += s->value.length;
    }
    job->texts = length ? weir_alloc(length) : NULL;
    length = 0;
    for (size_t i = 0; i < job->n; i++) {
        weir_value *v = &job->samples[i].value;
        if (v->kind != WEIR_KIND_STRING && v->kind != WEIR_KIND_BYTES)
            continue;
        if (v->length && !job->texts) {
            job->samples[i].quality = weir_bad(WEIR_CAUSE_OVERFLOW, 0);
            *v = weir_value_null();
            continue;
        }
        if (v->length)
            memcpy(job->texts + length, v->as.text, v->length);
        v->as.text = v->length ? job->texts + length : "";
        length += v->length;
    }
}

/* Before the first read after a change, of what was open then. */
static void thread_tell_change(struct own_thread *t, const struct job *job)
{
    (void)pthread_mutex_lock(&t->lock);
    const bool tell = t->changed_catalog && t->open && t->type->own.changed;
    t->changed_catalog = false;
    (void)pthread_mutex_unlock(&t->lock);
    if (!tell)
        return;
    const weir_collector *before = weir_callback_enter(t->type->collector);
    t->type->own.changed(t->state, job->connection);
    weir_callback_leave(before);
}

/* Calls the program's read, unless the end has come: then nobody could interrupt it. */
static weir_outcome thread_call(struct own_thread *t, const weir_own_read *read,
                                weir_sample *samples)
{
    (void)pthread_mutex_lock(&t->lock);
    t->reading = !t->ending;
    const bool go = t->reading;
    (void)pthread_mutex_unlock(&t->lock);
    if (!go)
        return WEIR_OUTCOME_UNREACHABLE;
    const weir_collector *before = weir_callback_enter(t->type->collector);
    const weir_outcome outcome = t->type->own.read(t->state, read, samples);
    weir_callback_leave(before);
    (void)pthread_mutex_lock(&t->lock);
    t->reading = false;
    (void)pthread_mutex_unlock(&t->lock);
    return outcome;
}

static void thread_read(struct own_thread *t, struct job *job)
{
    static const weir_read_result results[] = {[WEIR_OUTCOME_ANSWERED] = WEIR_READ_GOOD,
                                               [WEIR_OUTCOME_SILENT] = WEIR_READ_SILENT,
                                               [WEIR_OUTCOME_UNREACHABLE] = WEIR_READ_LINK};
    job->sent = job->received = weir_system_wall();
    thread_tell_change(t, job);
    thread_open(t, job);
    if (!t->open) {
        job->sent = (weir_wall){0};
        job->result = WEIR_READ_LINK;
        job_fail(job, weir_bad(WEIR_CAUSE_CONNECT, 0));
        return;
    }
    const weir_own_read read = {.struct_size = sizeof read,
                                .connection = job->connection,
                                .device = job->device,
                                .unit_id = job->unit_id,
                                .due = job->due,
                                .deadline = weir_mono_add(weir_system_mono(), t->timeout_us),
                                .n = job->n,
                                .tags = job->tags};
    const weir_outcome outcome = thread_call(t, &read, job->samples);
    job->received = weir_system_wall();
    job->result = outcome == WEIR_OUTCOME_ANSWERED || outcome == WEIR_OUTCOME_SILENT ||
                          outcome == WEIR_OUTCOME_UNREACHABLE
                      ? results[outcome]
                      : WEIR_READ_SILENT;
    job_take(job);
    if (job->result == WEIR_READ_LINK)
        thread_close(t);
}

/* A job to do; NULL at the end. */
static struct job *thread_wait(struct own_thread *t)
{
    (void)pthread_mutex_lock(&t->lock);
    while (!t->ending && !t->todo.first)
        (void)pthread_cond_wait(&t->changed, &t->lock);
    struct job *job = t->ending ? NULL : t->todo.first;
    if (job) {
        t->todo.first = job->next;
        if (!t->todo.first)
            t->todo.last = NULL;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return job;
}

static void thread_give(struct own_thread *t, struct job *job)
{
    (void)pthread_mutex_lock(&t->lock);
    jobs_put(&t->done, job);
    if (!t->ending)
        t->host.poke(t->host.data);
    (void)pthread_mutex_unlock(&t->lock);
}

static void *thread_main(void *data)
{
    struct own_thread *t = data;
    for (struct job *job; (job = thread_wait(t));) {
        thread_read(t, job);
        thread_give(t, job);
    }
    thread_close(t);
    (void)pthread_mutex_lock(&t->lock);
    t->ended = true;
    (void)pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* --- the loop's part ------------------------------------------------------------------------ */

static bool own_serves(weir_scheme scheme)
{
    return scheme == WEIR_SCHEME_OWN;
}

static void thread_free(struct own_thread *t)
{
    jobs_free(&t->todo);
    jobs_free(&t->done);
    (void)pthread_cond_destroy(&t->changed);
    (void)pthread_mutex_destroy(&t->lock);
    weir_free(t);
}

static weir_err thread_start(struct own_thread *t, const char *connection, weir_error *error)
{
    sigset_t every, old;
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_SETMASK, &every, &old);
    const int status = pthread_create(&t->thread, NULL, thread_main, t);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (status)
        return weir_fail(error, WEIR_ENOMEM, "cannot start the thread of connection '%s'",
                         connection);
    (void)pthread_setname_np(t->thread, "weir-own");
    return WEIR_OK;
}

/* Connections that went with an exchanged catalog: their threads end in their own time. */
static void threads_reap(weir_own_source_type *type)
{
    for (struct own_thread **at = &type->threads; *at;) {
        struct own_thread *t = *at;
        (void)pthread_mutex_lock(&t->lock);
        const bool ended = t->ended;
        (void)pthread_mutex_unlock(&t->lock);
        if (!ended) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        (void)pthread_join(t->thread, NULL);
        thread_free(t);
    }
}

static weir_err own_init(void *state, const weir_source_host *host, weir_error *error)
{
    struct own *o = state;
    const weir_connection *connection = &host->catalog->connections[host->connection];
    weir_own_source_type *type = (weir_own_source_type *)host->context;
    o->host = *host;
    o->type = type;
    threads_reap(type);
    struct own_thread *t = weir_alloc_zero(1, sizeof *t);
    if (!t)
        return weir_fail(error, WEIR_ENOMEM, "connection '%s'", connection->name);
    t->type = type;
    t->host = *host;
    t->timeout_us = connection->timeout_us;
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->changed, NULL);
    const weir_err err = thread_start(t, connection->name, error);
    if (err != WEIR_OK) {
        thread_free(t);
        return err;
    }
    t->next = type->threads;
    type->threads = t;
    o->thread = t;
    return WEIR_OK;
}

static void own_deinit(void *state)
{
    struct own *o = state;
    struct own_thread *t = o->thread;
    weir_free(o->failed);
    if (!t)
        return;
    (void)pthread_mutex_lock(&t->lock);
    t->ending = true;
    (void)pthread_cond_broadcast(&t->changed);
    /* Under the lock, so that the state is not closed meanwhile. */
    if (t->reading && o->type->own.interrupt)
        o->type->own.interrupt(t->state);
    (void)pthread_mutex_unlock(&t->lock);
}

static size_t own_count(const struct own *o, const weir_read *read)
{
    const weir_device *device = &o->host.catalog->devices[read->device];
    size_t n = 0;
    for (uint32_t p = 0; p < device->n_points; p++)
        if (weir_read_wants(read, device, p))
            n += device->points[p].count;
    return n;
}

static void job_fill(const struct own *o, struct job *job)
{
    const weir_tag_table *table =
        weir_collector_table_of(o->type->collector, o->host.catalog->revision);
    const weir_device *device = &o->host.catalog->devices[job->read.device];
    size_t n = 0;
    job->connection = table->connections[o->host.connection];
    job->device = "";
    job->unit_id = device->unit_id;
    job->due = job->read.due;
    for (uint32_t p = 0; p < device->n_points; p++) {
        if (!weir_read_wants(&job->read, device, p))
            continue;
        const uint32_t first = device->first_tag + device->point_tag[p];
        for (uint32_t e = 0; e < device->points[p].count; e++, n++) {
            job->tags[n] = &table->infos[first + e];
            job->device = table->infos[first + e].device;
            job->samples[n] = (weir_sample){.tag = o->host.catalog->tags[first + e].uid,
                                            .quality = weir_bad(WEIR_CAUSE_NA, 0),
                                            .ts = job->read.due};
        }
    }
}

static void own_read(void *state, const weir_read *read)
{
    struct own *o = state;
    struct own_thread *t = o->thread;
    const size_t n = own_count(o, read);
    struct job *job =
        weir_alloc_zero(1, sizeof *job + n * (sizeof *job->samples + sizeof *job->tags));
    if (!job) {
        weir_read *room =
            weir_array_room(o->failed, o->n_failed, &o->failed_capacity, sizeof *room);
        if (room) {
            o->failed = room;
            o->failed[o->n_failed++] = *read;
        }
        o->host.log(o->host.data, WEIR_LOG_ERROR, "poll", "a read fails: out of memory");
        o->host.wake_at(o->host.data, o->host.now(o->host.data));
        return;
    }
    job->read = *read;
    job->n = n;
    job->samples = (weir_sample *)(void *)(job + 1);
    job->tags = (const weir_tag_info **)(void *)(job->samples + n);
    job_fill(o, job);
    job->pending = o->pending;
    o->pending = job;
    (void)pthread_mutex_lock(&t->lock);
    jobs_put(&t->todo, job);
    (void)pthread_cond_signal(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}

static void own_link(struct own *o, const struct job *job)
{
    const bool up = job->tried_open ? job->opened : job->result != WEIR_READ_LINK;
    if (o->told && o->up == up)
        return;
    o->told = true;
    o->up = up;
    o->host.on_link(o->host.data, up, up ? "" : *job->why ? job->why : "the source has lost it");
}

static void own_answer(struct own *o, const struct job *job)
{
    uint32_t flags = job->read.flags;
    weir_quality worst = 0;
    for (size_t i = 0; i < job->n; i++) {
        worst = weir_quality_worse(worst, job->samples[i].quality);
        if (job->samples[i].ts.us != job->read.due.us)
            flags |= WEIR_BATCH_SOURCE_TIME;
    }
    const weir_batch batch = {
        .connection = o->host.connection,
        .device = job->read.device,
        .catalog_revision = o->host.catalog->revision,
        .epoch = job->read.epoch,
        .flags = flags,
        .n_samples = (uint32_t)job->n,
        .plans = job->read.plans,
        .due = job->read.due,
        .sent = job->sent,
        .received = job->received,
        .anchor_us = o->host.wall(o->host.data).us - o->host.now(o->host.data).us,
        .samples = job->samples,
    };
    own_link(o, job);
    if (job->read.device == WEIR_DEVICE_NONE)
        return;
    if (job->n)
        o->host.on_batch(o->host.data, &batch);
    o->host.on_read_done(o->host.data, &job->read, job->result, worst);
}

/* One sample at a time: there is no memory for more. */
static void own_answer_failed(struct own *o, const weir_read *read)
{
    const weir_catalog *catalog = o->host.catalog;
    const weir_device *device = &catalog->devices[read->device];
    const weir_quality quality = weir_bad(WEIR_CAUSE_OVERFLOW, 0);
    for (uint32_t i = 0; i < device->n_tags; i++) {
        const weir_tag *tag = &catalog->tags[device->first_tag + i];
        const weir_sample sample = {.tag = tag->uid, .quality = quality, .ts = read->due};
        if (weir_read_wants(read, device, tag->point))
            o->host.on_batch(o->host.data, &(weir_batch){.connection = o->host.connection,
                                                         .device = read->device,
                                                         .catalog_revision = catalog->revision,
                                                         .epoch = read->epoch,
                                                         .flags = read->flags,
                                                         .n_samples = 1,
                                                         .plans = read->plans,
                                                         .due = read->due,
                                                         .received = o->host.wall(o->host.data),
                                                         .samples = &sample});
    }
    o->host.on_read_done(o->host.data, read, WEIR_READ_LINK, quality);
}

static void pending_remove(struct own *o, const struct job *job)
{
    struct job **at = &o->pending;
    while (*at != job)
        at = &(*at)->pending;
    *at = job->pending;
}

static void own_step(void *state, weir_mono now)
{
    struct own *o = state;
    (void)now;
    (void)pthread_mutex_lock(&o->thread->lock);
    struct jobs done = o->thread->done;
    o->thread->done = (struct jobs){0};
    (void)pthread_mutex_unlock(&o->thread->lock);
    for (const struct job *job = done.first; job; job = job->next) {
        pending_remove(o, job);
        own_answer(o, job);
    }
    jobs_free(&done);
    const size_t n = o->n_failed;
    for (size_t i = 0; i < n; i++)
        own_answer_failed(o, &o->failed[i]);
    o->n_failed = 0;
}

/* --- another catalog ------------------------------------------------------------------------ */

/* Nothing can be wrong with it: what is asked for comes with each read. */
static weir_err own_prepare(void *state, const weir_source_change *change, void **ret_prepared,
                            weir_error *error)
{
    (void)state, (void)change, (void)ret_prepared, (void)error;
    return WEIR_OK;
}

static void own_apply(void *state, const weir_source_change *change, void *prepared)
{
    struct own *o = state;
    const size_t n_failed = o->n_failed;
    (void)prepared;
    for (struct job *job = o->pending; job; job = job->pending)
        if (job->read.device != WEIR_DEVICE_NONE)
            job->read.device = change->stays[job->read.device];
    o->n_failed = 0;
    for (size_t i = 0; i < n_failed; i++) {
        weir_read read = o->failed[i];
        read.device = change->stays[read.device];
        if (read.device != WEIR_DEVICE_NONE)
            o->failed[o->n_failed++] = read;
    }
    o->host.catalog = change->catalog;
    o->host.connection = change->connection;
    (void)pthread_mutex_lock(&o->thread->lock);
    o->thread->changed_catalog = true;
    (void)pthread_mutex_unlock(&o->thread->lock);
}

static void own_discard(void *state, void *prepared)
{
    (void)state, (void)prepared;
}

/* --- life ----------------------------------------------------------------------------------- */

weir_err weir_own_source_new(const weir_own_source *own, weir_collector *collector,
                             weir_own_source_type **ret, weir_error *error)
{
    weir_own_source o;
    weir_err err = weir_options_read(&o, sizeof o, own, "weir_own_source", error);
    if (err != WEIR_OK)
        return err;
    if (!o.name || !*o.name || !o.read)
        return weir_fail(error, WEIR_EINVAL, "a source needs a name and a read");
    if (o.default_interval_us < 0 || o.minimum_interval_us < 0)
        return weir_fail(error, WEIR_EINVAL, "source '%s': an interval below 0", o.name);
    weir_own_source_type *t = weir_alloc_zero(1, sizeof *t);
    char *name = weir_alloc_text(o.name);
    if (!t || !name) {
        weir_free(t);
        weir_free(name);
        return weir_fail(error, WEIR_ENOMEM, "source '%s'", o.name);
    }
    t->own = o;
    t->own.name = name;
    t->collector = collector;
    t->type = (weir_source_type){.abi = WEIR_SOURCE_ABI,
                                 .name = name,
                                 .summary = "of this program",
                                 .serves = own_serves,
                                 .state_size = sizeof(struct own),
                                 .init = own_init,
                                 .deinit = own_deinit,
                                 .read = own_read,
                                 .step = own_step,
                                 .prepare = own_prepare,
                                 .apply = own_apply,
                                 .discard = own_discard,
                                 .context = t};
    *ret = t;
    return WEIR_OK;
}

void weir_own_source_join(weir_own_source_type *type)
{
    for (struct own_thread *t = type->threads, *next; t; t = next) {
        next = t->next;
        (void)pthread_join(t->thread, NULL);
        thread_free(t);
    }
    type->threads = NULL;
}

void weir_own_source_free(weir_own_source_type *type)
{
    if (!type)
        return;
    weir_own_source_join(type);
    weir_free((char *)type->own.name);
    weir_free(type);
}

const weir_source_type *weir_own_source_get(const weir_own_source_type *type)
{
    return &type->type;
}

const weir_own_source *weir_own_source_descriptor(const weir_own_source_type *type)
{
    return &type->own;
}
