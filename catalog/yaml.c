/* SPDX-License-Identifier: MIT */
/* The configuration file: YAML in, a catalog or every mistake at once out. */

/*
 * A load: the text becomes a document; the walker reads its top by a table; connections, then
 * devices with their profiles, are built into the catalog's arena; the tags are numbered. Mistakes
 * are collected on the way and nothing is handed out when there is one.
 */

#include "catalog/yaml.h"

#include <string.h>

#include "catalog/cfg.h"
#include "catalog/device.h"
#include "catalog/env_files.h"
#include "catalog/files.h"
#include "catalog/include.h"
#include "catalog/join.h"
#include "catalog/limits.h"
#include "catalog/loader.h"
#include "catalog/plan.h"
#include "catalog/profile.h"
#include "catalog/provider.h"
#include "catalog/sink.h"
#include "catalog/times.h"
#include "catalog/variables.h"

/* ---- the catalog from what was built ---- */

static void catalog_number_tags(weir_catalog *c)
{
    size_t n = 0;
    for (size_t d = 0; d < c->n_devices; d++)
        for (uint32_t p = 0; p < c->devices[d].n_points; p++)
            for (uint32_t element = 0; element < c->devices[d].points[p].count; element++)
                c->tags[n++] = (weir_tag){.device = (uint32_t)d, .point = p, .element = element};
}

static void catalog_fill(weir_loader *l, weir_catalog *c, const weir_device_list *list)
{
    weir_device *devices = weir_arena_alloc(l->arena, list->n, sizeof *devices);
    c->tags = weir_arena_alloc(l->arena, list->n_tags, sizeof *c->tags);
    if (!devices || !c->tags) {
        l->failed = true;
        return;
    }
    if (list->n)
        memcpy(devices, list->items, list->n * sizeof *devices);
    c->devices = devices;
    c->n_devices = list->n;
    c->n_tags = list->n_tags;
    catalog_number_tags(c);
}

/* ---- sections ---- */

static void top_build_section(weir_loader *l, weir_node node, const weir_option *table,
                              const char *name, void *base)
{
    weir_option_defaults(table, base);
    if (node.id && weir_loader_expect(l, node, WEIR_NODE_MAPPING, name))
        weir_loader_read(l, node, table, base);
    const weir_layer layer = {.node = node};
    weir_effective_fill(l->effective,
                        weir_effective_add(l->effective, l->top, name, WEIR_NODE_MAPPING), table,
                        &layer, 1, NULL);
}

/* What they say is in the entries by now. */
static bool top_takes(const char *key)
{
    return strcmp(key, "include") != 0 && strcmp(key, "env_file") != 0;
}

static void top_build(weir_loader *l, weir_node root, weir_catalog *c, weir_device_list *devices)
{
    weir_top_in top = {0};
    weir_store_in store = {0};
    weir_log_in log = {0};
    weir_clock_in clock = {0};
    weir_option_defaults(weir_top_table, &top);
    weir_loader_read(l, root, weir_top_table, &top);
    const weir_layer layer = {.node = root, .takes = top_takes};
    weir_effective_fill(l->effective, l->top, weir_top_table, &layer, 1, NULL);
    if (top.data_dir && !*top.data_dir)
        weir_loader_problem(l, weir_node_get(root, "data_dir"),
                            "data_dir is empty: name a folder, or memory");
    top_build_section(l, top.store, weir_store_table, "store", &store);
    top_build_section(l, top.log, weir_log_table, "log", &log);
    c->store = (weir_store_config){
        .data_dir = top.data_dir, .max_loss_us = store.max_loss, .wal_max = store.wal_max};
    weir_limits_build(l, &store, &c->store);
    top_build_section(l, top.clock, weir_clock_table, "clock", &clock);
    c->reload_interval_us = top.reload_interval;
    c->clock_rule = (weir_clock_rule)clock.trust;
    c->log_level = (weir_log_level)log.level;
    c->log_format = (weir_log_format)log.format;
    l->has_plans = weir_node_count(top.plans) > 0;
    weir_connections_build(l, top.connections, &c->connections, &c->n_connections);
    if (top.devices.id && weir_loader_expect(l, top.devices, WEIR_NODE_LIST, "devices"))
        for (size_t i = 0; i < weir_node_count(top.devices); i++)
            weir_device_build(l, weir_node_item(top.devices, i), c->connections, c->n_connections,
                              devices);
    weir_plans_build(l, top.plans, devices, c);
    weir_sinks_build(l, top.sinks, devices, c);
}

