/* SPDX-License-Identifier: MIT */
/* Databases that are kept open between loads, and asked whether they have changed. */

/*
 * One is found again by all it was configured with. What it gave is remembered as a digest, so that
 * a file in which others write beside the catalog's rows is no news.
 *
 * What fails: one that cannot be asked is left alone for a pause that doubles, up to half a minute;
 * one that the last load missed is news once it answers, whatever it says.
 */

#include "catalog/databases.h"

#include <stdio.h>
#include <string.h>

enum { PAUSE_FIRST_US = WEIR_S, PAUSE_MAX_US = 30 * WEIR_S };

struct weir_opened {
    struct weir_opened *next;
    weir_arena *arena;
    const char *key; /* all it was configured with */
    weir_database_config config;
    const weir_database_type *type;
    void *database;
    uint64_t digest;
    bool is_used, is_stale; /* stale: the last load did not get its rows */
    weir_mono retry_at;
    int64_t pause_us; /* 0: it answered last time */
    char trouble[400];
};

static void opened_free(struct weir_opened *o)
{
    if (o->type)
        o->type->close(o->database);
    weir_arena_free(o->arena);
    weir_free(o);
}

void weir_databases_close(weir_databases *d)
{
    while (d->first) {
        struct weir_opened *next = d->first->next;
        opened_free(d->first);
        d->first = next;
    }
}

void weir_databases_begin(weir_databases *d)
{
    for (struct weir_opened *o = d->first; o; o = o->next)
        o->is_used = false;
}

void weir_databases_end(weir_databases *d)
{
    for (struct weir_opened **at = &d->first; *at;) {
        struct weir_opened *o = *at;
        if (o->is_used) {
            at = &o->next;
            continue;
        }
        *at = o->next;
        opened_free(o);
    }
}

/* ---- reading ---- */

/* Copies a text that is there. */
static bool text_keep(weir_arena *arena, const char **text)
{
    if (!*text)
        return true;
    *text = weir_arena_text(arena, *text);
    return *text != NULL;
}

static weir_err opened_new(const weir_database_config *config, const char *key,
                           struct weir_opened **ret, weir_error *error)
{
    struct weir_opened *o = weir_alloc_zero(1, sizeof *o);
    weir_arena *arena = o ? weir_arena_new() : NULL;
    if (!arena) {
        weir_free(o);
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    }
    o->arena = arena;
    o->config = *config;
    const char **texts[] = {&o->config.url,      &o->config.place,  &o->config.username,
                            &o->config.password, &o->config.notify, &o->key};
    o->key = key;
    bool good = true;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        good = text_keep(arena, texts[i]) && good;
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES; i++)
        good = text_keep(arena, &o->config.queries[i].table) &&
               text_keep(arena, &o->config.queries[i].sql) && good;
    if (!good) {
        opened_free(o);
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    }
    const weir_database_type *type = NULL;
    weir_err err = weir_database_type_find(config->url, &type, error);
    if (err == WEIR_OK)
        err = type->open(&o->config, &o->database, error);
    if (err) {
        opened_free(o);
        return err;
    }
    o->type = type;
    *ret = o;
    return WEIR_OK;
}

static void key_of(const weir_database_config *config, weir_text *ret)
{
    const char *const texts[] = {config->url, config->username, config->password, config->notify};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        weir_text_format(ret, "%s\n", texts[i] ? texts[i] : "");
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES; i++)
        weir_text_format(ret, "%s\n", config->queries[i].table ? config->queries[i].sql : "");
    weir_text_format(ret, "%lld", (long long)config->timeout_us);
}

/* The one that is open already, or a new one. Without a list it is the caller's to free. */
static weir_err opened_get(weir_databases *d, const weir_database_config *config,
                           struct weir_opened **ret, weir_error *error)
{
    WEIR_TEXT_AUTO key = WEIR_TEXT_INIT;
    key_of(config, &key);
    if (key.failed)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (struct weir_opened *o = d ? d->first : NULL; o; o = o->next)
        if (!strcmp(o->key, weir_text_get(&key))) {
            *ret = o;
            return WEIR_OK;
        }
    const weir_err err = opened_new(config, weir_text_get(&key), ret, error);
    if (err == WEIR_OK && d) {
        (*ret)->next = d->first;
        d->first = *ret;
    }
    return err;
}

static uint64_t rows_digest(const weir_rows *rows)
{
    uint64_t digest = 0;
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES; i++)
        digest = weir_rows_digest(&rows[i], digest);
    return digest;
}

weir_err weir_databases_read(weir_databases *d, const weir_database_config *config, weir_rows *ret,
                             weir_error *error)
{
    struct weir_opened *o = NULL;
    weir_err err = opened_get(d, config, &o, error);
    if (err)
        return err;
    err = o->type->read(o->database, ret, error);
    o->is_used = true;
    o->is_stale = err != WEIR_OK;
    o->digest = err ? 0 : rows_digest(ret);
    if (!d)
        opened_free(o);
    return err;
}

void weir_databases_forget(weir_rows *rows)
{
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES; i++)
        weir_rows_deinit(&rows[i]);
}

/* ---- news ---- */

static void opened_failed(struct weir_opened *o, const weir_error *error, weir_mono now)
{
    o->pause_us = o->pause_us ? 2 * o->pause_us : PAUSE_FIRST_US;
    if (o->pause_us > PAUSE_MAX_US)
        o->pause_us = PAUSE_MAX_US;
    o->retry_at = weir_mono_add(now, o->pause_us);
    (void)snprintf(o->trouble, sizeof o->trouble, "%s", error->text);
}

static bool opened_poll(struct weir_opened *o, weir_mono now)
{
    weir_rows rows[WEIR_LAYOUT_QUERIES] = {0};
    weir_error error = WEIR_ERROR_INIT;
    bool changed = false, differs = false;
    if (o->pause_us && !weir_mono_reached(now, o->retry_at))
        return false;
    weir_err err = o->type->changed(o->database, &changed, &error);
    if (err == WEIR_OK && (changed || o->is_stale)) {
        err = o->type->read(o->database, rows, &error);
        differs = err == WEIR_OK && (o->is_stale || rows_digest(rows) != o->digest);
        weir_databases_forget(rows);
    }
    if (err) {
        opened_failed(o, &error, now);
        return false;
    }
    o->pause_us = 0;
    o->trouble[0] = '\0';
    return differs;
}

bool weir_databases_poll(weir_databases *d, weir_mono now)
{
    bool changed = false;
    for (struct weir_opened *o = d->first; o; o = o->next)
        changed = opened_poll(o, now) || changed;
    return changed;
}

const char *weir_databases_trouble(const weir_databases *d)
{
    for (const struct weir_opened *o = d->first; o; o = o->next)
        if (*o->trouble)
            return o->trouble;
    return "";
}
