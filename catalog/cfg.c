/* SPDX-License-Identifier: MIT */
/* config.cfg of ModbusDataLogger as a configuration. */

/*
 * Its four keys become the same document that a weir.yaml would:
 *
 *     data_dir: weir-data                # beside the file
 *     log: {level: warning}              # logginglevel
 *     reload_interval: 1s                # watchdogperiod
 *     defaults: {connections: {timeout: 5s}}
 *     catalog: [{url: "sqlite:Logging.db", layout: requested_data}]
 *     sinks: [{name: ResultsRaw, type: sqlite, path: Logging.db, layout: results_raw}]
 *
 * datathreadperiod is how long the original kept results in memory. weir has them on its disk
 * after max_loss and delivers them then, so it is read, and checked, and nothing waits for it.
 */

#include "catalog/cfg.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "catalog/builder.h"
#include "catalog/ini.h"

enum { DBPATH, LOGGINGLEVEL, WATCHDOGPERIOD, DATATHREADPERIOD, STARTTIME, PID, N_KEYS };

/* The first four are of [DEFAULT], the others of [RUNTIME]. */
static const char *const keys[] = {[DBPATH] = "dbpath",
                                   [LOGGINGLEVEL] = "logginglevel",
                                   [WATCHDOGPERIOD] = "watchdogperiod",
                                   [DATATHREADPERIOD] = "datathreadperiod",
                                   [STARTTIME] = "starttime",
                                   [PID] = "pid"};
static const char *const sections[] = {"DEFAULT", "RUNTIME"};

const char weir_cfg_new_file[] = "[DEFAULT]\n"
                                 "dbpath = Logging.db\n"
                                 "logginglevel = WARNING\n"
                                 "watchdogperiod = 1\n"
                                 "datathreadperiod = 60\n"
                                 "\n";

/* Of reload_interval. */
static const int64_t reload_min_us = 500 * WEIR_MS, reload_max_us = WEIR_HOUR;

struct reading {
    weir_arena *arena;
    const char *name;
    weir_ini ini;
    weir_problems *warnings, *problems;
};

bool weir_cfg_is(const char *path)
{
    static const char ending[] = ".cfg";
    const size_t n = strlen(path), n_ending = sizeof ending - 1;
    return n > n_ending && !strcmp(path + n - n_ending, ending);
}

/* ---- what is said ---- */

static void problem(struct reading *r, const weir_ini_entry *at, const char *format, ...)
    WEIR_PRINTF(3, 4);
static void problem(struct reading *r, const weir_ini_entry *at, const char *format, ...)
{
    char text[600];
    va_list va;
    va_start(va, format);
    (void)vsnprintf(text, sizeof text, format, va);
    va_end(va);
    weir_problems_add(r->problems, WEIR_ECONFIG, (weir_where){r->name, at->line, at->value_column},
                      "%s", text);
}

static void warn(struct reading *r, unsigned line, unsigned column, const char *format, ...)
    WEIR_PRINTF(4, 5);
static void warn(struct reading *r, unsigned line, unsigned column, const char *format, ...)
{
    char text[600];
    va_list va;
    if (!r->warnings)
        return;
    va_start(va, format);
    (void)vsnprintf(text, sizeof text, format, va);
    va_end(va);
    weir_problems_add(r->warnings, WEIR_OK, (weir_where){r->name, line, column}, "%s", text);
}

static const char *keep(struct reading *r, char *text)
{
    if (!text)
        r->problems->failed = true;
    return text ? text : "";
}

/* ---- what nobody reads ---- */

