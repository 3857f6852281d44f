/* SPDX-License-Identifier: MIT */
/* All that a catalog is read from, kept open and asked whether it has changed. */

/*
 * A load reads the file and what it includes, then the databases they name and config.db. Databases
 * stay open between loads, found again by what they were configured with. poll() compares what
 * stat() says of the files, and asks each database whether it was written to; if so its rows are
 * read and their digest is compared.
 *
 * What fails: a database that cannot be reached or read is a problem of that load, and so the old
 * catalog goes on; poll() tries it again, with growing pauses, and says "changed" once it has
 * answered with other rows. That config.db is gone is such a failure, once it was there.
 */

#include "catalog/provider.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "catalog/databases.h"
#include "catalog/join.h"
#include "catalog/secret.h"

enum { CONFIG_TIMEOUT_US = 5 * WEIR_S };

/* A file that was read, a folder that was listed, or one that was not there. */
struct watched {
    struct watched *next;
    char *path;
    bool is_there;
    bool only_whether; /* it is there */
    struct stat st;
};

struct weir_providers {
    const weir_yaml_files *files;
    weir_yaml_files watching;
    struct watched *watched;
    weir_databases databases;
    bool had_config_db;
    uint64_t looked; /* of the files, when they were looked at last */
};

/* ---- files ---- */

static void watched_free(weir_providers *p)
{
    while (p->watched) {
        struct watched *next = p->watched->next;
        weir_free(p->watched->path);
        weir_free(p->watched);
        p->watched = next;
    }
}

static bool stat_of(const char *path, struct stat *ret)
{
    memset(ret, 0, sizeof *ret);
    return stat(path, ret) == 0;
}

/* One that cannot be noted for lack of memory is read, and not watched. */
static void watch(weir_providers *p, const char *path, bool only_whether)
{
    struct watched *w = weir_alloc_zero(1, sizeof *w);
    if (w)
        w->path = weir_alloc_text(path);
    if (!w || !w->path) {
        weir_free(w);
        return;
    }
    w->only_whether = only_whether;
    w->is_there = stat_of(path, &w->st);
    w->next = p->watched;
    p->watched = w;
}

static bool stat_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool watched_changed(const struct watched *w)
{
    struct stat st;
    if (stat_of(w->path, &st) != w->is_there)
        return true;
    return w->is_there && !w->only_whether && !stat_same(&st, &w->st);
}

void weir_providers_rewritten(weir_providers *p, const char *path, const struct stat *before,
                              const struct stat *after)
{
    for (struct watched *w = p ? p->watched : NULL; w; w = w->next)
        if (w->is_there && !strcmp(w->path, path) && stat_same(&w->st, before))
            w->st = *after;
}

/* Noted before it is read: what is written meanwhile is then seen by the next poll. */
static weir_err watching_read(void *data, const char *path, weir_text *ret, weir_error *error)
{
    weir_providers *p = data;
    watch(p, path, false);
    return p->files->read(p->files->data, path, ret, error);
}

static void watching_list(void *data, const char *folder,
                          void (*on_name)(void *arg, const char *name), void *arg)
{
    weir_providers *p = data;
    watch(p, folder, false);
    p->files->list(p->files->data, folder, on_name, arg);
}

static bool watching_others_read(void *data, const char *path)
{
    const weir_providers *p = data;
    return p->files->others_read(p->files->data, path);
}

const weir_yaml_files *weir_providers_watch(weir_providers *p, const weir_yaml_files *files)
{
    if (!p)
        return files;
    p->files = files;
    p->watching =
        (weir_yaml_files){.data = p,
                          .read = watching_read,
                          .list = files->list ? watching_list : NULL,
                          .others_read = files->others_read ? watching_others_read : NULL};
    return &p->watching;
}

/* ---- life ---- */

weir_providers *weir_providers_new(void)
{
    return weir_alloc_zero(1, sizeof(weir_providers));
}

void weir_providers_free(weir_providers *p)
{
    if (!p)
        return;
    watched_free(p);
    weir_databases_close(&p->databases);
    weir_free(p);
}

void weir_providers_begin(weir_providers *p)
{
    if (!p)
        return;
    watched_free(p);
    weir_databases_begin(&p->databases);
}

void weir_providers_end(weir_providers *p)
{
    if (p)
        weir_databases_end(&p->databases);
}

/* ---- one database into the document ---- */

struct collect {
    weir_loader *l;
    weir_document *document;
    weir_roots *roots;
};

static void collect_rows(struct collect *c, const weir_layout *layout, const weir_layout_in *in)
{
    weir_document *rows = weir_layout_document(layout, in);
    if (!rows) {
        c->l->failed = true;
        return;
    }
    const weir_node root = weir_document_adopt(c->document, rows, c->l->problems);
    if (root.id && !weir_roots_add(c->roots, root))
        c->l->failed = true;
}

