/* SPDX-License-Identifier: MIT */
/* Tests of the control socket: a real one, with clients that do what they should not. */

#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "catalog/yaml.h"
#include "daemon/assemble.h"
#include "daemon/control_ask.h"

enum { PLACES = 16 };

static const char status_request[] = "{\"method\":\"status\"}\n";

struct daemon {
    char dir[64];
    weir_catalog *catalog;
    weir_runtime *collector;
    weir_control *control;
};

static void daemon_start(struct daemon *d)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_error error = WEIR_ERROR_INIT;
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    *d = (struct daemon){.dir = "/tmp/weir-control-XXXXXX"};
    assert_non_null(mkdtemp(d->dir));
    weir_text_format(&yaml,
                     "data_dir: %s\nconnections: [{name: sim, uri: \"simulated:\"}]\n"
                     "devices: [{name: \"d{unit_id}\", unit_id: 1-50, connection: sim, interval: "
                     "1h, points: [{name: a, register: holding, address: 0, type: string, length: "
                     "8}]}]\n",
                     d->dir);
    assert_int_equal(
        weir_yaml_load_text(yaml.text, yaml.length, "t.yaml", NULL, &d->catalog, &problems),
        WEIR_OK);
    weir_problems_deinit(&problems);
    const weir_runtime_config config = {.catalog = d->catalog, .sources = weir_assemble_sources};
    if (weir_runtime_start(&config, &d->collector, &error) ||
        weir_control_start(d->collector, NULL, NULL, &d->control, &error))
        fail_msg("%s", error.text);
}

static void daemon_stop(struct daemon *d)
{
    static const char *const files[] = {"data.db", "data.db-wal", "data.db-shm", "weir.lock"};
    weir_control_stop(d->control);
    assert_true(weir_runtime_stop(d->collector));
    weir_catalog_free(d->catalog);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", d->dir, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(d->dir), 0); /* the socket is gone */
}

static int client_connect(const struct daemon *d)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/weir.sock", d->dir);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void client_send(int fd, const char *bytes, size_t n)
{
    assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

/* One line, or "" when the other side closed it. Valid until the next call. */
static const char *client_line(int fd)
{
    static char line[1 << 16];
    size_t n = 0;
    while (n < sizeof line - 1 && read(fd, line + n, 1) == 1)
        if (line[n++] == '\n')
            break;
    line[n] = '\0';
    return line;
}

static void assert_answers(const struct daemon *d)
{
    char path[108];
    weir_error error = WEIR_ERROR_INIT;
    WEIR_TEXT_AUTO reply = WEIR_TEXT_INIT;
    (void)snprintf(path, sizeof path, "%s/weir.sock", d->dir);
    if (weir_control_ask(path, "{\"method\": \"status\"}", &reply, &error))
        fail_msg("%s", error.text);
    assert_non_null(strstr(reply.text, "\"committed_seq\":"));
    assert_non_null(strstr(reply.text, "\"filtered\":0,"));
    /* Its build date is not told: nothing since 1978 can be true then. */
    assert_non_null(strstr(reply.text, "\"clock\":{\"trust\":\"plausible\",\"trusted\":false,"
                                       "\"problem\":\"implausible\",\"since\":"));
    assert_non_null(strstr(reply.text, "\"epoch\":1,\"offset\":null}"));
    assert_non_null(strstr(reply.text, "\"name\":\"d50\""));
}

static void it_answers_and_is_for_its_owner_only(void **state)
{
    struct daemon d;
    struct stat s;
    char path[108];
    (void)state;
    daemon_start(&d);
    (void)snprintf(path, sizeof path, "%s/weir.sock", d.dir);
    assert_string_equal(weir_control_socket(d.control), path);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 07777, 0600);
    for (int i = 0; i < 20; i++)
        assert_answers(&d);
    daemon_stop(&d);
}

static void garbage_gets_an_error_line_and_the_next_line_is_answered(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *answer;
    } rows[] = {
        {"\n", 1, "{\"error\":"},
        {"hello\n", 6, "{\"error\":"},
        {"\0\0{}\n", 5, "{\"error\":"},
        {"{\"method\":\"sta\0tus\"}\n", 21, "{\"error\":"},
        {"\xff\xfe\n", 3, "{\"error\":"},
        {"[]\n", 3, "{\"error\":\"\\\"method\\\" is missing\"}"},
        {"7\n", 2, "{\"error\":"},
        {"{\"method\":7}\n", 13, "{\"error\":\"\\\"method\\\" is missing\"}"},
        {"{\"method\":\"stop\"}\n", 18, "{\"error\":\"unknown method"},
        {"{\"method\":\"status\",\"method\":\"status\"}\n", 38, "{\"error\":"},
        {"{\"method\":\"status\"}\r\n", 21, "{\"result\":"},
    };
    struct daemon d;
    (void)state;
    daemon_start(&d);
    const int fd = client_connect(&d);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        client_send(fd, rows[i].bytes, rows[i].n);
        const char *line = client_line(fd);
        if (strncmp(line, rows[i].answer, strlen(rows[i].answer)) != 0)
            fail_msg("row %zu: %s", i, line);
    }
    char deep[3000];
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = '\n';
    client_send(fd, deep, sizeof deep);
    assert_int_equal(strncmp(client_line(fd), "{\"error\":", 9), 0);
    client_send(fd, status_request, strlen(status_request));
    assert_int_equal(strncmp(client_line(fd), "{\"result\":", 10), 0);
    (void)close(fd);
    daemon_stop(&d);
}

