/* SPDX-License-Identifier: MIT */
/* The engine's clock: steps, trust, epochs, and what is told of them. */

/*
 * What can go wrong with the clock. A step of half a second or more: the slots that have come by
 * the old anchor are still served, then all slots start afresh from the new time, so none fires
 * twice in one epoch and none is caught up. Stepping back begins a new epoch. So does every step
 * from, to or within a clock that is not trusted (trust.h); what is read in such an epoch is
 * uncertain(clock), and the correction that ends it says by how much it was wrong. What is looked
 * at here (current values, states) moves along with the clock.
 */

#include "engine/engine_priv.h"

#include <inttypes.h>

#include "base/number.h"

/* Whole milliseconds of a step are enough to read. */
static void text_add_step(weir_text *t, int64_t step_us)
{
    if (step_us > -WEIR_CLOCK_STEP_US && step_us < WEIR_CLOCK_STEP_US) {
        weir_text_add(t, "the clock is synchronized");
        return;
    }
    weir_text_format(t, "the clock was set %s by ", step_us < 0 ? "back" : "forward");
    weir_text_add_duration(t, (step_us < 0 ? -step_us : step_us) / WEIR_MS * WEIR_MS);
}

static void text_add_time(weir_text *t, weir_wall wall)
{
    char shown[28];
    weir_wall_format(wall, shown);
    weir_text_add(t, shown);
}

static void text_add_epoch(weir_text *t, uint32_t epoch)
{
    weir_text_format(t, "; epoch %" PRIu32 " begins", epoch);
}

/* The doubted clock was moved: what it stamped moves along. */
static void engine_move_times(weir_engine *e, weir_wall until, int64_t step_us)
{
    const weir_wall from = e->trust.doubted_from;
    weir_currents_shift(&e->currents, from, until, step_us);
    for (size_t i = 0; i < e->catalog->n_devices; i++) {
        weir_device_status *status = &e->devices[i].health.status;
        weir_wall_shift(&status->since, from, until, step_us);
        weir_wall_shift(&status->last_good, from, until, step_us);
    }
}

static void engine_correct(weir_engine *e, const weir_text *text, weir_wall ts)
{
    const weir_correction correction = {
        .event = {.ts = ts,
                  .kind = WEIR_EVENT_CLOCK_STEP,
                  .subject = "",
                  .text = weir_text_get(text)},
        .n_offsets = e->trust.n_wrong,
        .offsets = e->trust.wrong,
    };
    e->host.correction(e->host.data, &correction);
    weir_trust_corrected(&e->trust);
}

/* step_us: below WEIR_CLOCK_STEP_US when a doubted clock became right without a step. */
static void engine_clock_changed(weir_engine *e, weir_mono now, weir_wall wall, int64_t step_us)
{
    const bool was_trusted = weir_engine_trusts(e);
    const uint32_t before = e->epoch;
    if (!was_trusted) {
        engine_move_times(e, weir_anchor_wall(&e->anchor, now), step_us);
        weir_trust_moved(&e->trust, before, step_us);
    }
    weir_trust_judge(&e->trust, now, wall);
    if (step_us < 0 || !was_trusted || !weir_engine_trusts(e))
        e->epoch++;
    weir_anchor_set(&e->anchor, now, wall);
    e->plans_seen = wall;
    weir_engine_change_plans(e, wall);
    weir_schedule_restart(&e->schedule, wall);

    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    text_add_step(&text, step_us);
    if (!was_trusted && weir_engine_trusts(e))
        weir_trust_describe_wrong(&e->trust, &text);
    if (e->epoch != before)
        text_add_epoch(&text, e->epoch);
    if (!weir_engine_trusts(e)) {
        weir_text_add(&text, "; it shows ");
        text_add_time(&text, wall);
        weir_text_add(&text, ", ");
        weir_trust_describe(&e->trust, &text);
    }
    if (was_trusted || !weir_engine_trusts(e)) {
        weir_engine_tell(e, WEIR_EVENT_CLOCK_STEP, "", &text, wall);
        return;
    }
    weir_text_add(&text, "; the clock is trusted");
    engine_correct(e, &text, wall);
}

/* Of the epoch the last run ended in. */
static void text_add_last_run(weir_text *t, uint32_t epoch, bool corrected)
{
    weir_text_add(t, "the clock was not trusted when the last run ended");
    if (!corrected)
        weir_text_format(t,
                         ", and nobody saw it set: times of epoch %" PRIu32
                         " stay as they are, its samples uncertain",
                         epoch);
}

/* The clock may have gone wrong while nobody looked. What was stored must not be overwritten, and
 * what is read with a wrong clock stands alone: both need an epoch of their own. */
void weir_engine_start_clock(weir_engine *e, weir_mono now, weir_wall wall)
{
    const uint32_t last = e->epoch;
    weir_trust_judge(&e->trust, now, wall);
    const bool is_back = wall.us < e->trust.newest.us;
    if (weir_engine_trusts(e) && !is_back && !e->epoch_untrusted)
        return;
    e->epoch++;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (weir_engine_trusts(e) && e->epoch_untrusted) {
        text_add_last_run(&text, last, e->epoch_corrected);
    } else {
        weir_text_add(&text, "the clock shows ");
        text_add_time(&text, wall);
        weir_text_add(&text, ", ");
        if (weir_engine_trusts(e))
            weir_text_add(&text, "earlier than the newest stored sample");
        else
            weir_trust_describe(&e->trust, &text);
    }
    text_add_epoch(&text, e->epoch);
    weir_engine_tell(e, WEIR_EVENT_CLOCK_STEP, "", &text, wall);
}

void weir_engine_check_clock(weir_engine *e, weir_mono now, weir_wall wall, int64_t step_us)
{
    if (step_us)
        engine_clock_changed(e, now, wall, step_us);
    else if (weir_trust_regained(&e->trust, now, wall))
        engine_clock_changed(e, now, wall, wall.us - weir_anchor_wall(&e->anchor, now).us);
}

weir_wall weir_engine_wall(const weir_engine *e, weir_mono t)
{
    return weir_anchor_wall(&e->anchor, t);
}

int64_t weir_engine_anchor(const weir_engine *e)
{
    return e->anchor.us;
}

weir_clock_state weir_engine_clock(const weir_engine *e)
{
    return (weir_clock_state){.doubt = e->trust.doubt,
                              .since = weir_anchor_wall(&e->anchor, e->trust.since),
                              .epoch = e->epoch,
                              .corrected = e->trust.corrected,
                              .offset_us = e->trust.offset_us};
}
