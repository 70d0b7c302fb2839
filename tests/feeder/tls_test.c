/* The TLS stage against a real server in memory. */
#include "tls_peer.h"

static struct world world;
static struct pair p;

__attribute__((constructor(101))) static void pool_first(void)
{
    if (tls_memory_init((size_t)8 << 20) != 0)
        abort();
}

static void start(int version)
{
    world_start(&world);
    pair_start(&p, world.ctx, world.server, version, HOST);
}

static void stop(void)
{
    pair_stop(&p);
    world_stop(&world);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static const char *const version_names[] = {"TLSv1.2", "TLSv1.3"};

T_TEST(plain_text_passes_both_ways_in_both_versions)
{
    char buf[64];
    for (int v = 0; v < 2; v++) {
        start(versions[v]);
        T_TRUE(pair_open(&p));
        T_STR(tls_version(&p.t), version_names[v]);
        server_writes(&p, "from the server", 15);
        to_client(&p);
        T_EQ(p.last, -EAGAIN);
        T_EQ(p.plain_len, 15);
        T_MEM(p.plain, "from the server", 15);
        T_EQ(tls_write(&p.t, "from the client", 15), 0);
        to_server(&p);
        T_EQ(server_reads(&p, buf, sizeof buf), 15);
        T_MEM(buf, "from the client", 15);
        T_STR(tls_reason(&p.t), "");
        stop();
    }
}

T_TEST(the_host_is_named_to_the_server_and_an_address_is_not)
{
    static const struct {
        const char *host, *sni;
    } rows[] = {{HOST, HOST}, {HOST ".", HOST}, {"127.0.0.1", NULL}, {"[127.0.0.1]", NULL}};
    world_start(&world);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pair_start(&p, world.ctx, world.server, TLS_ANY, rows[i].host);
        T_TRUE(pair_open(&p));
        const char *sni = SSL_get_servername(p.server, TLSEXT_NAMETYPE_host_name);
        T_TRUE(rows[i].sni == NULL ? sni == NULL : sni != NULL && strcmp(sni, rows[i].sni) == 0);
        pair_stop(&p);
    }
    world_stop(&world);
}

static const struct refusal {
    struct cert_wish wish;
    enum { BY_CA, BY_OTHER, BY_ITSELF } issuer;
    const char *host, *reason;
} refusals[] = {
    {{.name = HOST, .alt = "DNS:" HOST, .from_s = -7200, .to_s = -3600},
     BY_CA,
     HOST,
     "certificate of " HOST " refused: certificate has expired"},
    {{.name = HOST, .alt = "DNS:" HOST, .from_s = 3600, .to_s = 7200},
     BY_CA,
     HOST,
     "certificate of " HOST " refused: certificate is not yet valid"},
    {{.name = HOST, .alt = "DNS:" HOST},
     BY_ITSELF,
     HOST,
     "certificate of " HOST " refused: self-signed certificate"},
    {{.name = HOST, .alt = "DNS:" HOST},
     BY_OTHER,
     HOST,
     "certificate of " HOST " refused: unable to get local issuer certificate"},
    {{.name = "x", .alt = "DNS:other.example,DNS:www.other.example"},
     BY_CA,
     HOST,
     "certificate refused: host name mismatch: it names other.example, www.other.example and "
     "not " HOST},
    {{.name = HOST, .alt = "DNS:*.example"},
     BY_CA,
     "a.b.example",
     "certificate refused: host name mismatch: it names *.example and not a.b.example"},
    {{.name = HOST, .alt = "IP:127.0.0.2"},
     BY_CA,
     "127.0.0.1",
     "certificate refused: host name mismatch: it names no host and not 127.0.0.1"},
};

static int alert;

static void on_info(const SSL *ssl, int where, int value)
{
    (void)ssl;
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        alert = value & 0xff;
}

