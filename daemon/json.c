/* SPDX-License-Identifier: MIT */
/* Words of the control socket's answers: texts, times, failures. */

#include "daemon/json.h"

/* jansson refuses text that is not UTF-8 by NULL; our names are checked when they are read. */
json_t *weir_json_text(const char *text)
{
    json_t *value = json_string(text);
    return value ? value : json_string("?");
}

json_t *weir_json_time(weir_wall t)
{
    return t.us > 0 ? json_integer(t.us) : json_null();
}

void weir_json_fail(json_t *answer, const weir_error *error)
{
    (void)json_object_set_new(answer, "error", weir_json_text(error->text));
    (void)json_object_set_new(answer, "code", json_integer(error->code));
}
