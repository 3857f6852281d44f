/* SPDX-License-Identifier: MIT */
/* Asks a running weir on its control socket. */

#include "daemon/control_ask.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASK_TIMEOUT_S = 5 };

weir_err weir_control_path(const char *data_dir, int pid, weir_text *ret, weir_error *error)
{
    if (strcmp(data_dir, "memory") == 0) {
        const char *dir = getenv("XDG_RUNTIME_DIR");
        weir_text_format(ret, "%s/weir-%d.sock", dir && *dir ? dir : "/tmp", pid);
    } else {
        weir_text_format(ret, "%s/weir.sock", data_dir);
    }
    if (ret->failed)
        return weir_fail(error, WEIR_ENOMEM, "the control socket's name");
    if (ret->length >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return weir_fail(error, WEIR_ELIMIT,
                         "the control socket's name '%s' is longer than %zu bytes: choose a data "
                         "directory with a shorter name",
                         weir_text_get(ret), sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    return WEIR_OK;
}

static weir_err ask_receive(int fd, int patience_s, weir_text *ret_reply, weir_error *error)
{
    char bytes[16384];
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return weir_fail(error, WEIR_ETIMEOUT, "weir does not answer within %d s", patience_s);
        if (n <= 0)
            return weir_fail(error, WEIR_EIO, "weir closed the control socket");
        weir_text_add_n(ret_reply, bytes, (size_t)n);
        if (ret_reply->failed)
            return weir_fail(error, WEIR_ENOMEM, "the answer");
        if (bytes[n - 1] == '\n')
            return WEIR_OK;
    }
}

weir_err weir_control_ask(const char *path, const char *request, weir_text *ret_reply,
                          weir_error *error)
{
    return weir_control_ask_for(path, request, ASK_TIMEOUT_S, ret_reply, error);
}

weir_err weir_control_ask_for(const char *path, const char *request, int patience_s,
                              weir_text *ret_reply, weir_error *error)
{
    const struct timeval patience = {.tv_sec = patience_s};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
    weir_err err = WEIR_OK;
    if (strlen(path) >= sizeof address.sun_path)
        return weir_fail(error, WEIR_ELIMIT, "socket name '%s' is too long", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    weir_text_format(&line, "%s\n", request);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return weir_fail(error, WEIR_EIO, "socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* of connect too */
    const bool connected = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (!connected && errno == EACCES)
        err = weir_fail(error, WEIR_EPERM,
                        "no permission for %s: ask as the user that weir runs as", path);
    else if (!connected)
        err = weir_fail(error, WEIR_ECONNECT,
                        "no weir is running here (%s: %s). Start one with 'weir run', or name its "
                        "data directory with --data-dir",
                        path, strerror(errno));
    else if (send(fd, line.text, line.length, MSG_NOSIGNAL) != (ssize_t)line.length)
        err = weir_fail(error, WEIR_EIO, "control socket: %s", strerror(errno));
    else
        err = ask_receive(fd, patience_s, ret_reply, error);
    (void)close(fd);
    return err;
}
