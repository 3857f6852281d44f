/* SPDX-License-Identifier: MIT */
/* Several threads make the segments of a part; who called them writes these, in order. */

/*
 * A task is a tag in a part. Threads take tasks in the order of uids and leave what they made in a
 * ring; the caller takes it from there in the same order, so that the file is the same whatever the
 * threads do. Nobody runs further ahead than the ring is long: memory is bounded. A failure, there
 * or in writing, ends all.
 */

#include "cli/part_crew.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "blocks/replies.h"

enum {
    THREADS_MAX = 8,        /* each has about 15 MB of samples at work */
    AHEAD = 4,              /* finished tags that wait for their turn, for each thread */
    STRING_BYTES = 8 << 20, /* of a segment's strings: half of what is allowed */
};

/* Segments made, one behind the other. */
struct pieces {
    uint8_t *bytes;
    size_t n, capacity;
    struct piece {
        size_t head, marks, body;
    } * items;
    size_t n_items, items_capacity;
};

/* What came of a task: the tag's segments; of the first tag of a group its replies too. */
struct result {
    bool ready;
    weir_err err;
    weir_error error;
    uint64_t samples;
    struct pieces segments, replies;
};

/* A thread's memory. */
struct worker {
    weir_part_crew *crew;
    pthread_t thread;
    weir_segment_encoder *encoder;
    weir_sample *samples;
    weir_reply_ref *refs;
    weir_reply_record *answers;
};

struct weir_part_crew {
    weir_generate_job *job;
    const weir_part_work *work;
    size_t n_workers;
    struct worker workers[THREADS_MAX];
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    size_t taken, written;
    bool failed;
    struct result results[THREADS_MAX * AHEAD]; /* of task i at i modulo their number */
};

/* --- making a tag's segments --- */

static bool grow(void **at, size_t *capacity, size_t n, size_t size)
{
    if (n <= *capacity)
        return true;
    const size_t more = n * 2;
    void *grown = weir_realloc_array(*at, more, size);
    if (!grown)
        return false;
    *at = grown;
    *capacity = more;
    return true;
}

static weir_err pieces_add(struct pieces *p, const weir_segment_bytes *b, weir_error *error)
{
    const size_t n = b->head_length + b->marks_length + b->body_length;
    void *bytes = p->bytes, *items = p->items;
    const bool room = grow(&bytes, &p->capacity, p->n + n, 1);
    p->bytes = bytes;
    const bool item = grow(&items, &p->items_capacity, p->n_items + 1, sizeof *p->items);
    p->items = items;
    if (!room || !item)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    const uint8_t *const from[] = {b->head, b->marks, b->body};
    const size_t lengths[] = {b->head_length, b->marks_length, b->body_length};
    for (size_t i = 0; i < 3; i++) {
        if (lengths[i])
            memcpy(p->bytes + p->n, from[i], lengths[i]);
        p->n += lengths[i];
    }
    p->items[p->n_items++] = (struct piece){lengths[0], lengths[1], lengths[2]};
    return WEIR_OK;
}

static weir_err add_segment(struct worker *w, const weir_part_task *task, size_t n,
                            struct pieces *pieces, weir_error *error)
{
    weir_segment_bytes bytes;
    for (size_t i = 0; i < n; i++)
        w->refs[i] = (weir_reply_ref){w->samples[i].ts, task->series, (uint16_t)task->index, 0};
    const weir_series series = {n, w->samples, w->refs};
    weir_err err = weir_segment_encode(w->encoder, &series, w->crew->work->effort, &bytes, error);
    return err ? err : pieces_add(pieces, &bytes, error);
}

