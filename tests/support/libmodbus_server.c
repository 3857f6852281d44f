/* SPDX-License-Identifier: MIT */
/* libmodbus as a peer: serves one unit's tables from a file over Modbus TCP or RTU on a tty. */

#include <errno.h>
#include <modbus.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/select.h>
#include <unistd.h>

/*
 * usage: libmodbus-server tcp PORT UNIT FILE | libmodbus-server rtu TTY UNIT FILE
 *
 * FILE has lines 'coil|discrete|input|holding VALUE VALUE ...', from address 0. Prints 'listening
 * PORT' (port 0: any free one) or 'listening TTY'. One TCP client after the other. Ends with its
 * standard input.
 */

enum { TABLE_SIZE = 65536 };

static bool fill_table(modbus_mapping_t *tables, const char *name, char *values)
{
    char *end = values;
    for (unsigned i = 0; i < TABLE_SIZE; i++) {
        unsigned long value = strtoul(values, &end, 10);
        if (end == values)
            return true;
        values = end;
        if (strcmp(name, "coil") == 0)
            tables->tab_bits[i] = value != 0;
        else if (strcmp(name, "discrete") == 0)
            tables->tab_input_bits[i] = value != 0;
        else if (strcmp(name, "input") == 0)
            tables->tab_input_registers[i] = (uint16_t)value;
        else if (strcmp(name, "holding") == 0)
            tables->tab_registers[i] = (uint16_t)value;
        else
            return false;
    }
    return true;
}

static bool load_tables(modbus_mapping_t *tables, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    char *line = NULL;
    size_t room = 0;
    bool ok = true;
    while (ok && getline(&line, &room, file) > 0) {
        char *values = strchr(line, ' ');
        if (values == NULL)
            continue;
        *values++ = '\0';
        ok = fill_table(tables, line, values);
    }
    free(line);
    (void)fclose(file);
    return ok;
}

static bool is_stdin_closed(void)
{
    char byte;
    return read(STDIN_FILENO, &byte, 1) <= 0;
}

/* Waits for fd; ends the program when standard input ends first. */
static void wait_for(int fd)
{
    for (;;) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(STDIN_FILENO, &set);
        FD_SET(fd, &set);
        if (select(fd + 1, &set, NULL, NULL, NULL) < 0 && errno != EINTR)
            exit(1);
        if (FD_ISSET(STDIN_FILENO, &set) && is_stdin_closed())
            exit(0);
        if (FD_ISSET(fd, &set))
            return;
    }
}

/* Answers until the client goes (TCP) or for ever (RTU: a bad frame is only skipped). */
static void serve(modbus_t *server, modbus_mapping_t *tables, bool is_tcp)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    for (;;) {
        wait_for(modbus_get_socket(server));
        int n = modbus_receive(server, request);
        if (n > 0)
            (void)modbus_reply(server, request, n, tables);
        else if (n < 0 && is_tcp)
            return;
    }
}

static int serve_tcp(int port, modbus_mapping_t *tables)
{
    modbus_t *server = modbus_new_tcp("127.0.0.1", port);
    if (server == NULL)
        return 1;
    int listener = modbus_tcp_listen(server, 8);
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 1;
    (void)printf("listening %u\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    for (;;) {
        wait_for(listener);
        if (modbus_tcp_accept(server, &listener) < 0)
            return 1;
        serve(server, tables, true);
        modbus_close(server);
    }
}

static int serve_rtu(const char *tty, int unit, modbus_mapping_t *tables)
{
    modbus_t *server = modbus_new_rtu(tty, 115200, 'N', 8, 1);
    if (server == NULL || modbus_set_slave(server, unit) != 0 || modbus_connect(server) != 0) {
        (void)fprintf(stderr, "%s: %s\n", tty, modbus_strerror(errno));
        return 1;
    }
    (void)printf("listening %s\n", tty);
    (void)fflush(stdout);
    serve(server, tables, false);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: %s tcp PORT UNIT FILE | rtu TTY UNIT FILE\n", argv[0]);
        return 2;
    }
    modbus_mapping_t *tables = modbus_mapping_new(TABLE_SIZE, TABLE_SIZE, TABLE_SIZE, TABLE_SIZE);
    if (tables == NULL || !load_tables(tables, argv[4])) {
        (void)fprintf(stderr, "%s: cannot load\n", argv[4]);
        return 1;
    }
    if (strcmp(argv[1], "tcp") == 0)
        return serve_tcp((int)strtol(argv[2], NULL, 10), tables);
    return serve_rtu(argv[2], (int)strtol(argv[3], NULL, 10), tables);
}