static void warn_of_key(struct reading *r, const weir_ini_entry *e)
{
    const bool is_default = !strcmp(e->section, sections[0]);
    const char *const *known = is_default ? keys : keys + STARTTIME;
    const size_t n = is_default ? STARTTIME : N_KEYS - STARTTIME;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(known[i], e->key))
            return;
    const char *near = weir_text_nearest(e->key, keys, is_default ? STARTTIME : N_KEYS);
    if (!is_default && near && !strcmp(near, e->key))
        warn(r, e->line, e->column, "'%s' is read from [DEFAULT] only", near);
    else
        warn(r, e->line, e->column, "the key '%.100s' is not read%s%s%s", e->key,
             near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static void warn_of_section(struct reading *r, const weir_ini_section *s)
{
    const char *near = weir_text_nearest(s->name, sections, 2);
    warn(r, s->line, s->column, "the section [%.100s] is not read%s%s%s", s->name,
         near ? ": did you mean [" : "", near ? near : "", near ? "]?" : "");
}

static bool is_section(const char *name)
{
    return !strcmp(name, sections[0]) || !strcmp(name, sections[1]);
}

static void warn_of_all(struct reading *r)
{
    for (size_t i = 0; i < r->ini.n_sections; i++)
        if (!is_section(r->ini.sections[i].name))
            warn_of_section(r, &r->ini.sections[i]);
    for (size_t i = 0; i < r->ini.n_entries; i++)
        if (is_section(r->ini.entries[i].section))
            warn_of_key(r, &r->ini.entries[i]);
}

/* ---- values ---- */

/* BasicInterpolation of %% only: that one key takes another's value nobody needs for four keys. */
static const char *value_of(struct reading *r, const weir_ini_entry *e)
{
    char *value = weir_arena_text(r->arena, e->value + strspn(e->value, "\n"));
    char *to = value;
    for (const char *from = value; from && *from; from++) {
        if (*from == '%' && *++from != '%') {
            problem(r, e,
                    *from == '(' ? "%s: %%(key)s is not supported: write the value itself"
                                 : "%s: a %% is written %%%%",
                    e->key);
            return NULL;
        }
        *to++ = *from;
    }
    if (to)
        *to = '\0';
    return keep(r, value);
}

/* ConfigParser has no comments behind values, which is easily forgotten. */
static const char *comment_hint(const char *value)
{
    return strstr(value, " #") || strstr(value, " ;") || strstr(value, "\t#") ||
                   strstr(value, "\t;")
               ? "; a comment needs a line of its own"
               : "";
}

static const char *folder_of(struct reading *r)
{
    const char *slash = strrchr(r->name, '/');
    return keep(r, weir_arena_text_n(r->arena, r->name, slash ? (size_t)(slash - r->name) + 1 : 0));
}

static void database_read(struct reading *r, const weir_ini_entry *e, weir_cfg *ret)
{
    const char *value = e ? value_of(r, e) : "Logging.db";
    if (!value)
        return;
    if (strchr(value, '\n'))
        problem(r, e, "dbpath has more than one line: the one below is indented");
    else if (!*value || value[strlen(value) - 1] == '/')
        problem(r, e, "dbpath names no file");
    else if (!strcmp(value, ":memory:"))
        problem(r, e, "dbpath must be that of a file: what is in memory nobody else could fill");
    if (*comment_hint(value))
        warn(r, e->line, e->value_column, "what begins with # or ; is part of the name%s",
             comment_hint(value));
    ret->database =
        *value == '/' ? value : keep(r, weir_arena_format(r->arena, "%s%s", folder_of(r), value));
}

static const struct level {
    const char *name;
    int number; /* of Python */
    const char *ours;
} levels[] = {
    {"NOTSET", 0, "debug"},   {"DEBUG", 10, "debug"},  {"INFO", 20, "info"},
    {"NOTICE", 25, "notice"}, {"WARN", 30, "warning"}, {"WARNING", 30, "warning"},
    {"ERROR", 40, "error"},   {"FATAL", 50, "error"},  {"CRITICAL", 50, "error"},
};

enum { N_LEVELS = sizeof levels / sizeof *levels };

/* The least important that is not below it; above all there is nothing less than errors. */
static const char *level_of_number(int64_t number)
{
    for (size_t i = 0; i < N_LEVELS; i++)
        if (levels[i].number >= number)
            return levels[i].ours;
    return levels[N_LEVELS - 1].ours;
}

static void level_read(struct reading *r, const weir_ini_entry *e, weir_cfg *ret)
{
    const char *names[N_LEVELS];
    const char *value = e ? value_of(r, e) : "WARNING";
    int64_t number;
    if (!value)
        return;
    if (weir_parse_i64(value, &number)) {
        ret->log_level = level_of_number(number);
        return;
    }
    for (size_t i = 0; i < N_LEVELS; i++) {
        names[i] = levels[i].name;
        if (!weir_text_distance(value, names[i]))
            ret->log_level = levels[i].ours;
    }
    if (ret->log_level)
        return;
    const char *near = weir_text_nearest(value, names, N_LEVELS);
    problem(r, e,
            "logginglevel must be DEBUG, INFO, WARNING, ERROR, CRITICAL or a number, not "
            "\"%.80s\"%s%s%s%s",
            value, near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "",
            comment_hint(value));
}

/* Seconds as a float; false: said so. */
static bool seconds_read(struct reading *r, const weir_ini_entry *e, double *ret)
{
    const char *value = value_of(r, e);
    if (value && weir_parse_double(value, ret) && *ret >= 0)
        return true;
    if (value)
        problem(r, e, "%s must be a number of seconds such as 1 or 0.5, not \"%.80s\"%s", e->key,
                value, comment_hint(value));
    return false;
}

static void reload_read(struct reading *r, const weir_ini_entry *e, weir_cfg *ret)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    double seconds = 1;
    if (e && !seconds_read(r, e, &seconds))
        return;
    int64_t us =
        seconds < (double)reload_max_us / 1e6 ? (int64_t)(seconds * 1e3) * WEIR_MS : reload_max_us;
    if (us < reload_min_us)
        us = reload_min_us;
    weir_text_add_duration(&text, us);
    ret->reload_interval = keep(r, weir_arena_text(r->arena, weir_text_get(&text)));
}

static struct weir_cfg_place place_of(const weir_ini_entry *e)
{
    return e ? (struct weir_cfg_place){e->line, e->value_column} : (struct weir_cfg_place){0};
}

