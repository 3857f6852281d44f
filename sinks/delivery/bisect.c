/* SPDX-License-Identifier: MIT */
/* The search for rows that a sink will never take, by halves. */

#include "sinks/delivery/bisect.h"

#include <assert.h>

size_t weir_bisect_next(const weir_bisect *b, size_t most)
{
    assert(b->at < b->n && most > 0);
    size_t k = b->n - b->at;
    if (b->named > b->at && (b->end <= b->at || b->named <= b->end))
        k = b->named - b->at > 1 ? b->named - 1 - b->at : 1;
    else if (b->end > b->at)
        k = b->end - b->at > 1 ? (b->end - b->at) / 2 : 1;
    return k < most ? k : most;
}

void weir_bisect_delivered(weir_bisect *b, size_t k)
{
    assert(k <= b->n - b->at);
    b->misled |= k == 1 && b->named == b->at + 1;
    b->at += k;
}

bool weir_bisect_rejected(weir_bisect *b, size_t k)
{
    assert(k > 0 && k <= b->n - b->at);
    b->end = b->at + k;
    if (k > 1)
        return false;
    b->at++;
    return true;
}

void weir_bisect_named(weir_bisect *b, size_t k, size_t i)
{
    assert(i < k && k <= b->n - b->at);
    b->named = b->misled ? 0 : b->at + i + 1;
    b->end = b->misled ? b->at + k : b->named;
}
