/* SPDX-License-Identifier: MIT */
/* What `weir generate` makes: groups of tags, and their samples of any stretch of time. */

#include "cli/generator.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "catalog/gendata.h"
#include "catalog/yaml.h"
#include "cli/mbpoll.h"
#include "daemon/problems.h"
#include "store/file/zonefile.h"

/* --- loading --- */

static weir_err load_gendata(weir_generator *g, weir_error *error)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_gendata made = {0};
    weir_err err = weir_gendata_load(g->options.fourier, NULL, &made, &problems);
    if (err)
        err = weir_problems_fail(&problems, err, g->options.fourier, error);
    weir_problems_deinit(&problems);
    g->catalog = made.catalog;
    g->waves = made.waves;
    return err;
}

static weir_err load_catalog(weir_generator *g, weir_arena *arena, weir_error *error)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_yaml_options yaml = {0};
    weir_err err = weir_yaml_default_dirs(arena, &yaml);
    yaml.zone = weir_zone_open;
    if (!err)
        err = weir_yaml_load_simulation(g->options.source, &yaml, &g->catalog, &problems);
    if (err)
        err = weir_problems_fail(&problems, err, g->options.source, error);
    weir_problems_deinit(&problems);
    return err;
}

/* The connection of a profile is written in no file. What a profile's device shows is what its
 * registers hold, as when `weir simulate` serves it. */
static bool is_profile(const weir_catalog *c)
{
    return c->n_connections == 1 && c->connections[0].where.line == 0;
}

/* --units: the one device once for each unit, named DEVICE-UNIT. */
static weir_err expand_units(weir_generator *g, weir_error *error)
{
    weir_catalog *c = g->catalog;
    uint16_t *units;
    size_t n;
    weir_err err =
        weir_mbpoll_list_parse(g->options.units, "--units", 0, 255, c->arena, &units, &n, error);
    if (err)
        return err;
    if (c->n_devices != 1 || g->waves)
        return weir_fail(error, WEIR_EINVAL,
                         "--units needs a profile or a file with one device; this has %zu",
                         c->n_devices);
    const uint32_t n_tags = c->devices[0].n_tags;
    weir_device *devices = weir_arena_alloc(c->arena, n, sizeof *devices);
    weir_tag *tags = weir_arena_alloc(c->arena, n * n_tags, sizeof *tags);
    if (!devices || !tags)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        devices[i] = c->devices[0];
        devices[i].unit_id = (uint8_t)units[i];
        devices[i].first_tag = (uint32_t)i * n_tags;
        devices[i].name = weir_arena_format(c->arena, "%s-%u", c->devices[0].name, units[i]);
        if (!devices[i].name)
            return weir_fail(error, WEIR_ENOMEM, "out of memory");
        for (uint32_t t = 0; t < n_tags; t++) {
            tags[i * n_tags + t] = c->tags[t];
            tags[i * n_tags + t].device = (uint32_t)i;
        }
    }
    c->devices = devices;
    c->n_devices = n;
    c->tags = tags;
    c->n_tags = n * n_tags;
    return WEIR_OK;
}

/* --- groups --- */

/* A group whose samples lie at multiples of an interval; false: it has none. */
static bool group_set_slots(weir_generator_group *group, weir_wall from, weir_wall to)
{
    const int64_t interval = group->interval_us;
    group->first.us = weir_floor_multiple(from.us + interval - 1, interval);
    group->last.us = weir_floor_multiple(to.us - 1, interval);
    if (group->first.us > group->last.us || !group->n_tags)
        return false;
    group->n_slots = (uint64_t)((group->last.us - group->first.us) / interval) + 1;
    return true;
}

static void add_group(weir_generator *g, const weir_generator_group *group)
{
    g->groups[g->n_groups++] = *group;
    g->n_tags += group->n_tags;
    g->n_samples += group->n_slots * group->n_tags;
    if (g->n_groups == 1 || group->first.us < g->first.us)
        g->first = group->first;
    if (g->n_groups == 1 || group->last.us > g->last.us)
        g->last = group->last;
}

