/* The server's stream, cut wherever a packet may end. */
#include "tls_peer.h"

static struct world world;
static struct pair p;
static const char text[] = "one record of plain text, then another, then close_notify";

/* A whole session; returns the length of the server's stream. */
static size_t session(int version, size_t cut, size_t second)
{
    pair_start(&p, world.ctx, world.server, version, HOST);
    p.cuts[0] = cut;
    p.cuts[1] = second;
    T_TRUE(pair_open(&p));
    server_writes(&p, text, 30);
    if (version == TLS1_3_VERSION)
        T_EQ(SSL_key_update(p.server, SSL_KEY_UPDATE_REQUESTED), 1);
    server_writes(&p, text + 30, sizeof text - 30);
    SSL_shutdown(p.server);
    to_client(&p);
    if (p.last != 0 || p.plain_len != sizeof text || memcmp(p.plain, text, sizeof text) != 0)
        fail_msg("cut at %zu and %zu: %zd, %zu bytes, %s", cut, second, p.last, p.plain_len,
                 tls_reason(&p.t));
    size_t len = p.delivered;
    pair_stop(&p);
    return len;
}

/* Signatures differ in length by a few bytes, so a little is tried beyond the end. */
static void every_cut(int version)
{
    world_start(&world);
    size_t len = session(version, NEVER, NEVER);
    T_TRUE(len > 500 && len < 3000);
    for (size_t i = 1; i < len + 4; i++)
        session(version, i, NEVER);
    world_stop(&world);
}

static void seeded_pairs(int version, unsigned count)
{
    uint64_t seed = 20240809;
    world_start(&world);
    size_t len = session(version, NEVER, NEVER);
    for (unsigned i = 0; i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t a = 1 + (size_t)(seed >> 33) % len;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        session(version, a, a + (size_t)(seed >> 33) % len);
    }
    world_stop(&world);
}

T_TEST(every_cut_of_tls_1_2_gives_the_same_text)
{
    every_cut(TLS1_2_VERSION);
}

T_TEST(every_cut_of_tls_1_3_gives_the_same_text)
{
    every_cut(TLS1_3_VERSION);
}

T_TEST(a_thousand_seeded_pairs_of_cuts_of_tls_1_2_give_the_same_text)
{
    seeded_pairs(TLS1_2_VERSION, 1000);
}

T_TEST(a_thousand_seeded_pairs_of_cuts_of_tls_1_3_give_the_same_text)
{
    seeded_pairs(TLS1_3_VERSION, 1000);
}
