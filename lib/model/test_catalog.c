/* SPDX-License-Identifier: MIT */
/* Tests of tag names and connection URIs. */

#include "model/catalog.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Two devices that share their points; one name is the beginning of the other. */
static weir_point points[2] = {WEIR_POINT_INIT, WEIR_POINT_INIT};
static const uint32_t point_tag[2] = {0, 1};
static const weir_device devices[2] = {
    {.name = "main",
     .n_points = 2,
     .points = points,
     .point_tag = point_tag,
     .n_tags = 13,
     .first_tag = 0},
    {.name = "main-meter",
     .n_points = 2,
     .points = points,
     .point_tag = point_tag,
     .n_tags = 13,
     .first_tag = 13},
};

static weir_catalog *catalog_new(void)
{
    weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    weir_catalog *c = weir_arena_alloc(arena, 1, sizeof *c);
    assert_non_null(c);
    points[0].name = "power";
    points[1].name = "phase";
    points[1].count = 12;
    *c = (weir_catalog){.arena = arena, .n_devices = 2, .devices = devices, .n_tags = 26};
    c->tags = weir_arena_alloc(arena, c->n_tags, sizeof *c->tags);
    assert_non_null(c->tags);
    for (uint32_t i = 0; i < 26; i++)
        c->tags[i] = (weir_tag){
            .device = i / 13, .point = i % 13 > 0, .element = i % 13 > 0 ? i % 13 - 1 : 0};
    return c;
}

static void every_tag_is_found_by_its_name(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *c = catalog_new();
    for (size_t i = 0; i < c->n_tags; i++) {
        WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
        weir_tag_name(c, &c->tags[i], &name);
        assert_int_equal(weir_catalog_find_tag(c, weir_text_get(&name)), i);
    }
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    weir_tag_name(c, &c->tags[13], &name);
    weir_text_add_char(&name, ' ');
    weir_tag_name(c, &c->tags[25], &name);
    assert_string_equal(weir_text_get(&name), "main-meter/power main-meter/phase[11]");
    weir_catalog_free(NULL);
}

static void names_that_are_nearly_a_tag_are_not_found(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "/",
        "main",
        "main/",
        "main/powe",
        "main/power ",
        "main/power[0]",
        "main/phase",
        "main/phase[]",
        "main/phase[12]",
        "main/phase[01]",
        "main/phase[-1]",
        "main/phase[1",
        "main/phase[1]x",
        "main/phase[99999999999]",
        "main/phase[4294967297]",
        "mai/power",
        "other/power",
        "power",
    };
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *c = catalog_new();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (weir_catalog_find_tag(c, wrong[i]) != -1)
            fail_msg("\"%s\" was found", wrong[i]);
}

static void uris_name_scheme_host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        weir_scheme scheme;
        const char *host;
        uint16_t port;
    } cases[] = {
        {"tcp://192.168.1.113:502", WEIR_SCHEME_TCP, "192.168.1.113", 502},
        {"tcp://192.168.1.113", WEIR_SCHEME_TCP, "192.168.1.113", 502},
        {"TCP://meter_1.plant-2.local:1", WEIR_SCHEME_TCP, "meter_1.plant-2.local", 1},
        {"rtu+tcp://gateway:8899", WEIR_SCHEME_RTU_TCP, "gateway", 8899},
        {"tcp://[::1]:65535", WEIR_SCHEME_TCP, "::1", 65535},
        {"tcp://[fe80::1%eth0]", WEIR_SCHEME_TCP, "fe80::1%eth0", 502},
        {"tcp://[::ffff:10.0.0.1]:5020", WEIR_SCHEME_TCP, "::ffff:10.0.0.1", 5020},
        {"simulated:", WEIR_SCHEME_SIMULATED, "", 0},
    };
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_uri uri;
        weir_error error = WEIR_ERROR_INIT;
        if (weir_uri_parse(cases[i].text, arena, &uri, &error))
            fail_msg("%s: %s", cases[i].text, error.text);
        assert_int_equal(uri.scheme, cases[i].scheme);
        assert_string_equal(uri.host, cases[i].host);
        assert_int_equal(uri.port, cases[i].port);
    }
}