/* at: where a failure is told, none: at the database. */
static void collect_database(struct collect *c, const weir_database_config *config,
                             const weir_layout *layout, weir_layout_in *in, weir_node at)
{
    weir_rows rows[WEIR_LAYOUT_QUERIES] = {0};
    weir_providers *p = c->l->options->providers;
    weir_error error = WEIR_ERROR_INIT;
    const weir_err err = weir_databases_read(p ? &p->databases : NULL, config, rows, &error);
    in->rows = rows;
    in->queries = config->queries;
    if (err == WEIR_OK)
        collect_rows(c, layout, in);
    else if (at.id)
        weir_problems_add(c->l->problems, err, weir_node_where(at), "%s", error.text);
    else
        weir_problems_add(c->l->problems, err, (weir_where){in->place, 0, 0}, "%s", error.text);
    weir_databases_forget(rows);
}

/* ---- the entries of `catalog` ---- */

static const weir_layout *const layouts[] = {[WEIR_DATABASE_WEIR] = &weir_layout_weir,
                                             [WEIR_DATABASE_REQUESTED] =
                                                 &weir_layout_requested_data,
                                             [WEIR_DATABASE_METERS] = &weir_layout_energy_meters,
                                             [WEIR_DATABASE_QUERIES] = &weir_layout_weir};

static bool entry_password(struct collect *c, weir_node entry, weir_database_in *in)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    if (!in->password_file)
        return true;
    const weir_node at = weir_node_get(entry, "password_file");
    if (in->password) {
        weir_loader_problem(c->l, at, "'password' and 'password_file': keep one");
        return false;
    }
    if (c->l->files->read(c->l->files->data, in->password_file, &text, &error)) {
        weir_loader_problem(c->l, at, "password_file: %s", error.text);
        return false;
    }
    in->password =
        weir_arena_text_n(c->l->whole, weir_text_get(&text), strcspn(weir_text_get(&text), "\r\n"));
    c->l->failed = c->l->failed || !in->password;
    return in->password != NULL;
}

/* Whose queries they are. */
static bool entry_queries(struct collect *c, weir_node entry, const weir_database_in *in,
                          weir_database_config *config)
{
    static const char *const tables[] = {"connections", "devices", "points", "plans"};
    const char *const own[] = {in->connections, in->devices, in->points, in->plans};
    const bool is_queries = in->layout == WEIR_DATABASE_QUERIES;
    const weir_layout *layout = layouts[in->layout];
    bool good = true;
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES; i++) {
        const bool plans = i == 3 && in->layout == WEIR_DATABASE_WEIR;
        config->queries[i] = is_queries || plans ? (weir_layout_query){0} : layout->queries[i];
        if (own[i] && !is_queries && !plans) {
            weir_loader_problem(c->l, weir_node_get(entry, tables[i]),
                                "'%s' is a query: it needs layout: queries", tables[i]);
            good = false;
        } else if (own[i]) {
            config->queries[i] = (weir_layout_query){tables[i], own[i]};
        }
    }
    if (good && is_queries && !in->connections && !in->devices && !in->plans) {
        weir_loader_problem(c->l, entry,
                            "layout: queries needs at least one of connections, devices, plans: "
                            "each a SELECT");
        good = false;
    }
    if (good && is_queries && in->points && !in->devices) {
        weir_loader_problem(c->l, weir_node_get(entry, "points"),
                            "'points' are of devices of the same database: give 'devices' too");
        good = false;
    }
    return good;
}

static bool entry_times(struct collect *c, weir_node entry, const weir_database_in *in)
{
    const bool meters = in->layout == WEIR_DATABASE_METERS;
    if (meters && !in->interval == !in->cron) {
        weir_loader_problem(c->l, entry,
                            "layout: energy_meters says nothing of times: give it an interval or "
                            "a cron expression%s",
                            in->interval ? ", not both" : "");
        return false;
    }
    if (!meters && (in->interval || in->cron)) {
        weir_loader_problem(c->l, weir_node_get(entry, in->interval ? "interval" : "cron"),
                            "the rows of this layout say it themselves");
        return false;
    }
    return true;
}

static void entry_collect(struct collect *c, weir_node entry)
{
    static const char *const schemes[] = {"tcp", "rtu+tcp"};
    weir_database_in in = {0};
    WEIR_TEXT_AUTO place = WEIR_TEXT_INIT;
    if (!weir_loader_expect(c->l, entry, WEIR_NODE_MAPPING, "entry of catalog"))
        return;
    const size_t n_before = c->l->problems->n;
    weir_option_defaults(weir_database_table, &in);
    weir_loader_read(c->l, entry, weir_database_table, &in);
    weir_database_config config = {
        .url = in.url, .username = in.username, .notify = in.notify, .timeout_us = in.timeout};
    if (!weir_loader_require(c->l, entry, weir_database_table, "an entry of catalog", &in) ||
        !entry_password(c, entry, &in) || !entry_queries(c, entry, &in, &config) ||
        !entry_times(c, entry, &in) || c->l->problems->n != n_before || !in.enabled)
        return;
    config.password = in.password;
    weir_database_place(in.url, &place);
    config.place = weir_text_get(&place);
    weir_layout_in layout = {.place = weir_text_get(&place),
                             .name = in.name,
                             .scheme = schemes[in.scheme],
                             .interval = in.interval,
                             .cron = in.cron,
                             .problems = c->l->problems};
    collect_database(c, &config, layouts[in.layout], &layout, weir_node_get(entry, "url"));
}

