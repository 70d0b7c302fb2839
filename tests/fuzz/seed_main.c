/* Drives a fuzz target without libFuzzer: every file that is named, whole and line by line, so that
 * the targets are built and run by every build. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t len = 0, cap = 1u << 20;
    uint8_t *data = malloc(cap);
    if (f == NULL || data == NULL)
        return 1;
    len = fread(data, 1, cap, f);
    fclose(f);
    LLVMFuzzerTestOneInput(data, len);
    for (size_t at = 0; at < len;) {
        const uint8_t *lf = memchr(data + at, '\n', len - at);
        size_t end = lf != NULL ? (size_t)(lf - data) : len;
        LLVMFuzzerTestOneInput(data + at, end - at);
        at = end + 1;
    }
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++)
        failed |= run_file(argv[i]);
    return failed;
}
