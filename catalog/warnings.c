/* SPDX-License-Identifier: MIT */
/* What is no mistake in a catalog but most likely not meant. */

#include "catalog/warnings.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "model/option.h"
#include "model/sink.h"

struct warn {
    const weir_catalog *catalog;
    weir_problems *warnings;
};

static const weir_connection *connection_of(const struct warn *w, const weir_device *d)
{
    return &w->catalog->connections[d->connection];
}

static bool is_read(const struct warn *w, const weir_device *d)
{
    return d->enabled && connection_of(w, d)->enabled;
}

static int where_compare(const weir_where *a, const weir_where *b)
{
    const int by_file = strcmp(a->file ? a->file : "", b->file ? b->file : "");
    return by_file ? by_file : a->line == b->line ? 0 : a->line < b->line ? -1 : 1;
}

/* ---- connections ---- */

static int endpoint_compare(const weir_connection *a, const weir_connection *b)
{
    if (a->uri.scheme != b->uri.scheme)
        return a->uri.scheme < b->uri.scheme ? -1 : 1;
    const int by_host = strcmp(a->uri.host, b->uri.host);
    return by_host ? by_host : (int)a->uri.port - (int)b->uri.port;
}

/* Over TCP several connections to one device are a way to be faster; a serial line behind a server
 * has one master, and frames of two collide there. */
static void warn_of_second_master(const struct warn *w, const weir_connection *c)
{
    const weir_catalog *catalog = w->catalog;
    for (const weir_connection *other = catalog->connections; other < c; other++)
        if (other->enabled && c->uri.scheme == WEIR_SCHEME_RTU_TCP &&
            endpoint_compare(c, other) == 0) {
            weir_problems_add(
                w->warnings, WEIR_OK, c->where,
                "connections '%.100s' and '%.100s' lead to the same serial line (%s): "
                "their requests collide there. Put all its devices on one",
                other->name, c->name, c->uri_text);
            return;
        }
}

static void warn_of_connections(const struct warn *w)
{
    const weir_catalog *catalog = w->catalog;
    bool *used = weir_alloc_zero(catalog->n_connections + 1, sizeof *used);
    if (!used) {
        w->warnings->failed = true;
        return;
    }
    for (size_t i = 0; i < catalog->n_devices; i++)
        used[catalog->devices[i].connection] = true;
    for (size_t i = 0; i < catalog->n_connections; i++) {
        const weir_connection *c = &catalog->connections[i];
        if (!c->enabled)
            continue;
        if (!used[i])
            weir_problems_add(w->warnings, WEIR_OK, c->where,
                              "no device is on connection '%.100s': nothing is read over it",
                              c->name);
        warn_of_second_master(w, c);
    }
    weir_free(used);
}

/* ---- the same register twice ---- */

/* Whether both read some register, or bit, of the same table. */
static bool points_touch(const weir_point *a, const weir_point *b)
{
    const uint32_t end_a = a->address + weir_point_size(a);
    const uint32_t end_b = b->address + weir_point_size(b);
    return a->table == b->table && a->table != WEIR_REGISTER_FUNCTION && a->address < end_b &&
           b->address < end_a;
}

static const weir_point *first_touching(const weir_device *a, const weir_device *b)
{
    for (uint32_t i = 0; i < b->n_points; i++)
        for (uint32_t k = 0; k < a->n_points; k++)
            if (points_touch(&a->points[k], &b->points[i]))
                return &b->points[i];
    return NULL;
}

static void warn_of_same_unit(const struct warn *w, const weir_device *a, const weir_device *b)
{
    const bool swapped = where_compare(&a->where, &b->where) > 0;
    const weir_device *first = swapped ? b : a, *second = swapped ? a : b;
    const weir_point *point = first_touching(first, second);
    if (!point)
        return; /* a device in two parts */
    weir_problems_add(w->warnings, WEIR_OK, second->where,
                      "devices '%.100s' and '%.100s' are the same unit %u of %s: %s %u is read for "
                      "both. Is one of the unit ids wrong?",
                      first->name, second->name, second->unit_id,
                      connection_of(w, second)->uri_text, weir_register_text(point->table),
                      point->address);
}

struct unit {
    const weir_connection *connection;
    const weir_device *device;
};

