/* SPDX-License-Identifier: MIT */
/* Whether two things of two catalogs are the same. */

#include "model/diff_priv.h"

#include "model/option.h"
#include "model/sink.h"

/* ---- points ---- */

static bool enums_equal(const weir_point *a, const weir_point *b)
{
    if (a->n_enum != b->n_enum)
        return false;
    for (size_t i = 0; i < a->n_enum; i++)
        if (a->enum_items[i].raw != b->enum_items[i].raw ||
            strcmp(a->enum_items[i].text, b->enum_items[i].text) != 0)
            return false;
    return true;
}

/* Two doubles of the configuration: the same text, the same bits. */
static bool numbers_equal(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool waves_equal(const weir_simulate *a, const weir_simulate *b)
{
    return a->wave == b->wave && numbers_equal(a->min, b->min) && numbers_equal(a->max, b->max) &&
           a->period_us == b->period_us && a->resolution_mantissa == b->resolution_mantissa &&
           a->resolution_exponent == b->resolution_exponent;
}

/* Where it is on the wire. */
static bool places_equal(const weir_point *a, const weir_point *b)
{
    return a->table == b->table && a->function == b->function && a->address == b->address &&
           a->type == b->type && a->order == b->order && a->length == b->length &&
           a->bit == b->bit && a->bit_width == b->bit_width && a->count == b->count &&
           a->group == b->group && a->access == b->access && a->allow_overlap == b->allow_overlap;
}

/* What its bytes mean. */
static bool meanings_equal(const weir_point *a, const weir_point *b)
{
    return a->scaling == b->scaling && a->exponent == b->exponent && a->sign == b->sign &&
           a->decimal_offset == b->decimal_offset && numbers_equal(a->scale, b->scale) &&
           numbers_equal(a->offset, b->offset) && a->n_na == b->n_na &&
           (a->n_na == 0 || memcmp(a->na, b->na, a->n_na * sizeof *a->na) == 0) &&
           a->has_min == b->has_min && a->has_max == b->has_max && numbers_equal(a->min, b->min) &&
           numbers_equal(a->max, b->max) && enums_equal(a, b);
}

weir_change weir_diff_point(const weir_point *a, const weir_point *b)
{
    if (!places_equal(a, b) || !meanings_equal(a, b) || !waves_equal(&a->simulate, &b->simulate))
        return WEIR_CHANGE_READS;
    const bool same = weir_diff_texts_equal(a->name, b->name) &&
                      weir_diff_texts_equal(a->unit, b->unit) &&
                      weir_diff_texts_equal(a->description, b->description) &&
                      weir_labels_equal(a->labels, a->n_labels, b->labels, b->n_labels) &&
                      a->counter == b->counter && a->max_unchanged_us == b->max_unchanged_us &&
                      weir_value_identical(&a->deadband, &b->deadband);
    return same ? WEIR_CHANGE_NONE : WEIR_CHANGE_AROUND;
}

/* ---- devices ---- */

bool weir_diff_rhythms_equal(const weir_device *a, const weir_device *b)
{
    return a->n_intervals == b->n_intervals && a->n_points == b->n_points &&
           (a->n_intervals == 0 ||
            memcmp(a->intervals, b->intervals, a->n_intervals * sizeof *a->intervals) == 0) &&
           (a->n_points == 0 || memcmp(a->point_interval, b->point_interval,
                                       a->n_points * sizeof *a->point_interval) == 0);
}

static bool forbidden_equal(const weir_device *a, const weir_device *b)
{
    if (a->n_forbidden != b->n_forbidden)
        return false;
    for (size_t i = 0; i < a->n_forbidden; i++)
        if (a->forbidden[i].first != b->forbidden[i].first ||
            a->forbidden[i].last != b->forbidden[i].last ||
            a->forbidden[i].table != b->forbidden[i].table)
            return false;
    return true;
}

bool weir_diff_limits_equal(const weir_device *a, const weir_device *b)
{
    return a->one_point_per_request == b->one_point_per_request &&
           a->max_registers_per_request == b->max_registers_per_request &&
           a->max_bits_per_request == b->max_bits_per_request &&
           a->max_hole_registers == b->max_hole_registers && a->max_hole_bits == b->max_hole_bits &&
           a->demote_after_failures == b->demote_after_failures &&
           a->demote_period_us == b->demote_period_us &&
           a->minimum_interval_us == b->minimum_interval_us && forbidden_equal(a, b);
}

bool weir_diff_labels_equal(const weir_device *a, const weir_device *b)
{
    return weir_labels_equal(a->labels, a->n_labels, b->labels, b->n_labels);
}

/* ---- connections ---- */

static bool uris_equal(const weir_connection *a, const weir_connection *b)
{
    return a->uri.scheme == b->uri.scheme && a->uri.port == b->uri.port &&
           weir_diff_texts_equal(a->uri.host, b->uri.host) &&
           weir_diff_texts_equal(a->uri_text, b->uri_text);
}

/* Who is talked to, and how messages are told apart. */
bool weir_diff_endpoints_equal(const weir_connection *a, const weir_connection *b)
{
    return uris_equal(a, b) && a->enabled == b->enabled && a->tid_check == b->tid_check;
}

bool weir_diff_timing_equal(const weir_connection *a, const weir_connection *b)
{
    return a->close_after_poll == b->close_after_poll && a->max_in_flight == b->max_in_flight &&
           a->retries == b->retries && a->busy_retries == b->busy_retries &&
           a->timeout_us == b->timeout_us && a->busy_retries_wait_us == b->busy_retries_wait_us &&
           a->pause_after_connect_us == b->pause_after_connect_us &&
           a->pause_between_requests_us == b->pause_between_requests_us &&
           a->pause_on_unit_switch_us == b->pause_on_unit_switch_us &&
           a->pause_after_write_us == b->pause_after_write_us &&
           a->reconnect_max_us == b->reconnect_max_us &&
           a->minimum_interval_us == b->minimum_interval_us;
}

/* ---- sinks ---- */

static bool strings_equal(const weir_option_strings *a, const weir_option_strings *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static bool maps_equal(const weir_option_map *a, const weir_option_map *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i].key, b->items[i].key) != 0 ||
            strcmp(a->items[i].value, b->items[i].value) != 0)
            return false;
    return true;
}

