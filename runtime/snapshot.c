/* SPDX-License-Identifier: MIT */
/* A snapshot: the current value of every tag and the state of every device, to look at. */

#include "runtime/snapshot.h"

#include "base/alloc.h"

weir_snapshot *weir_snapshot_new(const weir_catalog *catalog)
{
    const size_t n_tags = catalog->n_tags, n_devices = catalog->n_devices;
    weir_snapshot *s = weir_alloc_zero(1, sizeof *s);
    if (!s)
        return NULL;
    atomic_init(&s->references, 1);
    s->catalog = weir_catalog_ref(catalog);
    s->n_tags = n_tags;
    s->n_devices = n_devices;
    s->current = weir_alloc_zero(n_tags, sizeof *s->current);
    s->status = weir_alloc_zero(n_devices, sizeof *s->status);
    s->counters = weir_alloc_zero(n_devices, sizeof *s->counters);
    if (!s->current || !s->status || !s->counters) {
        weir_snapshot_unref(s);
        return NULL;
    }
    return s;
}

weir_snapshot *weir_snapshot_ref(weir_snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void weir_snapshot_unref(weir_snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
        return;
    weir_free(snapshot->current);
    weir_free(snapshot->status);
    weir_free(snapshot->counters);
    weir_catalog_free(snapshot->catalog);
    weir_free(snapshot);
}

weir_value weir_snapshot_value(const weir_snapshot *snapshot, size_t tag)
{
    const weir_current *current = &snapshot->current[tag];
    weir_value v = current->sample.value;
    if (v.kind == WEIR_KIND_STRING || v.kind == WEIR_KIND_BYTES) {
        /* The engine keeps at most this much of a content (engine/engine.h). */
        v.as.text = current->text;
        if (v.length > sizeof current->text)
            v.length = sizeof current->text;
    }
    return v;
}
