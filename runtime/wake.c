/* SPDX-License-Identifier: MIT */
/* When each source wants to be called: a heap of wake-up times with one entry a source. */

#include "runtime/wake.h"

#include "base/alloc.h"

weir_err weir_wake_init(weir_wake *wake, size_t n)
{
    *wake = (weir_wake){n, weir_alloc_zero(n, sizeof *wake->time),
                        weir_alloc_zero(n, sizeof *wake->heap),
                        weir_alloc_zero(n, sizeof *wake->position)};
    if (!wake->time || !wake->heap || !wake->position) {
        weir_wake_deinit(wake);
        return WEIR_ENOMEM;
    }
    for (uint32_t i = 0; i < n; i++) {
        wake->time[i] = WEIR_MONO_NEVER;
        wake->heap[i] = wake->position[i] = i;
    }
    return WEIR_OK;
}

void weir_wake_deinit(weir_wake *wake)
{
    weir_free(wake->time);
    weir_free(wake->heap);
    weir_free(wake->position);
    *wake = (weir_wake){0};
}

static void wake_place(weir_wake *wake, size_t at, uint32_t source)
{
    wake->heap[at] = source;
    wake->position[source] = (uint32_t)at;
}

void weir_wake_set(weir_wake *wake, uint32_t source, weir_mono t)
{
    size_t at = wake->position[source];
    wake->time[source] = t;
    while (at > 0 && wake->time[wake->heap[(at - 1) / 2]].us > t.us) {
        wake_place(wake, at, wake->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < wake->n &&
            wake->time[wake->heap[child + 1]].us < wake->time[wake->heap[child]].us)
            child++;
        if (child >= wake->n || wake->time[wake->heap[child]].us >= t.us)
            break;
        wake_place(wake, at, wake->heap[child]);
        at = child;
    }
    wake_place(wake, at, source);
}

weir_mono weir_wake_first(const weir_wake *wake, uint32_t *ret_source)
{
    if (wake->n == 0)
        return WEIR_MONO_NEVER;
    if (ret_source)
        *ret_source = wake->heap[0];
    return wake->time[wake->heap[0]];
}
