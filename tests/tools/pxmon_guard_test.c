/* Who is let in, by every way in which a request may lie. */
#include "t.h"

#include "guard.h"

#define TOKEN "a-token-of-this-test"

static struct web_request request(const char *host, const char *origin)
{
    struct web_request r = {.method = WEB_GET, .path = "/"};
    snprintf(r.host, sizeof r.host, "%s", host);
    snprintf(r.origin, sizeof r.origin, "%s", origin);
    return r;
}

T_TEST(secrets_are_random_and_each_has_its_use)
{
    struct guard a, b;
    T_EQ(guard_open(&a, "127.0.0.1", NULL, false), 0);
    T_EQ(guard_open(&b, "127.0.0.1", NULL, false), 0);
    T_EQ(strlen(a.page), 64);
    T_TRUE(strcmp(a.page, a.cookie) != 0 && strcmp(a.page, b.page) != 0);
}

T_TEST(only_names_of_loopback_are_ours_without_a_token)
{
    static const struct {
        const char *host;
        bool ours;
    } table[] = {{"127.0.0.1:9464", true}, {"127.0.0.1", true},       {"localhost:9464", true},
                 {"[::1]:9464", true},     {"127.9.9.9", true},       {"", false},
                 {"evil.example", false},  {"127.0.0.1.evil", false}, {"localhost.evil", false},
                 {"[::2]:1", false},       {"10.0.0.1:9464", false},  {"[127.0.0.1", true}};
    struct guard g;
    T_EQ(guard_open(&g, "127.0.0.1", NULL, false), 0);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct web_request r = request(table[i].host, "");
        if (guard_host(&g, &r) != table[i].ours)
            fail_msg("%s", table[i].host);
    }
}

T_TEST(an_origin_is_ours_with_scheme_host_and_port_only)
{
    static const struct {
        const char *origin;
        bool ours;
    } table[] = {{"http://127.0.0.1:9464", true},
                 {"https://127.0.0.1:9464", false},
                 {"http://127.0.0.1:9465", false},
                 {"http://127.0.0.1", false},
                 {"http://localhost:9464", false},
                 {"null", false},
                 {"", false},
                 {"http://127.0.0.1:9464.evil", false},
                 {"http://127.0.0.1:94640", false},
                 {"HTTP://127.0.0.1:9464", true}};
    struct guard g;
    T_EQ(guard_open(&g, "127.0.0.1", NULL, false), 0);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct web_request r = request("127.0.0.1:9464", table[i].origin);
        if (guard_origin(&g, &r) != table[i].ours)
            fail_msg("%s", table[i].origin);
    }
    struct web_request nobody = request("", "http://");
    T_TRUE(!guard_origin(&g, &nobody));
}

T_TEST(a_bearer_must_be_the_whole_token)
{
    static const char *const wrong[] = {"",
                                        "Bearer",
                                        "Bearer ",
                                        "Bearer " TOKEN "x",
                                        "Bearer a-token-of-this-tes",
                                        "Bearer  " TOKEN,
                                        "Basic " TOKEN,
                                        TOKEN};
    struct guard g;
    T_EQ(guard_open(&g, "0.0.0.0", TOKEN, true), 0);
    struct web_request r = request("x", "");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(r.authorization, sizeof r.authorization, "%s", wrong[i]);
        if (guard_read(&g, &r) || guard_restart(&g, &r) || guard_token(&g, &r))
            fail_msg("%s", wrong[i]);
    }
    snprintf(r.authorization, sizeof r.authorization, "bearer " TOKEN);
    T_TRUE(guard_read(&g, &r) && guard_restart(&g, &r) && guard_token(&g, &r));
}

T_TEST(a_cookie_opens_the_numbers_and_not_the_restart)
{
    struct guard g;
    T_EQ(guard_open(&g, "0.0.0.0", TOKEN, true), 0);
    struct web_request r = request("x", "");
    snprintf(r.cookie, sizeof r.cookie, "a=b; pxmon=%s; c=d", g.cookie);
    T_TRUE(guard_read(&g, &r) && !guard_restart(&g, &r));
    snprintf(r.cookie, sizeof r.cookie, "xpxmon=%s; pxmon=", g.cookie);
    T_TRUE(!guard_read(&g, &r));
    snprintf(r.cookie, sizeof r.cookie, "pxmon=%sx", g.cookie);
    T_TRUE(!guard_read(&g, &r));
}

T_TEST(without_a_token_the_secret_of_the_page_restarts)
{
    struct guard g;
    T_EQ(guard_open(&g, "127.0.0.1", NULL, false), 0);
    struct web_request r = request("127.0.0.1", "");
    T_TRUE(guard_read(&g, &r) && !guard_restart(&g, &r) && !guard_token(&g, &r));
    snprintf(r.authorization, sizeof r.authorization, "Bearer %s", g.cookie);
    T_TRUE(!guard_restart(&g, &r));
    snprintf(r.authorization, sizeof r.authorization, "Bearer %s", g.page);
    T_TRUE(guard_restart(&g, &r));
}