static bool ranges_equal(const weir_option_ranges *a, const weir_option_ranges *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->items[i].first != b->items[i].first || a->items[i].last != b->items[i].last)
            return false;
    return true;
}

static size_t scalar_size(weir_option_type type)
{
    switch (type) {
    case WEIR_OPTION_BOOL:
        return sizeof(bool);
    case WEIR_OPTION_ENUM:
        return sizeof(int);
    case WEIR_OPTION_INT:
    case WEIR_OPTION_NUMBER:
    case WEIR_OPTION_DURATION:
    case WEIR_OPTION_SIZE:
        return 8;
    case WEIR_OPTION_STRING:
    case WEIR_OPTION_STRINGS:
    case WEIR_OPTION_RANGES:
    case WEIR_OPTION_MAP:
    case WEIR_OPTION_TABLE:
    case WEIR_OPTION_LIST:
    case WEIR_OPTION_CUSTOM:
        break;
    }
    return 0;
}

static bool option_equal(const weir_option *row, const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    switch (row->type) {
    case WEIR_OPTION_STRING:
        return weir_diff_texts_equal(*x, *y);
    case WEIR_OPTION_STRINGS:
        return strings_equal(a, b);
    case WEIR_OPTION_MAP:
        return maps_equal(a, b);
    case WEIR_OPTION_RANGES:
        return ranges_equal(a, b);
    case WEIR_OPTION_BOOL:
    case WEIR_OPTION_INT:
    case WEIR_OPTION_NUMBER:
    case WEIR_OPTION_DURATION:
    case WEIR_OPTION_SIZE:
    case WEIR_OPTION_ENUM:
        return memcmp(a, b, scalar_size(row->type)) == 0;
    case WEIR_OPTION_TABLE: /* no sink has such (catalog/sink.c) */
    case WEIR_OPTION_LIST:
    case WEIR_OPTION_CUSTOM:
        break;
    }
    return true;
}

