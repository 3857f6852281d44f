/* SPDX-License-Identifier: MIT */
/* The sinks of a simulated world: their deliveries, their other sides, and who judges these. */

#include "simulation/sinks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "simulation/world.h"
#include "store/consumer.h"
#include "store/query/query.h"

/* --- the other side ----------------------------------------------------------------------- */

static bool arrival_room(sim_sink *s, uint64_t seq)
{
    if (seq < s->n_arrivals)
        return true;
    const size_t n = 2 * (size_t)seq + 4096;
    sim_arrival *room = realloc(s->arrivals, n * sizeof *room);
    if (!room)
        return false;
    memset(room + s->n_arrivals, 0, (n - s->n_arrivals) * sizeof *room);
    s->arrivals = room;
    s->n_arrivals = n;
    return true;
}

/* The name is that of the tag, as it was registered. */
static bool name_is_right(const sim_world *w, const weir_sink_row *row)
{
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    if (row->tag->uid == 0 || row->tag->uid > w->catalog->n_tags)
        return false;
    weir_tag_name(w->catalog, &w->catalog->tags[row->tag->uid - 1], &name);
    return strcmp(weir_text_get(&name), row->tag->name) == 0 && row->sample.tag == row->tag->uid;
}

static void on_row(void *data, const weir_sink_row *row)
{
    sim_sink *s = data;
    const sim_arrival a = {.ts = row->sample.ts.us,
                           .epoch = row->epoch,
                           .value = (uint32_t)row->sample.value.as.u,
                           .tag = (uint16_t)(row->tag->uid - 1),
                           .is_bad = row->sample.value.kind == WEIR_KIND_NULL};
    if (!arrival_room(s, row->seq) || !name_is_right(s->world, row)) {
        sim_world_violation(s->world, "sink %s: a row of a tag that is not, or no memory", s->name);
        return;
    }
    sim_arrival *was = &s->arrivals[row->seq];
    const bool is_same = was->ts == a.ts && was->epoch == a.epoch && was->value == a.value &&
                         was->tag == a.tag && was->is_bad == a.is_bad;
    if (was->n > 0 && !is_same) {
        s->n_invented++;
        sim_world_violation(s->world, "sink %s: seq %" PRIu64 " arrived with two contents", s->name,
                            row->seq);
    }
    s->n_repeated += was->n > 0;
    const uint8_t n = was->n;
    *was = a;
    was->n = n < UINT8_MAX ? n + 1 : n;
    sim_world_trace(s->world, row->seq ^ (uint64_t)a.ts);
}

static void on_sleep(void *data, int64_t us)
{
    ((sim_sink *)data)->ahead_us += us;
}

bool sim_sink_rejects(const weir_sink_row *row)
{
    return ((uint64_t)row->sample.ts.us / WEIR_S + row->tag->uid) % 997 == 0;
}

static bool picky(void *data, const weir_sink_row *row)
{
    (void)data;
    return sim_sink_rejects(row);
}

/* --- what a delivery is given ------------------------------------------------------------- */

static weir_mono host_now(void *data)
{
    const sim_sink *s = data;
    return weir_mono_add(s->world->now, s->ahead_us);
}

static weir_wall host_wall(void *data)
{
    const sim_sink *s = data;
    return (weir_wall){host_now(data).us + s->world->wall_offset};
}

static bool host_is_ending(void *data)
{
    (void)data;
    return false;
}

/* Planted: "live first" that forgets what it has put off. */
static bool planted_on_cursor(void *data, uint64_t seq, const weir_span *spans, size_t n)
{
    const weir_delivery_box *box = data;
    if (n > 0)
        seq = spans[n - 1].last;
    return weir_postbox_cursor(box->postbox, box->sink, seq, NULL, 0, NULL) == WEIR_OK;
}

static void host_on_state(void *data, const char *state, const char *why, const char *remedy)
{
    const sim_sink *s = data;
    const weir_event event = {host_wall(data), WEIR_EVENT_ALARM, s->name, why};
    (void)remedy;
    sim_world_trace(s->world, (uint64_t)state[0]);
    if (weir_postbox_event(s->world->postbox, &event, true, NULL) != WEIR_OK)
        sim_world_violation(s->world, "sink %s: the postbox is full", s->name);
}