static int unit_compare(const void *x, const void *y)
{
    const struct unit *a = x, *b = y;
    const int by_endpoint = endpoint_compare(a->connection, b->connection);
    if (by_endpoint)
        return by_endpoint;
    if (a->device->unit_id != b->device->unit_id)
        return a->device->unit_id < b->device->unit_id ? -1 : 1;
    return a->device < b->device ? -1 : a->device > b->device;
}

static void warn_of_units(const struct warn *w)
{
    struct unit *units = weir_alloc_zero(w->catalog->n_devices + 1, sizeof *units);
    size_t n = 0;
    if (!units) {
        w->warnings->failed = true;
        return;
    }
    for (size_t i = 0; i < w->catalog->n_devices; i++) {
        const weir_device *d = &w->catalog->devices[i];
        if (is_read(w, d) && weir_scheme_is_modbus(connection_of(w, d)->uri.scheme))
            units[n++] = (struct unit){connection_of(w, d), d};
    }
    qsort(units, n, sizeof *units, unit_compare);
    for (size_t i = 1; i < n; i++)
        if (endpoint_compare(units[i].connection, units[i - 1].connection) == 0 &&
            units[i].device->unit_id == units[i - 1].device->unit_id)
            warn_of_same_unit(w, units[i - 1].device, units[i].device);
    weir_free(units);
}

/* ---- points ---- */

static int point_compare(const void *x, const void *y)
{
    const weir_point *a = *(const weir_point *const *)x, *b = *(const weir_point *const *)y;
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    if (a->bit != b->bit)
        return a->bit < b->bit ? -1 : 1;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    return a < b ? -1 : a > b;
}

static bool value_is_same(const weir_point *a, const weir_point *b)
{
    return a->table == b->table && a->table != WEIR_REGISTER_FUNCTION && a->address == b->address &&
           a->type == b->type && a->order == b->order && a->bit == b->bit &&
           a->bit_width == b->bit_width && a->length == b->length && a->count == b->count &&
           a->n_enum == b->n_enum && a->interval_us == b->interval_us &&
           memcmp(&a->scale, &b->scale, sizeof a->scale) == 0 &&
           memcmp(&a->offset, &b->offset, sizeof a->offset) == 0;
}

static weir_where point_where(const weir_device *d, const weir_point *p)
{
    weir_where where = {.file = p->file, .line = p->line, .column = 1};
    return p->file && *p->file ? where : d->where;
}

/* The same value under two names: mostly a line that was copied and not changed. */
static void warn_of_twins(const struct warn *w, const weir_device *d)
{
    const weir_point **sorted = weir_alloc_zero(d->n_points + 1, sizeof(const weir_point *));
    if (!sorted) {
        w->warnings->failed = true;
        return;
    }
    for (uint32_t i = 0; i < d->n_points; i++)
        sorted[i] = &d->points[i];
    qsort(sorted, d->n_points, sizeof(const weir_point *), point_compare);
    for (uint32_t i = 1; i < d->n_points; i++) {
        const weir_point *a = sorted[i - 1], *b = sorted[i];
        if (value_is_same(a, b) && !a->allow_overlap && !b->allow_overlap)
            weir_problems_add(w->warnings, WEIR_OK, point_where(d, b),
                              "points '%.100s' and '%.100s' are the same value: %s %u. Is an "
                              "address wrong? If it is meant, say allow_overlap: true",
                              a->name, b->name, weir_register_text(b->table), b->address);
    }
    weir_free(sorted);
}

static void warn_of_deadband(const struct warn *w, const weir_device *d, uint32_t number)
{
    const weir_point *p = &d->points[number];
    const uint8_t slot = d->point_interval[number];
    WEIR_TEXT_AUTO limit = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO interval = WEIR_TEXT_INIT;
    if (p->deadband.kind == WEIR_KIND_NULL || p->max_unchanged_us == 0 || slot >= d->n_intervals ||
        p->max_unchanged_us > d->intervals[slot])
        return;
    weir_text_add_duration(&limit, p->max_unchanged_us);
    weir_text_add_duration(&interval, d->intervals[slot]);
    weir_problems_add(w->warnings, WEIR_OK, point_where(d, p),
                      "the deadband of point '%.100s' leaves nothing out: its "
                      "max_unchanged_interval (%s) is not longer than its interval (%s)",
                      p->name, weir_text_get(&limit), weir_text_get(&interval));
}