static void a_line_may_come_in_pieces_and_several_at_once(void **state)
{
    struct daemon d;
    (void)state;
    daemon_start(&d);
    const int fd = client_connect(&d);
    for (size_t i = 0; i < strlen(status_request); i++)
        client_send(fd, status_request + i, 1);
    assert_int_equal(strncmp(client_line(fd), "{\"result\":", 10), 0);
    client_send(fd, "{}\n{}\n{}\n{\"meth", 15);
    for (int i = 0; i < 3; i++)
        assert_int_equal(strncmp(client_line(fd), "{\"error\":", 9), 0);
    client_send(fd, "od\":\"status\"}\n", 14);
    assert_int_equal(strncmp(client_line(fd), "{\"result\":", 10), 0);
    (void)close(fd);
    daemon_stop(&d);
}

static void who_closes_his_half_still_gets_his_answers(void **state)
{
    struct daemon d;
    (void)state;
    daemon_start(&d);
    const int fd = client_connect(&d);
    client_send(fd, "{}\n{\"method\":\"status\"}\n{\"half", 29);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(strncmp(client_line(fd), "{\"error\":", 9), 0);
    assert_int_equal(strncmp(client_line(fd), "{\"result\":", 10), 0);
    assert_string_equal(client_line(fd), ""); /* half a line is none */
    (void)close(fd);
    daemon_stop(&d);
}

static void a_line_without_end_is_cut_off(void **state)
{
    struct daemon d;
    char bytes[4096];
    size_t sent = 0;
    (void)state;
    daemon_start(&d);
    memset(bytes, ' ', sizeof bytes);
    const int fd = client_connect(&d);
    for (ssize_t n; sent < 10 * 1024 * 1024; sent += (size_t)n)
        if ((n = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL)) <= 0)
            break;
    assert_true(sent < 10 * 1024 * 1024);
    (void)close(fd);
    assert_answers(&d);
    daemon_stop(&d);
}

static void a_client_that_never_reads_holds_nobody_up(void **state)
{
    struct daemon d;
    (void)state;
    daemon_start(&d);
    int fds[4];
    for (size_t i = 0; i < 4; i++) {
        fds[i] = client_connect(&d);
        assert_int_equal(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
        while (send(fds[i], status_request, strlen(status_request), MSG_NOSIGNAL) > 0)
            ; /* until all buffers between us are full */
        assert_int_equal(errno, EAGAIN);
    }
    for (int i = 0; i < 10; i++)
        assert_answers(&d);
    daemon_stop(&d); /* nor the end */
    for (size_t i = 0; i < 4; i++)
        (void)close(fds[i]);
}

static void clients_that_say_nothing_lose_their_places(void **state)
{
    struct daemon d;
    int fds[2 * PLACES];
    (void)state;
    daemon_start(&d);
    for (size_t i = 0; i < 2 * PLACES; i++)
        fds[i] = client_connect(&d);
    assert_answers(&d);
    for (size_t i = 0; i < 2 * PLACES; i++)
        (void)close(fds[i]);
    daemon_stop(&d);
}

static void clients_that_vanish_leave_nothing(void **state)
{
    struct daemon d;
    (void)state;
    daemon_start(&d);
    for (int i = 0; i < 200; i++) {
        const int fd = client_connect(&d);
        if (i % 3)
            client_send(fd, status_request, i % 3 == 1 ? 5 : strlen(status_request));
        (void)close(fd);
    }
    assert_answers(&d);
    daemon_stop(&d);
}

static void without_descriptors_a_client_waits(void **state)
{
    struct daemon d;
    struct rlimit old, none;
    (void)state;
    daemon_start(&d);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/weir.sock", d.dir);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3; /* those open stay open */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    client_send(fd, status_request, strlen(status_request));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(strncmp(client_line(fd), "{\"result\":", 10), 0);
    (void)close(fd);
    daemon_stop(&d);
}

static void where_it_cannot_be_it_is_an_error_that_leaves_nothing(void **state)
{
    struct daemon d;
    weir_control *second = NULL;
    weir_error error = WEIR_ERROR_INIT;
    char name[200];
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    (void)state;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(weir_control_path(name, 1, &path, &error), WEIR_ELIMIT);
    daemon_start(&d);
    const char *data_dir = d.catalog->store.data_dir;
    d.catalog->store.data_dir = "/nowhere/at/all";
    assert_int_equal(weir_control_start(d.collector, NULL, NULL, &second, &error), WEIR_EIO);
    d.catalog->store.data_dir = data_dir;
    assert_null(second);
    assert_answers(&d);
    daemon_stop(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_answers_and_is_for_its_owner_only),
        cmocka_unit_test(garbage_gets_an_error_line_and_the_next_line_is_answered),
        cmocka_unit_test(a_line_may_come_in_pieces_and_several_at_once),
        cmocka_unit_test(who_closes_his_half_still_gets_his_answers),
        cmocka_unit_test(a_line_without_end_is_cut_off),
        cmocka_unit_test(a_client_that_never_reads_holds_nobody_up),
        cmocka_unit_test(clients_that_say_nothing_lose_their_places),
        cmocka_unit_test(clients_that_vanish_leave_nothing),
        cmocka_unit_test(without_descriptors_a_client_waits),
        cmocka_unit_test(where_it_cannot_be_it_is_an_error_that_leaves_nothing),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
