/* SPDX-License-Identifier: MIT */
/* When: cron expressions and time zones as a configuration has them. */

#include "catalog/times.h"

#include <string.h>

/* Those with the same name share it. */
struct weir_open_zone {
    struct weir_open_zone *next;
    const char *name;
    const weir_zone *zone;
    weir_zone *owned; /* NULL: it lives elsewhere */
};

/* ---- cron ---- */

static weir_err parse_fields(weir_loader *l, const weir_cron_in *in, weir_cron *ret,
                             const char **ret_text, weir_error *error)
{
    const weir_err err = weir_cron_parse_hms(in->hour, in->minute, in->second, ret, error);
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_cron_write_hms(in->hour, in->minute, in->second, &text);
    l->failed = l->failed || text.failed;
    *ret_text = weir_loader_text(l, weir_text_get(&text));
    return err;
}

bool weir_times_cron(weir_loader *l, weir_node node, const char *key, weir_cron *ret,
                     const char **ret_text)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_cron_in in = {0};
    weir_err err;
    if (weir_node_is(node, WEIR_NODE_MAPPING)) {
        const size_t before = l->problems->n;
        weir_loader_read(l, node, weir_cron_table, &in);
        if (l->problems->n != before)
            return false;
        err = parse_fields(l, &in, ret, ret_text, &error);
    } else {
        const char *text = weir_loader_scalar(l, node, key);
        if (!text)
            return false;
        err = weir_cron_parse(text, ret, &error);
        *ret_text = weir_loader_text(l, text);
    }
    if (err)
        weir_loader_problem(l, node, "%s, %s", key, error.text);
    return err == WEIR_OK;
}

/* ---- zones ---- */

static weir_err zone_open_utc(const char *name, const weir_zone **ret, weir_zone **ret_owned,
                              weir_error *error)
{
    *ret_owned = NULL;
    *ret = weir_zone_utc();
    return strcmp(name, "UTC") != 0 && strcmp(name, "local") != 0
               ? weir_fail(error, WEIR_ENOTFOUND, "no time zone '%.64s': only UTC", name)
               : WEIR_OK;
}

/* tzset(3) allows a colon in front, and says that an empty TZ is UTC. */
static const char *name_of_environment(const weir_loader *l, const char *name)
{
    weir_env_value tz;
    if (strcmp(name, "local") != 0 || !l->env || !weir_env_find(l->env, "TZ", &tz) || !tz.file)
        return name;
    tz.text += *tz.text == ':';
    return *tz.text ? tz.text : "UTC";
}

const weir_zone *weir_times_zone(weir_loader *l, weir_node at, const char *name,
                                 const char **ret_name)
{
    weir_error error = WEIR_ERROR_INIT;
    name = weir_loader_text(l, name_of_environment(l, name));
    *ret_name = name;
    for (const struct weir_open_zone *z = l->zones; z; z = z->next)
        if (!strcmp(z->name, name))
            return z->zone;
    struct weir_open_zone *z = weir_arena_alloc(l->whole, 1, sizeof *z);
    if (!z) {
        l->failed = true;
        return NULL;
    }
    const weir_err err = (l->options && l->options->zone ? l->options->zone : zone_open_utc)(
        name, &z->zone, &z->owned, &error);
    if (err) {
        weir_loader_problem(l, at, "%s", error.text);
        return NULL;
    }
    z->name = name;
    z->next = l->zones;
    l->zones = z;
    return z->zone;
}

void weir_times_finish(weir_loader *l, weir_catalog *catalog)
{
    size_t n = 0;
    for (const struct weir_open_zone *z = l->zones; z; z = z->next)
        n += z->owned != NULL;
    if (catalog)
        catalog->zones = weir_arena_alloc(l->arena, n + 1, sizeof *catalog->zones);
    const bool kept = catalog && catalog->zones;
    l->failed = l->failed || (catalog && !kept);
    for (struct weir_open_zone *z = l->zones; z; z = z->next)
        if (z->owned && kept)
            catalog->zones[catalog->n_zones++] = z->owned;
        else
            weir_zone_free(z->owned);
    l->zones = NULL;
}
