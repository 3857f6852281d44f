/* SPDX-License-Identifier: MIT */
/* Plans: from what was written to what it means. */

#pragma once
#include "catalog/device.h"
#include "catalog/loader.h"

/* Fills the catalog's plans, and names the points that neither an interval nor a plan reads. */
void weir_plans_build(weir_loader *l, weir_node list, const weir_device_list *devices,
                      weir_catalog *catalog);

/* Says that there is no such plan, with the nearest name. */
void weir_plans_unknown(weir_loader *l, weir_node at, const weir_catalog *catalog,
                        const char *name);