/* The batches of the group's polls, a sample of each of its tags in each. */
static weir_err add_replies(struct worker *w, const weir_part_task *task, uint64_t before, size_t n,
                            struct pieces *pieces, weir_error *error)
{
    const weir_generator *g = w->crew->job->generator;
    weir_segment_bytes bytes;
    for (size_t i = 0; i < n; i++)
        w->answers[i] =
            (weir_reply_record){.due = w->samples[i].ts,
                                .received = w->samples[i].ts,
                                .seq = task->first_seq + (before + i) * task->group->n_tags,
                                .plans = WEIR_PLAN_DEFAULT,
                                .connection = g->catalog->devices[task->group->device].connection,
                                .device = task->group->device,
                                .catalog_revision = g->catalog->revision};
    weir_err err =
        weir_replies_encode(w->encoder, w->answers, n, w->crew->work->effort, &bytes, error);
    return err ? err : pieces_add(pieces, &bytes, error);
}

/* Samples of one segment: fewer where contents of strings take room. */
static size_t segment_samples(const weir_generator_tag *tag)
{
    const size_t room = tag->walk ? 0 : weir_imitated_room(&tag->imitated);
    if (!room || STRING_BYTES / room >= WEIR_SEGMENT_COUNT_MAX)
        return WEIR_SEGMENT_COUNT_MAX;
    return STRING_BYTES / room;
}

static weir_err make_segments(struct worker *w, const weir_part_task *task, weir_generator_tag *tag,
                              struct result *ret, weir_error *error)
{
    const weir_part_work *work = w->crew->work;
    const size_t capacity = segment_samples(tag);
    /* The group's last slot is for the commit. */
    const weir_wall end = work->to.us < task->group->last.us ? work->to : task->group->last;
    weir_wall at = work->from;
    weir_err err = WEIR_OK;
    for (size_t n = capacity; !err && n == capacity;) {
        err = weir_generator_fill(tag, at, end, capacity, w->samples, &n, error);
        if (err || !n)
            break;
        err = add_segment(w, task, n, &ret->segments, error);
        if (!err && task->index == 0)
            err = add_replies(w, task, ret->samples, n, &ret->replies, error);
        ret->samples += n;
        at.us = w->samples[n - 1].ts.us + 1;
    }
    return err;
}

static void do_task(struct worker *w, const weir_part_task *task, struct result *ret)
{
    weir_generator_tag tag = {0};
    ret->err = weir_generator_tag_init(&tag, w->crew->job->generator, task->group, task->index,
                                       &ret->error);
    if (!ret->err)
        ret->err = make_segments(w, task, &tag, ret, &ret->error);
    weir_generator_tag_deinit(&tag);
}

/* --- threads --- */

static size_t ring_size(const weir_part_crew *j)
{
    return j->n_workers * AHEAD;
}

/* The next task, when there is room for what comes of it; false: none is left. */
static bool take_task(weir_part_crew *j, size_t *ret)
{
    (void)pthread_mutex_lock(&j->lock);
    while (!j->failed && j->taken < j->work->n_tasks && j->taken >= j->written + ring_size(j))
        (void)pthread_cond_wait(&j->changed, &j->lock);
    const bool taken = !j->failed && j->taken < j->work->n_tasks;
    if (taken)
        *ret = j->taken++;
    (void)pthread_mutex_unlock(&j->lock);
    return taken;
}

static void *work(void *data)
{
    struct worker *w = data;
    weir_part_crew *j = w->crew;
    for (size_t i; take_task(j, &i);) {
        struct result *result = &j->results[i % ring_size(j)];
        do_task(w, &j->work->tasks[i], result);
        (void)pthread_mutex_lock(&j->lock);
        result->ready = true;
        (void)pthread_cond_broadcast(&j->changed);
        (void)pthread_mutex_unlock(&j->lock);
    }
    return NULL;
}

static struct result *await_result(weir_part_crew *j, size_t i)
{
    struct result *result = &j->results[i % ring_size(j)];
    (void)pthread_mutex_lock(&j->lock);
    while (!result->ready)
        (void)pthread_cond_wait(&j->changed, &j->lock);
    (void)pthread_mutex_unlock(&j->lock);
    return result;
}

