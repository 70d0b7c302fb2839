/* libwebsockets' own WebSocket client with the same work per message as frame_bare. */
#include <errno.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "frame_report.h"
#include "pick_store.h"
#include "util.h"
#include "ws_client.h"

#define ENTRIES 65536u
#define MESSAGE 4096

static struct {
    struct sink_ring *ring;
    struct sink_slot *slot;
    struct frame_report *report;
    long count;
    uint64_t seq;
    size_t have;
    int failed;
    char message[MESSAGE + PICK_PADDING];
} me;

/* A message may come in parts; simdjson needs it whole, with padding behind it. */
static void take_part(struct lws *wsi, const char *in, size_t len)
{
    struct pick p;
    if (me.have + len > MESSAGE)
        util_die("a message of over 4096 bytes", 0);
    memcpy(me.message + me.have, in, len);
    me.have += len;
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) != 0)
        return;
    if (pick_trade(me.message, me.have, &p) == 0) {
        pick_store(&p, me.slot, me.ring, ENTRIES - 1, ++me.seq);
        frame_report_count(me.report, (long)me.seq, me.count);
    }
    me.have = 0;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    (void)user;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE: {
        unsigned char out[LWS_PRE + sizeof WS_SUBSCRIBE];
        memcpy(out + LWS_PRE, WS_SUBSCRIBE, sizeof WS_SUBSCRIBE - 1);
        lws_write(wsi, out + LWS_PRE, sizeof WS_SUBSCRIBE - 1, LWS_WRITE_TEXT);
        return 0;
    }
    case LWS_CALLBACK_CLIENT_RECEIVE:
        take_part(wsi, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    case LWS_CALLBACK_CLIENT_CLOSED:
        me.failed = 1;
        return 0;
    default:
        return 0;
    }
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {{"bench", callback, 0, 65536, 0, NULL, 0},
                                                     {NULL, NULL, 0, 0, 0, NULL, 0}};
    struct lws_context_creation_info info;
    struct lws_client_connect_info to;
    const int tls = util_flag(argc, argv, "tls");
    util_deadline(60);
    util_pin(1);
    me.count = util_option(argc, argv, "count", 100000);
    me.ring = util_shared(sizeof *me.ring + ENTRIES * sizeof(struct sink_entry));
    me.slot = util_shared(sizeof *me.slot);
    me.report = util_shared(sizeof *me.report);

    lws_set_log_level(LLL_ERR, NULL);
    memset(&info, 0, sizeof info);
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.options = tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0;
    info.pt_serv_buf_size = WS_CLIENT_BUFFER;
    struct lws_context *context = lws_create_context(&info);
    if (context == NULL)
        util_die("libwebsockets", ENOMEM);
    memset(&to, 0, sizeof to);
    to.context = context;
    to.address = to.host = to.origin = "127.0.0.1";
    to.port = (int)util_option(argc, argv, "port", 0);
    to.path = "/ws";
    to.local_protocol_name = "bench";
    to.ssl_connection =
        tls ? LCCSCF_USE_SSL | LCCSCF_ALLOW_SELFSIGNED | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK : 0;
    if (lws_client_connect_via_info(&to) == NULL)
        util_die("connect", 0);
    while ((long)me.seq < me.count && !me.failed)
        lws_service(context, 0);
    if (me.failed)
        util_die("the connection failed", 0);
    frame_report_print(me.report, 0);
    lws_context_destroy(context);
    return 0;
}