/* The tags of the points that are read at this interval. */
static weir_err group_of_interval(weir_generator *g, uint32_t device, uint32_t interval,
                                  weir_error *error)
{
    const weir_device *d = &g->catalog->devices[device];
    const int64_t override_us = g->options.interval_us;
    uint32_t *tags = weir_arena_alloc(g->catalog->arena, d->n_tags + 1, sizeof *tags);
    weir_generator_group group = {.device = device,
                                  .tags = tags,
                                  .interval_us =
                                      override_us ? override_us : d->intervals[interval]};
    if (!tags)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (uint32_t t = d->first_tag; t < d->first_tag + d->n_tags; t++) {
        weir_imitated imitated;
        const uint8_t of = d->point_interval[g->catalog->tags[t].point];
        if (of == 0xff || (!override_us && of != interval))
            continue;
        if (weir_imitated_init(&imitated, g->imitation, t))
            tags[group.n_tags++] = t;
        else
            g->n_left_out++;
    }
    if (group_set_slots(&group, g->options.from, g->options.to))
        add_group(g, &group);
    return WEIR_OK;
}

static weir_err groups_of_devices(weir_generator *g, weir_error *error)
{
    const weir_catalog *c = g->catalog;
    size_t n = 0;
    weir_err err = weir_imitation_new(c, g->options.seed, is_profile(c), &g->imitation, error);
    if (err)
        return err;
    for (size_t i = 0; i < c->n_devices; i++)
        n += c->devices[i].n_intervals;
    g->groups = weir_arena_alloc(c->arena, n + 1, sizeof *g->groups);
    if (!g->groups)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (uint32_t i = 0; !err && i < c->n_devices; i++) {
        const weir_device *d = &c->devices[i];
        const uint32_t n_intervals = g->options.interval_us && d->n_intervals ? 1 : d->n_intervals;
        if (!d->enabled || !c->connections[d->connection].enabled)
            continue;
        for (uint32_t k = 0; !err && k < n_intervals; k++)
            err = group_of_interval(g, i, k, error);
    }
    return err;
}

/* Each topic has times of its own. */
static weir_err groups_of_waves(weir_generator *g, weir_error *error)
{
    const weir_generator_options *o = &g->options;
    const weir_catalog *c = g->catalog;
    uint32_t *tags = weir_arena_alloc(c->arena, c->n_tags, sizeof *tags);
    g->groups = weir_arena_alloc(c->arena, c->n_tags, sizeof *g->groups);
    if (!tags || !g->groups)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < c->n_tags; i++) {
        weir_fourier *wave = &g->waves[i];
        weir_generator_group group = {.device = c->tags[i].device, .n_tags = 1, .tags = &tags[i]};
        tags[i] = i;
        if (o->interval_us)
            weir_fourier_set_step(wave, o->interval_us);
        if (o->has_range)
            weir_fourier_set_range(wave, o->from, o->to);
        group.interval_us = weir_fourier_step(wave);
        group.n_slots = weir_fourier_count(wave);
        if (weir_fourier_range(wave, &group.first, &group.last))
            add_group(g, &group);
    }
    return WEIR_OK;
}

weir_err weir_generator_init(weir_generator *g, const weir_generator_options *options,
                             weir_arena *arena, weir_error *error)
{
    *g = (weir_generator){.options = *options};
    weir_err err = options->fourier ? load_gendata(g, error) : load_catalog(g, arena, error);
    if (!err && options->units)
        err = expand_units(g, error);
    if (!err)
        err = g->waves ? groups_of_waves(g, error) : groups_of_devices(g, error);
    if (!err && !g->n_samples)
        err = weir_fail(error, WEIR_ENOTFOUND,
                        "nothing to generate: no tag has a sample between "
                        "these times");
    return err;
}

void weir_generator_deinit(weir_generator *g)
{
    weir_imitation_free(g->imitation);
    weir_catalog_free(g->catalog);
    *g = (weir_generator){0};
}

/* --- samples --- */

