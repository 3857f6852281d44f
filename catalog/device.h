/* SPDX-License-Identifier: MIT */
/* Connections and devices: from what was written to what it means. */

#pragma once
#include "catalog/loader.h"
#include "model/catalog.h"

/* A growing array of the heap; items are plain values. */
typedef struct weir_device_list {
    size_t n, capacity;
    weir_device *items;
    uint32_t n_tags;
    weir_map names; /* -> index + 1, for names given twice */
} weir_device_list;

/* Fills ret, in the catalog's arena, with those that are right. */
void weir_connections_build(weir_loader *l, weir_node list, const weir_connection **ret,
                            size_t *ret_n);

/* Appends the devices of one entry: one, or one of each unit id. */
void weir_device_build(weir_loader *l, weir_node mapping, const weir_connection *connections,
                       size_t n_connections, weir_device_list *devices);

/* Appends one device with a profile's points, for a simulation. */
void weir_device_of_profile(weir_loader *l, const weir_profile *profile, weir_device_list *devices);

void weir_device_list_deinit(weir_device_list *devices);