T_TEST(a_certificate_that_is_not_right_is_refused_with_a_sentence)
{
    world_start(&world);
    struct cert other = cert_make(&(struct cert_wish){.name = "another authority", .authority = 1});
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        for (int v = 0; v < 2; v++) {
            struct cert_wish wish = refusals[i].wish;
            wish.issuer = refusals[i].issuer == BY_CA      ? &world.ca
                          : refusals[i].issuer == BY_OTHER ? &other
                                                           : NULL;
            struct cert leaf = cert_make(&wish);
            SSL_CTX *server = server_context(&leaf);
            pair_start(&p, world.ctx, server, versions[v], refusals[i].host);
            alert = 0;
            SSL_set_info_callback(p.server, on_info);
            T_TRUE(!pair_open(&p));
            T_EQ(p.last, -EKEYREJECTED);
            T_STR(tls_reason(&p.t), refusals[i].reason);
            T_EQ(tls_handshake(&p.t), -EKEYREJECTED); /* and it stays so */
            T_EQ(tls_write(&p.t, "x", 1), -EKEYREJECTED);
            T_EQ(tls_shutdown(&p.t), 0);
            T_TRUE(alert != 0); /* the server was told why */
            pair_stop(&p);
            SSL_CTX_free(server);
            cert_free(&leaf);
        }
    cert_free(&other);
    world_stop(&world);
}

T_TEST(the_end_with_close_notify_and_the_end_without_are_told_apart)
{
    for (int v = 0; v < 2; v++) {
        start(versions[v]);
        T_TRUE(pair_open(&p));
        server_writes(&p, "last words", 10);
        SSL_shutdown(p.server);
        to_client(&p);
        T_EQ(p.plain_len, 10);
        T_EQ(p.last, 0);
        tls_ended(&p.t);
        client_reads(&p);
        T_EQ(p.last, 0);
        stop();

        start(versions[v]);
        T_TRUE(pair_open(&p));
        server_writes(&p, "last words", 10);
        to_client(&p);
        T_EQ(p.last, -EAGAIN);
        tls_ended(&p.t);
        client_reads(&p);
        T_EQ(p.last, -ECONNRESET);
        T_EQ(p.plain_len, 10);
        T_STR(tls_reason(&p.t), "the stream ended without close_notify");
        client_reads(&p);
        T_EQ(p.last, -ECONNRESET);
        stop();
    }
}

T_TEST(an_end_inside_a_record_or_the_handshake_is_unplanned_too)
{
    unsigned char *at, bytes[64];
    start(TLS_ANY);
    T_TRUE(pair_open(&p));
    server_writes(&p, "half of this", 12);
    T_EQ(BIO_read(p.from_server, bytes, 20), 20);
    T_TRUE(tls_space(&p.t, &at) > 20);
    memcpy(at, bytes, 20);
    tls_received(&p.t, 20);
    tls_ended(&p.t);
    client_reads(&p);
    T_EQ(p.plain_len, 0);
    T_EQ(p.last, -ECONNRESET);
    stop();
    start(TLS_ANY);
    client_reads(&p);
    tls_ended(&p.t);
    client_reads(&p);
    T_EQ(p.last, -ECONNRESET);
    stop();
}

static void feed_raw(const char *bytes, size_t len)
{
    unsigned char *at;
    T_TRUE(tls_space(&p.t, &at) >= len);
    memcpy(at, bytes, len);
    tls_received(&p.t, len);
    client_reads(&p);
}