static void warn_of_unit_id(const struct warn *w, const weir_device *d)
{
    enum { UNIT_MAX = 247 }; /* MODBUS over Serial Line 1.02, 2.2 */
    if (connection_of(w, d)->uri.scheme == WEIR_SCHEME_RTU_TCP && d->unit_id > UNIT_MAX)
        weir_problems_add(w->warnings, WEIR_OK, d->where,
                          "device '%.100s' has unit id %u: on a serial line they go from 1 to 247",
                          d->name, d->unit_id);
}

static void warn_of_devices(const struct warn *w)
{
    const weir_catalog *catalog = w->catalog;
    size_t n_read = 0;
    for (size_t i = 0; i < catalog->n_devices; i++) {
        const weir_device *d = &catalog->devices[i];
        n_read += is_read(w, d);
        if (!is_read(w, d))
            continue;
        warn_of_unit_id(w, d);
        /* Devices of a template share their points: once is enough. */
        if (i && d->points == catalog->devices[i - 1].points && is_read(w, d - 1))
            continue;
        warn_of_twins(w, d);
        for (uint32_t p = 0; p < d->n_points; p++)
            warn_of_deadband(w, d, p);
    }
    if (catalog->n_devices && !n_read)
        weir_problems_add(w->warnings, WEIR_OK, catalog->devices[0].where,
                          "every device or its connection is disabled: nothing is read");
}

/* ---- retention ---- */

static bool pattern_matches_any(const weir_catalog *catalog, const char *pattern)
{
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    for (size_t i = 0; i < catalog->n_tags && !name.failed; i++) {
        weir_text_clear(&name);
        weir_tag_name(catalog, &catalog->tags[i], &name);
        if (weir_glob_match(pattern, weir_text_get(&name)))
            return true;
    }
    return name.failed;
}

static void warn_of_retention(const struct warn *w, const char *file)
{
    const weir_store_config *store = &w->catalog->store;
    bool covered = false;
    for (size_t i = 0; i < store->n_retention; i++) {
        const weir_retention *rule = &store->retention[i];
        const weir_where where = {.file = file};
        if (covered)
            weir_problems_add(w->warnings, WEIR_OK, where,
                              "store.retention: rule %zu never counts: one before it is for all "
                              "tags. Write that one last",
                              i + 1);
        for (size_t k = 0; k < rule->n_tags; k++) {
            if (!pattern_matches_any(w->catalog, rule->tags[k]) && w->catalog->n_tags)
                weir_problems_add(w->warnings, WEIR_OK, where,
                                  "store.retention: the pattern \"%.200s\" matches no tag",
                                  rule->tags[k]);
            covered |= !strcmp(rule->tags[k], "*");
        }
    }
}

/* ---- sinks ---- */

/* The file that a sink appends to; NULL: it does not. In a database several may share one. */
static const char *sink_path(const weir_sink_config *sink)
{
    const bool appends = sink->type && sink->options && sink->type->flags & WEIR_SINK_IN_ORDER;
    const weir_option *row = appends ? weir_option_find(sink->type->options, "path") : NULL;
    const char *path = NULL;
    if (row && row->type == WEIR_OPTION_STRING)
        memcpy(&path, (const char *)sink->options + row->offset, sizeof path);
    return path;
}

static void warn_of_sinks(const struct warn *w)
{
    const weir_catalog *catalog = w->catalog;
    for (size_t i = 1; i < catalog->n_sinks; i++)
        for (size_t k = 0; k < i; k++) {
            const weir_sink_config *a = &catalog->sinks[k], *b = &catalog->sinks[i];
            const char *path_a = sink_path(a), *path_b = sink_path(b);
            if (a->enabled && b->enabled && a->type == b->type && path_a && path_b &&
                !strcmp(path_a, path_b))
                weir_problems_add(w->warnings, WEIR_OK, b->where,
                                  "sinks '%.100s' and '%.100s' write the same file %.200s: give "
                                  "each its own",
                                  a->name, b->name, path_b);
        }
}

void weir_catalog_warn(const weir_catalog *catalog, weir_problems *warnings)
{
    const struct warn w = {catalog, warnings};
    const char *file = catalog->n_connections ? catalog->connections[0].where.file : "";
    if (!catalog->n_devices)
        weir_problems_add(warnings, WEIR_OK, (weir_where){.file = file},
                          "there is no device: nothing is read");
    warn_of_connections(&w);
    warn_of_units(&w);
    warn_of_devices(&w);
    warn_of_retention(&w, file);
    warn_of_sinks(&w);
    weir_problems_sort(warnings);
}
