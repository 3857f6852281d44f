/* SPDX-License-Identifier: MIT */
/* EMDC's gendata files: sample data described by Fourier terms, JSON with comments. */

#pragma once
#include <stddef.h>

#include "base/error.h"
#include "catalog/problem.h"
#include "catalog/yaml.h"
#include "model/catalog.h"
#include "model/fourier.h"

/*
 * What a file says: a catalog of one `simulated:` connection, and a wave for each of its tags, all
 * in the catalog's arena. A tag is named like its topic: "UW/Alder/eaton_meter/W" is point W of
 * device UW/Alder/eaton_meter; a topic without '/' is a point of device gendata.
 */
typedef struct weir_gendata {
    weir_catalog *catalog;
    weir_fourier *waves; /* [catalog->n_tags] */
} weir_gendata;

/*
 * Loads a list of {start, end, topic_id, topic_name, sample_rate, period, amplitude_cos,
 * amplitude_sin, amplitude_offset, spread}; start, end, topic_id and topic_name are required.
 * Entries of one topic_id are the terms of one topic, named by the first.
 *
 * files     NULL: the disk.
 * problems  gets every mistake, sorted by place; the caller's, deinit in any case.
 * ret       free with weir_catalog_free(ret->catalog).
 *
 * WEIR_ECONFIG: there are problems. WEIR_ENOMEM.
 */
weir_err weir_gendata_load(const char *path, const weir_yaml_files *files, weir_gendata *ret,
                           weir_problems *problems) WEIR_MUST_CHECK;
