/* SPDX-License-Identifier: MIT */
/* Connections: from what was written to what it means. */

#include <string.h>

#include "catalog/device.h"

static void own_intervals_take(const weir_yaml_own *own, weir_connection *c)
{
    c->default_interval_us = own->default_interval_us;
    if (c->minimum_interval_us < own->minimum_interval_us)
        c->minimum_interval_us = own->minimum_interval_us;
}

static void say_no_own(weir_loader *l, weir_node at, const char *name, const weir_yaml_own *own,
                       size_t n)
{
    const char **names = weir_loader_scratch(l, n + 1, sizeof *names);
    for (size_t i = 0; names && i < n; i++)
        names[i] = own[i].name;
    if (names)
        weir_loader_problem(l, at, "uri: this program has no source '%.100s'%s", name,
                            weir_loader_meant(l, name, names, n));
}

/* Whether the program has the source that own:NAME names. */
static bool connection_check_own(weir_loader *l, weir_node at, weir_connection *c)
{
    const weir_yaml_own *own = l->options ? l->options->own : NULL;
    size_t n = 0;
    if (c->uri.scheme != WEIR_SCHEME_OWN)
        return true;
    for (; own && own[n].name; n++)
        if (!strcmp(own[n].name, c->uri.host)) {
            own_intervals_take(&own[n], c);
            return true;
        }
    if (n)
        say_no_own(l, at, c->uri.host, own, n);
    else
        weir_problems_add(l->problems, WEIR_EUNSUPPORTED, weir_node_where(at),
                          "uri: own: is for programs that use the library and bring sources of "
                          "their own");
    return false;
}

static bool connection_parse_uri(weir_loader *l, weir_node mapping, const weir_connection_in *in,
                                 weir_connection *c)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_node at = weir_node_get(mapping, "uri");
    switch (weir_uri_parse(in->uri, l->arena, &c->uri, &error)) {
    case WEIR_OK:
        return connection_check_own(l, at, c);
    case WEIR_ENOMEM:
        l->failed = true;
        return false;
    case WEIR_EUNSUPPORTED:
        weir_problems_add(l->problems, WEIR_EUNSUPPORTED, weir_node_where(at),
                          "%s: it has tcp://, rtu+tcp:// and simulated:", error.text);
        return false;
    case WEIR_EINVAL:
    case WEIR_ELIMIT:
    case WEIR_ESYNTAX:
    case WEIR_ECONFIG:
    case WEIR_ENOTFOUND:
    case WEIR_EINUSE:
    case WEIR_EPERM:
    case WEIR_EIO:
    case WEIR_EDAMAGED:
    case WEIR_EPROTO:
    case WEIR_ECONNECT:
    case WEIR_EREFUSED:
    case WEIR_ETIMEOUT:
    case WEIR_ECANCELED:
        break;
    }
    weir_loader_problem(l, at, "uri: %s", error.text);
    return false;
}

/* More than one request at once needs ids to tell the replies apart. */
static void connection_check_in_flight(weir_loader *l, weir_node mapping, const weir_connection *c)
{
    const weir_node at = weir_node_get(mapping, "max_in_flight");
    if (c->max_in_flight > 1 && c->uri.scheme == WEIR_SCHEME_RTU_TCP)
        weir_loader_problem(l, at,
                            "max_in_flight must be 1 with rtu+tcp://: RTU replies carry no "
                            "id to tell them apart");
    else if (c->max_in_flight > 1 && c->tid_check == WEIR_TID_LENIENT)
        weir_loader_problem(l, at, "max_in_flight must be 1 with tid_check: lenient");
}

static void connection_tell(weir_loader *l, weir_node mapping)
{
    const weir_layer layer = {.node = mapping};
    weir_effective_value *list = weir_effective_list(l->effective, l->top, "connections");
    weir_effective_fill(l->effective,
                        weir_effective_add(l->effective, list, NULL, WEIR_NODE_MAPPING),
                        weir_connection_table, &layer, 1, NULL);
}

/* True also when something is wrong but the name: its devices should not be called dangling. */
static bool connection_build(weir_loader *l, weir_node mapping, weir_connection *ret)
{
    weir_connection_in in = {0};
    weir_option_defaults(weir_connection_table, &in);
    weir_loader_read(l, mapping, weir_connection_table, &in);
    connection_tell(l, mapping);
    if (!weir_loader_require(l, mapping, weir_connection_table, "a connection", &in) ||
        !weir_loader_check_name(l, weir_node_get(mapping, "name"), "a connection", in.name, "/"))
        return false;
    *ret = (weir_connection){
        .name = in.name,
        .uri_text = in.uri,
        .where = weir_node_where(mapping),
        .enabled = in.enabled,
        .close_after_poll = in.close_after_poll,
        .tid_check = (weir_tid_check)in.tid_check,
        .max_in_flight = (uint16_t)in.max_in_flight,
        .retries = (uint16_t)in.retries,
        .busy_retries = (uint16_t)in.busy_retries,
        .timeout_us = in.timeout,
        .busy_retries_wait_us = in.busy_retries_wait,
        .pause_after_connect_us = in.pause_after_connect,
        .pause_between_requests_us = in.pause_between_requests,
        .pause_on_unit_switch_us = in.pause_on_unit_switch,
        .pause_after_write_us = in.pause_after_write,
        .reconnect_max_us = in.reconnect_max,
        .minimum_interval_us = in.minimum_interval,
    };
    ret->where.file = weir_loader_text(l, ret->where.file);
    if (connection_parse_uri(l, mapping, &in, ret))
        connection_check_in_flight(l, mapping, ret);
    return true;
}

void weir_connections_build(weir_loader *l, weir_node list, const weir_connection **ret,
                            size_t *ret_n)
{
    weir_map names = WEIR_MAP_INIT;
    *ret = NULL;
    *ret_n = 0;
    if (!list.id || !weir_loader_expect(l, list, WEIR_NODE_LIST, "connections"))
        return;
    const size_t n_list = weir_node_count(list);
    weir_connection *connections = weir_arena_alloc(l->arena, n_list, sizeof *connections);
    size_t n = 0;
    if (!connections)
        l->failed = true;
    for (size_t i = 0; connections && i < n_list; i++) {
        const weir_node mapping = weir_node_item(list, i);
        if (!weir_loader_expect(l, mapping, WEIR_NODE_MAPPING, "entry of connections") ||
            !connection_build(l, mapping, &connections[n]))
            continue;
        const weir_connection *old = weir_map_get(&names, connections[n].name);
        if (old)
            weir_loader_problem(l, weir_node_get(mapping, "name"),
                                "the connection name '%s' is already used at %s: names are unique",
                                connections[n].name,
                                weir_loader_place(l, connections[n].where, old->where));
        else if (weir_map_set(&names, connections[n].name, &connections[n], NULL))
            l->failed = true;
        else
            n++;
    }
    weir_map_deinit(&names);
    *ret = connections;
    *ret_n = n;
}