/* Gives its place to another task; memory of segments stays with it. */
static void release_result(weir_part_crew *j, struct result *result, bool failed)
{
    (void)pthread_mutex_lock(&j->lock);
    result->segments.n = result->segments.n_items = 0;
    result->samples = 0;
    result->ready = false;
    j->written++;
    j->failed |= failed;
    (void)pthread_cond_broadcast(&j->changed);
    (void)pthread_mutex_unlock(&j->lock);
}

/* --- writing a part --- */

static weir_segment_bytes piece_bytes(const struct pieces *p, size_t i, size_t *at)
{
    const struct piece *item = &p->items[i];
    const uint8_t *bytes = p->bytes + *at;
    *at += item->head + item->marks + item->body;
    return (weir_segment_bytes){.head = bytes,
                                .marks = bytes + item->head,
                                .body = bytes + item->head + item->marks,
                                .head_length = item->head,
                                .marks_length = item->marks,
                                .body_length = item->body};
}

static weir_err write_segments(weir_part_crew *j, const weir_part_task *task,
                               const struct result *result, weir_error *error)
{
    weir_err err = result->err;
    size_t at = 0;
    if (err)
        return weir_fail(error, err, "%s", result->error.text);
    for (size_t i = 0; !err && i < result->segments.n_items; i++) {
        const weir_segment_bytes bytes = piece_bytes(&result->segments, i, &at);
        err = weir_load_segment(j->work->load, task->uid, &bytes, error);
    }
    return err;
}

/* The replies of a group, kept until all tags are written. */
struct kept {
    uint32_t series;
    struct pieces pieces;
};

static int compare_kept(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    return (x->series > y->series) - (x->series < y->series);
}

static weir_err write_replies(weir_part_crew *j, struct kept *kept, size_t n, weir_error *error)
{
    weir_err err = WEIR_OK;
    qsort(kept, n, sizeof *kept, compare_kept);
    for (size_t i = 0; !err && i < n; i++) {
        size_t at = 0;
        for (size_t k = 0; !err && k < kept[i].pieces.n_items; k++) {
            const weir_segment_bytes bytes = piece_bytes(&kept[i].pieces, k, &at);
            err = weir_load_replies(j->work->load, kept[i].series, &bytes, error);
        }
    }
    return err;
}

static weir_err write_results(weir_part_crew *j, weir_error *error)
{
    weir_generate_job *job = j->job;
    struct kept *kept = weir_alloc_zero(j->work->n_tasks, sizeof *kept);
    size_t n_kept = 0;
    weir_err err = kept ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; !err && i < j->work->n_tasks; i++) {
        struct result *result = await_result(j, i);
        err = write_segments(j, &j->work->tasks[i], result, error);
        if (!err && result->replies.n_items) {
            kept[n_kept++] = (struct kept){j->work->tasks[i].series, result->replies};
            result->replies = (struct pieces){0};
        }
        job->done += result->samples;
        release_result(j, result, err != WEIR_OK);
        weir_progress_set(&job->progress, job->done,
                          (double)job->done / (double)job->generator->n_samples);
    }
    if (!err)
        err = write_replies(j, kept, n_kept, error);
    for (size_t i = 0; i < n_kept; i++) {
        weir_free(kept[i].pieces.bytes);
        weir_free(kept[i].pieces.items);
    }
    weir_free(kept);
    return err;
}

weir_err weir_part_crew_run(weir_part_crew *j, const weir_part_work *part, weir_error *error)
{
    size_t n = 0;
    weir_err err = WEIR_OK;
    j->work = part;
    j->taken = j->written = 0;
    j->failed = false;
    for (; n < j->n_workers && !err; n++)
        if (pthread_create(&j->workers[n].thread, NULL, work, &j->workers[n]))
            break;
    if (n == 0)
        return weir_fail(error, WEIR_EIO, "cannot start a thread");
    err = write_results(j, error);
    (void)pthread_mutex_lock(&j->lock);
    j->failed |= err != WEIR_OK;
    (void)pthread_cond_broadcast(&j->changed);
    (void)pthread_mutex_unlock(&j->lock);
    for (size_t i = 0; i < n; i++)
        (void)pthread_join(j->workers[i].thread, NULL);
    return err;
}

