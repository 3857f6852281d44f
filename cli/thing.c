/* SPDX-License-Identifier: MIT */
/* weir connection|device|tag|plan add|set|remove|list|show: what stands in config.db, and what
 * there is. */

/*
 * A change is made in a transaction, the whole configuration is loaded as it would then be, and
 * only if that is valid it is committed. So nothing that a daemon would refuse gets into the file
 * by these commands, and no daemon sees half of it.
 */

#include "cli/thing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/number.h"
#include "catalog/provider.h"
#include "cli/datadir.h"
#include "daemon/assemble.h"
#include "daemon/problems.h"

static const char *const nouns[] = {"connection", "device", "tag", "plan"};
static const char *const verbs[] = {"add", "set", "remove", "list", "show", NULL};

bool weir_thing_verb(const weir_invocation *in)
{
    for (size_t i = 0; verbs[i]; i++)
        if (!strcmp(in->args[0], verbs[i]))
            return true;
    return false;
}

/* ---- options ---- */

/* unit_id -> unit-id; kept for the life of the program. */
static const char *option_name(const char *key)
{
    static char room[4096];
    static size_t used;
    const size_t n = strlen(key) + 1;
    if (n > sizeof room - used)
        return key;
    char *name = room + used;
    used += n;
    for (size_t i = 0; i < n; i++)
        name[i] = key[i] == '_' ? '-' : key[i];
    return name;
}

static bool is_taken(const weir_option *table, const char *name)
{
    return weir_option_find(table, name) != NULL;
}

void weir_thing_fill_options(weir_thing thing, weir_option *table, size_t n_own, size_t at)
{
    size_t n = n_own, row = 0;
    table[n++] = (weir_option){.name = "name",
                               .type = WEIR_OPTION_STRING,
                               .offset = at + offsetof(struct weir_thing_values, rename),
                               .metavar = "NAME",
                               .text = "With set: the new name. What it has sampled goes on."};
    for (const weir_option *o = weir_thing_options(thing); o->name; o++, row++) {
        if (!weir_thing_has(thing, o) || !strcmp(o->name, "name") || row == WEIR_THING_OPTIONS)
            continue;
        const char *name = option_name(o->name);
        table[n] = (weir_option){0};
        if (is_taken(table, name))
            continue; /* the command's own */
        table[n++] = (weir_option){.name = name,
                                   .type = WEIR_OPTION_STRING,
                                   .offset = at + offsetof(struct weir_thing_values, texts) +
                                             row * sizeof(char *),
                                   .metavar = o->type == WEIR_OPTION_BOOL ? "BOOL"
                                              : o->metavar                ? o->metavar
                                                                          : "VALUE",
                                   .text = o->text};
    }
    table[n] = (weir_option){0};
}

void weir_thing_commands_init(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    weir_command_connection_init();
    weir_command_device_init();
    weir_command_tag_init();
    weir_command_plan_init();
}

/* ---- where things are ---- */

struct place {
    const weir_invocation *in;
    const weir_thing_command *command;
    const char *config; /* NULL: no file */
    const char *data_dir;
    const char *path; /* of config.db */
};

static int place_find(const weir_invocation *in, const weir_thing_command *command,
                      struct place *ret)
{
    weir_error error = WEIR_ERROR_INIT;
    *ret = (struct place){.in = in, .command = command};
    ret->config = weir_assemble_config_path(command->place->config);
    ret->data_dir =
        weir_data_dir(in->arena, command->place->config, command->place->data_dir, &error);
    if (!ret->data_dir)
        return weir_command_fail(in, &error);
    ret->path = weir_config_db_path(in->arena, ret->data_dir);
    return WEIR_EXIT_OK;
}

