/* SPDX-License-Identifier: MIT */
/* What is to be collected: from a file, a text or a draft to a catalog. */

#include <string.h>

#include "base/alloc.h"
#include "catalog/yaml.h"
#include "embed/collector_priv.h"
#include "sinks/module.h"
#include "store/file/zonefile.h"

/* Where a configuration comes from. */
struct origin {
    const char *path; /* the file's, or the name of what text is */
    const char *text; /* NULL: the file */
    size_t n;
};

static weir_err options_make(const weir_collector *c, weir_arena *arena, weir_yaml_options *ret)
{
    const weir_sink_type **sinks = weir_arena_alloc(arena, c->own_sinks.n + 1, sizeof *sinks);
    weir_yaml_own *sources = weir_arena_alloc(arena, c->own_sources.n + 1, sizeof *sources);
    if (!sinks || !sources)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < c->own_sinks.n; i++)
        sinks[i] = weir_own_sink_get(c->own_sinks.items[i]);
    for (size_t i = 0; i < c->own_sources.n; i++) {
        const weir_own_source *own = weir_own_source_descriptor(c->own_sources.items[i]);
        sources[i] = (weir_yaml_own){own->name, own->default_interval_us, own->minimum_interval_us};
    }
    *ret = (weir_yaml_options){.sink_type = weir_sink_type_find,
                               .own_sinks = sinks,
                               .own = sources,
                               .databases = true,
                               .zone = weir_zone_open,
                               .data_dir = c->data_dir};
    return weir_yaml_default_dirs(arena, ret);
}

/* The first problem is the error, all of them are logged. */
static weir_err problems_fail(const weir_collector *c, const weir_problems *problems, weir_err err,
                              const char *name, weir_error *error)
{
    WEIR_TEXT_AUTO first = WEIR_TEXT_INIT;
    for (size_t i = 0; i < problems->n; i++) {
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_problem_format(&problems->items[i], i ? &line : &first);
        weir_collector_on_log((void *)c, WEIR_LOG_ERROR, "problem", "",
                              weir_text_get(i ? &line : &first));
    }
    if (problems->n == 0)
        return weir_fail(error, err, "%s: %s", name, weir_err_text(err));
    if (problems->n == 1)
        return weir_fail(error, err, "%.440s", weir_text_get(&first));
    return weir_fail(error, err, "%.440s (and %zu more)", weir_text_get(&first), problems->n - 1);
}

static weir_err catalog_load(weir_collector *c, const struct origin *origin, weir_catalog **ret,
                             weir_error *error)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_yaml_options yaml = {0};
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    if (!arena || options_make(c, arena, &yaml) != WEIR_OK)
        return weir_fail(error, WEIR_ENOMEM, "the configuration");
    weir_err err = origin->text ? weir_yaml_load_text(origin->text, origin->n, origin->path, &yaml,
                                                      ret, &problems)
                                : weir_yaml_load(origin->path, &yaml, ret, &problems);
    if (err != WEIR_OK)
        err = problems_fail(c, &problems, err, origin->path, error);
    weir_problems_deinit(&problems);
    return err;
}

/* Under life, while it does not run. Takes the catalog: *catalog is NULL then. */
static weir_err catalog_take(weir_collector *c, weir_catalog **catalog, weir_error *error)
{
    weir_tag_table *table = NULL;
    const weir_err err = weir_tag_table_new(*catalog, &table, error);
    if (err != WEIR_OK)
        return err;
    weir_collector_add_table(c, table, (*catalog)->revision);
    (void)pthread_mutex_lock(&c->tags_lock);
    c->tags = table;
    (void)pthread_mutex_unlock(&c->tags_lock);
    weir_catalog_free(c->catalog);
    c->catalog = *catalog;
    *catalog = NULL;
    return WEIR_OK;
}

/* What cannot change while it runs stays as it is. */
static weir_err catalog_keep(const weir_collector *c, weir_catalog *catalog)
{
    catalog->clock_rule = c->catalog->clock_rule;
    catalog->store.data_dir = weir_arena_text(catalog->arena, c->catalog->store.data_dir);
    return catalog->store.data_dir ? WEIR_OK : WEIR_ENOMEM;
}

/* Under life, while it runs: the loop exchanges the catalog, then the sinks follow. Takes it as
 * above; what became of a sink is an error of a catalog that is in force. */
static weir_err catalog_apply(weir_collector *c, weir_catalog **catalog, weir_error *error)
{
    weir_applied applied = {0};
    weir_tag_table *table = NULL;
    if (catalog_keep(c, *catalog) != WEIR_OK)
        return weir_fail(error, WEIR_ENOMEM, "the data directory's name");
    weir_err err = weir_tag_table_new(*catalog, &table, error);
    if (err != WEIR_OK)
        return err;
    /* The loop may show what it reads before we know that it has exchanged. */
    weir_collector_add_table(c, table, c->catalog->revision + 1);
    err = weir_runtime_apply(c->runtime, *catalog, "load", &applied, error);
    if (err != WEIR_OK || weir_diff_is_empty(applied.diff)) {
        weir_collector_drop_table(c, table);
    } else {
        (void)weir_collector_follow(c, (*catalog)->revision);
        weir_catalog_free(c->catalog);
        c->catalog = *catalog;
        *catalog = NULL;
        err = weir_deliveries_apply(c->deliveries, applied.diff, error);
    }
    weir_applied_deinit(&applied);
    return err;
}

static weir_err collector_load(weir_collector *c, const struct origin *origin, weir_error *error)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    weir_err err = weir_callback_refuse(c, error);
    if (err != WEIR_OK)
        return err;
    (void)pthread_rwlock_wrlock(&c->life);
    err = catalog_load(c, origin, &catalog, error);
    if (err == WEIR_OK && c->data_dir &&
        !(catalog->store.data_dir = weir_arena_text(catalog->arena, c->data_dir)))
        err = weir_fail(error, WEIR_ENOMEM, "the data directory's name");
    if (err == WEIR_OK)
        err = c->runtime ? catalog_apply(c, &catalog, error) : catalog_take(c, &catalog, error);
    (void)pthread_rwlock_unlock(&c->life);
    return err;
}

weir_err weir_collector_load_file(weir_collector *collector, const char *path, weir_error *error)
{
    if (!path)
        return weir_fail(error, WEIR_EINVAL, "a path is wanted");
    return collector_load(collector, &(struct origin){.path = path}, error);
}

weir_err weir_collector_load_text(weir_collector *collector, const char *text, size_t n,
                                  const char *name, weir_error *error)
{
    if (!text)
        return weir_fail(error, WEIR_EINVAL, "a text is wanted");
    const struct origin origin = {.path = name ? name : "text", .text = text, .n = n};
    return collector_load(collector, &origin, error);
}

weir_err weir_collector_load_draft(weir_collector *collector, weir_draft *draft, weir_error *error)
{
    const char *text = weir_draft_text(draft);
    if (!text)
        return weir_fail(error, WEIR_ENOMEM, "the configuration that was built");
    return weir_collector_load_text(collector, text, strlen(text), "draft", error);
}
