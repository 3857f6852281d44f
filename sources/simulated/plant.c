/* SPDX-License-Identifier: MIT */
/* A plant: units with points, and the registers they show at a time. */

#include "sources/simulated/plant.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sources/simulated/wave.h"

/* One element of one point. */
struct cell {
    const weir_point *point;
    uint32_t address; /* of this element: beyond 16 bits for a count that runs over the end */
    uint16_t size;    /* registers or bits */
    uint16_t element;
    bool hidden; /* inside another cell's registers */
};

struct area {
    size_t n, capacity;
    struct cell *cells; /* by address, larger first */
    uint16_t longest;
};

enum { AREAS = 5 }; /* indexed by weir_register; 0 stays empty */

struct weir_plant {
    uint64_t seed;
    struct area *units[256]; /* [AREAS] each, NULL: not there */
};

weir_plant *weir_plant_new(uint64_t seed)
{
    weir_plant *plant = weir_alloc_zero(1, sizeof *plant);
    if (plant)
        plant->seed = seed;
    return plant;
}

void weir_plant_free(weir_plant *plant)
{
    if (!plant)
        return;
    for (size_t unit = 0; unit < 256; unit++)
        if (plant->units[unit]) {
            for (size_t i = 0; i < AREAS; i++)
                weir_free(plant->units[unit][i].cells);
            weir_free(plant->units[unit]);
        }
    weir_free(plant);
}

/* --- building --- */

static bool area_reserve(struct area *area, size_t n)
{
    if (area->n + n <= area->capacity)
        return true;
    size_t capacity = (area->n + n) * 2;
    struct cell *cells = weir_realloc_array(area->cells, capacity, sizeof *cells);
    if (!cells)
        return false;
    area->cells = cells;
    area->capacity = capacity;
    return true;
}

/* Shares a register with its neighbours: whoever has the whole word shows it. */
static bool is_part_of_word(const weir_point *p)
{
    return !weir_register_is_bits(p->table) && p->bit >= 0;
}

static int compare_cells(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return is_part_of_word(x->point) - is_part_of_word(y->point);
}

static void area_sort(struct area *area)
{
    uint32_t end = 0; /* of the whole-word cells met so far */
    qsort(area->cells, area->n, sizeof *area->cells, compare_cells);
    for (size_t i = 0; i < area->n; i++) {
        struct cell *c = &area->cells[i];
        c->hidden = c->address + c->size <= end;
        if (!is_part_of_word(c->point) && c->address + c->size > end)
            end = c->address + c->size;
    }
}

static weir_err area_add(struct area *area, const weir_point *point, weir_error *error)
{
    if (!area_reserve(area, point->count))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    uint16_t size = (uint16_t)weir_point_element_size(point);
    for (uint16_t i = 0; i < point->count; i++)
        area->cells[area->n++] = (struct cell){.point = point,
                                               .address = point->address + (uint32_t)i * size,
                                               .size = size,
                                               .element = i};
    if (size > area->longest)
        area->longest = size;
    return WEIR_OK;
}

weir_err weir_plant_add(weir_plant *plant, uint8_t unit, const weir_point *points, size_t n,
                        weir_error *error)
{
    if (!plant->units[unit])
        plant->units[unit] = weir_alloc_zero(AREAS, sizeof *plant->units[unit]);
    struct area *areas = plant->units[unit];
    if (!areas)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (points[i].table == WEIR_REGISTER_FUNCTION)
            continue;
        weir_err err = area_add(&areas[points[i].table], &points[i], error);
        if (err)
            return err;
    }
    for (size_t i = 0; i < AREAS; i++)
        if (areas[i].n)
            area_sort(&areas[i]);
    return WEIR_OK;
}

/* --- reading --- */

/* What fits the wave but not the type shows as 0, as a device that has nothing to show does. */
static void cell_show(const weir_plant *plant, uint8_t unit, const struct cell *cell, weir_wall t,
                      uint32_t address, uint16_t n, uint16_t *ret)
{
    enum { ELEMENT_BYTES_MAX = 512 };
    uint8_t wire[ELEMENT_BYTES_MAX] = {0}, room[WEIR_WAVE_ROOM];
    size_t n_wire = 0;
    const weir_point *p = cell->point;
    const weir_wave_key key = {plant->seed, unit, cell->element};
    weir_value value = weir_wave_value(p, key, t, room);
    if (weir_point_encode(p, &value, wire, sizeof wire, &n_wire, NULL) != WEIR_OK)
        n_wire = 0;
    bool bits = weir_register_is_bits(p->table);
    for (uint32_t i = 0; i < cell->size; i++) {
        uint32_t at = cell->address + i;
        if (at < address || at >= address + n)
            continue;
        uint16_t word = 0;
        if (bits && i / 8 < n_wire)
            word = wire[i / 8] >> i % 8 & 1;
        else if (!bits && 2 * i + 1 < n_wire)
            word = (uint16_t)(wire[2 * i] << 8 | wire[2 * i + 1]);
        if (is_part_of_word(p))
            ret[at - address] |= word;
        else
            ret[at - address] = word;
    }
}

/* First cell that may reach to address. */
static size_t area_find(const struct area *area, uint32_t address)
{
    size_t low = 0, high = area->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (area->cells[middle].address + area->longest <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t area_end(const struct area *area)
{
    uint32_t end = 0;
    for (size_t i = area->n; i-- > 0 && area->cells[i].address + area->longest > end;)
        if (area->cells[i].address + area->cells[i].size > end)
            end = area->cells[i].address + area->cells[i].size;
    return end;
}

int weir_plant_read(const weir_plant *plant, uint8_t unit, weir_register table, uint16_t address,
                    uint16_t n, weir_wall t, uint16_t *ret)
{
    if (!plant->units[unit])
        return WEIR_PLANT_NO_UNIT;
    const struct area *area = &plant->units[unit][table];
    if (!area->n || address < area->cells[0].address || (uint32_t)address + n > area_end(area))
        return WEIR_PLANT_NO_ADDRESS;
    memset(ret, 0, n * sizeof *ret);
    for (size_t i = area_find(area, address);
         i < area->n && area->cells[i].address < (uint32_t)address + n; i++)
        if (!area->cells[i].hidden)
            cell_show(plant, unit, &area->cells[i], t, address, n, ret);
    return 0;
}