weir_err weir_generator_tag_init(weir_generator_tag *ret, const weir_generator *g,
                                 const weir_generator_group *group, uint32_t index,
                                 weir_error *error)
{
    const uint32_t tag = group->tags[index];
    *ret = (weir_generator_tag){.generator = g, .group = group, .uid = g->catalog->tags[tag].uid};
    if (!g->waves) {
        (void)weir_imitated_init(&ret->imitated, g->imitation, tag);
        return WEIR_OK;
    }
    ret->walk = weir_fourier_walk_new(&g->waves[tag], g->options.seed);
    return ret->walk ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
}

void weir_generator_tag_deinit(weir_generator_tag *tag)
{
    weir_fourier_walk_free(tag->walk);
    weir_free(tag->room);
    *tag = (weir_generator_tag){0};
}

static weir_err room_reserve(weir_generator_tag *tag, size_t n, weir_error *error)
{
    if (n <= tag->room_size)
        return WEIR_OK;
    weir_free(tag->room);
    tag->room = weir_alloc(n);
    tag->room_size = tag->room ? n : 0;
    return tag->room ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
}

static weir_err fill_imitated(weir_generator_tag *tag, weir_wall from, weir_wall to,
                              size_t capacity, weir_sample *ret, size_t *ret_n, weir_error *error)
{
    const size_t room = weir_imitated_room(&tag->imitated);
    const int64_t interval = tag->group->interval_us;
    int64_t ts = weir_floor_multiple(from.us + interval - 1, interval);
    const int64_t last = to.us - 1 < tag->group->last.us ? to.us - 1 : tag->group->last.us;
    size_t n = 0;
    if (ts < tag->group->first.us)
        ts = tag->group->first.us;
    weir_err err = room_reserve(tag, room * capacity, error);
    if (err)
        return err;
    for (; n < capacity && ts <= last; n++, ts += interval) {
        weir_sample *s = &ret[n];
        s->tag = tag->uid;
        s->ts.us = ts;
        s->value = weir_imitated_at(&tag->imitated, s->ts, room ? tag->room + n * room : NULL,
                                    &s->quality);
    }
    *ret_n = n;
    return WEIR_OK;
}

/* Steps beyond this are no longer exact in a double; such a value stays one. */
static const double steps_max = 9007199254740992.0; /* 2^53 */

static weir_value rounded(double value, int64_t mantissa, double resolution, int8_t exponent)
{
    const double steps = nearbyint(value / resolution);
    if (!mantissa || !(fabs(steps) * (double)mantissa < steps_max))
        return weir_value_f64(value);
    return weir_value_decimal((int64_t)steps * mantissa, exponent);
}

static void fill_wave(const weir_generator_tag *tag, weir_wall from, weir_wall to, size_t capacity,
                      weir_sample *ret, size_t *ret_n)
{
    enum { CHUNK = 1024 };
    const weir_generator_options *o = &tag->generator->options;
    const double resolution = (double)o->resolution_mantissa * pow(10, o->resolution_exponent);
    weir_wall ts[CHUNK];
    double values[CHUNK];
    size_t n = 0, got = CHUNK;
    while (n < capacity && got == CHUNK) {
        got = weir_fourier_fill(tag->walk, from, to, capacity - n < CHUNK ? capacity - n : CHUNK,
                                ts, values);
        for (size_t i = 0; i < got; i++)
            ret[n + i] = (weir_sample){
                tag->uid, 0, ts[i],
                rounded(values[i], o->resolution_mantissa, resolution, o->resolution_exponent)};
        n += got;
        if (got)
            from.us = ts[got - 1].us + 1;
    }
    *ret_n = n;
}

weir_err weir_generator_fill(weir_generator_tag *tag, weir_wall from, weir_wall to, size_t capacity,
                             weir_sample *ret, size_t *ret_n, weir_error *error)
{
    if (!tag->walk)
        return fill_imitated(tag, from, to, capacity, ret, ret_n, error);
    fill_wave(tag, from, to, capacity, ret, ret_n);
    return WEIR_OK;
}
