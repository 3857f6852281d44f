/* SPDX-License-Identifier: MIT */
/* What was read once, in a few lines for people. */

#include "cli/once_show.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/live.h"

static void show_values(const weir_once *once, const weir_device *d, FILE *file)
{
    enum { SHOWN_MAX = 6 };
    uint32_t n = 0;
    for (uint32_t k = 0; k < d->n_tags && n < SHOWN_MAX; k++) {
        const weir_sample *sample = &once->readings[d->first_tag + k].sample;
        const weir_tag *tag = &once->catalog->tags[d->first_tag + k];
        WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
        WEIR_TEXT_AUTO value = WEIR_TEXT_INIT;
        if (!sample->tag || weir_quality_class(sample->quality) == WEIR_BAD)
            continue;
        weir_tag_name(once->catalog, tag, &name);
        weir_value_format(&sample->value, &value);
        (void)fprintf(file, "  %-32s %s %s\n", weir_text_get(&name), weir_text_get(&value),
                      weir_tag_point(once->catalog, tag)->unit);
        n++;
    }
}

/* True when all of it is good. */
static bool show_device(const weir_once *once, size_t number, FILE *file)
{
    const weir_device *d = &once->catalog->devices[number];
    const weir_once_share share = weir_once_share_of(once, number);
    WEIR_TEXT_AUTO cause = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO next = WEIR_TEXT_INIT;
    (void)fprintf(file, "%s: %zu of %u value%s good", d->name, share.n_good, d->n_tags,
                  d->n_tags == 1 ? "" : "s");
    if (once->rtt_us[number] && share.n_good)
        (void)fprintf(file, ", slowest reply %.1f ms",
                      (double)once->rtt_us[number] / (double)WEIR_MS);
    (void)fputc('\n', file);
    show_values(once, d, file);
    if (share.n_good == d->n_tags)
        return true;
    weir_live_explain(once, number, &cause, &next);
    (void)fprintf(file, "  %s\n",
                  cause.length ? weir_text_get(&cause)
                               : "it did not answer everything within a minute");
    if (next.length)
        (void)fprintf(file, "  see more: %s\n", weir_text_get(&next));
    return false;
}

bool weir_once_show(const weir_once *once, FILE *file)
{
    bool good = true;
    for (size_t i = 0; i < once->catalog->n_devices; i++)
        good &= show_device(once, i, file);
    return good;
}
