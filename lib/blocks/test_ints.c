/* SPDX-License-Identifier: MIT */
/* Columns of integers: all come back, from any slice on, in little room when there is little to
 * say. */

#include "blocks/ints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/random.h"

enum { N_MAX = 5000, SLICES_MAX = 40, SHAPES = 14 };

struct input {
    int64_t v[N_MAX];
    uint32_t starts[SLICES_MAX];
    size_t n, n_slices;
};

/* What columns look like: steady, stepping, wandering, wild, at the ends of the range. */
static void values_make(weir_random *r, unsigned shape, int64_t *v, size_t n)
{
    uint64_t x = weir_random_u64(r) >> weir_random_below(r, 64);
    for (size_t i = 0; i < n; i++) {
        uint64_t noise = weir_random_u64(r);
        switch (shape) {
        case 0: /* constant */
            break;
        case 1: /* a counter */
            x += noise % 3;
            break;
        case 2: /* multiples */
            x += 1000 * (noise % 5);
            break;
        case 3: /* wandering */
            x += noise % 41 - 20;
            break;
        case 4: /* steps */
            x = noise % 97 ? x : noise;
            break;
        case 5: /* anything */
            x = noise;
            break;
        case 6: /* small, with a few far away */
            x = noise % 50 ? noise >> 61 : noise;
            break;
        case 7: /* two values */
            x = noise & 1;
            break;
        case 8: /* accelerating */
            x += i * 7;
            break;
        case 9: /* the ends */
            x = noise & 1 ? (uint64_t)INT64_MIN : (uint64_t)INT64_MAX;
            break;
        case 10: /* falls back now and then */
            x = noise % 200 ? x + 17 : 0;
            break;
        case 11: /* wide */
            x = noise >> 44;
            break;
        case 12: /* alternating runs */
            x = i / 5 % 2;
            break;
        default: /* wild multiples */
            x = (noise >> 40) * 1000003;
            break;
        }
        v[i] = (int64_t)x;
    }
}

static struct input *input_make(uint64_t seed)
{
    weir_random r = {seed};
    struct input *in = calloc(1, sizeof *in);
    assert_non_null(in);
    in->n =
        weir_random_below(&r, 4) ? 1 + weir_random_below(&r, 60) : 1 + weir_random_below(&r, N_MAX);
    values_make(&r, (unsigned)(seed % SHAPES), in->v, in->n);
    in->n_slices = 1 + weir_random_below(&r, SLICES_MAX);
    for (size_t i = 1; i < in->n_slices; i++) { /* some of them empty */
        uint32_t before = in->starts[i - 1];
        in->starts[i] = before + (uint32_t)weir_random_below(&r, (in->n - before) / 2 + 1);
    }
    return in;
}

static weir_ints_in in_of(const weir_ints_out *out)
{
    return (weir_ints_in){weir_reader_of(out->meta.at, out->meta.n),
                          weir_reader_of(out->data.at, out->data.n)};
}

static size_t slice_end(const struct input *in, size_t slice)
{
    return slice + 1 < in->n_slices ? in->starts[slice + 1] : in->n;
}

static void assert_read(weir_ints *c, const struct input *in, size_t from, size_t to)
{
    weir_random r = {from};
    while (from < to) {
        size_t want = 1 + weir_random_below(&r, to - from), n;
        const int64_t *v = weir_ints_next(c, want, &n);
        assert_in_range(n, 1, want);
        assert_memory_equal(v, in->v + from, n * sizeof *v);
        from += n;
    }
}

static void all_values_come_back_from_any_slice_on(void **state)
{
    (void)state;
    weir_ints_writer writer = {0};
    weir_ints_out out = {0};
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        struct input *in = input_make(seed);
        writer.zstd = seed % 3 ? NULL : zstd;
        weir_ints_out_clear(&out);
        weir_ints_write(&writer, &out, in->v, in->n, in->starts, in->n_slices);
        assert_false(out.failed);
        weir_ints *c = calloc(1, sizeof *c);
        weir_ints_in from = in_of(&out);
        assert_int_equal(weir_ints_open(c, &from, in->n, in->starts, in->n_slices), WEIR_INTS_OK);
        assert_int_equal(weir_reader_left(&from.meta) + weir_reader_left(&from.data), 0);
        assert_read(c, in, 0, in->n);
        for (size_t i = in->n_slices; i-- > 0;) {
            weir_ints_seek(c, i);
            assert_read(c, in, in->starts[i], slice_end(in, i));
        }
        weir_ints_deinit(c);
        free(c);
        free(in);
    }
    ZSTD_freeCCtx(zstd);
    weir_ints_writer_deinit(&writer);
    weir_ints_out_deinit(&out);
}