/* A catalog as a profile would have it, were it a device. */
static void profile_build(weir_loader *l, const weir_profile *profile, weir_catalog *c,
                          weir_device_list *devices)
{
    weir_connection *connection = weir_arena_alloc(l->arena, 1, sizeof *connection);
    weir_connection_in in = {0};
    weir_top_in top = {0};
    weir_store_in store = {0};
    if (!connection) {
        l->failed = true;
        return;
    }
    weir_option_defaults(weir_connection_table, &in);
    weir_option_defaults(weir_top_table, &top);
    weir_option_defaults(weir_store_table, &store);
    *connection = (weir_connection){
        .name = "simulated",
        .uri_text = "simulated:",
        .enabled = true,
        .max_in_flight = 1,
        .uri = {.scheme = WEIR_SCHEME_SIMULATED, .host = ""},
        .timeout_us = in.timeout,
        .where = {.file = weir_loader_text(l, l->file)},
    };
    c->connections = connection;
    c->n_connections = 1;
    c->store = (weir_store_config){
        .data_dir = top.data_dir, .max_loss_us = store.max_loss, .wal_max = store.wal_max};
    weir_limits_build(l, &store, &c->store);
    c->log_level = WEIR_LOG_INFO;
    weir_device_of_profile(l, profile, devices);
}

/* ---- the load ---- */

static weir_err loader_init(weir_loader *l, const char *file, const weir_yaml_options *options,
                            weir_problems *problems)
{
    *l = (weir_loader){.options = options,
                       .file = file,
                       .problems = problems,
                       .arena = weir_arena_new(),
                       .whole = weir_arena_new()};
    l->scratch = l->whole;
    l->files = options && options->files ? options->files : &weir_yaml_disk;
    if (options && options->providers)
        l->files = weir_providers_watch(options->providers, l->files);
    l->effective = options ? options->effective : NULL;
    l->top = weir_effective_root(l->effective);
    l->texts.arena = l->arena;
    return l->arena && l->whole ? WEIR_OK : WEIR_ENOMEM;
}

/* Hands out the catalog, or drops it. */
static weir_err loader_finish(weir_loader *l, weir_catalog *c, weir_device_list *devices,
                              weir_catalog **ret)
{
    weir_err err = WEIR_OK;
    weir_times_finish(l, c);
    if (c && !l->problems->n && !l->failed && !l->problems->failed)
        catalog_fill(l, c, devices);
    weir_problems_sort(l->problems);
    if (l->options && l->options->warnings)
        weir_problems_sort(l->options->warnings);
    if (!c || l->failed || l->problems->failed)
        err = l->problems->n ? WEIR_ECONFIG : WEIR_ENOMEM;
    else if (l->problems->n)
        err = WEIR_ECONFIG;
    weir_device_list_deinit(devices);
    weir_profiles_free(l);
    weir_intern_deinit(&l->texts);
    weir_env_free(l->env);
    weir_arena_free(l->whole);
    if (err && c)
        weir_catalog_free(c);
    else if (err)
        weir_arena_free(l->arena);
    else
        *ret = c;
    return err;
}

static weir_catalog *catalog_new(weir_loader *l)
{
    weir_catalog *c = weir_arena_alloc(l->arena, 1, sizeof *c);
    if (c)
        *c = (weir_catalog){.arena = l->arena, .revision = 1};
    else
        l->failed = true;
    return c;
}

/* ---- one document of several ---- */

/* What the defaults say is looked at where an entry takes it; here, what none takes. */
static void defaults_check(weir_loader *l, const weir_defaults_in *in)
{
    const struct {
        const char *name;
        weir_node node;
    } sections[] = {{"connections", in->connections},
                    {"devices", in->devices},
                    {"points", in->points},
                    {"sinks", in->sinks}};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        const weir_node node = sections[i].node;
        if (!node.id || !weir_loader_expect(l, node, WEIR_NODE_MAPPING, sections[i].name))
            continue;
        const weir_node name = weir_node_get(node, "name");
        if (name.id)
            weir_loader_problem(l, name, "no default can be a name: names are unique");
    }
    weir_connection_in connection = {0};
    weir_device_in device = {0};
    weir_point_in point = {0};
    weir_loader_read(l, in->connections, weir_connection_table, &connection);
    weir_loader_read(l, in->devices, weir_device_table, &device);
    weir_loader_read(l, in->points, weir_point_table, &point);
}

/* As if every entry had the keys itself. Points are the exception: one of a profile is not a new
 * one, so weir_points_merge() sees to them. */
static void document_apply_defaults(weir_loader *l, weir_document *document)
{
    const weir_node node = weir_node_get(weir_document_root(document), "defaults");
    weir_defaults_in in = {0};
    if (!node.id || !weir_loader_expect(l, node, WEIR_NODE_MAPPING, "defaults"))
        return;
    weir_loader_read(l, node, weir_defaults_table, &in);
    defaults_check(l, &in);
    if (!weir_document_default(document, "connections", in.connections) ||
        !weir_document_default(document, "devices", in.devices) ||
        !weir_document_default(document, "sinks", in.sinks))
        l->failed = true;
    l->point_defaults = in.points;
}

static void document_join(weir_loader *l, weir_document *document, const weir_roots *roots)
{
    if (roots->n > 1 &&
        !weir_document_join(document, roots->items, roots->n, weir_top_table, l->problems))
        l->failed = true;
}

