/* SPDX-License-Identifier: MIT */
/* What the rows of a database are known by, wherever it lies. */

#include "catalog/identity.h"

#include <string.h>

#include "base/text.h"

/* "plant.db" of "sqlite:/srv/plant.db", "plant" of "postgresql://ada@db/plant?sslmode=disable". */
static void base_name_add(const char *url, weir_text *t)
{
    const size_t n = strcspn(url, "?#");
    size_t from = n;
    while (from > 0 && !strchr("/:@", url[from - 1]))
        from--;
    weir_text_add_n(t, url + from, n - from);
}

static void identity_format(weir_node entry, weir_text *t)
{
    const char *layout = weir_node_text(weir_node_get(entry, "layout"));
    const char *name = weir_node_text(weir_node_get(entry, "name"));
    weir_text_clear(t);
    weir_text_format(t, "%s:", *layout ? layout : "weir");
    if (*name)
        weir_text_add(t, name);
    else
        base_name_add(weir_node_text(weir_node_get(entry, "url")), t);
}

bool weir_database_identity(weir_node list, weir_node entry, weir_arena *arena, const char **ret)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO other = WEIR_TEXT_INIT;
    size_t n = 0;
    identity_format(entry, &text);
    for (size_t i = 0; i < weir_node_count(list); i++) {
        identity_format(weir_node_item(list, i), &other);
        n += strcmp(weir_text_get(&text), weir_text_get(&other)) == 0;
    }
    if (text.failed || other.failed)
        return false;
    *ret = n == 1 ? weir_arena_text(arena, weir_text_get(&text)) : NULL;
    return n != 1 || *ret;
}
