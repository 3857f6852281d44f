/* SPDX-License-Identifier: MIT */
/* The trust in the wall clock: see trust.h. */

#include "engine/trust.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/number.h"
#include "engine/anchor.h"

/* The kernel is asked this often while it says no. */
#define ASK_US WEIR_S

/* An event names so many epochs; the store's table has all. */
enum { NAMED_MAX = 4 };

const char *weir_clock_doubt_text(weir_clock_doubt doubt)
{
    switch (doubt) {
    case WEIR_CLOCK_TRUSTED:
        return "trusted";
    case WEIR_CLOCK_IMPLAUSIBLE:
        return "implausible";
    case WEIR_CLOCK_UNSYNCHRONIZED:
        return "unsynchronized";
    }
    return "?";
}

void weir_trust_deinit(weir_trust *trust)
{
    weir_free(trust->wrong);
    trust->wrong = NULL;
    trust->n_wrong = trust->wrong_capacity = 0;
}

static weir_clock_doubt trust_look(weir_trust *trust, weir_mono now, weir_wall wall)
{
    trust->asked = now;
    if (!weir_wall_plausible(wall, trust->built, trust->newest))
        return WEIR_CLOCK_IMPLAUSIBLE;
    return !trust->synchronized || trust->synchronized(trust->data) ? WEIR_CLOCK_TRUSTED
                                                                    : WEIR_CLOCK_UNSYNCHRONIZED;
}

void weir_trust_judge(weir_trust *trust, weir_mono now, weir_wall wall)
{
    const bool was_doubted = trust->doubt != WEIR_CLOCK_TRUSTED;
    trust->doubt = trust_look(trust, now, wall);
    const bool is_doubted = trust->doubt != WEIR_CLOCK_TRUSTED;
    if (is_doubted != was_doubted)
        trust->since = now;
    if (is_doubted && !was_doubted)
        trust->doubted_from = wall;
}

bool weir_trust_regained(weir_trust *trust, weir_mono now, weir_wall wall)
{
    /* By waiting alone a time that cannot be true does not become a true one. */
    if (trust->doubt == WEIR_CLOCK_TRUSTED || !trust->synchronized)
        return false;
    if (!weir_mono_reached(now, weir_mono_add(trust->asked, ASK_US)))
        return false;
    return trust_look(trust, now, wall) == WEIR_CLOCK_TRUSTED;
}

void weir_trust_moved(weir_trust *trust, uint32_t epoch, int64_t step_us)
{
    trust->doubted_from.us += step_us;
    for (size_t i = 0; i < trust->n_wrong; i++)
        trust->wrong[i].offset_us += step_us;
    weir_epoch_offset *wrong =
        weir_array_room(trust->wrong, trust->n_wrong, &trust->wrong_capacity, sizeof *wrong);
    if (!wrong)
        return;
    trust->wrong = wrong;
    trust->wrong[trust->n_wrong++] = (weir_epoch_offset){epoch, step_us};
}

void weir_trust_corrected(weir_trust *trust)
{
    if (trust->n_wrong > 0) {
        trust->corrected = true;
        trust->offset_us = trust->wrong[trust->n_wrong - 1].offset_us;
    }
    trust->n_wrong = 0;
}

void weir_trust_describe(const weir_trust *trust, weir_text *t)
{
    weir_text_add(t, trust->doubt == WEIR_CLOCK_IMPLAUSIBLE
                         ? "which cannot be true"
                         : "and the kernel says that it is not synchronized");
    weir_text_add(t, ": samples are uncertain until it is right. Enable NTP (timedatectl set-ntp "
                     "true), or ");
    weir_text_add(t, trust->doubt == WEIR_CLOCK_IMPLAUSIBLE
                         ? "set the clock (timedatectl set-time)"
                         : "do without it (clock: {trust: plausible})");
}

void weir_trust_describe_wrong(const weir_trust *trust, weir_text *t)
{
    for (size_t i = 0; i < trust->n_wrong && i < NAMED_MAX; i++) {
        const weir_epoch_offset *wrong = &trust->wrong[i];
        weir_text_format(t, i == 0 ? "; times of epoch %" PRIu32 : ", of epoch %" PRIu32,
                         wrong->epoch);
        weir_text_format(t, "%s %s by ", i == 0 ? " are moved" : "",
                         wrong->offset_us < 0 ? "back" : "forward");
        weir_text_add_duration(t, wrong->offset_us < 0 ? -wrong->offset_us : wrong->offset_us);
    }
    if (trust->n_wrong > NAMED_MAX)
        weir_text_format(t, ", of %zu more as they need it", trust->n_wrong - NAMED_MAX);
}