static void malformed_uris_are_refused_with_a_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "must begin with tcp://, rtu+tcp:// or simulated:"},
        {"192.168.1.113", "must begin with tcp://"},
        {"192.168.1.113:502", "must begin with tcp://"},
        {"http://meter", "must begin with tcp://"},
        {"tcp:/meter", "must begin with tcp://"},
        {"tcp://", "has no valid host; write tcp://host:502"},
        {"tcp://:502", "has no valid host"},
        {"tcp://[::1", "[brackets]"},
        {"tcp://[]", "has no valid host"},
        {"tcp://[meter]:502", "has no valid host"},
        {"tcp://[fe80::1%]", "has no valid host"},
        {"tcp://[::1]x", "a port from 1 to 65535"},
        {"tcp://::1:502", "has no valid host"},
        {"tcp://a:b:502", "a port from 1 to 65535"},
        {"tcp://meter:0", "a port from 1 to 65535"},
        {"tcp://meter:65536", "a port from 1 to 65535"},
        {"tcp://meter:", "a port from 1 to 65535"},
        {"tcp://meter:0x1f6", "a port from 1 to 65535"},
        {"tcp://meter:502/1", "a port from 1 to 65535"},
        {"tcp://user@meter", "a port from 1 to 65535"},
        {"tcp://meter 1", "a port from 1 to 65535"},
        {"simulated:plant", "takes nothing behind the colon"},
    };
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_uri uri = {.port = 42};
        weir_error error = WEIR_ERROR_INIT;
        if (weir_uri_parse(cases[i].text, arena, &uri, &error) != WEIR_EINVAL ||
            !strstr(error.text, cases[i].says))
            fail_msg("%s: %s", cases[i].text, error.text);
        assert_int_equal(uri.port, 42);
    }
    char text[400] = "tcp://";
    weir_uri uri;
    memset(text + 6, 'a', 253);
    assert_int_equal(weir_uri_parse(text, arena, &uri, NULL), WEIR_OK);
    text[6 + 253] = 'a';
    assert_int_equal(weir_uri_parse(text, arena, &uri, NULL), WEIR_EINVAL);
}

static void schemes_of_later_versions_say_so(void **state)
{
    (void)state;
    static const char *const later[] = {
        "ascii+tcp://h",      "udp://h",          "tls://h:802",       "rtu:///dev/ttyUSB0",
        "ascii:///dev/ttyS0", "opc.tcp://h:4840", "postgresql://h/db", "sqlite:file.db",
        "process:./reader",
    };
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        weir_uri uri;
        weir_error error = WEIR_ERROR_INIT;
        assert_int_equal(weir_uri_parse(later[i], arena, &uri, &error), WEIR_EUNSUPPORTED);
        assert_non_null(strstr(error.text, "not supported by this version"));
    }
}

static void a_uri_without_memory_says_so(void **state)
{
    (void)state;
    weir_arena *arena = weir_arena_new();
    weir_uri uri = {.port = 42};
    assert_non_null(arena);
    (void)weir_alloc_fail_nth(1, true);
    assert_int_equal(weir_uri_parse("tcp://meter", arena, &uri, NULL), WEIR_ENOMEM);
    (void)weir_alloc_fail_nth(0, false);
    assert_int_equal(uri.port, 42);
    weir_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tag_is_found_by_its_name),
        cmocka_unit_test(names_that_are_nearly_a_tag_are_not_found),
        cmocka_unit_test(uris_name_scheme_host_and_port),
        cmocka_unit_test(malformed_uris_are_refused_with_a_remedy),
        cmocka_unit_test(schemes_of_later_versions_say_so),
        cmocka_unit_test(a_uri_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
