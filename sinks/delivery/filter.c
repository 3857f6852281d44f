/* SPDX-License-Identifier: MIT */
/* The filter of a sink: which samples it gets. */

#include "sinks/delivery/filter.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum { UNKNOWN, WANTED, LEFT_OUT };

void weir_sink_filter_deinit(weir_sink_filter *filter)
{
    weir_free(filter->known);
}

static bool patterns_want(const weir_sink_config *config, const char *name)
{
    bool any = false, matched = false;
    for (size_t i = 0; i < config->n_tags; i++) {
        const char *pattern = config->tags[i];
        if (*pattern == '!' && weir_glob_match(pattern + 1, name))
            return false;
        any |= *pattern != '!';
        matched |= *pattern != '!' && weir_glob_match(pattern, name);
    }
    return matched || !any;
}

static bool labels_have(weir_tag_labels labels, const weir_label *wanted)
{
    for (const weir_label *label; (label = weir_tag_labels_next(&labels));)
        if (strcmp(label->key, wanted->key) == 0)
            return weir_glob_match(wanted->value, label->value);
    return false;
}

bool weir_sink_wants_tag(const weir_sink_config *config, const char *name, weir_tag_labels labels)
{
    if (!patterns_want(config, name))
        return false;
    for (size_t i = 0; i < config->n_labels; i++)
        if (!labels_have(labels, &config->labels[i]))
            return false;
    return true;
}

static bool config_wants(const weir_sink_config *config, const weir_sink_tag *tag)
{
    const weir_tag_labels labels = {.device = tag->labels, .n_device = tag->n_labels};
    return weir_sink_wants_tag(config, tag->name, labels);
}

/* Without memory for the answer it is found again each time. */
static bool filter_reserve(weir_sink_filter *f, uint32_t number)
{
    if (number < f->n)
        return true;
    const size_t n = number < 128 ? 256 : 2 * (size_t)number;
    uint8_t *known = weir_realloc_array(f->known, n, 1);
    if (!known)
        return false;
    memset(known + f->n, UNKNOWN, n - f->n);
    f->known = known;
    f->n = n;
    return true;
}

static bool filter_tag(weir_sink_filter *f, const weir_sink_tag *tag)
{
    if (f->config->n_tags == 0 && f->config->n_labels == 0)
        return true;
    if (!filter_reserve(f, tag->number))
        return config_wants(f->config, tag);
    uint8_t *known = &f->known[tag->number];
    if (*known == UNKNOWN)
        *known = config_wants(f->config, tag) ? WANTED : LEFT_OUT;
    return *known == WANTED;
}

static bool quality_is_wanted(weir_sink_quality wanted, weir_quality quality)
{
    switch (wanted) {
    case WEIR_SINK_QUALITY_ALL:
        return true;
    case WEIR_SINK_QUALITY_USABLE:
        return weir_quality_class(quality) != WEIR_BAD;
    case WEIR_SINK_QUALITY_GOOD:
        return weir_quality_class(quality) == WEIR_GOOD;
    }
    return true;
}

bool weir_sink_filter_row(weir_sink_filter *filter, const weir_sink_row *row)
{
    const weir_sink_config *config = filter->config;
    return (config->plans == 0 || (row->plans & config->plans) != 0) &&
           quality_is_wanted(config->quality, row->sample.quality) && filter_tag(filter, row->tag);
}
