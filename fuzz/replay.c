/* SPDX-License-Identifier: MIT */
/* Feeds every file of a folder to a fuzz target: the corpus as a regression test. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    size_t n = fread(data, 1, sizeof data, f);
    (void)fclose(f);
    /* A copy of the exact size, so that the sanitizer sees a read past the end. */
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact)
        return 0;
    memcpy(exact, data, n);
    (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 1;
}

int main(int argc, char **argv)
{
    int n = 0;
    DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        n += replay_file(path);
    }
    (void)closedir(dir);
    printf("%d inputs replayed\n", n);
    return n > 0 ? 0 : 1;
}
