/* SPDX-License-Identifier: MIT */
/* Names made of a tag: "plant_{device}", "{label:building}/{point}". */

#pragma once
#include "base/error.h"
#include "base/text.h"
#include "model/sink.h"

typedef struct weir_template weir_template;

/*
 * Fields: {tag} {device} {point} {unit} {type} {address} {description} {id} (the uid) and
 * {label:KEY}; {{ and }} are braces. WEIR_EINVAL: not closed, or no such field: the error names it
 * and the nearest. WEIR_ENOMEM.
 */
weir_err weir_template_parse(const char *text, weir_template **ret,
                             weir_error *error) WEIR_MUST_CHECK;
void weir_template_free(weir_template *template); /* accepts NULL */

/* Appends the name; a label that the tag has not gives nothing. */
void weir_template_add(const weir_template *template, const weir_sink_tag *tag, weir_text *t);

WEIR_DEFINE_CLEANUP(weir_template, weir_template_free)
