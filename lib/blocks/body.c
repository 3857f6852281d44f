/* SPDX-License-Identifier: MIT */
/* Columns as one string of bytes, compressed: the body of a segment, and its marks. */

#include "blocks/body.h"

#include "base/alloc.h"
#include "base/crc.h"

/* How the compressor is set: fast; and those of which the smaller result is kept. */
static const struct setting {
    int level, min_match; /* 0: as the level has it */
} fast = {1, 0}, thorough[] = {{3, 7}, {9, 0}};

bool weir_body_packer_init(weir_body_packer *p)
{
    p->zstd = ZSTD_createCCtx();
    p->trial = ZSTD_createCCtx();
    return p->zstd && p->trial &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(p->trial, ZSTD_c_compressionLevel, 3));
}

void weir_body_packer_deinit(weir_body_packer *p)
{
    ZSTD_freeCCtx(p->zstd);
    ZSTD_freeCCtx(p->trial);
    weir_free(p->raw.at);
    weir_free(p->tried.at);
}

/* The size of meta, meta, data. */
static bool raw_gather(weir_body_packer *p, const weir_ints_out *out, size_t *ret_data_at)
{
    p->raw.n = 0;
    if (out->failed ||
        !weir_column_reserve(&p->raw, WEIR_VARINT_MAX + out->meta.n + out->data.n, 1))
        return false;
    weir_column_put_varint(&p->raw, out->meta.n);
    weir_column_put_bytes(&p->raw, out->meta.at, out->meta.n);
    *ret_data_at = p->raw.n;
    weir_column_put_bytes(&p->raw, out->data.at, out->data.n);
    return true;
}

/* One frame, in which a block ends at each cut: its own statistics for each stretch. The number
 * of bytes, or an error of zstd. */
static size_t frame_write(weir_body_packer *p, const weir_ints_out *out, size_t data_at,
                          const struct setting *setting)
{
    ZSTD_outBuffer to = {p->tried.at, p->tried.capacity, 0};
    ZSTD_inBuffer from = {p->raw.at, 0, 0};
    size_t left = ZSTD_CCtx_reset(p->zstd, ZSTD_reset_session_and_parameters);
    if (!ZSTD_isError(left))
        left = ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, setting->level);
    if (!ZSTD_isError(left) && setting->min_match)
        left = ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_minMatch, setting->min_match);
    if (!ZSTD_isError(left))
        left = ZSTD_CCtx_setPledgedSrcSize(p->zstd, p->raw.n);
    const uint32_t *cuts = out->cuts.at;
    from.size = data_at;
    for (size_t i = 0; !ZSTD_isError(left) && i < out->cuts.n; i++) {
        left = ZSTD_compressStream2(p->zstd, &to, &from, ZSTD_e_flush);
        from.size = data_at + cuts[i];
    }
    if (!ZSTD_isError(left))
        left = ZSTD_compressStream2(p->zstd, &to, &from, ZSTD_e_end);
    return ZSTD_isError(left) || left == 0 ? (left ? left : to.pos) : p->tried.capacity;
}

weir_err weir_body_pack(weir_body_packer *p, const weir_ints_out *out, weir_effort effort,
                        weir_column *ret, size_t *ret_raw)
{
    size_t data_at = 0;
    if (!raw_gather(p, out, &data_at))
        return WEIR_ENOMEM;
    /* A flush costs a few bytes beyond the bound for one block. */
    size_t bound = ZSTD_compressBound(p->raw.n) + 32 * (out->cuts.n + 1), start = ret->n;
    if (!weir_column_reserve(&p->tried, bound, 1) || !weir_column_reserve(ret, p->raw.n, 1))
        return WEIR_ENOMEM;
    weir_column_put_bytes(ret, p->raw.at, p->raw.n);
    size_t n_settings = effort == WEIR_EFFORT_FAST ? 1 : sizeof thorough / sizeof *thorough;
    for (size_t i = 0; i < n_settings; i++) {
        size_t n = frame_write(p, out, data_at, effort == WEIR_EFFORT_FAST ? &fast : &thorough[i]);
        if (ZSTD_isError(n))
            return WEIR_ENOMEM;
        if (n < ret->n - start) {
            ret->n = start;
            weir_column_put_bytes(ret, p->tried.at, n);
        }
    }
    *ret_raw = p->raw.n;
    return WEIR_OK;
}

weir_err weir_body_unpack(weir_body_bytes packed, uint32_t crc, uint8_t **ret_raw,
                          weir_ints_in *ret_in, weir_error *error)
{
    if (weir_crc32c(0, packed.bytes, packed.n) != crc)
        return weir_fail(error, WEIR_EDAMAGED, "stored bytes do not match their checksum");
    bool plain = packed.n == packed.raw;
    if (!plain && ZSTD_getFrameContentSize(packed.bytes, packed.n) != packed.raw)
        return weir_fail(error, WEIR_EDAMAGED, "stored bytes are not of the size their head names");
    WEIR_CLEANUP(weir_free) void *raw = weir_alloc(packed.raw + 1);
    if (!raw)
        return weir_fail(error, WEIR_ENOMEM, "no memory to decode a segment");
    if (plain && packed.n)
        memcpy(raw, packed.bytes, packed.n);
    else if (!plain && ZSTD_decompress(raw, packed.raw, packed.bytes, packed.n) != packed.raw)
        return weir_fail(error, WEIR_EDAMAGED, "stored bytes cannot be decompressed");
    weir_reader r = weir_reader_of(raw, packed.raw);
    uint64_t meta = weir_read_varint(&r);
    if (r.failed || meta > weir_reader_left(&r))
        return weir_fail(error, WEIR_EDAMAGED, "stored bytes contradict themselves");
    const uint8_t *at = weir_read_bytes(&r, (size_t)meta);
    *ret_in = (weir_ints_in){weir_reader_of(at, (size_t)meta), r};
    *ret_raw = raw;
    raw = NULL;
    return WEIR_OK;
}