static void little_to_say_takes_little_room(void **state)
{
    (void)state;
    static int64_t v[3600];
    static const struct {
        const char *what;
        int64_t start, step;
        unsigned noise;
        size_t most;
    } cases[] = {
        {"always the same", 42, 0, 0, 8},
        {"a clock", 1700000000000000, 1000000, 0, 40},
        {"a clock that wavers by one of two", 1700000000000000, 1000000, 2, 760},
        {"two values", 0, 0, 2, 520},
        {"four values", 1000, 0, 4, 960},
        {"six values", 1000, 0, 6, 1260},
        {"sixteen values", 1000, 0, 16, 1860},
    };
    const uint32_t start = 0;
    weir_ints_writer writer = {0};
    weir_ints_out out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_random r = {i};
        for (int64_t k = 0; k < 3600; k++)
            v[k] = cases[i].start + k * cases[i].step +
                   (cases[i].noise ? (int64_t)weir_random_below(&r, cases[i].noise) : 0);
        weir_ints_out_clear(&out);
        weir_ints_write(&writer, &out, v, 3600, &start, 1);
        if (out.meta.n + out.data.n > cases[i].most)
            fail_msg("%s: %zu bytes", cases[i].what, out.meta.n + out.data.n);
    }
    weir_ints_writer_deinit(&writer);
    weir_ints_out_deinit(&out);
}

/* Reads all that can be read; what it is does not matter. */
static void read_damaged(const weir_ints_out *out, const struct input *in)
{
    weir_ints *c = calloc(1, sizeof *c);
    weir_ints_in from = in_of(out);
    assert_non_null(c);
    if (weir_ints_open(c, &from, in->n, in->starts, in->n_slices) == WEIR_INTS_OK)
        for (size_t i = 0, n; i < in->n; i += n)
            (void)weir_ints_next(c, in->n - i, &n);
    weir_ints_deinit(c);
    free(c);
}

static void damaged_columns_are_refused_or_read_within_their_bounds(void **state)
{
    (void)state;
    weir_ints_writer writer = {0};
    weir_ints_out out = {0};
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct input *in = input_make(seed);
        weir_ints_out_clear(&out);
        weir_ints_write(&writer, &out, in->v, in->n, in->starts, in->n_slices);
        uint8_t *meta = out.meta.at;
        for (size_t i = 0; i < out.meta.n && i < 200; i++) {
            uint8_t was = meta[i];
            const uint8_t bad[] = {0, 1, 0x7f, 0xff, (uint8_t)(was + 1)};
            for (size_t k = 0; k < sizeof bad; k++) {
                meta[i] = bad[k];
                read_damaged(&out, in);
            }
            meta[i] = was;
        }
        size_t n = out.meta.n;
        for (out.meta.n = 0; out.meta.n < n && out.meta.n < 100; out.meta.n++)
            read_damaged(&out, in);
        free(in);
    }
    weir_ints_writer_deinit(&writer);
    weir_ints_out_deinit(&out);
}

static void memory_running_out_is_told(void **state)
{
    (void)state;
    struct input *in = input_make(4 * SHAPES + 3);
    size_t refused = 0;
    for (size_t nth = 1;; nth++) {
        weir_ints_writer writer = {0};
        weir_ints_out out = {0};
        weir_ints *c = calloc(1, sizeof *c);
        assert_non_null(c);
        (void)weir_alloc_fail_nth(nth, false);
        weir_ints_write(&writer, &out, in->v, in->n, in->starts, in->n_slices);
        bool failed = out.failed;
        if (!failed) {
            weir_ints_in from = in_of(&out);
            weir_ints_result result = weir_ints_open(c, &from, in->n, in->starts, in->n_slices);
            assert_int_not_equal(result, WEIR_INTS_DAMAGED);
            failed = result == WEIR_INTS_NO_MEMORY;
        }
        (void)weir_alloc_fail_nth(0, false);
        weir_ints_deinit(c);
        free(c);
        weir_ints_writer_deinit(&writer);
        weir_ints_out_deinit(&out);
        if (!failed)
            break;
        refused++;
    }
    assert_true(refused > 5);
    free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_values_come_back_from_any_slice_on),
        cmocka_unit_test(little_to_say_takes_little_room),
        cmocka_unit_test(damaged_columns_are_refused_or_read_within_their_bounds),
        cmocka_unit_test(memory_running_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
