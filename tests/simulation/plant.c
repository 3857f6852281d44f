/* SPDX-License-Identifier: MIT */
/* The plant of a simulated world: its configuration, and what its units answer. */

#include "simulation/plant.h"

#include "base/text.h"
#include "catalog/yaml.h"

int sim_plant_read(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                   uint16_t *ret)
{
    const sim_world *w = data;
    (void)table;
    switch (w->units[unit % SIM_UNITS_MAX]) {
    case SIM_UNIT_SILENT:
        return WEIR_SLAVE_SILENT;
    case SIM_UNIT_REFUSING:
        return 4;
    case SIM_UNIT_BUSY:
        return 6;
    case SIM_UNIT_DEAD:
        return 11;
    case SIM_UNIT_WELL:
        break;
    }
    for (uint16_t i = 0; i < n; i++) {
        const unsigned at = address + i;
        const uint32_t value = sim_value(unit, at / 2, w->network.now.us);
        ret[i] = (uint16_t)(at % 2 ? value : value >> 16);
    }
    return 0;
}

static void yaml_devices(const sim_world_config *c, weir_text *yaml)
{
    const unsigned share = (c->devices + c->connections - 1) / c->connections;
    weir_text_format(yaml, "devices:\n");
    for (unsigned first = 1, bus = 0; first <= c->devices; first += share, bus++) {
        const unsigned last = first + share - 1 < c->devices ? first + share - 1 : c->devices;
        weir_text_format(yaml,
                         "  - {name: \"m{unit_id}\", unit_id: %u-%u, connection: bus%u,"
                         " interval: %lldms, points: [",
                         first, last, bus, (long long)(c->interval_us / WEIR_MS));
        for (unsigned p = 0; p < c->points; p++)
            weir_text_format(yaml, "%s{name: p%u, register: %s, address: %u, type: uint32}",
                             p ? ", " : "", p, c->two_tables && p % 2 ? "input" : "holding", 2 * p);
        weir_text_format(yaml, "]}\n");
    }
}

static void yaml_plant(const sim_world_config *c, weir_text *yaml)
{
    weir_text_format(yaml, "store: {max_loss: %lldms%s%s}\nconnections:\n",
                     (long long)(c->max_loss_us / WEIR_MS), c->store ? ", " : "",
                     c->store ? c->store : "");
    for (unsigned bus = 0; bus < c->connections; bus++)
        weir_text_format(yaml,
                         "  - {name: bus%u, uri: \"%s://10.0.0.%u:502\", timeout: %lldms%s}\n", bus,
                         c->scheme, bus + 1, (long long)(SIM_TIMEOUT_US / WEIR_MS),
                         c->settings ? c->settings : "");
    yaml_devices(c, yaml);
}

weir_err sim_plant_load(const sim_world_config *config, const char *folder, weir_catalog **ret,
                        weir_error *error)
{
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_text_format(&yaml, "data_dir: %s\n", folder);
    if (config->plant.yaml)
        weir_text_add(&yaml, config->plant.yaml);
    else
        yaml_plant(config, &yaml);
    if (yaml.failed)
        return weir_fail(error, WEIR_ENOMEM, "the configuration");
    weir_err err =
        weir_yaml_load_text(yaml.text, yaml.length, "simulation.yaml", NULL, ret, &problems);
    if (err != WEIR_OK)
        err = weir_fail(error, err, "%s",
                        problems.n > 0 ? problems.items[0].text : "the configuration");
    weir_problems_deinit(&problems);
    if (err != WEIR_OK)
        return err;
    for (uint32_t i = 0; i < (*ret)->n_tags; i++) /* the store will give others */
        (*ret)->tags[i].uid = i + 1;
    return WEIR_OK;
}
