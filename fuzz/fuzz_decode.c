/* SPDX-License-Identifier: MIT */
/* Fuzzes decoding: the first bytes choose the point, the rest is the reply. */

#include <stdlib.h>

#include "model/point.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static weir_point point_of(weir_reader *r)
{
    static const char *const scales[] = {"1", "0.001", "-10", "0.3", "1e-100", "1e100"};
    static const weir_enum_item items[] = {{0, "off"}, {1, "on"}};
    static const uint64_t na[] = {0xffff, 0x80};
    weir_point p = WEIR_POINT_INIT;
    p.table = (weir_register)(weir_read_u8(r) % 5);
    p.type = (weir_type)(weir_read_u8(r) % WEIR_TYPE_COUNT);
    p.order = (weir_order)(weir_read_u8(r) % WEIR_ORDER_COUNT);
    p.length = weir_read_u16(r);
    p.bit = (int8_t)(weir_read_u8(r) % 17 - 1);
    p.bit_width = weir_read_u8(r) % 17;
    p.enum_items = items;
    p.n_enum = weir_read_u8(r) % 3;
    p.na = na;
    p.n_na = weir_read_u8(r) % 3;
    p.has_max = weir_read_u8(r) & 1;
    (void)!weir_point_set_scale(&p, scales[weir_read_u8(r) % 6], NULL, NULL, NULL);
    return p;
}

/* Bad means null, and what can be encoded decodes to the same again, unless a double rounds it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t contents[300], wire[300], again_contents[300];
    size_t n;
    weir_quality q;
    weir_reader r = weir_reader_of(data, size);
    weir_point p = point_of(&r);
    weir_writer room = weir_writer_of(contents, sizeof contents);
    weir_writer again_room = weir_writer_of(again_contents, sizeof again_contents);
    const weir_value v = weir_point_decode(&p, r.at, weir_reader_left(&r), &room, &q);
    if ((weir_quality_class(q) == WEIR_BAD) != (v.kind == WEIR_KIND_NULL))
        abort();
    if (weir_point_encode(&p, &v, wire, sizeof wire, &n, NULL))
        return 0;
    p.n_na = 0; /* a bit alone in its register may look like a mark */
    const weir_value again = weir_point_decode(&p, wire, n, &again_room, &q);
    const bool rounds = p.scaling != WEIR_SCALING_NONE && v.kind == WEIR_KIND_F64;
    if (!rounds && !weir_value_identical(&v, &again))
        abort();
    return 0;
}
