/* An independent WebSocket server on libwebsockets' own server role: accepts, acknowledges any
 * SUBSCRIBE, then sends the lines of a file as text messages, as fast as it can, once.
 * Usage: lws_server FRAMES [CERT KEY]. Prints "listening on 127.0.0.1:PORT". */
#include <libwebsockets.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 4096

struct session {
    long at; /* where in the file the next line begins */
    long request;
    bool subscribed, acked;
};

static FILE *frames;
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static int send_text(struct lws *wsi, const char *text)
{
    unsigned char buffer[LWS_PRE + MESSAGE_MAX];
    size_t len = strlen(text);
    memcpy(buffer + LWS_PRE, text, len);
    return lws_write(wsi, buffer + LWS_PRE, len, LWS_WRITE_TEXT) < (int)len ? -1 : 0;
}

static int send_next(struct lws *wsi, struct session *s)
{
    char line[MESSAGE_MAX];
    if (!s->acked) {
        s->acked = true;
        snprintf(line, sizeof line, "{\"result\":null,\"id\":%ld}", s->request);
    } else {
        if (fseek(frames, s->at, SEEK_SET) != 0 || fgets(line, sizeof line, frames) == NULL)
            return 0;
        s->at = ftell(frames);
        line[strcspn(line, "\n")] = '\0';
    }
    lws_callback_on_writable(wsi);
    return send_text(wsi, line);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct session *s = user;
    char text[MESSAGE_MAX];
    switch (reason) {
    case LWS_CALLBACK_RECEIVE:
        snprintf(text, sizeof text, "%.*s", (int)len, (const char *)in);
        s->subscribed = strstr(text, "SUBSCRIBE") != NULL;
        s->request =
            strtol(strstr(text, "\"id\":") != NULL ? strstr(text, "\"id\":") + 5 : "0", NULL, 10);
        lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return s->subscribed ? send_next(wsi, s) : 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {"any", on_event, sizeof(struct session), MESSAGE_MAX, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0}};

int main(int argc, char **argv)
{
    struct lws_context_creation_info info;
    if (argc != 2 && argc != 4)
        return 2;
    frames = fopen(argv[1], "r");
    if (frames == NULL)
        return 1;
    memset(&info, 0, sizeof info);
    info.protocols = protocols;
    info.iface = "127.0.0.1";
    info.gid = info.uid = -1;
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    if (argc == 4) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = argv[2];
        info.ssl_private_key_filepath = argv[3];
    }
    lws_set_log_level(LLL_ERR, NULL);
    signal(SIGTERM, on_signal);
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *vhost = context != NULL ? lws_create_vhost(context, &info) : NULL;
    if (vhost == NULL)
        return 1;
    printf("listening on 127.0.0.1:%d\n", lws_get_vhost_listen_port(vhost));
    fflush(stdout);
    while (!stop && lws_service(context, 0) >= 0) {
    }
    lws_context_destroy(context);
    fclose(frames);
    return 0;
}