/* The catalog as it is with the open change, or as it is. False, and said so: it is not valid. */
static bool catalog_load(const struct place *p, weir_config_db *db, weir_catalog **ret)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_error error = WEIR_ERROR_INIT;
    weir_yaml_options yaml = {0};
    weir_err err = weir_assemble_yaml(p->in->arena, &yaml);
    yaml.data_dir = p->data_dir;
    yaml.config_db = db ? weir_config_db_handle(db) : NULL;
    yaml.sink_type = NULL; /* a password that only the daemon's environment has is not needed */
    if (err == WEIR_OK && p->config)
        err = weir_yaml_load(p->config, &yaml, ret, &problems);
    else if (err == WEIR_OK)
        err = weir_yaml_load_text("{}", 2, "weir.yaml", &yaml, ret, &problems);
    if (err) {
        err = weir_problems_fail(&problems, err, p->config ? p->config : p->path, &error);
        (void)weir_command_fail(p->in, &error);
    }
    weir_problems_deinit(&problems);
    return err == WEIR_OK;
}

/* A tag's name is cut into its device and its point. False: it has no '/'. */
static bool name_cut(const struct place *p, const char **ret_device, const char **ret_name)
{
    const char *name = p->in->args[1];
    *ret_device = NULL;
    *ret_name = name;
    if (p->command->thing != WEIR_THING_POINT)
        return true;
    const char *slash = strchr(name, '/');
    if (!slash || slash == name || !slash[1])
        return false;
    *ret_device = weir_arena_text_n(p->in->arena, name, (size_t)(slash - name));
    *ret_name = slash + 1;
    return *ret_device != NULL;
}

static const weir_device *device_find(const weir_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_devices; i++)
        if (!strcmp(c->devices[i].name, name))
            return &c->devices[i];
    return NULL;
}

/* Where it is defined; file NULL: nowhere. */
static weir_where where_is(const weir_catalog *c, weir_thing thing, const char *device,
                           const char *name)
{
    const weir_device *d = thing == WEIR_THING_POINT    ? device_find(c, device)
                           : thing == WEIR_THING_DEVICE ? device_find(c, name)
                                                        : NULL;
    if (d && thing == WEIR_THING_DEVICE)
        return d->where;
    for (uint32_t i = 0; d && i < d->n_points; i++)
        if (!strcmp(d->points[i].name, name))
            return (weir_where){d->points[i].file, d->points[i].line, !*d->points[i].key};
    for (size_t i = 0; thing == WEIR_THING_CONNECTION && i < c->n_connections; i++)
        if (!strcmp(c->connections[i].name, name))
            return c->connections[i].where;
    for (size_t i = 0; thing == WEIR_THING_PLAN && i < c->n_plans; i++)
        if (!strcmp(c->plans[i].name, name) && c->plans[i].where)
            return *c->plans[i].where;
    return (weir_where){0};
}

/* "weir.yaml:12" or "config.db, table device, row 7": the column is for mistakes. */
static void where_add(const weir_where *where, weir_text *t)
{
    if (where->column && where->line)
        weir_text_format(t, "%s:%u", where->file, where->line);
    else
        weir_where_format(where, t);
}

/* What could not be changed because config.db has it not. */
static int answer_where(const struct place *p, weir_config_db *db, const char *device,
                        const char *name)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    if (!catalog_load(p, db, &catalog))
        return WEIR_EXIT_CONFIG;
    weir_where where = where_is(catalog, p->command->thing, device, name);
    if (!where.file) {
        (void)weir_fail(&error, WEIR_ENOTFOUND, "there is no %s '%s'", nouns[p->command->thing],
                        p->in->args[1]);
        return weir_command_fail(p->in, &error);
    }
    where_add(&where, &text);
    (void)weir_fail(&error, WEIR_EPERM, "%s is defined in %s: change it there", p->in->args[1],
                    weir_text_get(&text));
    return weir_command_fail(p->in, &error);
}

/* ---- changes ---- */

struct cells {
    weir_config_cell items[WEIR_THING_OPTIONS + 1];
    size_t n;
};

