/* SPDX-License-Identifier: MIT */
/* The limits of the store: what is kept for how long, and how large it may grow. */

#pragma once
#include "catalog/loader.h"
#include "catalog/tables.h"
#include "model/catalog.h"

/* Reads retention, max_size, min_free, when_full and detached_after of `in` into *c, whose data_dir
 * is set; mistakes become problems. */
void weir_limits_build(weir_loader *l, const weir_store_in *in, weir_store_config *c);