static bool options_equal(const weir_sink_config *a, const weir_sink_config *b)
{
    const char *x = a->options, *y = b->options;
    if (!x || !y)
        return x == y;
    for (const weir_option *row = a->type->options; row->name; row++) {
        if (!option_equal(row, x + row->offset, y + row->offset))
            return false;
        if (row->set_offset && x[row->set_offset] != y[row->set_offset])
            return false;
    }
    return true;
}

bool weir_diff_sinks_equal(const weir_sink_config *a, const weir_sink_config *b)
{
    if (a->type != b->type || a->enabled != b->enabled || a->n_tags != b->n_tags ||
        a->n_plans != b->n_plans || a->quality != b->quality || a->batch != b->batch ||
        a->backlog_rate != b->backlog_rate)
        return false;
    for (size_t i = 0; i < a->n_tags; i++)
        if (strcmp(a->tags[i], b->tags[i]) != 0)
            return false;
    for (size_t i = 0; i < a->n_plans; i++) /* their bits are the store's, and follow */
        if (strcmp(a->plan_names[i], b->plan_names[i]) != 0)
            return false;
    return weir_labels_equal(a->labels, a->n_labels, b->labels, b->n_labels) && options_equal(a, b);
}

/* ---- plans ---- */

static bool patterns_equal(const weir_plan *a, const weir_plan *b)
{
    if (a->n_patterns != b->n_patterns)
        return false;
    for (size_t i = 0; i < a->n_patterns; i++)
        if (strcmp(a->patterns[i], b->patterns[i]) != 0)
            return false;
    return true;
}

/* As written: which tags the patterns match may be another matter. */
bool weir_diff_plans_equal(const weir_plan *a, const weir_plan *b)
{
    return a->id == b->id && a->enabled == b->enabled && a->merge == b->merge &&
           a->policy == b->policy && a->interval_us == b->interval_us &&
           a->default_interval_us == b->default_interval_us &&
           a->minimum_interval_us == b->minimum_interval_us && a->has_cron == b->has_cron &&
           weir_diff_texts_equal(a->cron_text, b->cron_text) &&
           weir_diff_texts_equal(a->zone_name, b->zone_name) && a->lifetime_us == b->lifetime_us &&
           a->start.us == b->start.us && a->end.us == b->end.us &&
           weir_diff_texts_equal(a->description, b->description) && patterns_equal(a, b);
}

/* ---- the store ---- */

static bool retention_equal(const weir_store_config *a, const weir_store_config *b)
{
    if (a->n_retention != b->n_retention)
        return false;
    for (size_t i = 0; i < a->n_retention; i++) {
        const weir_retention *x = &a->retention[i], *y = &b->retention[i];
        if (x->keep_us != y->keep_us || x->max_bytes != y->max_bytes || x->n_tags != y->n_tags)
            return false;
        for (size_t k = 0; k < x->n_tags; k++)
            if (strcmp(x->tags[k], y->tags[k]) != 0)
                return false;
    }
    return true;
}

bool weir_diff_stores_equal(const weir_store_config *a, const weir_store_config *b)
{
    return weir_diff_texts_equal(a->data_dir, b->data_dir) && a->max_loss_us == b->max_loss_us &&
           a->max_bytes == b->max_bytes && a->max_percent == b->max_percent &&
           a->min_free == b->min_free && a->min_free_given == b->min_free_given &&
           a->when_full == b->when_full && a->detached_after_us == b->detached_after_us &&
           a->wal_max == b->wal_max && retention_equal(a, b);
}