static const char *bool_number(const char *text)
{
    if (!strcmp(text, "true") || !strcmp(text, "yes") || !strcmp(text, "on"))
        return "1";
    return !strcmp(text, "false") || !strcmp(text, "no") || !strcmp(text, "off") ? "0" : text;
}

/* What was given, checked by its row where that can be done, so that the message is its. */
static bool cells_fill(const struct place *p, struct cells *ret, weir_error *error)
{
    const weir_option *table = weir_thing_options(p->command->thing);
    size_t row = 0;
    ret->n = 0;
    if (p->command->values->rename)
        ret->items[ret->n++] = (weir_config_cell){"name", p->command->values->rename};
    for (const weir_option *o = table; o->name; o++, row++) {
        const char *text = row < WEIR_THING_OPTIONS ? p->command->values->texts[row] : NULL;
        union {
            int64_t number;
            double real;
            const char *text;
            bool flag;
            int word;
        } ignored;
        if (!text)
            continue;
        weir_option plain = *o;
        plain.offset = plain.set_offset = 0;
        if (*text && o->type <= WEIR_OPTION_ENUM && weir_option_set(&plain, text, &ignored, error))
            return false;
        if (o->type == WEIR_OPTION_BOOL)
            text = bool_number(text);
        ret->items[ret->n++] = (weir_config_cell){o->name, *text ? text : NULL};
    }
    return true;
}

/* False, and said so: a new thing needs more. */
static bool cells_suffice(const struct place *p, const struct cells *cells, weir_error *error)
{
    for (const weir_option *o = weir_thing_options(p->command->thing); o->name; o++) {
        bool given = !(o->flags & WEIR_OPTION_REQUIRED) || !strcmp(o->name, "name");
        for (size_t i = 0; i < cells->n && !given; i++)
            given = !strcmp(cells->items[i].column, o->name) && cells->items[i].text;
        if (!given) {
            const weir_err err = weir_fail(error, WEIR_EINVAL, "a new %s needs --%s: %s",
                                           nouns[p->command->thing], o->name, o->text);
            return err == WEIR_OK;
        }
    }
    return true;
}

static weir_err change_make(const struct place *p, weir_config_db *db, const char *device,
                            const char *name, const struct cells *cells, weir_error *error)
{
    const weir_thing thing = p->command->thing;
    if (!strcmp(p->in->args[0], "add"))
        return weir_config_db_add(db, thing, device, name, cells->items, cells->n, error);
    if (!strcmp(p->in->args[0], "set"))
        return weir_config_db_set(db, thing, device, name, cells->items, cells->n, error);
    return weir_config_db_remove(db, thing, device, name, error);
}

/* A constraint's own words name table and column only: who has the name is more. */
static int change_refused(const struct place *p, weir_config_db *db, const char *device,
                          const char *name, weir_error *error)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (!strcmp(p->in->args[0], "add") && catalog_load(p, db, &catalog)) {
        weir_where where = where_is(catalog, p->command->thing, device, name);
        where_add(&where, &text);
        if (where.file)
            (void)weir_fail(error, WEIR_ECONFIG,
                            "there is a %s '%s' already, in %s: `set` changes it",
                            nouns[p->command->thing], p->in->args[1], weir_text_get(&text));
        else if (device && !device_find(catalog, device))
            (void)weir_fail(error, WEIR_ECONFIG, "there is no device '%s'", device);
        else if (device) {
            where = where_is(catalog, WEIR_THING_DEVICE, NULL, device);
            where_add(&where, &text);
            (void)weir_fail(error, WEIR_EPERM, "%s is defined in %s: add its points there", device,
                            weir_text_get(&text));
        }
    }
    return weir_command_fail(p->in, error);
}

/* A device that has no points yet is not in the catalog: one of its name there is another's. */
static bool is_elsewhere(const struct place *p, const weir_catalog *c, const char *name)
{
    const weir_device *d = p->command->thing == WEIR_THING_DEVICE ? device_find(c, name) : NULL;
    return d && strncmp(d->where.file, p->path, strlen(p->path)) != 0;
}

