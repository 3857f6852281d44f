/* SPDX-License-Identifier: MIT */
/* Generated samples straight into the history of a data directory. */

/*
 * History is made part by part (docs/design/store.md): a tag's samples of a day, or of a larger
 * period where a segment can hold that many and the period has ended. Larger periods come first.
 * The tags of a part are worked on by several threads; what they made is written here in the order
 * of uids, so that the file is the same whatever the threads do.
 *
 * The last slot of each tag goes through an ordinary commit: by that the store knows the current
 * values and how far its clock has come.
 *
 * A signal ends it behind the part under way; then the commit has the slot behind the last part.
 */

#include "cli/generate.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "blocks/replies.h"
#include "blocks/segment.h"
#include "runtime/clock.h"
#include "store/load.h"

enum {
    TIERS = 5,              /* 0: a piece of a day; 1 to 4: 1, 8, 64, 512 days */
    THREADS_MAX = 8,        /* each has about 15 MB of samples at work */
    AHEAD = 4,              /* finished tags that wait for their turn, for each thread */
    STRING_BYTES = 8 << 20, /* of a segment's strings: half of what is allowed */
};

/* As the store itself waits before it merges a period that has ended. */
static const int64_t settled_us = 2 * WEIR_HOUR;

/* Which group goes where. */
struct group {
    int tier_max;     /* the largest period of which one segment can hold a tag's samples */
    weir_wall loaded; /* all samples before this are in parts */
};

/* One tag in one part. */
struct task {
    const weir_generator_group *group;
    uint32_t index; /* in the group */
    weir_tag_uid uid;
    uint32_t series;    /* of replies: the lowest uid of the group */
    uint64_t first_seq; /* of the group in this part */
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
    struct store_job *job;
    pthread_t thread;
    weir_segment_encoder *encoder;
    weir_sample *samples;
    weir_reply_ref *refs;
    weir_reply *answers;
};

struct store_job {
    weir_generate_job *job;
    weir_store *store;
    weir_load *load;
    struct group *groups; /* as the generator's */
    weir_wall now;

    /* The part under way. */
    weir_wall from, to;
    weir_effort effort;
    struct task *tasks;
    size_t n_tasks;