static void host_log(void *data, weir_log_level level, const char *event, const char *text)
{
    (void)data, (void)level, (void)event, (void)text;
}

/* --- lives -------------------------------------------------------------------------------- */

void sim_sinks_open(sim_world *w, unsigned n)
{
    static const struct {
        const char *name;
        const weir_sink_type *type;
        bool (*is_bad)(void *data, const weir_sink_row *row);
    } kinds[SIM_SINKS_MAX] = {{"plain", &script_sink, NULL},
                              {"file", &script_sink_file, NULL},
                              {"picky", &script_sink, picky},
                              {"other", &script_sink, NULL}};
    for (w->n_sinks = 0; w->n_sinks < n; w->n_sinks++) {
        sim_sink *s = &w->sinks[w->n_sinks];
        *s = (sim_sink){.world = w};
        (void)snprintf(s->name, sizeof s->name, "%s", kinds[w->n_sinks].name);
        s->server = (script_server){.data = s,
                                    .on_row = on_row,
                                    .on_sleep = on_sleep,
                                    .is_bad = kinds[w->n_sinks].is_bad,
                                    .send_us = 3 * WEIR_MS,
                                    .row_us = 30};
        s->options.server = &s->server;
        s->config = (weir_sink_config){.name = s->name,
                                       .type = kinds[w->n_sinks].type,
                                       .options = &s->options,
                                       .enabled = true};
    }
}

void sim_sinks_close(sim_world *w)
{
    for (unsigned i = 0; i < w->n_sinks; i++)
        free(w->sinks[i].arrivals);
}

static weir_delivery_host host_of(sim_sink *s, uint64_t seed)
{
    return (weir_delivery_host){.data = s,
                                .now = host_now,
                                .wall = host_wall,
                                .seed = seed,
                                .is_ending = host_is_ending,
                                .on_state = host_on_state,
                                .log = host_log};
}

bool sim_sinks_start(sim_world *w, weir_error *error)
{
    const char *names[SIM_SINKS_MAX];
    for (unsigned i = 0; i < w->n_sinks; i++)
        names[i] = w->sinks[i].name;
    if (w->n_sinks == 0)
        return true;
    if (weir_store_register_sinks(w->store, names, w->n_sinks, sim_world_wall(w), error) != WEIR_OK)
        return false;
    for (unsigned i = 0; i < w->n_sinks; i++) {
        sim_sink *s = &w->sinks[i];
        s->host = host_of(s, weir_random_u64(&w->random));
        weir_delivery_host_post(&s->host, &s->box);
        if (w->config.plants_lost_backlog)
            s->host.on_cursor = planted_on_cursor;
        s->next = s->free_at = w->now;
        s->ahead_us = 0;
    }
    return true;
}

void sim_sinks_end(sim_world *w)
{
    for (unsigned i = 0; i < w->n_sinks; i++) {
        weir_delivery_free(w->sinks[i].delivery);
        weir_take_close(w->sinks[i].take);
        w->sinks[i].delivery = NULL;
        w->sinks[i].take = NULL;
    }
}

static bool sink_open(sim_sink *s)
{
    weir_error error = WEIR_ERROR_INIT;
    const sim_world *w = s->world;
    s->box = (weir_delivery_box){w->postbox, s->name};
    return (s->take ||
            weir_take_open(w->folder, w->vfs_name, s->name, &s->take, &error) == WEIR_OK) &&
           weir_delivery_new(&s->config, s->take, &s->host, &s->delivery, &error) == WEIR_OK;
}

static weir_mono sink_next(const sim_sink *s)
{
    return s->next.us > s->free_at.us ? s->next : s->free_at;
}

void sim_sinks_wake(sim_world *w)
{
    for (unsigned i = 0; i < w->n_sinks; i++)
        w->sinks[i].next = w->now;
}

weir_mono sim_sinks_next(const sim_world *w)
{
    weir_mono next = WEIR_MONO_NEVER;
    for (unsigned i = 0; i < w->n_sinks; i++)
        next = weir_mono_min(next, sink_next(&w->sinks[i]));
    return next;
}

