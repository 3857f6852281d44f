/* SPDX-License-Identifier: MIT */
/* The source for `simulated:` connections: waveforms, no device and no network.
 *
 * Every read is answered at the next step with the values the waveforms have at the due slot. */

#include "sources/simulated/simulated.h"

#include "sources/made/made.h"
#include "sources/simulated/wave.h"

static bool simulated_serves(weir_scheme scheme)
{
    return scheme == WEIR_SCHEME_SIMULATED;
}

static weir_value simulated_value(void *state, const weir_made_place *place)
{
    const weir_made *s = state;
    const weir_wave_key key = {s->host.seed, place->device->unit_id, place->element};
    return weir_wave_value(place->point, key, place->due, place->room);
}

static weir_err simulated_init(void *state, const weir_source_host *host, weir_error *error)
{
    static const weir_made_kind kind = {.room = WEIR_WAVE_ROOM, .value = simulated_value};
    const weir_err err = weir_made_init(state, &kind, host, error);
    if (err == WEIR_OK)
        host->log(host->data, WEIR_LOG_INFO, "simulated", "its values are made up, not measured");
    return err;
}

const weir_source_type weir_source_simulated = {
    .abi = WEIR_SOURCE_ABI,
    .name = "simulated",
    .summary = "waveforms: no device, no network",
    .serves = simulated_serves,
    .state_size = sizeof(weir_made),
    .init = simulated_init,
    .deinit = weir_made_deinit,
    .read = weir_made_read,
    .step = weir_made_step,
    .prepare = weir_made_prepare,
    .apply = weir_made_apply,
    .discard = weir_made_discard,
};
