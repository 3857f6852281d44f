/* SPDX-License-Identifier: MIT */
/* Imitations: what a poll of a simulated device would have read, at any time. */

/*
 * A point with registers of its own is encoded and decoded alone, which is quick. Where points lie
 * over each other (the bits of a status word), what one shows depends on the others: those are read
 * from a plant, as `weir simulate` does.
 */

#include "sources/simulated/imitation.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* The largest element, in registers with room to spare, or in bits. */
enum { REGISTERS_MAX = 256, WORDS_MAX = 2000 };

struct weir_imitation {
    const weir_catalog *catalog;
    uint64_t seed;
    bool through_registers;
    bool *shared;        /* [n_tags], at the tag of each point's element 0 */
    weir_plant **plants; /* [n_connections]; NULL where no point is shared */
};

/* The registers of one point of one device. */
struct extent {
    uint32_t connection, table; /* table: of one unit */
    uint32_t first, end;
    size_t tag;
};

static bool through_registers(const weir_imitation *m, const weir_device *d)
{
    return m->through_registers ||
           m->catalog->connections[d->connection].uri.scheme != WEIR_SCHEME_SIMULATED;
}

/* --- which points share registers --- */

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_extents(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;
    int by = compare_numbers(x->connection, y->connection);
    if (!by)
        by = compare_numbers(x->table, y->table);
    return by ? by : compare_numbers(x->first, y->first);
}

static size_t extents_of_device(const weir_device *d, struct extent *ret)
{
    size_t n = 0;
    for (uint32_t i = 0; i < d->n_points; i++) {
        const weir_point *p = &d->points[i];
        if (p->table == WEIR_REGISTER_FUNCTION)
            continue;
        ret[n++] = (struct extent){.connection = d->connection,
                                   .table = (uint32_t)d->unit_id << 8 | p->table,
                                   .first = p->address,
                                   .end = p->address + weir_point_size(p),
                                   .tag = d->first_tag + d->point_tag[i]};
    }
    return n;
}

/* Of neighbours that touch the same register both are marked. */
static void mark_shared(weir_imitation *m, struct extent *extents, size_t n)
{
    size_t widest = 0; /* of those before, the one that reaches furthest */
    qsort(extents, n, sizeof *extents, compare_extents);
    for (size_t i = 1; i < n; i++) {
        const struct extent *e = &extents[i], *w = &extents[widest];
        const bool same = e->connection == w->connection && e->table == w->table;
        if (same && e->first < w->end)
            m->shared[e->tag] = m->shared[w->tag] = true;
        if (!same || e->end >= w->end)
            widest = i;
    }
}

static weir_err find_shared(weir_imitation *m, weir_error *error)
{
    const weir_catalog *c = m->catalog;
    size_t n = 0;
    struct extent *extents = weir_alloc_zero(c->n_tags + 1, sizeof *extents);
    if (!extents)
        return weir_fail(error, WEIR_ENOMEM, "no memory for %zu tags", c->n_tags);
    for (size_t i = 0; i < c->n_devices; i++)
        if (through_registers(m, &c->devices[i]))
            n += extents_of_device(&c->devices[i], extents + n);
    mark_shared(m, extents, n);
    weir_free(extents);
    return WEIR_OK;
}

/* --- plants --- */

static bool device_shares(const weir_imitation *m, const weir_device *d)
{
    for (uint32_t i = 0; i < d->n_points; i++)
        if (m->shared[d->first_tag + d->point_tag[i]])
            return true;
    return false;
}

static weir_err plant_make(weir_imitation *m, uint32_t connection, weir_error *error)
{
    const weir_catalog *c = m->catalog;
    weir_plant *plant = m->plants[connection] = weir_plant_new(m->seed);
    weir_err err = plant ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; !err && i < c->n_devices; i++)
        if (c->devices[i].connection == connection)
            err = weir_plant_add(plant, c->devices[i].unit_id, c->devices[i].points,
                                 c->devices[i].n_points, error);
    return err;
}

static weir_err plants_make(weir_imitation *m, weir_error *error)
{
    const weir_catalog *c = m->catalog;
    weir_err err = WEIR_OK;
    for (size_t i = 0; !err && i < c->n_devices; i++) {
        const weir_device *d = &c->devices[i];
        if (!m->plants[d->connection] && device_shares(m, d))
            err = plant_make(m, d->connection, error);
    }
    return err;
}

