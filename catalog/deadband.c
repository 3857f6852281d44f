/* SPDX-License-Identifier: MIT */
/* The deadband of a point: which changes are worth archiving. */

#include "catalog/deadband.h"

#include <string.h>

#include "base/number.h"
#include "base/text.h"

/* Without a word about it, so often an unchanged value is archived: who looks at an hour of a chart
 * finds a value there, and retention does not take the only sample of what never changes. At one
 * to five bytes a sample this costs nothing. */
#define MAX_UNCHANGED_DEFAULT_US WEIR_HOUR

static void amount_parse(weir_loader *l, weir_node node, weir_deadband *d)
{
    int64_t mantissa;
    int8_t exponent;
    const char *text = weir_loader_scalar(l, node, "deadband");
    if (!text || !strcmp(text, "none"))
        return;
    const size_t n = strlen(text);
    const bool percent = text[n - 1] == '%';
    const char *number = weir_arena_text_n(l->scratch, text, percent ? n - 1 : n);
    if (!number) {
        l->failed = true;
        return;
    }
    if (!weir_parse_decimal(number, &mantissa, &exponent)) {
        weir_loader_problem(l, node,
                            "deadband must be a number such as 0.5, a share of max - min such as "
                            "\"1%%\", or none, not \"%.80s\"",
                            text);
        return;
    }
    const weir_value amount = weir_value_decimal(mantissa, exponent);
    double share;
    if (mantissa < 0 || (percent && weir_value_number(&amount, &share) && share > 100)) {
        weir_loader_problem(l, node, "deadband must be %s, not \"%.80s\"",
                            percent ? "between 0% and 100%" : "0 or more", text);
        return;
    }
    d->percent = percent;
    d->amount = amount;
}

static int64_t max_unchanged_parse(weir_loader *l, weir_node node)
{
    static const weir_option row = {.name = "max_unchanged_interval",
                                    .type = WEIR_OPTION_DURATION,
                                    .min = 10 * WEIR_MS,
                                    .max = 366 * WEIR_DAY};
    weir_error error = WEIR_ERROR_INIT;
    int64_t us = 0;
    const char *text = weir_loader_scalar(l, node, row.name);
    if (text && strcmp(text, "none") != 0 && weir_option_set(&row, text, &us, &error) != WEIR_OK)
        weir_loader_problem(l, node, "%s", error.text);
    return us;
}

weir_deadband weir_deadband_read(weir_loader *l, weir_node deadband, weir_node max_unchanged)
{
    weir_deadband d = {.max_unchanged_us = MAX_UNCHANGED_DEFAULT_US};
    d.at = deadband;
    d.max_unchanged_at = max_unchanged;
    if (deadband.id)
        amount_parse(l, deadband, &d);
    if (max_unchanged.id)
        d.max_unchanged_us = max_unchanged_parse(l, max_unchanged);
    return d;
}

/* Whether its values are numbers, and what they are called if not. */
static bool point_has_numbers(const weir_point *p, const char **ret_kind)
{
    const uint8_t kind = weir_type_kind(p->type);
    *ret_kind = p->n_enum                  ? "point with an enum"
                : weir_point_is_bool(p)    ? "bool"
                : kind == WEIR_KIND_STRING ? "string"
                : kind == WEIR_KIND_BYTES  ? "point of bytes"
                                           : NULL;
    return *ret_kind == NULL;
}

/* The share of the span, as the shortest decimal that is this double. */
static bool amount_of_span(const weir_point *p, const weir_value *percent, weir_value *ret)
{
    double share = 0;
    int64_t mantissa;
    int8_t exponent;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    (void)weir_value_number(percent, &share);
    weir_text_add_double(&text, (p->max - p->min) * share / 100);
    if (!weir_parse_decimal(weir_text_get(&text), &mantissa, &exponent))
        return false;
    *ret = weir_value_decimal(mantissa, exponent);
    return true;
}

static bool deadband_fit(weir_loader *l, const weir_deadband *d, bool own, weir_node at,
                         weir_point *p)
{
    const char *kind;
    const bool numbers = point_has_numbers(p, &kind);
    /* What a device says is for measured values; flags and words are archived when they change. */
    if (!own && (!numbers || p->type == WEIR_TYPE_BITFIELD)) {
        p->deadband = weir_value_decimal(0, 0);
        return true;
    }
    if (!numbers && d->amount.as.i != 0) {
        weir_loader_problem(l, d->at, "a %s is stored when it changes: its deadband can only be 0",
                            kind);
        return false;
    }
    if (!d->percent || !numbers) {
        p->deadband = d->amount;
        return true;
    }
    if (!p->has_min || !p->has_max) {
        weir_loader_problem(l, own ? d->at : at,
                            "point '%s' needs min and max for a deadband in percent: give them, or "
                            "a deadband such as 0.5",
                            p->name);
        return false;
    }
    if (!amount_of_span(p, &d->amount, &p->deadband)) {
        weir_loader_problem(l, d->at,
                            "point '%s': percent of %g to %g cannot be told as a number: give a "
                            "deadband such as 0.5",
                            p->name, p->min, p->max);
        return false;
    }
    return true;
}

bool weir_deadband_set(weir_loader *l, const weir_deadband *own, const weir_deadband *of_device,
                       weir_node at, weir_point *p)
{
    const bool is_own = own->at.id != 0;
    const weir_deadband *d = is_own ? own : of_device;
    if (d->amount.kind == WEIR_KIND_NULL) {
        if (!is_own && own->max_unchanged_at.id) {
            weir_loader_problem(l, own->max_unchanged_at,
                                "point '%s' has max_unchanged_interval without a deadband: give it "
                                "one (0: stored when it changes)",
                                p->name);
            return false;
        }
        return true;
    }
    p->max_unchanged_us =
        own->max_unchanged_at.id ? own->max_unchanged_us : of_device->max_unchanged_us;
    return deadband_fit(l, d, is_own, at, p);
}