bool weir_cfg_read(weir_arena *arena, const char *name, const char *text, size_t n, weir_cfg *ret,
                   weir_problems *warnings, weir_problems *problems)
{
    struct reading r = {.arena = arena,
                        .name = name,
                        .ini = WEIR_INI_INIT,
                        .warnings = warnings,
                        .problems = problems};
    const weir_ini_entry *entries[STARTTIME];
    weir_cfg cfg = {0};
    double seconds;
    const size_t n_before = problems->n + problems->n_more;
    weir_ini_parse(arena, name, text, n, &r.ini, problems);
    for (size_t i = 0; i < STARTTIME; i++)
        entries[i] = weir_ini_find(&r.ini, sections[0], keys[i]);
    warn_of_all(&r);
    cfg.data_dir = keep(&r, weir_arena_format(arena, "%sweir-data", folder_of(&r)));
    database_read(&r, entries[DBPATH], &cfg);
    level_read(&r, entries[LOGGINGLEVEL], &cfg);
    reload_read(&r, entries[WATCHDOGPERIOD], &cfg);
    cfg.database_at = place_of(entries[DBPATH]);
    cfg.log_level_at = place_of(entries[LOGGINGLEVEL]);
    cfg.reload_interval_at = place_of(entries[WATCHDOGPERIOD]);
    if (entries[DATATHREADPERIOD])
        (void)seconds_read(&r, entries[DATATHREADPERIOD], &seconds);
    weir_ini_deinit(&r.ini);
    if (problems->n + problems->n_more != n_before || problems->failed)
        return false;
    *ret = cfg;
    return true;
}

/* ---- the document ---- */

static void at(weir_builder *b, struct weir_cfg_place place)
{
    weir_builder_line(b, place.line, place.column);
}

static void open_entry(weir_builder *b, const char *list)
{
    weir_builder_text(b, list);
    weir_builder_open(b, WEIR_NODE_LIST);
    weir_builder_open(b, WEIR_NODE_MAPPING);
}

static void close_entry(weir_builder *b)
{
    (void)weir_builder_close(b);
    (void)weir_builder_close(b);
}

/* The original's timeout for a request, which slow devices behind slow gateways were happy with. */
static void write_defaults(weir_builder *b)
{
    at(b, (struct weir_cfg_place){0});
    weir_builder_text(b, "defaults");
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_text(b, "connections");
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_pair(b, "timeout", "5s");
    (void)weir_builder_close(b);
    (void)weir_builder_close(b);
}

static void write_settings(weir_builder *b, const weir_cfg *cfg)
{
    at(b, (struct weir_cfg_place){0});
    weir_builder_pair(b, "data_dir", cfg->data_dir);
    at(b, cfg->log_level_at);
    weir_builder_text(b, "log");
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_pair(b, "level", cfg->log_level);
    (void)weir_builder_close(b);
    at(b, cfg->reload_interval_at);
    weir_builder_pair(b, "reload_interval", cfg->reload_interval);
}

static void write_database(weir_builder *b, const weir_cfg *cfg, const char *url)
{
    at(b, cfg->database_at);
    open_entry(b, "catalog");
    weir_builder_pair(b, "url", url);
    weir_builder_pair(b, "layout", "requested_data");
    close_entry(b);
    open_entry(b, "sinks");
    weir_builder_pair(b, "name", "ResultsRaw");
    weir_builder_pair(b, "type", "sqlite");
    weir_builder_pair(b, "path", cfg->database);
    weir_builder_pair(b, "layout", "results_raw");
    /* What is added by hand beside the requests has no row of RequestedData. */
    weir_builder_text(b, "labels");
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_pair(b, "paramID", "*");
    (void)weir_builder_close(b);
    close_entry(b);
}

static weir_document *document_make(const char *name, const weir_cfg *cfg, weir_arena *arena,
                                    weir_problems *problems)
{
    const char *url = weir_arena_format(arena, "sqlite:%s", cfg->database);
    weir_builder *b = url ? weir_builder_new(name) : NULL;
    weir_builder_line(b, 0, 0);
    weir_builder_open(b, WEIR_NODE_MAPPING);
    write_settings(b, cfg);
    write_defaults(b);
    write_database(b, cfg, url);
    (void)weir_builder_close(b);
    weir_document *document = weir_builder_finish(b);
    if (!document)
        problems->failed = true;
    return document;
}

weir_document *weir_cfg_or_yaml_parse(const char *name, const char *text, size_t n,
                                      weir_problems *warnings, weir_problems *problems)
{
    weir_cfg cfg;
    if (!weir_cfg_is(name))
        return weir_document_parse(name, text, n, problems);
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    if (!arena) {
        problems->failed = true;
        return NULL;
    }
    return weir_cfg_read(arena, name, text, n, &cfg, warnings, problems)
               ? document_make(name, &cfg, arena, problems)
               : NULL;
}