/* ---- config.db ---- */

const char *weir_config_db_path(weir_arena *arena, const char *data_dir)
{
    return strcmp(data_dir, "memory") ? weir_arena_format(arena, "%s/config.db", data_dir) : NULL;
}

static const char *data_dir_of(const struct collect *c)
{
    const weir_node node = weir_node_get(weir_document_root(c->document), "data_dir");
    if (c->l->options->data_dir)
        return c->l->options->data_dir;
    return weir_node_is(node, WEIR_NODE_SCALAR) && *weir_node_text(node)
               ? weir_node_text(node)
               : weir_option_find(weir_top_table, "data_dir")->fallback;
}

/* As it is in a change that is not committed yet. */
static void collect_open_config(struct collect *c, weir_layout_in *in)
{
    weir_rows rows[WEIR_LAYOUT_QUERIES] = {0};
    weir_error error = WEIR_ERROR_INIT;
    in->rows = rows;
    in->queries = weir_layout_weir.queries;
    const weir_err err = weir_sqlite_read(c->l->options->config_db, in->place, in->queries,
                                          CONFIG_TIMEOUT_US, rows, &error);
    if (err)
        weir_problems_add(c->l->problems, err, (weir_where){in->place, 0, 0}, "%s", error.text);
    else
        collect_rows(c, &weir_layout_weir, in);
    weir_databases_forget(rows);
}

static void collect_config(struct collect *c)
{
    weir_providers *p = c->l->options->providers;
    const char *path = weir_config_db_path(c->l->whole, data_dir_of(c));
    if (!path)
        return;
    weir_layout_in in = {.place = path, .problems = c->l->problems};
    if (c->l->options->config_db) {
        collect_open_config(c, &in);
        return;
    }
    if (p)
        watch(p, path, true);
    if (access(path, F_OK) != 0 && !(p && p->had_config_db))
        return;
    WEIR_TEXT_AUTO url = WEIR_TEXT_INIT;
    weir_text_format(&url, "sqlite:%s", path);
    weir_database_config config = {
        .url = weir_text_get(&url), .place = path, .timeout_us = CONFIG_TIMEOUT_US};
    memcpy(config.queries, weir_layout_weir.queries, sizeof config.queries);
    if (p)
        p->had_config_db = true;
    collect_database(c, &config, &weir_layout_weir, &in, (weir_node){0});
}

void weir_providers_collect(weir_loader *l, weir_document *document, weir_roots *roots)
{
    struct collect c = {l, document, roots};
    const weir_node list = weir_node_get(weir_document_root(document), "catalog");
    if (list.id && weir_loader_expect(l, list, WEIR_NODE_LIST, "catalog"))
        for (size_t i = 0; i < weir_node_count(list); i++)
            entry_collect(&c, weir_node_item(list, i));
    collect_config(&c);
}

/* ---- whether files are being written ---- */

bool weir_providers_moved(const weir_providers *p)
{
    bool moved = false;
    for (const struct watched *w = p->watched; w && !moved; w = w->next)
        moved = watched_changed(w);
    return moved;
}

/* Of what stat() says: others as good as never have the same. */
static uint64_t look_add(uint64_t look, const struct stat *st)
{
    const uint64_t parts[] = {(uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size,
                              (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        look = (look ^ parts[i]) * 0x100000001b3u; /* FNV-1a, of words */
    return look;
}

bool weir_providers_settled(weir_providers *p)
{
    uint64_t look = 0xcbf29ce484222325u;
    for (const struct watched *w = p->watched; w; w = w->next) {
        struct stat st;
        (void)stat_of(w->path, &st); /* zeros of one that is not there */
        if (!w->only_whether)
            look = look_add(look, &st);
    }
    const bool settled = look == p->looked;
    p->looked = look;
    return settled;
}

/* ---- news ---- */

bool weir_providers_poll(weir_providers *p, bool files, weir_mono now)
{
    bool changed = false;
    for (const struct watched *w = p->watched; w && !changed; w = w->next)
        changed = (files || w->only_whether) && watched_changed(w) &&
                  (!w->only_whether || !p->had_config_db);
    return weir_databases_poll(&p->databases, now) || changed;
}

const char *weir_providers_trouble(const weir_providers *p)
{
    return weir_databases_trouble(&p->databases);
}
