/* SPDX-License-Identifier: MIT */
/* The health of a device: see health.h. */

#include "engine/health.h"

#include <inttypes.h>

#include "base/number.h"

/* A base below one second would ask a dead unit again and again within one time-out. */
#define BASE_MIN_US WEIR_S

const char *weir_device_state_text(weir_device_state state)
{
    switch (state) {
#define X(name, text) \
    case name:        \
        return text;
        WEIR_STATE_LIST(X)
#undef X
    }
    return "?";
}

void weir_health_init(weir_health *h, bool enabled, weir_wall now)
{
    *h = (weir_health){
        .status = {.state = enabled ? WEIR_STATE_CONNECTING : WEIR_STATE_DISABLED, .since = now}};
}

bool weir_health_may_read(const weir_health *h, weir_mono now)
{
    return !h->backing_off || (h->probe == 0 && weir_mono_reached(now, h->next_probe));
}

void weir_health_read_started(weir_health *h, uint64_t read_id)
{
    if (h->backing_off)
        h->probe = read_id;
}

static int64_t probe_delay(const weir_device *device, unsigned probes)
{
    int64_t delay = device->n_intervals ? device->intervals[0] : BASE_MIN_US;
    if (delay < BASE_MIN_US)
        delay = BASE_MIN_US;
    for (unsigned k = 0; k < probes && delay < device->demote_period_us; k++)
        delay *= 2;
    return delay < device->demote_period_us ? delay : device->demote_period_us;
}

/* Jitter: a hundred units that died with their gateway shall not come back as one. */
static void health_wait(weir_health *h, const weir_device *device, weir_mono now,
                        weir_random *random)
{
    const int64_t delay = probe_delay(device, h->probes);
    const int64_t spread = delay / 5;
    h->delay_us = delay - spread + (int64_t)weir_random_below(random, (uint64_t)(2 * spread + 1));
    h->next_probe = weir_mono_add(now, h->delay_us);
}

static void health_set_state(weir_health *h, weir_device_state state, weir_wall wall)
{
    if (h->status.state == state)
        return;
    h->status.state = state;
    h->status.since = wall;
}

static void health_good(weir_health *h, weir_wall wall)
{
    h->failures = 0;
    h->probes = 0;
    h->backing_off = false;
    h->link_lost = false;
    h->status.error = 0;
    h->status.last_good = wall;
    health_set_state(h, WEIR_STATE_ONLINE, wall);
}

/* Only a probe moves the back-off on: a read begun before the demotion tells nothing new. */
static void health_silent(weir_health *h, const weir_device *device, bool was_probe, weir_mono now,
                          weir_wall wall, weir_random *random)
{
    h->link_lost = false;
    if (h->failures < UINT32_MAX)
        h->failures++;
    if (h->backing_off) {
        if (!was_probe)
            return;
        h->probes++;
    } else if (h->failures >= device->demote_after_failures) {
        h->backing_off = true;
        h->probes = 0;
    } else {
        /* A device whose connection just came back stays offline until it answers. */
        if (h->status.state != WEIR_STATE_OFFLINE)
            health_set_state(h, WEIR_STATE_DEGRADED, wall);
        return;
    }
    health_wait(h, device, now, random);
    health_set_state(h, WEIR_STATE_OFFLINE, wall);
}

static void health_link_down(weir_health *h, const weir_device *device, bool was_probe,
                             weir_mono now, weir_wall wall, weir_random *random)
{
    h->link_lost = true;
    if (h->backing_off && was_probe)
        health_wait(h, device, now, random);
    health_set_state(h, WEIR_STATE_OFFLINE, wall);
}

weir_health_change weir_health_read_done(weir_health *h, const weir_device *device,
                                         uint64_t read_id, weir_read_result result,
                                         weir_quality worst, weir_mono now, weir_wall wall,
                                         weir_random *random, int64_t *ret_down_us)
{
    const weir_device_status before = h->status;
    const bool was_probe = h->probe != 0 && h->probe == read_id;
    if (was_probe)
        h->probe = 0;
    if (weir_quality_class(worst) != WEIR_BAD)
        worst = weir_bad(result == WEIR_READ_LINK ? WEIR_CAUSE_CONNECT : WEIR_CAUSE_TIMEOUT, 0);
    if (result != WEIR_READ_GOOD)
        h->status.error = worst;
    switch (result) {
    case WEIR_READ_GOOD:
        health_good(h, wall);
        break;
    case WEIR_READ_SILENT:
        health_silent(h, device, was_probe, now, wall, random);
        break;
    case WEIR_READ_LINK:
        health_link_down(h, device, was_probe, now, wall, random);
        break;
    }
    const bool was_down = before.state == WEIR_STATE_OFFLINE;
    const bool is_down = h->status.state == WEIR_STATE_OFFLINE;
    if (was_down == is_down)
        return WEIR_HEALTH_SAME;
    if (is_down)
        return WEIR_HEALTH_DOWN;
    *ret_down_us = wall.us - before.since.us;
    return WEIR_HEALTH_UP;
}

void weir_health_link_up(weir_health *h, weir_mono now)
{
    if (!h->link_lost)
        return;
    h->link_lost = false;
    h->next_probe = now;
}

/* Whole seconds, or what there is below one. */
static void text_add_about(weir_text *t, int64_t us)
{
    weir_text_add_duration(t, us < WEIR_S ? us / WEIR_MS * WEIR_MS
                                          : (us + WEIR_S / 2) / WEIR_S * WEIR_S);
}

static void text_add_error(weir_text *t, weir_quality error)
{
    const weir_cause cause = weir_quality_cause(error);
    const uint16_t code = weir_quality_detail(error);
    if (cause != WEIR_CAUSE_EXCEPTION) {
        weir_text_add(t, weir_cause_text(cause));
        return;
    }
    const char *text = weir_exception_text(code);
    weir_text_format(t, "exception %u", code);
    if (text)
        weir_text_format(t, " (%s)", text);
}

void weir_health_describe(const weir_health *h, const char *device, weir_health_change change,
                          int64_t down_us, weir_text *t)
{
    weir_text_format(t, "%s: ", device);
    if (change == WEIR_HEALTH_UP) {
        weir_text_add(t, "answers again after ");
        text_add_about(t, down_us < 0 ? 0 : down_us); /* negative: the clock was set back */
        return;
    }
    text_add_error(t, h->status.error);
    if (h->link_lost) {
        weir_text_add(t, "; read again as soon as the connection is back");
        return;
    }
    if (h->failures > 1)
        weir_text_format(t, " to %" PRIu32 " polls in a row", h->failures);
    weir_text_add(t, "; next try in ");
    text_add_about(t, h->delay_us);
}
