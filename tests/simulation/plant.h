/* SPDX-License-Identifier: MIT */
/* The plant of a simulated world: its configuration, and what its units answer. */

#pragma once
#include "simulation/world.h"

#define SIM_TIMEOUT_US (300 * WEIR_MS) /* of its connections */

/* The configuration as a catalog: that of config->plant, or as the other fields say. Tags have the
 * uids that a new store gives. */
weir_err sim_plant_load(const sim_world_config *config, const char *folder, weir_catalog **ret,
                        weir_error *error) WEIR_MUST_CHECK;

/* Of a weir_slave_host whose data is the world: values that tell whose they are (ledger.h). */
int sim_plant_read(void *world, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                   uint16_t *ret);