/* --- the estimate --- */

weir_err weir_part_crew_estimate(weir_part_crew *j, double *ret_bytes, weir_error *error)
{
    enum { PROBES = 12, PROBE_SAMPLES = 16384 };
    const weir_generator *g = j->job->generator;
    struct worker *w = &j->workers[0];
    uint64_t samples = 0, bytes = 0;
    weir_err err = WEIR_OK;
    j->work = &(const weir_part_work){.effort = WEIR_EFFORT_SMALL};
    for (size_t i = 0; !err && i < PROBES && i < g->n_tags; i++) {
        const size_t nth = i * g->n_tags / (PROBES < g->n_tags ? PROBES : g->n_tags);
        size_t group = 0, index = nth;
        while (index >= g->groups[group].n_tags)
            index -= g->groups[group++].n_tags;
        const weir_part_task task = {&g->groups[group], (uint32_t)index, 0, 0, 0};
        weir_generator_tag tag;
        struct pieces pieces = {0};
        size_t n = 0;
        err = weir_generator_tag_init(&tag, g, task.group, task.index, error);
        if (!err)
            err = weir_generator_fill(&tag, task.group->first, (weir_wall){INT64_MAX},
                                      PROBE_SAMPLES, w->samples, &n, error);
        if (!err && n)
            err = add_segment(w, &task, n, &pieces, error);
        samples += n;
        bytes += pieces.n;
        weir_free(pieces.bytes);
        weir_free(pieces.items);
        weir_generator_tag_deinit(&tag);
    }
    *ret_bytes = samples ? (double)bytes / (double)samples * (double)g->n_samples : 0;
    return err;
}

/* --- life --- */

static weir_err workers_init(weir_part_crew *j, weir_error *error)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    j->n_workers = processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : (size_t)processors;
    for (size_t i = 0; i < j->n_workers; i++) {
        struct worker *w = &j->workers[i];
        *w = (struct worker){.crew = j,
                             .encoder = weir_segment_encoder_new(),
                             .samples = weir_alloc(WEIR_SEGMENT_COUNT_MAX * sizeof *w->samples),
                             .refs = weir_alloc(WEIR_SEGMENT_COUNT_MAX * sizeof *w->refs),
                             .answers = weir_alloc(WEIR_SEGMENT_COUNT_MAX * sizeof *w->answers)};
        if (!w->encoder || !w->samples || !w->refs || !w->answers)
            return weir_fail(error, WEIR_ENOMEM, "no memory for %zu threads", j->n_workers);
    }
    return WEIR_OK;
}

weir_err weir_part_crew_new(weir_generate_job *job, weir_part_crew **ret, weir_error *error)
{
    weir_part_crew *j = weir_alloc_zero(1, sizeof *j);
    if (!j)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    j->job = job;
    *ret = j;
    if (pthread_mutex_init(&j->lock, NULL) || pthread_cond_init(&j->changed, NULL))
        return weir_fail(error, WEIR_EIO, "cannot make a lock");
    return workers_init(j, error);
}

void weir_part_crew_free(weir_part_crew *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->n_workers; i++) {
        weir_segment_encoder_free(j->workers[i].encoder);
        weir_free(j->workers[i].samples);
        weir_free(j->workers[i].refs);
        weir_free(j->workers[i].answers);
    }
    for (size_t i = 0; i < sizeof j->results / sizeof *j->results; i++) {
        weir_free(j->results[i].segments.bytes);
        weir_free(j->results[i].segments.items);
        weir_free(j->results[i].replies.bytes);
        weir_free(j->results[i].replies.items);
    }
    (void)pthread_mutex_destroy(&j->lock);
    (void)pthread_cond_destroy(&j->changed);
    weir_free(j);
}
