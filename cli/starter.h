/* SPDX-License-Identifier: MIT */
/* The text of a first configuration. */

#pragma once
#include "base/text.h"

/* What a starter says; NULL where nothing was said: then what works anywhere. */
typedef struct weir_starter {
    const char *schema;   /* a file, for editors; NULL: no such line */
    const char *uri;      /* NULL: simulated: */
    const char *unit_id;  /* "1", "11-18", "1,3,5-8" */
    const char *profile;  /* NULL: one point by hand */
    const char *interval; /* "5s" */
    const char *device;   /* its name, without {unit_id} */
    const char *sink;     /* a type; NULL: none */
    const char *target;   /* of the sink: a file or a URL */
} weir_starter;

/* YAML with comments; whatever the texts are, it is the same YAML with other texts in it. */
void weir_starter_write(const weir_starter *s, weir_text *t);
