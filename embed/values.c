/* SPDX-License-Identifier: MIT */
/* Current values and how devices are, copied from the loop's snapshot. */

#include <string.h>

#include "base/alloc.h"
#include "embed/collector_priv.h"

struct weir_values {
    weir_snapshot *snapshot; /* a reference */
    const weir_tag_table *table;
};

static bool current_copy(const weir_snapshot *snapshot, size_t i, weir_current_sample *ret)
{
    if (i >= snapshot->n_tags || !snapshot->current[i].sample.tag)
        return false;
    ret->sample = snapshot->current[i].sample;
    ret->received = snapshot->current[i].received;
    weir_value *value = &ret->sample.value;
    *value = weir_snapshot_value(snapshot, i);
    if (value->kind != WEIR_KIND_STRING && value->kind != WEIR_KIND_BYTES)
        return true;
    if (value->length > sizeof ret->text)
        value->length = sizeof ret->text;
    memcpy(ret->text, value->as.text, value->length);
    value->as.text = ret->text;
    return true;
}

/* A reference for the caller, and the catalog that it belongs to. */
static weir_err snapshot_get(weir_collector *c, weir_snapshot **ret, const weir_tag_table **table,
                             weir_error *error)
{
    weir_err err = weir_callback_refuse(c, error);
    if (err != WEIR_OK)
        return err;
    (void)pthread_rwlock_rdlock(&c->life);
    if (!c->runtime) {
        err = weir_fail(error, WEIR_EINVAL, "the collector does not run");
    } else {
        *ret = weir_runtime_snapshot(c->runtime);
        if (*ret)
            *table = weir_collector_table_of(c, (*ret)->catalog->revision);
        else
            err = weir_fail(error, WEIR_ETIMEOUT, "the loop does not answer");
    }
    (void)pthread_rwlock_unlock(&c->life);
    return err;
}

weir_err weir_collector_values(weir_collector *collector, weir_values **ret, weir_error *error)
{
    weir_values *values = weir_alloc_zero(1, sizeof *values);
    if (!values)
        return weir_fail(error, WEIR_ENOMEM, "the current values");
    const weir_err err = snapshot_get(collector, &values->snapshot, &values->table, error);
    if (err != WEIR_OK) {
        weir_free(values);
        return err;
    }
    *ret = values;
    return WEIR_OK;
}

void weir_values_free(weir_values *values)
{
    if (values)
        weir_snapshot_unref(values->snapshot);
    weir_free(values);
}

size_t weir_values_count(const weir_values *values)
{
    return values->snapshot->n_tags;
}

bool weir_values_get(const weir_values *values, size_t i, const weir_tag_info **ret_tag,
                     weir_current_sample *ret)
{
    if (!current_copy(values->snapshot, i, ret))
        return false;
    if (ret_tag)
        *ret_tag = &values->table->infos[i];
    return true;
}

weir_err weir_collector_current(weir_collector *collector, const char *tag,
                                weir_current_sample *ret, weir_error *error)
{
    const weir_tag_table *table = NULL;
    weir_snapshot *snapshot = NULL;
    weir_err err = snapshot_get(collector, &snapshot, &table, error);
    if (err != WEIR_OK)
        return err;
    const weir_tag_info *info = tag ? weir_map_get(&table->names, tag) : NULL;
    if (!info)
        err = weir_fail(error, WEIR_ENOTFOUND, "there is no tag '%s'", tag ? tag : "");
    else if (!current_copy(snapshot, info->number, ret))
        err = weir_fail(error, WEIR_ENOTFOUND, "nothing was read of '%s' yet", tag);
    weir_snapshot_unref(snapshot);
    return err;
}

static weir_device_info device_info(const weir_snapshot *snapshot, size_t i)
{
    const weir_device_status *status = &snapshot->status[i];
    return (weir_device_info){.struct_size = sizeof(weir_device_info),
                              .state = weir_device_state_text(status->state),
                              .since = status->since,
                              .last_good = status->last_good,
                              .error = status->error,
                              .requests = snapshot->counters[i].requests,
                              .timeouts = snapshot->counters[i].timeouts,
                              .overruns = status->overruns};
}

weir_err weir_collector_device(weir_collector *collector, const char *device, weir_device_info *ret,
                               weir_error *error)
{
    const weir_tag_table *table = NULL;
    weir_snapshot *snapshot = NULL;
    if (!ret || !device || ret->struct_size < sizeof ret->struct_size)
        return weir_fail(error, WEIR_EINVAL, "struct_size must be sizeof(weir_device_info)");
    weir_err err = snapshot_get(collector, &snapshot, &table, error);
    if (err != WEIR_OK)
        return err;
    size_t i = 0;
    while (i < snapshot->n_devices && strcmp(table->devices[i], device) != 0)
        i++;
    if (i < snapshot->n_devices) {
        const weir_device_info info = device_info(snapshot, i);
        const size_t size = ret->struct_size;
        memcpy(ret, &info, size < sizeof info ? size : sizeof info);
        ret->struct_size = size;
    } else {
        err = weir_fail(error, WEIR_ENOTFOUND, "there is no device '%s'", device);
    }
    weir_snapshot_unref(snapshot);
    return err;
}
