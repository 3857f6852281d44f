/* SPDX-License-Identifier: MIT */
/* The source for `random:` connections: numbers drawn anew at each read, no device.
 *
 * Every read is answered at the next step. To try plans, listeners and sinks with: what it gives
 * differs from read to read, and with the seed it is the same in every run. */

#include "sources/random/random.h"

#include <math.h>

#include "sources/made/made.h"

struct random {
    weir_made made; /* first: functions of it get this */
    weir_random numbers;
};

static bool random_serves(weir_scheme scheme)
{
    return scheme == WEIR_SCHEME_RANDOM;
}

weir_value weir_random_value(const weir_point *point, weir_random *random)
{
    const weir_simulate *simulate = &point->simulate;
    const bool given = simulate->wave != WEIR_WAVE_NONE;
    const double min = given ? simulate->min : 15, max = given ? simulate->max : 18;
    const bool stepped = given && simulate->resolution_mantissa > 0;
    /* Dividing by 100 gives the double nearest to the decimal; multiplying by 0.01 does not. */
    const double per_unit =
        stepped ? pow(10, -simulate->resolution_exponent) / (double)simulate->resolution_mantissa
                : 100;
    const double steps = floor((max - min) * per_unit + 0.5);
    const double number =
        (round(min * per_unit) + floor(weir_random_unit(random) * (steps + 1))) / per_unit;
    switch ((weir_kind)weir_type_kind(point->type)) {
    case WEIR_KIND_BOOL:
        return weir_value_bool(weir_random_u64(random) & 1);
    case WEIR_KIND_I64:
        return weir_value_i64((int64_t)number);
    case WEIR_KIND_U64:
        return weir_value_u64(number > 0 ? (uint64_t)number : 0);
    case WEIR_KIND_F32:
        return weir_value_f32((float)number);
    case WEIR_KIND_F64:
        return weir_value_f64(number);
    case WEIR_KIND_NULL:
    case WEIR_KIND_DECIMAL:
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        break;
    }
    return weir_value_null();
}

static weir_value random_value(void *state, const weir_made_place *place)
{
    struct random *s = state;
    return weir_random_value(place->point, &s->numbers);
}

static weir_err random_init(void *state, const weir_source_host *host, weir_error *error)
{
    static const weir_made_kind kind = {.value = random_value};
    struct random *s = state;
    s->numbers.state = host->seed;
    return weir_made_init(&s->made, &kind, host, error);
}

const weir_source_type weir_source_random = {
    .abi = WEIR_SOURCE_ABI,
    .name = "random",
    .summary = "numbers drawn anew at each read: no device, no network",
    .serves = random_serves,
    .state_size = sizeof(struct random),
    .init = random_init,
    .deinit = weir_made_deinit,
    .read = weir_made_read,
    .step = weir_made_step,
    .prepare = weir_made_prepare,
    .apply = weir_made_apply,
    .discard = weir_made_discard,
};