T_TEST(a_peer_that_does_not_speak_tls_gives_a_sentence)
{
    start(TLS_ANY);
    client_reads(&p);
    feed_raw("HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    T_EQ(p.last, -EPROTO);
    T_STR(tls_reason(&p.t), "TLS with " HOST " failed: wrong version number");
    stop();
}

T_TEST(a_flipped_bit_is_an_error)
{
    char record[256];
    start(TLS_ANY);
    T_TRUE(pair_open(&p));
    server_writes(&p, "price 61837.63", 14);
    int n = BIO_read(p.from_server, record, sizeof record);
    record[9] ^= 1;
    feed_raw(record, (size_t)n);
    T_EQ(p.plain_len, 0);
    T_EQ(p.last, -EPROTO);
    T_STR(tls_reason(&p.t), "TLS with " HOST " failed: decryption failed or bad record mac");
    stop();
}

T_TEST(a_server_of_tls_1_1_is_refused)
{
    start(TLS_ANY);
    SSL_set_security_level(p.server, 0);
    SSL_set_min_proto_version(p.server, TLS1_VERSION);
    SSL_set_max_proto_version(p.server, TLS1_1_VERSION);
    T_TRUE(!pair_open(&p));
    T_EQ(p.last, -EPROTO);
    T_TRUE(strstr(tls_reason(&p.t), "protocol version") != NULL);
    stop();
}

T_TEST(a_key_update_that_asks_for_an_answer_gets_it_at_once)
{
    char buf[256];
    start(TLS1_3_VERSION);
    T_TRUE(pair_open(&p));
    to_client(&p); /* session tickets */
    for (int i = 0; i < 3; i++) {
        const unsigned char *at;
        unsigned char *in;
        p.plain_len = 0;
        T_EQ(SSL_key_update(p.server, SSL_KEY_UPDATE_REQUESTED), 1);
        T_EQ(SSL_do_handshake(p.server), 1);
        size_t room = tls_space(&p.t, &in);
        int n = BIO_read(p.from_server, in, (int)room);
        T_TRUE(n > 0);
        tls_received(&p.t, (size_t)n);
        T_EQ(tls_read(&p.t, buf, sizeof buf), -EAGAIN);

        T_TRUE(tls_pending_out(&p.t, &at) > 0); /* though nothing was written */
        to_server(&p);
        server_writes(&p, "after the update", 16);
        to_client(&p);
        T_EQ(p.plain_len, 16);
        T_EQ(tls_write(&p.t, "with new keys", 13), 0);
        to_server(&p);
        T_EQ(server_reads(&p, buf, sizeof buf), 13);
    }
    stop();
}

T_TEST(renegotiation_is_declined_and_the_session_goes_on)
{
    start(TLS1_2_VERSION);
    T_TRUE(pair_open(&p));
    SSL_renegotiate(p.server);
    SSL_do_handshake(p.server); /* HelloRequest */
    T_TRUE(to_client(&p) > 0);
    T_EQ(p.last, -EAGAIN);
    T_TRUE(BIO_pending(p.to_server) > 0); /* the warning that it is not done */
    T_EQ(p.t.failed, 0);
    T_EQ(tls_write(&p.t, "still here", 10), 0);
    stop();
}

T_TEST(a_write_goes_whole_or_not_at_all)
{
    static char big[BUF];
    char back[BUF];
    size_t sent = 0, got = 0;
    int rc, n;
    start(TLS_ANY);
    T_EQ(tls_write(&p.t, "early", 5), -ENOTCONN);
    T_TRUE(pair_open(&p));
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 31 >> 3);
    T_EQ(tls_write(&p.t, big, BUF), -ENOBUFS); /* never fits */
    while ((rc = tls_write(&p.t, big + sent, 1000)) == 0)
        sent += 1000;
    T_EQ(rc, -ENOBUFS);
    T_TRUE(sent > 50000);
    to_server(&p);
    T_EQ(tls_write(&p.t, big + sent, 1000), 0);
    sent += 1000;
    to_server(&p);
    while ((n = server_reads(&p, back + got, sizeof back - got)) > 0)
        got += (size_t)n;
    T_EQ(got, sent);
    T_MEM(back, big, sent);
    stop();
}

