/* jansson: a tree per frame, then the same fields; with --walk the tree alone. */
#include <jansson.h>

#include "util.h"

static int walks;

static void decode_open(int argc, char **argv)
{
    walks = util_flag(argc, argv, "walk");
}

static inline int decode_frame(const char *frame, size_t len)
{
    json_error_t error;
    json_t *root = json_loadb(frame, len, JSON_DISABLE_EOF_CHECK | JSON_DECODE_INT_AS_REAL, &error);
    if (root == NULL)
        return -1;
    const json_t *data = json_object_get(root, "data");
    const char *s = NULL, *p = NULL, *q = NULL;
    json_int_t t = 0, time = 0;
    int sell = 0, rc = 0;
    if (!walks)
        rc = json_unpack((json_t *)(data != NULL ? data : root), "{s:s,s:I,s:s,s:s,s:I,s:b}", "s",
                         &s, "t", &t, "p", &p, "q", &q, "T", &time, "m", &sell);
    json_decref(root);
    return rc;
}

#include "decode_main.h"