weir_err weir_imitation_new(const weir_catalog *c, uint64_t seed, bool all_through_registers,
                            weir_imitation **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_imitation_free) weir_imitation *m = weir_alloc_zero(1, sizeof *m);
    if (!m)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    *m = (weir_imitation){.catalog = c,
                          .seed = seed,
                          .through_registers = all_through_registers,
                          .shared = weir_alloc_zero(c->n_tags + 1, sizeof *m->shared),
                          .plants = weir_alloc_zero(c->n_connections + 1, sizeof *m->plants)};
    if (!m->shared || !m->plants)
        return weir_fail(error, WEIR_ENOMEM, "no memory for %zu tags", c->n_tags);
    weir_err err = find_shared(m, error);
    if (!err)
        err = plants_make(m, error);
    if (err)
        return err;
    *ret = m;
    m = NULL;
    return WEIR_OK;
}

void weir_imitation_free(weir_imitation *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->plants && i < m->catalog->n_connections; i++)
        weir_plant_free(m->plants[i]);
    weir_free(m->plants);
    weir_free(m->shared);
    weir_free(m);
}

/* --- one tag --- */

bool weir_imitated_init(weir_imitated *ret, const weir_imitation *m, size_t tag_index)
{
    const weir_tag *tag = &m->catalog->tags[tag_index];
    const weir_device *d = weir_tag_device(m->catalog, tag);
    const weir_point *p = weir_tag_point(m->catalog, tag);
    const weir_wave_key key = {m->seed, d->unit_id, tag->element};
    const bool shared = m->shared[d->first_tag + d->point_tag[tag->point]];
    *ret = (weir_imitated){.plant = shared ? m->plants[d->connection] : NULL,
                           .registers = through_registers(m, d),
                           .unit = d->unit_id,
                           .element = (uint16_t)tag->element};
    weir_wave_shape_init(&ret->shape, p, key);
    return !ret->registers || p->table != WEIR_REGISTER_FUNCTION;
}

size_t weir_imitated_room(const weir_imitated *t)
{
    const weir_point *p = t->shape.point;
    if (p->type != WEIR_TYPE_STRING && p->type != WEIR_TYPE_BYTES && p->type != WEIR_TYPE_RAW)
        return 0;
    /* Each byte of a string that is no UTF-8 becomes three. */
    return t->registers ? (size_t)p->length * 3 + 1 : WEIR_WAVE_ROOM;
}

/* What the device would hold, as bytes of its reply; 0 where the wave does not fit its type. */
static size_t wire_of_wave(weir_imitated *t, weir_wall at, uint8_t wire[2 * REGISTERS_MAX])
{
    const weir_point *p = t->shape.point;
    const size_t n = weir_point_wire_bytes(p);
    uint8_t room[WEIR_WAVE_ROOM];
    size_t n_encoded;
    const weir_value value = weir_wave_shape_at(&t->shape, at, room);
    if (weir_point_encode(p, &value, wire, 2 * REGISTERS_MAX, &n_encoded, NULL) != WEIR_OK)
        memset(wire, 0, n);
    return n;
}

static size_t wire_of_plant(const weir_imitated *t, weir_wall at, uint8_t wire[2 * REGISTERS_MAX])
{
    const weir_point *p = t->shape.point;
    const uint16_t size = (uint16_t)weir_point_element_size(p);
    uint16_t words[WORDS_MAX];
    const uint16_t address = (uint16_t)(p->address + t->element * size);
    if (weir_plant_read(t->plant, t->unit, p->table, address, size, at, words))
        return 0;
    if (weir_register_is_bits(p->table)) {
        memset(wire, 0, weir_point_wire_bytes(p));
        for (size_t i = 0; i < size; i++)
            wire[i / 8] |= (uint8_t)((words[i] ? 1u : 0u) << i % 8);
        return weir_point_wire_bytes(p);
    }
    for (size_t i = 0; i < size; i++) {
        wire[2 * i] = (uint8_t)(words[i] >> 8);
        wire[2 * i + 1] = (uint8_t)words[i];
    }
    return 2 * (size_t)size;
}

weir_value weir_imitated_at(weir_imitated *t, weir_wall at, uint8_t *room,
                            weir_quality *ret_quality)
{
    uint8_t wire[2 * REGISTERS_MAX];
    if (!t->registers) {
        *ret_quality = 0;
        return weir_wave_shape_at(&t->shape, at, room);
    }
    weir_writer writer = weir_writer_of(room, weir_imitated_room(t));
    const size_t n = t->plant ? wire_of_plant(t, at, wire) : wire_of_wave(t, at, wire);
    return weir_point_decode(t->shape.point, wire, n, &writer, ret_quality);
}