/* The file with its variables, what it includes, and then the databases that these name. */
static void document_complete(weir_loader *l, weir_document *document)
{
    weir_roots roots = {0};
    if (weir_node_is(weir_document_root(document), WEIR_NODE_MAPPING)) {
        weir_env_files_read(l, document);
        if (l->env && !weir_variables_replace(document, l->env))
            l->failed = true;
        weir_include_follow(document, l->files, l->env, &roots, l->problems);
        document_join(l, document, &roots);
        weir_roots_deinit(&roots);
        if (l->options && l->options->databases) {
            if (!weir_roots_add(&roots, weir_document_root(document)))
                l->failed = true;
            weir_providers_collect(l, document, &roots);
            document_join(l, document, &roots);
        }
        document_apply_defaults(l, document);
    }
    weir_roots_deinit(&roots);
}

/* A profile has points at its top, a configuration never. */
static bool document_is_profile(const weir_document *document)
{
    const weir_node root = weir_document_root(document);
    return !weir_node_get(root, "devices").id && !weir_node_get(root, "connections").id &&
           (weir_node_get(root, "points").id || weir_node_get(root, "inherits").id);
}

static weir_err load_document(weir_loader *l, weir_document *document, bool simulation,
                              weir_catalog **ret)
{
    weir_device_list devices = {0};
    weir_catalog *c = catalog_new(l);
    if (document && c && simulation && document_is_profile(document)) {
        const weir_profile *profile = weir_profile_of_document(l, document);
        document = NULL; /* taken */
        if (profile)
            profile_build(l, profile, c, &devices);
    } else if (document && c) {
        document_complete(l, document);
        const weir_node root = weir_document_root(document);
        if (weir_loader_expect(l, root, WEIR_NODE_MAPPING, "the file"))
            top_build(l, root, c, &devices);
    }
    weir_err err = loader_finish(l, c, &devices, ret);
    weir_document_free(document);
    return err;
}

static weir_err load_text(const char *text, size_t n, const char *file,
                          const weir_yaml_options *options, bool simulation, weir_catalog **ret,
                          weir_problems *problems)
{
    weir_loader l;
    if (loader_init(&l, file, options, problems)) {
        weir_arena_free(l.arena);
        weir_arena_free(l.whole);
        return WEIR_ENOMEM;
    }
    weir_document *document =
        weir_cfg_or_yaml_parse(file, text, n, options ? options->warnings : NULL, problems);
    return load_document(&l, document, simulation, ret);
}

static weir_err load_file(const char *path, const weir_yaml_options *options, bool simulation,
                          weir_catalog **ret, weir_problems *problems)
{
    weir_providers *providers = options ? options->providers : NULL;
    const weir_yaml_files *disk = options && options->files ? options->files : &weir_yaml_disk;
    const weir_yaml_files *files = weir_providers_watch(providers, disk);
    weir_error error = WEIR_ERROR_INIT;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_providers_begin(providers);
    weir_err err = files->read(files->data, path, &text, &error);
    if (err) {
        weir_problems_add(problems, err, (weir_where){path, 0, 0}, "%s", error.text);
        return err == WEIR_ENOMEM ? WEIR_ENOMEM : WEIR_ECONFIG;
    }
    err = load_text(weir_text_get(&text), text.length, path, options, simulation, ret, problems);
    if (err == WEIR_OK)
        weir_providers_end(providers);
    return err;
}

weir_err weir_yaml_load(const char *path, const weir_yaml_options *options, weir_catalog **ret,
                        weir_problems *problems)
{
    return load_file(path, options, false, ret, problems);
}

weir_err weir_yaml_load_text(const char *text, size_t n, const char *file,
                             const weir_yaml_options *options, weir_catalog **ret,
                             weir_problems *problems)
{
    weir_providers *providers = options ? options->providers : NULL;
    weir_providers_begin(providers);
    const weir_err err = load_text(text, n, file, options, false, ret, problems);
    if (err == WEIR_OK)
        weir_providers_end(providers);
    return err;
}

/* By name: searched where a configuration in the current folder would. */
static weir_err load_profile(const char *name, const weir_yaml_options *options, weir_catalog **ret,
                             weir_problems *problems)
{
    weir_loader l;
    weir_device_list devices = {0};
    if (loader_init(&l, name, options, problems)) {
        weir_arena_free(l.arena);
        weir_arena_free(l.whole);
        return WEIR_ENOMEM;
    }
    const weir_profile *profile = weir_profile_get(&l, name, (weir_node){0});
    weir_catalog *c = catalog_new(&l);
    if (profile && c)
        profile_build(&l, profile, c, &devices);
    return loader_finish(&l, c, &devices, ret);
}

weir_err weir_yaml_load_simulation(const char *file_or_profile, const weir_yaml_options *options,
                                   weir_catalog **ret, weir_problems *problems)
{
    const size_t n = strlen(file_or_profile);
    const bool file = strchr(file_or_profile, '/') || weir_cfg_is(file_or_profile) ||
                      (n > 5 && !strcmp(file_or_profile + n - 5, ".yaml")) ||
                      (n > 4 && !strcmp(file_or_profile + n - 4, ".yml"));
    if (file)
        return load_file(file_or_profile, options, true, ret, problems);
    return load_profile(file_or_profile, options, ret, problems);
}
