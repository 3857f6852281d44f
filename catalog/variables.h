/* SPDX-License-Identifier: MIT */
/* "${NAME}" in the values of a document. */

#pragma once
#include "catalog/document.h"
#include "catalog/env.h"

/* What a scalar that had a variable in it came to; lives as long as its document. */
typedef struct weir_variable {
    const char *raw;     /* as it was written */
    const char *name;    /* of the first variable; "" : there was only $${ */
    const char *origin;  /* "HOST of .env:3"; "" likewise */
    const char *problem; /* what to say where the value is read; "" : nothing */
    const char *file;    /* the environment file a value is from; "" : none */
    bool is_unset;       /* that is the problem */
    char text[];         /* what counts now */
} weir_variable;

/*
 * Replaces variables in all values, not in keys. What cannot be replaced is told where it is read
 * (weir_loader_read), so what nobody reads needs no variables. A document that code has built, of a
 * config.cfg or of rows, has none. False: memory is short.
 */
bool weir_variables_replace(weir_document *document, const weir_env *env) WEIR_MUST_CHECK;

/* NULL: it had none. */
const weir_variable *weir_node_variable(weir_node node);
