/* permessage-deflate (RFC 7692), the receiving half: compressed payload is inflated as it comes, so
 * that no compressed message is ever assembled. Its memory is the caller's arena: zlib gets it by
 * bumping a mark, which a new connection puts back. Output is bounded by max_message. */
#include "ws_internal.h"

#include <errno.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#define WINDOW_MAX 32768

/* What lives in the arena ahead of zlib's own. */
struct inflater {
    z_stream z;
    bool clean;                       /* input ended between two blocks */
    unsigned char window[WINDOW_MAX]; /* carried from one finished stream to the next */
};

static voidpf arena_alloc(voidpf opaque, uInt items, uInt size)
{
    struct ws_deflate *d = opaque;
    size_t len = ((size_t)items * size + 15) & ~(size_t)15;
    if (len > WS_DEFLATE_ARENA - d->arena_used)
        return Z_NULL;
    void *p = d->arena + d->arena_used;
    d->arena_used += len;
    return p;
}

static void arena_free(voidpf opaque, voidpf address)
{
    (void)opaque;
    (void)address;
}

int ws_inflate_start(struct ws *ws)
{
    struct ws_deflate *d = ws->cfg.deflate;
    d->arena_used = 0;
    struct inflater *inf = arena_alloc(d, 1, sizeof *inf);
    memset(&inf->z, 0, sizeof inf->z);
    inf->z.zalloc = arena_alloc;
    inf->z.zfree = arena_free;
    inf->z.opaque = d;
    ws->inflate = inf;
    /* raw deflate; the largest window also reads what was written with a smaller one */
    if (inflateInit2(&inf->z, -MAX_WBITS) != Z_OK)
        return -ENOMEM;
    ws->deflate_live = 1;
    return 0;
}

void ws_inflate_stop(struct ws *ws)
{
    if (!ws->deflate_live)
        return;
    inflateEnd(&((struct inflater *)ws->inflate)->z);
    ws->deflate_live = 0;
    ws->inflate = NULL;
}

void ws_inflate_message(struct ws *ws)
{
    struct inflater *inf = ws->inflate;
    if (ws->deflate_reset)
        inflateReset(&inf->z);
    ws->out = ws->cfg.deflate->out;
    ws->out_cap = ws->cfg.deflate->out_cap;
    ws->deflate_tail = 0;
}

/* A block with BFINAL ends zlib's stream, but not the connection's window (RFC 7692 7.2.3.4). */
static int next_stream(struct inflater *inf)
{
    uInt len = sizeof inf->window;
    if (inflateGetDictionary(&inf->z, inf->window, &len) != Z_OK || inflateReset(&inf->z) != Z_OK ||
        (len > 0 && inflateSetDictionary(&inf->z, inf->window, len) != Z_OK))
        return -EBADMSG;
    return 0;
}

/* The message has outgrown where it is inflated to: 0 moved on, -EBUSY, -EMSGSIZE. */
static int more_room(struct ws *ws)
{
    struct ws_large *large = ws->cfg.large;
    if (ws->msg_len > ws->cfg.max_message || large == NULL)
        return -EMSGSIZE;
    return ws_borrow(ws) ? 0 : -EBUSY;
}

static int run(struct ws *ws, const unsigned char *in, size_t len, size_t *used)
{
    struct inflater *inf = ws->inflate;
    z_stream *z = &inf->z;
    int rc = 0;
    z->next_in = in;
    z->avail_in = (uInt)len;
    for (;;) {
        size_t cap = ws->out_cap < ws->cfg.max_message ? ws->out_cap : ws->cfg.max_message;
        if (ws->msg_len > cap && (rc = more_room(ws)) != 0)
            break;
        if (ws->msg_len > cap)
            continue;
        /* one byte too many, into the padding, tells a full buffer from a full message */
        uInt in_before = z->avail_in, room = (uInt)(cap + 1 - ws->msg_len);
        z->next_out = ws->out + ws->msg_len;
        z->avail_out = room;
        int zrc = inflate(z, Z_SYNC_FLUSH);
        ws->msg_len += room - z->avail_out;
        /* zlib says in bit 7 whether it stands between two blocks, in bits 0 to 5 how many bits it
         * holds; but a call that had nothing to do forgets the former */
        if (z->avail_in != in_before || z->avail_out != room)
            inf->clean = (z->data_type & (128 | 63)) == 128;
        if (zrc == Z_STREAM_END)
            rc = next_stream(inf);
        else if (zrc != Z_OK && zrc != Z_BUF_ERROR)
            rc = -EBADMSG;
        if (rc != 0 || (z->avail_out > 0 && (z->avail_in == 0 || zrc == Z_BUF_ERROR)))
            break;
    }
    *used = len - z->avail_in;
    return rc;
}

int ws_inflate(struct ws *ws, size_t len, size_t *used)
{
    return run(ws, ws->cfg.recv + ws->start, len, used);
}

/* RFC 7692 7.2.2: the sender took these four bytes from the end. deflate_tail counts those that are
 * read already, for a message that is blocked meanwhile. */
int ws_inflate_finish(struct ws *ws)
{
    static const unsigned char tail[4] = {0x00, 0x00, 0xff, 0xff};
    struct inflater *inf = ws->inflate;
    size_t used;
    int rc = run(ws, tail + ws->deflate_tail, sizeof tail - ws->deflate_tail, &used);
    ws->deflate_tail = (uint8_t)(ws->deflate_tail + used);
    return rc == 0 && !inf->clean ? -EBADMSG : rc;
}
