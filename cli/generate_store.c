/* SPDX-License-Identifier: MIT */
/* Generated samples straight into the history of a data directory. */

/*
 * History is made part by part (docs/design/store.md): a tag's samples of a day, or of a larger
 * period where a segment can hold that many and the period has ended. Larger periods come first.
 * The segments of a part are made by several threads (part_crew.c).
 *
 * The last slot of each tag goes through an ordinary commit: by that the store knows the current
 * values and how far its clock has come.
 *
 * A signal ends it behind the part under way; then the commit has the slot behind the last part.
 */

#include "cli/generate.h"
#include "cli/datadir.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/alloc.h"
#include "base/number.h"
#include "cli/part_crew.h"
#include "runtime/clock.h"
#include "store/history/load.h"
#include "store/history/part.h"

enum { TIERS = 5 }; /* 0: a piece of a day; 1 to 4: 1, 8, 64, 512 days */

/* As the store itself waits before it merges a period that has ended. */
static const int64_t settled_us = 2 * WEIR_HOUR;

/* Which group goes where. */
struct group {
    int tier_max;     /* the largest period of which one segment can hold a tag's samples */
    weir_wall loaded; /* all samples before this are in parts */
};

struct store_job {
    weir_generate_job *job;
    weir_store *store;
    weir_load *load;
    struct group *groups; /* as the generator's */
    weir_wall now;
    weir_part_crew *crew;
    weir_part_work work; /* the part under way; room for all tags */
};

/* --- which parts --- */

static int compare_tasks(const void *a, const void *b)
{
    const weir_part_task *x = a, *y = b;
    return (x->uid > y->uid) - (x->uid < y->uid);
}

static bool has_ended(const struct store_job *j, int tier, weir_wall t)
{
    const int64_t period = weir_tier_period(tier);
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
    const weir_wall end = j->work.to.us < group->last.us ? j->work.to : group->last;
    const weir_generator *g = j->job->generator;
    if (g->waves)
        return weir_fourier_count_between(&g->waves[group->tags[0]], j->work.from, end);
    const int64_t first =
        weir_floor_multiple(j->work.from.us + group->interval_us - 1, group->interval_us);
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
        j->work.tasks[j->work.n_tasks++] =
            (weir_part_task){group, i, tags[group->tags[i]].uid, series, first_seq};
}

/* The part of a tier and of [from, to), of the groups that stay at that tier or of those that will
 * go to a larger one. */
static weir_err make_part(struct store_job *j, int tier, bool stays, weir_error *error)
{
    const weir_generator *g = j->job->generator;
    uint64_t seq = 0, bytes = 0;
    j->work.n_tasks = 0;
    for (size_t i = 0; i < g->n_groups; i++) {
        const bool last_tier = tier >= j->groups[i].tier_max && tier < TIERS - 1 && tier > 0;
        const uint64_t n = group_samples(j, &g->groups[i]);
        if (!n || last_tier != stays || !group_belongs(j, &j->groups[i], tier, j->work.from))
            continue;
        add_tasks(j, &g->groups[i], seq);
        seq += n * g->groups[i].n_tags;
        j->groups[i].loaded = j->work.to;
    }
    if (!j->work.n_tasks)
        return WEIR_OK;
    qsort(j->work.tasks, j->work.n_tasks, sizeof *j->work.tasks, compare_tasks);
    j->work.effort = tier > 0 ? WEIR_EFFORT_SMALL : WEIR_EFFORT_FAST;
    const weir_load_part part = {(unsigned)tier, stays};
    uint64_t first_seq;
    weir_err err = weir_load_part_begin(j->load, &part, &first_seq, error);
    for (size_t i = 0; !err && i < j->work.n_tasks; i++)
        j->work.tasks[i].first_seq += first_seq;
    if (!err)
        err = weir_part_crew_run(j->crew, &j->work, error);
    if (!err)
        err = weir_load_part_end(j->load, &bytes, error);
    j->job->bytes += bytes;
    return err;
}

static weir_err make_tier(struct store_job *j, int tier, weir_error *error)
{
    const weir_generator *g = j->job->generator;
    const int64_t period = weir_tier_period(tier ? tier : 1);
    weir_err err = WEIR_OK;
    for (j->work.from = g->first; !err && j->work.from.us <= g->last.us;
         j->work.from = j->work.to) {
        j->work.to.us = weir_floor_multiple(j->work.from.us, period) + period;
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
    weir_err err = weir_part_crew_estimate(j->crew, &needed, error);
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

static weir_err job_init(struct store_job *j, weir_error *error)
{
    const weir_generator *g = j->job->generator;
    j->groups = weir_alloc_zero(g->n_groups, sizeof *j->groups);
    j->work.tasks = weir_alloc_zero(g->n_tags, sizeof *j->work.tasks);
    if (!j->groups || !j->work.tasks)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; i < g->n_groups; i++) {
        j->groups[i] = (struct group){.tier_max = 1, .loaded = g->groups[i].first};
        while (j->groups[i].tier_max < TIERS - 1 &&
               weir_tier_period(j->groups[i].tier_max + 1) / g->groups[i].interval_us <=
                   WEIR_SEGMENT_COUNT_MAX)
            j->groups[i].tier_max++;
    }
    return weir_part_crew_new(j->job, &j->crew, error);
}

static void job_deinit(struct store_job *j)
{
    weir_part_crew_free(j->crew);
    weir_free(j->groups);
    weir_free(j->work.tasks);
    weir_load_end(j->load);
    weir_store_close(j->store);
}

static weir_err open_store(struct store_job *j, weir_error *error)
{
    const weir_store_options options = {.data_dir = j->job->data_dir, .now = j->now};
    weir_err err = weir_store_open(&options, &j->store, error);
    if (!err)
        weir_data_dir_tell(j->job->in, j->store);
    if (!err)
        err = weir_store_register(j->store, j->job->generator->catalog, j->now, error);
    if (!err)
        err = weir_load_begin(j->store, j->now, &j->load, error);
    j->work.load = j->load;
    return err;
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
