/* SPDX-License-Identifier: MIT */
/* Profiles: finding them, their inheritance, and points merged by name. */

#pragma once
#include "catalog/loader.h"

/* The profile of that name, read once. NULL, and said so at the node, when there is none or it is
 * wrong. */
const weir_profile *weir_profile_get(weir_loader *l, const char *name, weir_node at);

/* The profile in a document. Takes the document. NULL, and said so, when it is wrong. */
const weir_profile *weir_profile_of_document(weir_loader *l, weir_document *document);

void weir_profiles_free(weir_loader *l);

/*
 * A list of points on top of others: one named like one of the base changes only the keys it has,
 * any other is added behind. ret is in scratch memory; list may be none. False, and said so, when a
 * point is wrong or there twice.
 */
bool weir_points_merge(weir_loader *l, weir_node list, const weir_point_in *base, size_t n_base,
                       weir_point_in **ret, size_t *ret_n);