/* The output is full to the reserve, and the peer asks for one answer after the other. */
T_TEST(answers_that_find_the_output_full_wait_for_room)
{
    char part[4096] = {0};
    int n, full = 0;
    start(TLS1_3_VERSION);
    T_TRUE(pair_open(&p));
    to_client(&p);
    while (tls_write(&p.t, part, 1) == 0)
        ;
    for (int i = 0; i < 200; i++) {
        unsigned char *in;
        T_EQ(SSL_key_update(p.server, SSL_KEY_UPDATE_REQUESTED), 1);
        T_EQ(SSL_do_handshake(p.server), 1);
        T_TRUE(tls_space(&p.t, &in) >= (size_t)BIO_pending(p.from_server));
        n = BIO_read(p.from_server, in, sizeof part);
        tls_received(&p.t, (size_t)n);
        p.last = tls_read(&p.t, p.plain, BUF);
        if (p.last == -ENOBUFS) {
            T_EQ(tls_read(&p.t, p.plain, BUF), -ENOBUFS); /* until output is taken away */
            T_TRUE(to_server(&p) > BUF - 1024);
            p.last = tls_read(&p.t, p.plain, BUF);
            full++;
        }
        T_EQ(p.last, -EAGAIN);
        while (full == 1 && tls_write(&p.t, part, 1) == 0)
            ;
    }
    T_TRUE(full > 1);
    to_server(&p);
    server_writes(&p, "the end", 7);
    to_client(&p);
    T_EQ(p.plain_len, 7);
    T_EQ(tls_write(&p.t, "x", 1), 0);
    to_server(&p);
    while ((n = server_reads(&p, part, sizeof part)) > 0)
        ;
    T_EQ(n, -SSL_ERROR_WANT_READ); /* all of it was readable */
    stop();
}

T_TEST(shutdown_sends_close_notify_once)
{
    char buf[16];
    const unsigned char *at;
    start(TLS_ANY);
    T_EQ(tls_shutdown(&p.t), 0);
    T_EQ(tls_pending_out(&p.t, &at), 0); /* nothing to end yet */
    T_TRUE(pair_open(&p));
    T_EQ(tls_shutdown(&p.t), 0);
    T_TRUE(to_server(&p) > 0);
    T_EQ(tls_shutdown(&p.t), 0);
    T_EQ(to_server(&p), 0);
    T_EQ(server_reads(&p, buf, sizeof buf), -SSL_ERROR_ZERO_RETURN);
    T_EQ(tls_write(&p.t, "x", 1), -ENOTCONN);
    server_writes(&p, "on its way", 10);
    to_client(&p);
    T_EQ(p.plain_len, 10);
    stop();
}

T_TEST(what_cannot_be_set_up_is_refused)
{
    struct tls_context *ctx = NULL;
    struct tls_buffer good = {p.in, BUF, 0, 0}, small = {p.out, TLS_BUFFER_MIN - 1, 0, 0};
    char err[256], long_host[300];
    struct tls t;
    T_EQ(tls_context_new("/nonexistent/ca.pem", &ctx, err, sizeof err), -ENOENT);
    T_TRUE(ctx == NULL);
    T_TRUE(strncmp(err, "/nonexistent/ca.pem: no trusted certificate can be read: ", 57) == 0);
    T_EQ(tls_context_new(NULL, &ctx, err, sizeof err), 0);
    memset(long_host, 'h', sizeof long_host - 1);
    long_host[sizeof long_host - 1] = '\0';
    T_EQ(tls_init(&t, ctx, HOST, good, small), -EINVAL);
    tls_free(&t);
    T_EQ(tls_init(&t, ctx, "", good, good), -EINVAL);
    T_EQ(tls_init(&t, ctx, long_host, good, good), -EINVAL);
    T_EQ(tls_handshake(&t), -ENOTCONN);
    tls_free(&t);
    tls_free(NULL);
    tls_context_free(ctx);
    tls_context_free(NULL);
    T_EQ(tls_memory_init(1 << 20), -EBUSY);
}

T_TEST(sha1_is_that_of_fips_180)
{
    static const unsigned char abc[20] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
                                          0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
                                          0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    unsigned char out[20];
    T_EQ(tls_sha1("abc", 3, out), 0);
    T_MEM(out, abc, sizeof abc);
}
