/* SPDX-License-Identifier: MIT */
/* Sinks: from what was written to what it means. */

#pragma once
#include "catalog/device.h"
#include "catalog/loader.h"

/* Fills the sinks of the catalog, in its arena, with those that are right. devices: those there
 * are, for filters that match none. Nothing without options->sink_type. */
void weir_sinks_build(weir_loader *l, weir_node list, const weir_device_list *devices,
                      weir_catalog *catalog);