static int change(const struct place *p)
{
    WEIR_CLEANUP(weir_config_db_close) weir_config_db *db = NULL;
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    const bool adds = !strcmp(p->in->args[0], "add");
    weir_error error = WEIR_ERROR_INIT;
    const char *device, *name;
    struct cells cells;
    if (!name_cut(p, &device, &name))
        return weir_command_usage(p->in, "a tag is named device/point, not '%s'", p->in->args[1]);
    if (!cells_fill(p, &cells, &error) || (adds && !cells_suffice(p, &cells, &error)))
        return weir_command_usage(p->in, "%s", error.text);
    if (!strcmp(p->in->args[0], "set") && !cells.n)
        return weir_command_usage(p->in, "say what to set, such as --enabled false");
    if (adds && mkdir(p->data_dir, 0750) == 0)
        weir_command_note(p->in, "made the data directory %s", p->data_dir);
    weir_err err = weir_config_db_open(p->path, adds, &db, &error);
    if (err == WEIR_ENOTFOUND)
        return answer_where(p, NULL, device, name);
    if (err)
        return weir_command_fail(p->in, &error);
    err = change_make(p, db, device, name, &cells, &error);
    if (err == WEIR_ENOTFOUND)
        return answer_where(p, db, device, name);
    if (err == WEIR_ECONFIG)
        return change_refused(p, db, device, name, &error);
    if (err)
        return weir_command_fail(p->in, &error);
    if (!catalog_load(p, db, &catalog))
        return WEIR_EXIT_CONFIG;
    if (adds && is_elsewhere(p, catalog, name)) {
        weir_config_db_close(db);
        db = NULL;
        return answer_where(p, NULL, device, name);
    }
    if (weir_config_db_commit(db, &error))
        return weir_command_fail(p->in, &error);
    if (adds && p->command->thing == WEIR_THING_DEVICE && !strchr(name, '{') &&
        !device_find(catalog, name))
        weir_command_note(p->in,
                          "%s has no points yet, so it is not there for others: `weir tag add "
                          "%s/POINT` adds one, `weir device set %s --profile NAME` a kind of meter",
                          name, name, name);
    return WEIR_EXIT_OK;
}

/* ---- listing ---- */

enum { COLUMNS_MAX = 8 };

struct list {
    weir_output *output;
    const char *only; /* NULL: all */
    weir_text where;
    bool found, open;
};

static void list_row(struct list *l, const char *name, const weir_value *values, size_t n,
                     weir_where where)
{
    weir_value row[COLUMNS_MAX];
    if (!l->open || (l->only && strcmp(l->only, name) != 0))
        return;
    memcpy(row, values, n * sizeof *row);
    weir_text_clear(&l->where);
    where_add(&where, &l->where);
    row[n] = weir_value_string(weir_text_get(&l->where), l->where.length);
    l->found = true;
    l->open = weir_output_row(l->output, row);
}

static weir_value text_value(const char *text)
{
    return weir_value_string(text ? text : "", text ? strlen(text) : 0);
}

static void list_connections(struct list *l, const weir_catalog *c)
{
    for (size_t i = 0; i < c->n_connections; i++) {
        const weir_connection *it = &c->connections[i];
        int64_t n = 0;
        for (size_t d = 0; d < c->n_devices; d++)
            n += c->devices[d].connection == i;
        const weir_value row[] = {text_value(it->name), text_value(it->uri_text),
                                  weir_value_bool(it->enabled), weir_value_i64(n)};
        list_row(l, it->name, row, 4, it->where);
    }
}

static void list_devices(struct list *l, const weir_catalog *c)
{
    for (size_t i = 0; i < c->n_devices; i++) {
        const weir_device *it = &c->devices[i];
        const weir_value row[] = {
            text_value(it->name),         text_value(c->connections[it->connection].name),
            weir_value_i64(it->unit_id),  text_value(it->profile),
            weir_value_bool(it->enabled), weir_value_i64(it->n_tags),
            text_value(it->description)};
        list_row(l, it->name, row, 7, it->where);
    }
}

