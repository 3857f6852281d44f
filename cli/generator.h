/* SPDX-License-Identifier: MIT */
/* What `weir generate` makes: groups of tags, and their samples of any stretch of time. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/catalog.h"
#include "model/fourier.h"
#include "model/sample.h"
#include "sources/simulated/imitation.h"

/* Tags whose samples lie at the same times: those of one poll. */
typedef struct weir_generator_group {
    uint32_t device;
    uint32_t n_tags;
    const uint32_t *tags;  /* indices in the catalog, ascending */
    int64_t interval_us;   /* of waves with several terms the shortest */
    weir_wall first, last; /* times of its first and last samples */
    uint64_t n_slots;      /* at most */
} weir_generator_group;

typedef struct weir_generator_options {
    const char *fourier; /* a gendata file; else */
    const char *source;  /* a configuration or a profile, or the name of one */
    const char *units;   /* of the one device, "1-4"; NULL: the file's own */
    bool has_range;      /* else the gendata file's */
    weir_wall from, to;
    int64_t interval_us;         /* 0: the configuration's, the gendata file's */
    int64_t resolution_mantissa; /* of gendata values; 0: exact doubles */
    int8_t resolution_exponent;
    uint64_t seed;
} weir_generator_options;

typedef struct weir_generator {
    weir_generator_options options;
    weir_catalog *catalog;
    weir_fourier *waves; /* [n_tags]; NULL: imitations */
    weir_imitation *imitation;
    size_t n_groups;
    weir_generator_group *groups; /* none is empty */
    size_t n_tags;                /* of all groups */
    size_t n_left_out;            /* tags nobody could read */
    uint64_t n_samples;           /* at most */
    weir_wall first, last;        /* of all samples */
} weir_generator;

/*
 * Loads and arranges; prints the mistakes of files on stderr. Texts of options are borrowed. deinit
 * in any case.
 *
 * WEIR_ECONFIG   the file has mistakes.
 * WEIR_EINVAL    options that do not fit the file.
 * WEIR_ENOTFOUND no sample lies within the times.
 */
weir_err weir_generator_init(weir_generator *generator, const weir_generator_options *options,
                             weir_arena *arena, weir_error *error) WEIR_MUST_CHECK;
void weir_generator_deinit(weir_generator *generator);

/* One tag being generated; one thread at a time. */
typedef struct weir_generator_tag {
    const weir_generator *generator;
    weir_tag_uid uid;
    const weir_generator_group *group;
    weir_imitated imitated;
    weir_fourier_walk *walk;
    uint8_t *room; /* contents of the last fill */
    size_t room_size;
} weir_generator_tag;

/* index: in the group. The tag's uid is read now. deinit in any case. WEIR_ENOMEM. */
weir_err weir_generator_tag_init(weir_generator_tag *tag, const weir_generator *generator,
                                 const weir_generator_group *group, uint32_t index,
                                 weir_error *error) WEIR_MUST_CHECK;
void weir_generator_tag_deinit(weir_generator_tag *tag);

/* The first samples with from <= ts < to, at most capacity. Contents live until the next fill.
 * WEIR_ENOMEM. */
weir_err weir_generator_fill(weir_generator_tag *tag, weir_wall from, weir_wall to, size_t capacity,
                             weir_sample *ret, size_t *ret_n, weir_error *error) WEIR_MUST_CHECK;