    size_t n_workers;
    struct worker workers[THREADS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t taken, written;
    bool failed;
    struct result results[THREADS_MAX * AHEAD]; /* of task i at i modulo their number */
};

static int64_t tier_period(int tier)
{
    int64_t days = 1;
    for (int i = 1; i < tier; i++)
        days *= 8;
    return days * WEIR_DAY;
}

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

static weir_err add_segment(struct worker *w, const struct task *task, size_t n,
                            struct pieces *pieces, weir_error *error)
{
    weir_segment_bytes bytes;
    for (size_t i = 0; i < n; i++)
        w->refs[i] = (weir_reply_ref){w->samples[i].ts, task->series, task->index};
    const weir_series series = {n, w->samples, w->refs};
    weir_err err = weir_segment_encode(w->encoder, &series, w->job->effort, &bytes, error);
    return err ? err : pieces_add(pieces, &bytes, error);
}

/* The batches of the group's polls, a sample of each of its tags in each. */
static weir_err add_replies(struct worker *w, const struct task *task, uint64_t before, size_t n,
                            struct pieces *pieces, weir_error *error)
{
    const weir_generator *g = w->job->job->generator;
    weir_segment_bytes bytes;
    for (size_t i = 0; i < n; i++)
        w->answers[i] =
            (weir_reply){.due = w->samples[i].ts,
                         .received = w->samples[i].ts,
                         .seq = task->first_seq + (before + i) * task->group->n_tags,
                         .plans = WEIR_PLAN_DEFAULT,
                         .connection = g->catalog->devices[task->group->device].connection,
                         .device = task->group->device,
                         .catalog_revision = g->catalog->revision};
    weir_err err = weir_replies_encode(w->encoder, w->answers, n, w->job->effort, &bytes, error);
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

static weir_err make_segments(struct worker *w, const struct task *task, weir_generator_tag *tag,
                              struct result *ret, weir_error *error)
{
    const struct store_job *j = w->job;
    const size_t capacity = segment_samples(tag);
    /* The group's last slot is for the commit. */
    const weir_wall end = j->to.us < task->group->last.us ? j->to : task->group->last;
    weir_wall at = j->from;
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

static void do_task(struct worker *w, const struct task *task, struct result *ret)
{
    weir_generator_tag tag = {0};
    ret->err = weir_generator_tag_init(&tag, w->job->job->generator, task->group, task->index,
                                       &ret->error);
    if (!ret->err)
        ret->err = make_segments(w, task, &tag, ret, &ret->error);
    weir_generator_tag_deinit(&tag);
}

/* --- threads --- */

static size_t ring_size(const struct store_job *j)
{
    return j->n_workers * AHEAD;
}

/* The next task, when there is room for what comes of it; false: none is left. */
static bool take_task(struct store_job *j, size_t *ret)
{
    (void)pthread_mutex_lock(&j->lock);
    while (!j->failed && j->taken < j->n_tasks && j->taken >= j->written + ring_size(j))
        (void)pthread_cond_wait(&j->changed, &j->lock);
    const bool taken = !j->failed && j->taken < j->n_tasks;
    if (taken)
        *ret = j->taken++;
    (void)pthread_mutex_unlock(&j->lock);
    return taken;
}

static void *work(void *data)
{
    struct worker *w = data;
    struct store_job *j = w->job;
    for (size_t i; take_task(j, &i);) {
        struct result *result = &j->results[i % ring_size(j)];
        do_task(w, &j->tasks[i], result);
        (void)pthread_mutex_lock(&j->lock);
        result->ready = true;
        (void)pthread_cond_broadcast(&j->changed);
        (void)pthread_mutex_unlock(&j->lock);
    }
    return NULL;
}

static struct result *await_result(struct store_job *j, size_t i)
{
    struct result *result = &j->results[i % ring_size(j)];
    (void)pthread_mutex_lock(&j->lock);
    while (!result->ready)
        (void)pthread_cond_wait(&j->changed, &j->lock);
    (void)pthread_mutex_unlock(&j->lock);
    return result;
}

/* Gives its place to another task; memory of segments stays with it. */
static void release_result(struct store_job *j, struct result *result, bool failed)
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

static weir_err write_segments(struct store_job *j, const struct task *task,
                               const struct result *result, weir_error *error)
{
    weir_err err = result->err;
    size_t at = 0;
    if (err)
        return weir_fail(error, err, "%s", result->error.text);
    for (size_t i = 0; !err && i < result->segments.n_items; i++) {
        const weir_segment_bytes bytes = piece_bytes(&result->segments, i, &at);
        err = weir_load_segment(j->load, task->uid, &bytes, error);
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

static weir_err write_replies(struct store_job *j, struct kept *kept, size_t n, weir_error *error)
{
    weir_err err = WEIR_OK;
    qsort(kept, n, sizeof *kept, compare_kept);
    for (size_t i = 0; !err && i < n; i++) {
        size_t at = 0;
        for (size_t k = 0; !err && k < kept[i].pieces.n_items; k++) {
            const weir_segment_bytes bytes = piece_bytes(&kept[i].pieces, k, &at);
            err = weir_load_replies(j->load, kept[i].series, &bytes, error);
        }
    }
    return err;
}

static weir_err write_results(struct store_job *j, weir_error *error)
{
    weir_generate_job *job = j->job;
    struct kept *kept = weir_alloc_zero(j->n_tasks, sizeof *kept);
    size_t n_kept = 0;
    weir_err err = kept ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; !err && i < j->n_tasks; i++) {
        struct result *result = await_result(j, i);
        err = write_segments(j, &j->tasks[i], result, error);
        if (!err && result->replies.n_items) {
            kept[n_kept++] = (struct kept){j->tasks[i].series, result->replies};
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

static weir_err run_tasks(struct store_job *j, weir_error *error)
{
    size_t n = 0;
    weir_err err = WEIR_OK;
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

/* --- which parts --- */

static int compare_tasks(const void *a, const void *b)
{
    const struct task *x = a, *y = b;
    return (x->uid > y->uid) - (x->uid < y->uid);
}

static bool has_ended(const struct store_job *j, int tier, weir_wall t)
{
    const int64_t period = tier_period(tier);
    return j->now.us >= weir_floor_multiple(t.us, period) + period + settled_us;
}

/* Whether the group's samples at t belong to a part of this tier: the largest that can hold them
 * and whose period has ended. */
static bool group_belongs(const struct store_job *j, const struct group *group, int tier,
                          weir_wall t)
{
    if (tier > 0 && (tier > group->tier_max || !has_ended(j, tier, t)))
        return false;
    return tier == group->tier_max || !has_ended(j, tier + 1, t);
}

static uint64_t group_samples(const struct store_job *j, const weir_generator_group *group)
{
    const weir_wall end = j->to.us < group->last.us ? j->to : group->last;
    const weir_generator *g = j->job->generator;
    if (g->waves)
        return weir_fourier_count_between(&g->waves[group->tags[0]], j->from, end);
    const int64_t first =
        weir_floor_multiple(j->from.us + group->interval_us - 1, group->interval_us);
    return first < end.us ? (uint64_t)((end.us - 1 - first) / group->interval_us + 1) : 0;
}

/* The tags of a group; its numbers are those behind the group before. */
static void add_tasks(struct store_job *j, const weir_generator_group *group, uint64_t first_seq)
{
    const weir_tag *tags = j->job->generator->catalog->tags;
    uint32_t series = UINT32_MAX;
    for (uint32_t i = 0; i < group->n_tags; i++)
        series = tags[group->tags[i]].uid < series ? tags[group->tags[i]].uid : series;
    for (uint32_t i = 0; i < group->n_tags; i++)
        j->tasks[j->n_tasks++] =
            (struct task){group, i, tags[group->tags[i]].uid, series, first_seq};
}

/* The part of a tier and of [from, to), of the groups that stay at that tier or of those that will
 * go to a larger one. */
static weir_err make_part(struct store_job *j, int tier, bool stays, weir_error *error)
{
    const weir_generator *g = j->job->generator;
    uint64_t seq = 0, bytes = 0;
    j->n_tasks = 0;
    for (size_t i = 0; i < g->n_groups; i++) {
        const bool last_tier = tier >= j->groups[i].tier_max && tier < TIERS - 1 && tier > 0;
        const uint64_t n = group_samples(j, &g->groups[i]);
        if (!n || last_tier != stays || !group_belongs(j, &j->groups[i], tier, j->from))
            continue;
        add_tasks(j, &g->groups[i], seq);
        seq += n * g->groups[i].n_tags;
        j->groups[i].loaded = j->to;
    }
    if (!j->n_tasks)
        return WEIR_OK;
    qsort(j->tasks, j->n_tasks, sizeof *j->tasks, compare_tasks);
    j->effort = tier > 0 ? WEIR_EFFORT_SMALL : WEIR_EFFORT_FAST;
    const weir_load_part part = {(unsigned)tier, stays};
    uint64_t first_seq;
    weir_err err = weir_load_part_begin(j->load, &part, &first_seq, error);
    for (size_t i = 0; !err && i < j->n_tasks; i++)
        j->tasks[i].first_seq += first_seq;
    if (!err)
        err = run_tasks(j, error);
    if (!err)
        err = weir_load_part_end(j->load, &bytes, error);
    j->job->bytes += bytes;
    return err;
}

static weir_err make_tier(struct store_job *j, int tier, weir_error *error)
{
    const weir_generator *g = j->job->generator;
    const int64_t period = tier_period(tier ? tier : 1);
    weir_err err = WEIR_OK;
    for (j->from = g->first; !err && j->from.us <= g->last.us; j->from = j->to) {
        j->to.us = weir_floor_multiple(j->from.us, period) + period;
        for (int stays = 0; !err && stays < 2; stays++)
            err = make_part(j, tier, stays, error);
        if (!err && atomic_load(j->job->stop))
            err = weir_fail(error, WEIR_ECANCELED, "interrupted: what is complete was kept");
    }
    return err;
}

static weir_err make_all(struct store_job *j, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (int tier = TIERS - 1; !err && tier >= 0; tier--)
        err = make_tier(j, tier, error);
    return err;
}

/* --- the last slot --- */

/* The first sample behind what is in parts. */
static weir_err append_group(struct store_job *j, size_t i, weir_sample *samples, weir_error *error)
{
    const weir_generator *g = j->job->generator;
    const weir_generator_group *group = &g->groups[i];
    const weir_wall at =
        j->groups[i].loaded.us < group->last.us ? j->groups[i].loaded : group->last;
    WEIR_CLEANUP(weir_arena_free) weir_arena *texts = weir_arena_new();
    weir_err err = texts ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (uint32_t k = 0; !err && k < group->n_tags; k++) {
        weir_generator_tag tag;
        size_t n;
        err = weir_generator_tag_init(&tag, g, group, k, error);
        if (!err)
            err = weir_generator_fill(&tag, at, (weir_wall){INT64_MAX}, 1, &samples[k], &n, error);
        weir_value *v = &samples[k].value;
        if (!err && v->kind >= WEIR_KIND_STRING &&
            !(v->as.text = weir_arena_text_n(texts, v->as.text, v->length)))
            err = weir_fail(error, WEIR_ENOMEM, "out of memory");
        weir_generator_tag_deinit(&tag);
    }
    if (err)
        return err;
    const weir_batch batch = {.connection = g->catalog->devices[group->device].connection,
                              .device = group->device,
                              .catalog_revision = g->catalog->revision,
                              .n_samples = group->n_tags,
                              .plans = WEIR_PLAN_DEFAULT,
                              .due = samples[0].ts,
                              .sent = samples[0].ts,
                              .received = samples[0].ts,
                              .samples = samples};
    j->job->done += group->n_tags;
    return weir_store_append(j->store, &batch, error);
}

/* only_begun: not of groups of which nothing was loaded. */
static weir_err commit_last_slots(struct store_job *j, bool only_begun, weir_error *error)
{
    const weir_generator *g = j->job->generator;
    weir_sample *samples = weir_alloc(g->n_tags * sizeof *samples);
    weir_err err = samples ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; !err && i < g->n_groups; i++)
        if (!only_begun || j->groups[i].loaded.us > g->groups[i].first.us)
            err = append_group(j, i, samples, error);
    weir_free(samples);
    return err ? err : weir_store_commit(j->store, j->now, error);
}

/* --- before --- */

/* Samples of some tags, encoded, to say how large all will be. */
static weir_err estimate(struct store_job *j, double *ret_bytes, weir_error *error)
{
    enum { PROBES = 12, PROBE_SAMPLES = 16384 };
    const weir_generator *g = j->job->generator;
    struct worker *w = &j->workers[0];
    uint64_t samples = 0, bytes = 0;
    weir_err err = WEIR_OK;
    j->effort = WEIR_EFFORT_SMALL;
    for (size_t i = 0; !err && i < PROBES && i < g->n_tags; i++) {
        const size_t nth = i * g->n_tags / (PROBES < g->n_tags ? PROBES : g->n_tags);
        size_t group = 0, index = nth;
        while (index >= g->groups[group].n_tags)
            index -= g->groups[group++].n_tags;
        const struct task task = {&g->groups[group], (uint32_t)index, 0, 0, 0};
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

/* Of the folder, or where it would be made. */
static bool free_bytes(const char *dir, double *ret)
{
    struct statvfs fs;
    char parent[PATH_MAX];
    if (strlen(dir) >= sizeof parent)
        return false;
    (void)stpcpy(parent, dir);
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    if (statvfs(dir, &fs) != 0 && statvfs(slash ? parent : ".", &fs) != 0)
        return false;
    *ret = (double)fs.f_bavail * (double)fs.f_frsize;
    return true;
}

static weir_err check_space(struct store_job *j, weir_error *error)
{
    const double spare = 64e6; /* the log of the database while it is written, and its index */
    double needed, there;
    weir_err err = estimate(j, &needed, error);
    if (err)
        return err;
    WEIR_TEXT_AUTO needs = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO has = WEIR_TEXT_INIT;
    if (!free_bytes(j->job->data_dir, &there) || there > needed * 1.1 + spare)
        there = -1;
    weir_text_add_size(&needs, (uint64_t)needed);
    weir_text_add_size(&has, there > 0 ? (uint64_t)there : 0);
    if (there >= 0)
        return weir_fail(error, WEIR_EIO,
                         "%llu samples need about %s, and %s has only %s free: choose another "
                         "--data-dir, less time or a longer --interval",
                         (unsigned long long)j->job->generator->n_samples, weir_text_get(&needs),
                         j->job->data_dir, weir_text_get(&has));
    (void)fprintf(stderr, "weir generate: %llu samples of %zu tags into %s: about %s\n",
                  (unsigned long long)j->job->generator->n_samples, j->job->generator->n_tags,
                  j->job->data_dir, weir_text_get(&needs));
    return WEIR_OK;
}

static weir_err workers_init(struct store_job *j, weir_error *error)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    j->n_workers = processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : (size_t)processors;
    for (size_t i = 0; i < j->n_workers; i++) {
        struct worker *w = &j->workers[i];
        *w = (struct worker){.job = j,
                             .encoder = weir_segment_encoder_new(),
                             .samples = weir_alloc(WEIR_SEGMENT_COUNT_MAX * sizeof *w->samples),
                             .refs = weir_alloc(WEIR_SEGMENT_COUNT_MAX * sizeof *w->refs),
                             .answers = weir_alloc(WEIR_SEGMENT_COUNT_MAX * sizeof *w->answers)};
        if (!w->encoder || !w->samples || !w->refs || !w->answers)
            return weir_fail(error, WEIR_ENOMEM, "no memory for %zu threads", j->n_workers);
    }
    return WEIR_OK;
}

static weir_err job_init(struct store_job *j, weir_error *error)
{
    const weir_generator *g = j->job->generator;
    if (pthread_mutex_init(&j->lock, NULL) || pthread_cond_init(&j->changed, NULL))
        return weir_fail(error, WEIR_EIO, "cannot make a lock");
    j->groups = weir_alloc_zero(g->n_groups, sizeof *j->groups);
    j->tasks = weir_alloc_zero(g->n_tags, sizeof *j->tasks);
    if (!j->groups || !j->tasks)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; i < g->n_groups; i++) {
        j->groups[i] = (struct group){.tier_max = 1, .loaded = g->groups[i].first};
        while (j->groups[i].tier_max < TIERS - 1 &&
               tier_period(j->groups[i].tier_max + 1) / g->groups[i].interval_us <=
                   WEIR_SEGMENT_COUNT_MAX)
            j->groups[i].tier_max++;
    }
    return workers_init(j, error);
}

static void job_deinit(struct store_job *j)
{
    for (size_t i = 0; i < THREADS_MAX; i++) {
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
    weir_free(j->groups);
    weir_free(j->tasks);
    weir_load_end(j->load);
    weir_store_close(j->store);
    (void)pthread_mutex_destroy(&j->lock);
    (void)pthread_cond_destroy(&j->changed);
}

static weir_err open_store(struct store_job *j, weir_error *error)
{
    const weir_store_options options = {.data_dir = j->job->data_dir, .now = j->now};
    weir_err err = weir_store_open(&options, &j->store, error);
    if (!err)
        err = weir_store_register(j->store, j->job->generator->catalog, j->now, error);
    return err ? err : weir_load_begin(j->store, j->now, &j->load, error);
}

static weir_err fill_store(struct store_job *j, weir_error *error)
{
    weir_error ignored = WEIR_ERROR_INIT;
    weir_err err = job_init(j, error);
    if (!err)
        err = check_space(j, error);
    if (!err)
        err = open_store(j, error);
    if (err)
        return err;
    err = make_all(j, error);
    weir_load_end(j->load);
    j->load = NULL;
    if (!err)
        return commit_last_slots(j, false, error);
    if (err == WEIR_ECANCELED && commit_last_slots(j, true, &ignored) != WEIR_OK)
        return weir_fail(error, ignored.code, "%s", ignored.text);
    return err;
}

weir_err weir_generate_store(weir_generate_job *job, weir_error *error)
{
    if (!strcmp(job->data_dir, "memory"))
        return weir_fail(error, WEIR_EINVAL,
                         "data_dir is memory: name a --data-dir, or use --format csv");
    struct store_job *j = weir_alloc_zero(1, sizeof *j);
    if (!j)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    j->job = job;
    j->now = weir_system_wall();
    weir_err err = fill_store(j, error);
    job_deinit(j);
    weir_free(j);
    return err;
}