static void list_tags(struct list *l, const weir_catalog *c)
{
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    for (size_t i = 0; i < c->n_tags; i++) {
        const weir_point *it = weir_tag_point(c, &c->tags[i]);
        weir_text_clear(&name);
        weir_tag_name(c, &c->tags[i], &name);
        const weir_value row[] = {
            text_value(weir_text_get(&name)),          text_value(it->unit),
            text_value(weir_register_text(it->table)), weir_value_i64(it->address),
            text_value(weir_type_text(it->type)),      text_value(it->description)};
        list_row(l, weir_text_get(&name), row, 6, (weir_where){it->file, it->line, !*it->key});
    }
}

static void list_plans(struct list *l, const weir_catalog *c)
{
    for (size_t i = 0; i < c->n_plans; i++) {
        const weir_plan *it = &c->plans[i];
        WEIR_TEXT_AUTO when = WEIR_TEXT_INIT;
        if (it->has_cron)
            weir_text_add(&when, it->cron_text);
        else if (it->interval_us)
            weir_text_add_duration(&when, it->interval_us);
        const weir_value row[] = {text_value(it->name), text_value(weir_text_get(&when)),
                                  weir_value_bool(it->enabled), weir_value_i64((int64_t)it->n_tags),
                                  text_value(it->description)};
        if (it->where)
            list_row(l, it->name, row, 5, *it->where);
    }
}

static int list(const struct place *p)
{
    static const char *const columns[][COLUMNS_MAX + 1] = {
        {"connection", "uri", "enabled", "devices", "defined", NULL},
        {"device", "connection", "unit_id", "profile", "enabled", "tags", "description", "defined",
         NULL},
        {"tag", "unit", "register", "address", "type", "description", "defined", NULL},
        {"plan", "when", "enabled", "tags", "description", "defined", NULL},
    };
    static void (*const fill[])(struct list * l, const weir_catalog *c) = {
        list_connections, list_devices, list_tags, list_plans};
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    const weir_thing thing = p->command->thing;
    size_t n = 0;
    if (!catalog_load(p, NULL, &catalog))
        return WEIR_EXIT_CONFIG;
    while (columns[thing][n])
        n++;
    const weir_format format = (weir_format)p->command->format;
    struct list l = {
        .output =
            weir_output_new(stdout, format == WEIR_FORMAT_AUTO ? weir_format_of(stdout) : format,
                            columns[thing], n),
        .only = strcmp(p->in->args[0], "show") ? NULL : p->in->args[1],
        .open = true,
    };
    if (!l.output)
        return WEIR_EXIT_FAILURE;
    fill[thing](&l, catalog);
    weir_output_end(l.output);
    weir_text_deinit(&l.where);
    if (!l.only || l.found)
        return WEIR_EXIT_OK;
    weir_error error = WEIR_ERROR_INIT;
    (void)weir_fail(&error, WEIR_ENOTFOUND, "there is no %s '%s'", nouns[thing], l.only);
    return weir_command_fail(p->in, &error);
}

/* ---- all ---- */

int weir_thing_run(const weir_invocation *in, const weir_thing_command *command)
{
    const bool lists = !strcmp(in->args[0], "list"), shows = !strcmp(in->args[0], "show");
    weir_error error = WEIR_ERROR_INIT;
    struct place p;
    if (in->n_args != (lists ? 1 : 2))
        return weir_command_usage(
            in, lists ? "%s takes no name" : "missing name: which shall be '%s'", in->args[0]);
    const int code = place_find(in, command, &p);
    if (code)
        return code;
    if (lists || shows)
        return list(&p);
    if (p.path)
        return change(&p);
    (void)weir_fail(&error, WEIR_EINVAL,
                    "data_dir is memory: config.db is kept in a data directory. Name one with "
                    "data_dir or --data-dir");
    return weir_command_fail(in, &error);
}
