/* SPDX-License-Identifier: MIT */
/* The catalog's life, the names of its tags, and the URIs of its connections. */

#include "model/catalog.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

void weir_where_format(const weir_where *where, weir_text *t)
{
    weir_text_add(t, where->file ? where->file : "");
    if (where->line && where->column)
        weir_text_format(t, ":%u:%u", where->line, where->column);
    else if (where->line)
        weir_text_format(t, " %u", where->line);
}

const char *weir_clock_rule_text(weir_clock_rule rule)
{
    return rule == WEIR_CLOCK_NTP ? "ntp" : "plausible";
}

weir_catalog *weir_catalog_ref(const weir_catalog *catalog)
{
    weir_catalog *shared = (weir_catalog *)(uintptr_t)catalog; /* only the count is written */
    atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
    return shared;
}

void weir_sink_config_ref(const weir_sink_config *config)
{
    if (config->memory)
        atomic_fetch_add_explicit(&config->memory->references, 1, memory_order_relaxed);
}

void weir_sink_config_unref(const weir_sink_config *config)
{
    if (config->memory &&
        atomic_fetch_sub_explicit(&config->memory->references, 1, memory_order_acq_rel) == 0)
        weir_arena_free(config->memory->arena);
}

void weir_catalog_free(weir_catalog *catalog)
{
    if (!catalog || atomic_fetch_sub_explicit(&catalog->references, 1, memory_order_acq_rel) != 0)
        return;
    for (size_t i = 0; i < catalog->n_zones; i++)
        weir_zone_free(catalog->zones[i]);
    for (size_t i = 0; i < catalog->n_sinks; i++)
        weir_sink_config_unref(&catalog->sinks[i]);
    weir_arena_free(catalog->arena);
}

const weir_plan *weir_catalog_find_plan(const weir_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_plans; i++)
        if (!strcmp(c->plans[i].name, name))
            return &c->plans[i];
    return NULL;
}

void weir_catalog_name_plans(weir_catalog *catalog)
{
    for (size_t i = 0; i < catalog->n_sinks; i++) {
        weir_sink_config *sink = &catalog->sinks[i];
        sink->plans = 0;
        for (size_t k = 0; k < sink->n_plans; k++) {
            const weir_plan *plan = weir_catalog_find_plan(catalog, sink->plan_names[k]);
            sink->plans |= plan ? UINT64_C(1) << plan->bit : WEIR_PLAN_DEFAULT;
        }
    }
}

void weir_tag_name(const weir_catalog *c, const weir_tag *tag, weir_text *t)
{
    const weir_point *p = weir_tag_point(c, tag);
    weir_text_format(t, "%s/%s", weir_tag_device(c, tag)->name, p->name);
    if (p->count > 1)
        weir_text_format(t, "[%u]", tag->element);
}

/* Whether name is the tag's, given the part after "device/". */
static bool tag_has_name(const weir_catalog *c, const weir_tag *tag, const char *name)
{
    const weir_point *p = weir_tag_point(c, tag);
    const size_t n = strlen(p->name);
    if (strncmp(name, p->name, n) != 0)
        return false;
    if (p->count <= 1)
        return name[n] == '\0';
    /* "[2]": no sign, no leading zero, nothing after. */
    const char *digits = name + n + 1;
    uint32_t element = 0;
    size_t length = 0;
    if (name[n] != '[')
        return false;
    for (; digits[length] >= '0' && digits[length] <= '9' && length < 6; length++)
        element = element * 10 + (uint32_t)(digits[length] - '0');
    return length > 0 && (digits[0] != '0' || length == 1) && !strcmp(digits + length, "]") &&
           element == tag->element;
}

int64_t weir_catalog_find_tag(const weir_catalog *c, const char *name)
{
    for (size_t d = 0; d < c->n_devices; d++) {
        const weir_device *device = &c->devices[d];
        const size_t n = strlen(device->name);
        if (strncmp(name, device->name, n) != 0 || name[n] != '/')
            continue;
        for (size_t i = 0; i < device->n_tags; i++)
            if (tag_has_name(c, &c->tags[device->first_tag + i], name + n + 1))
                return (int64_t)(device->first_tag + i);
    }
    return -1;
}

static const struct scheme {
    const char *prefix;
    weir_scheme scheme;
    bool supported;
} schemes[] = {
    {"tcp://", WEIR_SCHEME_TCP, true},
    {"rtu+tcp://", WEIR_SCHEME_RTU_TCP, true},
    {"simulated:", WEIR_SCHEME_SIMULATED, true},
    {"random:", WEIR_SCHEME_RANDOM, true},
    {"own:", WEIR_SCHEME_OWN, true},
    {"ascii+tcp://", 0, false},
    {"udp://", 0, false},
    {"tls://", 0, false},
    {"rtu://", 0, false},
    {"ascii://", 0, false},
    {"opc.tcp://", 0, false},
    {"postgresql://", 0, false},
    {"sqlite:", 0, false},
    {"process:", 0, false},
};