void sim_sinks_step(sim_world *w)
{
    for (unsigned i = 0; i < w->n_sinks; i++) {
        sim_sink *s = &w->sinks[i];
        if (!weir_mono_reached(w->now, sink_next(s)))
            continue;
        s->ahead_us = 0;
        if (!s->delivery && !sink_open(s))
            s->next = weir_mono_add(w->now, 5 * WEIR_S);
        else
            s->next = weir_delivery_step(s->delivery);
        s->free_at = host_now(s);
        s->ahead_us = 0;
    }
}

void sim_sinks_post(sim_world *w)
{
    weir_sink_record records[SIM_SINKS_MAX];
    size_t n = 0;
    for (unsigned i = 0; i < w->n_sinks; i++)
        if (w->sinks[i].delivery)
            records[n++] = weir_delivery_get_record(w->sinks[i].delivery);
    if (n > 0 && weir_postbox_sinks(w->postbox, records, n, NULL) != WEIR_OK)
        sim_world_violation(w, "no memory");
}

/* --- the judge ---------------------------------------------------------------------------- */

/* Columns seq, ts, epoch, value, uid; judged is counted up. */
static void judge_row(sim_world *w, sim_sink *s, sqlite3_stmt *row, uint64_t *judged)
{
    const uint64_t seq = (uint64_t)sqlite3_column_int64(row, 0);
    const sim_arrival *a = seq < s->n_arrivals ? &s->arrivals[seq] : &(sim_arrival){0};
    const bool is_aside = sqlite3_column_int(row, 5) != 0;
    const bool is_same = a->ts == sqlite3_column_int64(row, 1) &&
                         a->epoch == (uint32_t)sqlite3_column_int64(row, 2) &&
                         a->value == (uint32_t)sqlite3_column_int64(row, 3) &&
                         a->tag == sqlite3_column_int64(row, 4) - 1;
    *judged += a->n > 0;
    if (a->n == 0 && !is_aside) {
        w->lost++;
        sim_world_violation(w, "sink %s: seq %" PRIu64 " was committed and never arrived", s->name,
                            seq);
    } else if (a->n > 0 && (is_aside || !is_same)) {
        s->n_invented++;
        sim_world_violation(w, "sink %s: seq %" PRIu64 " arrived as something else", s->name, seq);
    }
}

static void check_sink(sim_world *w, sim_sink *s, weir_query *query)
{
    char sql[400];
    sqlite3_stmt *row = NULL;
    uint64_t judged = 0, arrived = 0;
    (void)snprintf(sql, sizeof sql,
                   "SELECT s.seq, s.ts, s.epoch, s.value, t.id, r.seq IS NOT NULL FROM samples s"
                   " JOIN tags t ON t.tag=s.tag LEFT JOIN (SELECT DISTINCT seq FROM rejected WHERE"
                   " sink='%s') r ON r.seq=s.seq",
                   s->name);
    if (sqlite3_prepare_v2(weir_query_db(query), sql, -1, &row, NULL) != SQLITE_OK)
        sim_world_violation(w, "%s", sqlite3_errmsg(weir_query_db(query)));
    while (row && sqlite3_step(row) == SQLITE_ROW)
        judge_row(w, s, row, &judged);
    (void)sqlite3_finalize(row);
    for (size_t i = 0; i < s->n_arrivals; i++)
        arrived += s->arrivals[i].n > 0;
    /* With limits of the store, what has arrived may be gone from there by now. */
    if (arrived != judged && !w->config.store) {
        s->n_invented += arrived - judged;
        sim_world_violation(w, "sink %s: %" PRIu64 " rows arrived that are not in the store",
                            s->name, arrived - judged);
    }
    if (s->config.type->resume && s->n_repeated > 0)
        sim_world_violation(w, "sink %s: %" PRIu64 " rows were repeated", s->name, s->n_repeated);
    w->invented += s->n_invented;
}

void sim_sinks_check(sim_world *w)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    if (w->n_sinks == 0)
        return;
    if (weir_query_open(w->folder, w->vfs_name, &query, &error) != WEIR_OK) {
        sim_world_violation(w, "the store cannot be read: %s", error.text);
        return;
    }
    for (unsigned i = 0; i < w->n_sinks; i++)
        check_sink(w, &w->sinks[i], query);
    weir_query_close(query);
}