static weir_err scheme_parse(const char *text, const struct scheme **ret, weir_error *error)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        const struct scheme *s = &schemes[i];
        if (strncasecmp(text, s->prefix, strlen(s->prefix)) != 0)
            continue;
        if (!s->supported)
            return weir_fail(error, WEIR_EUNSUPPORTED, "%s is not supported by this version",
                             s->prefix);
        *ret = s;
        return WEIR_OK;
    }
    return weir_fail(error, WEIR_EINVAL,
                     "\"%.200s\" must begin with tcp://, rtu+tcp:// or simulated:", text);
}

/* The host's characters, without the brackets of an IPv6 address. */
struct host {
    const char *start;
    size_t length;
    const char *rest; /* what follows: ":502" or "" */
};

static bool host_parse(const char *text, struct host *ret)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    enum { HOST_LENGTH_MAX = 253 }; /* RFC 1035, 2.3.4, without the final dot */
    struct host h = {.start = text};
    if (*text == '[') {
        h.start = text + 1;
        h.length = strcspn(h.start, "]");
        if (h.start[h.length] != ']')
            return false;
        h.rest = h.start + h.length + 1;
        const size_t address = strspn(h.start, "0123456789abcdefABCDEF:.");
        /* "%eth0" names the interface of a link-local address. */
        const size_t zone =
            h.start[address] == '%' ? strspn(h.start + address + 1, letters) + 1 : 0;
        if (address + zone != h.length || zone == 1 || !memchr(h.start, ':', address))
            return false;
    } else {
        while (strchr(letters, h.start[h.length]) || strchr(".-_", h.start[h.length])) {
            if (!h.start[h.length])
                break;
            h.length++;
        }
        h.rest = h.start + h.length;
    }
    if (h.length == 0 || h.length > HOST_LENGTH_MAX)
        return false;
    *ret = h;
    return true;
}

static bool port_parse(const char *rest, uint16_t *ret)
{
    enum { MODBUS_PORT = 502 }; /* Modbus Messaging on TCP/IP 1.0b, 4.3.1 */
    uint64_t port = MODBUS_PORT;
    if (*rest && (*rest != ':' || strspn(rest + 1, "0123456789") != strlen(rest + 1) ||
                  !weir_parse_u64(rest + 1, &port)))
        return false;
    if (port < 1 || port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

/* "simulated:" and "random:" take nothing, "own:" a name. */
static weir_err name_parse(const struct scheme *scheme, const char *rest, weir_arena *arena,
                           weir_uri *ret, weir_error *error)
{
    weir_uri uri = {.scheme = scheme->scheme, .host = ""};
    const bool named = uri.scheme == WEIR_SCHEME_OWN;
    if (!named && *rest)
        return weir_fail(error, WEIR_EINVAL, "\"%s\" takes nothing behind the colon",
                         scheme->prefix);
    if (named && !*rest)
        return weir_fail(error, WEIR_EINVAL,
                         "\"own:\" needs the name of a source behind the colon");
    if (named)
        uri.host = weir_arena_text(arena, rest);
    if (!uri.host)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    *ret = uri;
    return WEIR_OK;
}

weir_err weir_uri_parse(const char *text, weir_arena *arena, weir_uri *ret, weir_error *error)
{
    const struct scheme *scheme = NULL;
    struct host host;
    weir_uri uri = {.host = ""};
    weir_err err = scheme_parse(text, &scheme, error);
    if (err)
        return err;
    const char *rest = text + strlen(scheme->prefix);
    uri.scheme = scheme->scheme;
    if (!weir_scheme_is_modbus(uri.scheme))
        return name_parse(scheme, rest, arena, ret, error);
    if (!host_parse(rest, &host))
        return weir_fail(error, WEIR_EINVAL,
                         "\"%.200s\" has no valid host; write %shost:502, an IPv6 address in "
                         "[brackets]",
                         text, scheme->prefix);
    if (!port_parse(host.rest, &uri.port))
        return weir_fail(error, WEIR_EINVAL,
                         "\"%.200s\": a port from 1 to 65535 and nothing else may follow the host",
                         text);
    uri.host = weir_arena_text_n(arena, host.start, host.length);
    if (!uri.host)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    *ret = uri;
    return WEIR_OK;
}
