/* The configuration as a user meets it: files and flags in, one struct or one sentence out. */
#include "t.h"

#include <errno.h>
#include <unistd.h>

#include "config.h"

#include "px/info.h"

static char dir[64], path[96], error[CONFIG_ERROR_MAX];
static struct config config;

static void write_file(const char *text)
{
    if (dir[0] == '\0') {
        strcpy(dir, "/tmp/px-config-XXXXXX");
        T_TRUE(mkdtemp(dir) != NULL);
        snprintf(path, sizeof path, "%s/px.conf", dir);
        unsetenv("PX_BUS");
    }
    FILE *f = fopen(path, "w");
    T_TRUE(f != NULL);
    T_EQ(fputs(text, f) >= 0, 1);
    fclose(f);
}

__attribute__((destructor)) static void clean(void)
{
    if (dir[0] != '\0') {
        unlink(path);
        rmdir(dir);
    }
}

/* What the machine has set is not these tests'. */
__attribute__((constructor)) static void no_environment(void)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "http_proxy",
                                        "HTTP_PROXY",  "no_proxy",    "NO_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
}

#define ARGS_MAX 16
static int load(const char *first, ...)
{
    static char *argv[ARGS_MAX + 1];
    int argc = 0;
    va_list args;
    argv[argc++] = (char *)(uintptr_t) "feeder";
    va_start(args, first);
    for (const char *a = first; a != NULL && argc < ARGS_MAX; a = va_arg(args, const char *))
        argv[argc++] = (char *)(uintptr_t)a;
    va_end(args);
    argv[argc] = NULL;
    unsetenv("PX_BUS");
    return config_load(argc, argv, &config, error);
}

static int load_text(const char *text)
{
    write_file(text);
    return load("-c", path, NULL);
}

/* The sentence without the path in front of it. */
static const char *sentence(void)
{
    const char *at = strstr(error, "px.conf:");
    return at == NULL ? error : at + 8;
}

static size_t venue(const char *name)
{
    return config_venue_index(venue_find(name, strlen(name)));
}

T_TEST(defaults_are_those_of_the_manual)
{
    T_EQ(load(NULL), 0);
    T_STR(config.bus, "md");
    T_EQ(config.capacity, 1000);
    T_EQ(config.ring, 65536);
    T_EQ(config.kinds, PX_TRADES | PX_QUOTES);
    T_EQ(config.memory_soft_mb, 64);
    T_EQ(config.memory_hard_mb, 128);
    T_EQ(config.memory_warn_mb_h, 1);
    T_EQ(config.memory_critical_mb_h, 50);
    T_EQ(config.restart_every, 0);
    T_EQ(config.restart_min_s, 600);
    T_EQ(config.restart_overlap_s, 20);
    T_EQ(config.symbol_count, 0);
    T_EQ(config.action, CONFIG_RUN);
    T_TRUE(config.venue[venue("binance")].allowed);
    config_free(&config);
}

T_TEST(file_sets_bus_and_venue_keys)
{
    T_EQ(load_text("[bus]\nname = test\ncapacity = 100 ; slots\nring=1024\nmemory_soft_mb : 10\n"
                   "[binance]\nsymbols = BTCUSDT, ETHUSDT\n          SOLUSDT\nkinds = trade\n"
                   "redundancy = 2\ndeflate = yes\nendpoint = ws://127.0.0.1:9\n"),
         0);
    T_STR(config.bus, "test");
    T_EQ(config.capacity, 100);
    T_EQ(config.ring, 1024);
    T_EQ(config.memory_soft_mb, 10);
    T_EQ(config.symbol_count, 3);
    T_STR(config.symbols[2].symbol, "binance:SOLUSDT");
    T_EQ(config.symbols[2].kinds, PX_TRADES);
    T_TRUE(config.venue[venue("binance")].deflate);
    T_TRUE(!config.venue[venue("binance_us")].deflate);
    bool limits = true;
    T_STR(config_endpoint(&config, venue_find("binance", 7), &limits), "ws://127.0.0.1:9");
    T_EQ(limits, 0);
    config_free(&config);
}

T_TEST(flags_override_the_file_whatever_their_order)
{
    write_file("[bus]\nname = one\ncapacity = 100\nbusy_poll = no\n");
    T_EQ(load("--capacity", "50", "binance:BTCUSDT", "--busy-poll", "-c", path, "-b", "two",
              "--kinds", "quote", NULL),
         0);
    T_STR(config.bus, "two");
    T_EQ(config.capacity, 50);
    T_TRUE(config.busy_poll);
    T_EQ(config.symbol_count, 1);
    T_EQ(config.symbols[0].kinds, PX_QUOTES);
    config_free(&config);
}

T_TEST(environment_names_the_bus_unless_file_or_flag_do)
{
    char *argv[] = {(char *)(uintptr_t) "feeder", NULL, NULL, NULL};
    setenv("PX_BUS", "env", 1);
    T_EQ(config_load(1, argv, &config, error), 0);
    T_STR(config.bus, "env");
    argv[1] = (char *)(uintptr_t) "-b";
    argv[2] = (char *)(uintptr_t) "flag";
    T_EQ(config_load(3, argv, &config, error), 0);
    T_STR(config.bus, "flag");
    setenv("PX_BUS", "no/slash", 1);
    T_EQ(config_load(1, argv, &config, error), -EINVAL);
    T_TRUE(strncmp(error, "PX_BUS: ", 8) == 0);
    unsetenv("PX_BUS");
}

T_TEST(unknown_key_is_an_error_with_file_and_line)
{
    T_EQ(load_text("[bus]\nname = x\n\n; a comment\ncapacty = 3\n"), -EBADMSG);
    T_TRUE(strncmp(error, path, strlen(path)) == 0);
    T_STR(sentence(), "5: unknown key capacty");
}

T_TEST(unknown_section_is_an_error_even_without_keys)
{
    T_EQ(load_text("[bus]\nname = x\n[krakken]\n"), -EBADMSG);
    T_STR(sentence(), "3: unknown section [krakken]");
}

T_TEST(key_outside_of_a_section_is_an_error)
{
    T_EQ(load_text("name = x\n"), -EBADMSG);
    T_STR(sentence(), "1: name is in no section");
}

T_TEST(line_that_is_no_setting_is_an_error_with_its_line)
{
    T_EQ(load_text("[bus]\nname = x\nhello\n[binance]\nsymbols = BTCUSDT\n"), -EBADMSG);
    T_STR(sentence(), "3: neither [section] nor key = value");
}

T_TEST(a_time_has_a_unit_or_is_in_seconds)
{
    static const struct {
        const char *text;
        uint32_t seconds;
    } times[] = {{"0", 0}, {"90", 90}, {"90s", 90}, {"30m", 1800}, {"24h", 86400}, {"7d", 604800}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        T_EQ(load("--restart-every", times[i].text, NULL), 0);
        T_EQ(config.restart_every, times[i].seconds);
        config_free(&config);
    }
}

T_TEST(a_leak_for_tests_names_owner_and_bytes)
{
    T_EQ(load("--test-leak", "tls:40", "--test-watch-scale", "60", NULL), 0);
    T_EQ(config.test_leak_owner, PX_OWNER_TLS);
    T_EQ(config.test_leak_bytes, 40);
    T_EQ(config.test_watch_scale, 60);
    config_free(&config);
    T_EQ(load("--test-leak", "kernel:40", NULL), -EINVAL);
    T_EQ(load("--test-leak", "tls", NULL), -EINVAL);
    T_EQ(load("--test-watch-scale", "0", NULL), -EINVAL);
}

T_TEST(bad_value_applies_nothing)
{
    static const char *const lines[] = {"capacity = 1e3",
                                        "capacity = 3",
                                        "capacity = 99999999999999999999",
                                        "capacity = -5",
                                        "ring = 1000",
                                        "ring = 32",
                                        "name = a b",
                                        "name =",
                                        "group = nobody-has-this-name",
                                        "kinds = trades",
                                        "kinds =",
                                        "log_level = loud",
                                        "limits = all",
                                        "busy_poll = perhaps",
                                        "cpu = 5000",
                                        "venues = nasdaq",
                                        "memory_soft_mb = 4 MB",
                                        "proxy = socks5://x",
                                        "kinds = trade aggtrade",
                                        "backoff_min_ms = 0",
                                        "restart_every = 1w",
                                        "restart_every = 24hours",
                                        "restart_every = h",
                                        "restart_every = 367d",
                                        "restart_every = 99999999999999999999s"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[128];
        struct config before;
        snprintf(text, sizeof text, "[bus]\n%s\n", lines[i]);
        memset(&config, 0x5a, sizeof config);
        before = config;
        T_EQ(load_text(text), -EBADMSG);
        T_TRUE(error[0] != '\0' && strchr(error, '\n') == NULL);
        T_MEM(&before, &config, sizeof config);
    }
}

T_TEST(bad_flag_is_a_usage_error_that_names_it)
{
    T_EQ(load("--capacity", "many", NULL), -EINVAL);
    T_STR(error, "--capacity: \"many\" is not a whole number");
    T_EQ(load("--capacity", NULL), -EINVAL);
    T_STR(error, "--capacity: needs a value");
    T_EQ(load("--capicity", "3", NULL), -EINVAL);
    T_STR(error, "--capicity: unknown flag, see --help");
    T_EQ(load("--endpoint", "binance", NULL), -EINVAL);
    T_STR(error, "--endpoint: is not VENUE=URL");
    T_EQ(load("--endpoint", "binance=http://x", NULL), -EINVAL);
    T_EQ(load("BTCUSDT", NULL), -EINVAL);
    T_STR(error, "BTCUSDT: \"BTCUSDT\" is not VENUE:SYMBOL");
    T_EQ(load("nasdaq:AAPL", NULL), -EINVAL);
    T_STR(error, "nasdaq:AAPL: unknown venue in \"nasdaq:AAPL\"");
    T_EQ(load("--check", "--plan", NULL), -EINVAL);
}

T_TEST(scalar_key_given_twice_or_continued_is_an_error)
{
    T_EQ(load_text("[bus]\ncapacity = 10\ncapacity = 20\n"), -EBADMSG);
    T_STR(sentence(), "3: capacity has more than one value");
    T_EQ(load_text("[bus]\ncapacity = 10\n  20\n"), -EBADMSG);
    T_STR(sentence(), "3: capacity has more than one value");
}

/* inih cuts lines at 200 bytes: nothing of that may be seen. */
static void check_many(const char *text, size_t count)
{
    T_EQ(load_text(text), 0);
    T_EQ(config.symbol_count, count);
    char symbol[PX_SYMBOL_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        snprintf(symbol, sizeof symbol, "binance:S%zuUSDT", i);
        T_STR(config.symbols[i].symbol, symbol);
    }
    config_free(&config);
}

T_TEST(three_thousand_symbols_on_one_line_all_arrive)
{
    char *text = malloc(100000), *at = text;
    at += sprintf(at, "[binance]\nsymbols =");
    for (int i = 0; i < 3000; i++)
        at += sprintf(at, " S%dUSDT", i);
    sprintf(at, "   ; that is all of them\nkinds = trade\n");
    check_many(text, 3000);
    for (char *p = strchr(text, '=') + 2; memcmp(p, "   ;", 4) != 0; p++)
        *p = *p == ' ' ? ',' : *p; /* without a blank, too */
    check_many(text, 3000);
    free(text);
}

T_TEST(three_thousand_symbols_on_continuation_lines_all_arrive)
{
    char *text = malloc(100000), *at = text;
    at += sprintf(at, "[binance]\r\nsymbols = ");
    for (int i = 0; i < 3000; i++)
        at += sprintf(at, i % 50 == 49 ? " S%dUSDT\r\n  " : " S%dUSDT", i);
    sprintf(at, "\r\nkinds = trade\r\n");
    check_many(text, 3000);
    free(text);
}

T_TEST(every_length_of_line_around_the_cut_is_read_whole)
{
    for (size_t len = 150; len < 420; len++) {
        char text[1024];
        int n = snprintf(text, sizeof text, "[binance]\nsymbols = AAA");
        while ((size_t)n < len)
            text[n++] = ' ';
        snprintf(text + n, sizeof text - (size_t)n, "ZZZ BBB\nkinds = trade\n");
        T_EQ(load_text(text), 0);
        T_EQ(config.symbol_count, 3);
        T_STR(config.symbols[1].symbol, "binance:ZZZ");
        config_free(&config);
    }
}

T_TEST(error_after_a_long_line_has_the_line_of_the_file)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "[binance]\nsymbols =");
    for (int i = 0; i < 300; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " S%d", i);
    snprintf(text + n, sizeof text - (size_t)n, "\nsilence_ms = 86400001\n");
    T_EQ(load_text(text), -EBADMSG);
    T_STR(sentence(), "3: silence_ms: 86400001 is not in 0 to 86400000");
    snprintf(text + n, sizeof text - (size_t)n, "\nhello\n");
    T_EQ(load_text(text), -EBADMSG);
    T_STR(sentence(), "3: neither [section] nor key = value");
}

T_TEST(word_that_cannot_be_passed_on_is_refused_not_cut)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "[binance]\nendpoint = ws://");
    memset(text + n, 'x', 300);
    snprintf(text + n + 300, sizeof text - (size_t)n - 300, "\n");
    T_EQ(load_text(text), -EBADMSG);
    T_STR(sentence(), "2: a word that is too long");
}

T_TEST(long_comment_is_a_comment)
{
    char text[2048];
    int n = snprintf(text, sizeof text, "[bus]\n; ");
    memset(text + n, 'x', 1000);
    snprintf(text + n + 1000, sizeof text - (size_t)n - 1000, " capacity = 5\ncapacity = 7\n");
    T_EQ(load_text(text), 0);
    T_EQ(config.capacity, 7);
    config_free(&config);
}

T_TEST(bad_symbol_is_named_with_its_line)
{
    T_EQ(load_text("[binance]\nsymbols = BTCUSDT\n  ETH=USDT\n"), -EBADMSG);
    T_TRUE(strncmp(sentence(), "3: symbols: ", 12) == 0);
    T_TRUE(strstr(error, "ETH=USDT") != NULL);
}

T_TEST(redundancy_is_one_or_two_connections)
{
    const char *const other[] = {"0", "3", "-1", "two", ""};
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        char text[64];
        snprintf(text, sizeof text, "[binance]\nredundancy = %s\n", other[i]);
        T_EQ(load_text(text), -EBADMSG);
        T_TRUE(strncmp(sentence(), "2: redundancy: ", 15) == 0);
    }
    T_EQ(load_text("[binance]\nredundancy = 2\n[binance_us]\nsymbols = BTCUSD\n"), 0);
    T_EQ(config.venue[config_venue_index(venue_find("binance", 7))].redundancy, 2);
    T_EQ(config.venue[config_venue_index(venue_find("binance_us", 10))].redundancy, 1);
    config_free(&config);
}

T_TEST(symbol_given_twice_is_one)
{
    write_file("[binance]\nsymbols = BTCUSDT BTCUSDT\nkinds = trade\n");
    T_EQ(load("-c", path, "--kinds", "quote", "binance:BTCUSDT", NULL), 0);
    T_EQ(config.symbol_count, 1);
    T_TRUE((config.symbols[0].kinds & PX_QUOTES) != 0);
    config_free(&config);
}

T_TEST(venues_key_restricts_what_may_be_asked_for)
{
    T_EQ(load_text("[bus]\nvenues = binance_us\n"), 0);
    T_EQ(config.venue[venue("binance")].allowed, 0);
    T_EQ(config.venue[venue("binance_us")].allowed, 1);
    config_free(&config);
    T_EQ(load_text("[bus]\nvenues = binance_us\n[binance]\nsymbols = BTCUSDT\n"), -EBADMSG);
}

T_TEST(limits_apply_to_an_endpoint_only_when_asked_for)
{
    bool limits = false;
    T_EQ(load("--endpoint", "binance=ws://127.0.0.1:9/x", "--limits", "venue", NULL), 0);
    config_endpoint(&config, venue_find("binance", 7), &limits);
    T_EQ(limits, 1);
    T_EQ(load(NULL), 0);
    config_endpoint(&config, venue_find("binance", 7), &limits);
    T_EQ(limits, 1);
}

static const char *endpoint(const char *name, uint32_t n)
{
    const char *text = config_endpoint_at(&config, venue_find(name, strlen(name)), n);
    return text == NULL ? "none" : text;
}

T_TEST(endpoints_are_a_list_that_lines_and_flags_append_to)
{
    write_file(
        "[binance]\nendpoint = ws://a ws://b,c\n  ws://d\n[binance_us]\nendpoint = ws://u\n");
    T_EQ(load("-c", path, NULL), 0);
    T_STR(endpoint("binance", 0), "ws://a");
    T_STR(endpoint("binance", 1), "ws://b,c");
    T_STR(endpoint("binance", 2), "ws://d");
    T_STR(endpoint("binance", 3), "none");
    T_STR(endpoint("binance_us", 1), "none");
    T_EQ(load("-c", path, "--endpoint", "binance=ws://x", "--endpoint", "binance=ws://y", NULL), 0);
    T_STR(endpoint("binance", 0), "ws://x");
    T_STR(endpoint("binance", 1), "ws://y");
    T_STR(endpoint("binance", 2), "none");
    T_STR(endpoint("binance_us", 0), "ws://u");
    T_EQ(load_text("[binance]\nendpoint = ws://a ws://b\nendpoint = ws://c ws://d ws://e\n"),
         -EBADMSG);
    T_STR(sentence(), "3: endpoint: more than 4 endpoints");
    T_EQ(load_text("[binance]\nendpoint = ws://a http://b\n"), -EBADMSG);
    T_EQ(load_text("[binance]\nendpoint =\n"), -EBADMSG);
}

T_TEST(a_venue_without_endpoints_of_the_operator_has_all_of_its_own)
{
    T_EQ(load(NULL), 0);
    T_STR(endpoint("binance", 0), "wss://stream.binance.com:9443");
    T_STR(endpoint("binance", 1), "wss://stream.binance.com:443");
    T_STR(endpoint("binance", 2), "wss://data-stream.binance.vision");
    T_STR(endpoint("binance", 3), "none");
    T_STR(endpoint("binance_us", 1), "none");
    T_EQ(load("--endpoint", "binance=ws://x", NULL), 0);
    T_STR(endpoint("binance", 1), "none");
}

/* The proxy on the way from a venue to a URL. */
static const char *proxy_to(const char *name, const char *text)
{
    struct url url;
    char why[URL_ERROR_MAX];
    T_EQ(url_parse(text, &url, why), 0);
    const char *proxy = config_proxy(&config, venue_find(name, strlen(name)), &url);
    return proxy == NULL ? "none" : proxy;
}

T_TEST(a_proxy_of_the_file_is_for_all_venues_but_those_that_say_else)
{
    no_environment();
    setenv("https_proxy", "http://env:1", 1);
    setenv("no_proxy", "*", 1);
    T_EQ(load_text("[bus]\nproxy = http://u:secret@bus:1\n[binance]\nproxy = own:2\n"
                   "[kraken]\nproxy = none\n"),
         0);
    T_STR(proxy_to("binance", "wss://h"), "own:2");
    T_STR(proxy_to("binance_us", "ws://127.0.0.1"), "http://u:secret@bus:1");
    T_STR(proxy_to("kraken", "wss://h"), "none");
    T_EQ(load("--proxy", "none", NULL), 0);
    T_STR(proxy_to("binance", "wss://h"), "none");
    no_environment();
}

T_TEST(a_proxy_of_the_environment_is_taken_as_curl_takes_it)
{
    no_environment();
    setenv("HTTPS_PROXY", "http://big:1", 1);
    setenv("HTTP_PROXY", "http://big:2", 1);
    T_EQ(load(NULL), 0);
    T_STR(proxy_to("binance", "wss://h"), "http://big:1");
    T_STR(proxy_to("binance", "ws://h"), "none");
    setenv("https_proxy", "http://small:1", 1);
    setenv("http_proxy", "http://small:2", 1);
    setenv("NO_PROXY", "example.com,10.0.0.0/8", 1);
    T_EQ(load(NULL), 0);
    T_STR(proxy_to("binance", "wss://h"), "http://small:1");
    T_STR(proxy_to("binance", "ws://h"), "http://small:2");
    T_STR(proxy_to("binance", "wss://a.example.com"), "none");
    T_STR(proxy_to("binance", "wss://10.1.2.3"), "none");
    T_STR(proxy_to("binance", "ws://localhost:9"), "none");
    T_STR(proxy_to("binance", "ws://[::1]:9"), "none");
    setenv("no_proxy", "h", 1);
    T_EQ(load(NULL), 0);
    T_STR(proxy_to("binance", "wss://h"), "none");
    T_STR(proxy_to("binance", "wss://a.example.com"), "http://small:1");
    T_EQ(load("--demo", NULL), 0);
    T_STR(proxy_to("binance", "wss://a.example.com"), "none");
    no_environment();
}

T_TEST(a_proxy_that_is_none_is_refused_without_its_password)
{
    no_environment();
    T_EQ(load("--proxy", "socks5://u:secret@h:1", NULL), -EINVAL);
    T_TRUE(strncmp(error, "--proxy: ", 9) == 0 && strstr(error, "secret") == NULL);
    T_EQ(load("--proxi=http://u:secret@h:1", NULL), -EINVAL);
    T_STR(error, "--proxi: unknown flag, see --help");
    T_EQ(load_text("[binance]\nproxy = http://u:secret@h\n"), -EBADMSG);
    T_STR(sentence(), "2: proxy: is not http://[USER:PASSWORD@]HOST:PORT");
    setenv("https_proxy", "https://u:secret@h:1", 1);
    T_EQ(load(NULL), -EBADMSG);
    T_TRUE(strncmp(error, "https_proxy: ", 13) == 0 && strstr(error, "secret") == NULL);
    T_EQ(load("--proxy", "none", NULL), 0);
    no_environment();
}

/* Where missed trades of binance are asked for, as "tls host:port limits". */
static const char *asked_at(const char *text)
{
    static char at[URL_HOST_MAX + 32];
    struct url url;
    bool limits;
    T_EQ(load_text(text), 0);
    T_EQ(config_backfill(&config, venue_find("binance", 7), &url, &limits, error), 0);
    snprintf(at, sizeof at, "%s %s%s", url.tls ? "https" : "http", url.authority,
             limits ? " limits" : "");
    config_free(&config);
    return at;
}

T_TEST(missed_trades_are_asked_for_where_they_come_from_unless_another_place_is_named)
{
    no_environment();
    T_STR(asked_at("[binance]\nbackfill = yes\n"), "https api.binance.com limits");
    T_STR(asked_at("[binance]\nbackfill = yes\nendpoint = ws://h:9/ws ws://other\n"), "http h:9");
    T_STR(asked_at("[binance]\nbackfill = yes\nendpoint = wss://h\nlimits = venue\n"),
          "https h limits");
    T_STR(asked_at("[binance]\nbackfill = yes\nendpoint = ws://h\n"
                   "backfill_url = https://rest.example:8443\n"),
          "https rest.example:8443");
    T_EQ(load_text("[binance]\nsymbols = BTCUSDT\n"), 0);
    T_TRUE(!config_venue_of(&config, venue_find("binance", 7))->backfill);
    config_free(&config);
}

T_TEST(a_venue_that_cannot_be_asked_for_missed_trades_is_refused_with_the_reason)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"[okx]\nbackfill = yes\n",
         "[okx] backfill: OKX has no history that anybody may ask for by the ids of its trades"},
        {"[bus]\nproxy = http://p:1\n[binance]\nbackfill = yes\n",
         "[binance] backfill: requests do not go through a proxy, and there is one on the way to "
         "api.binance.com"},
        {"[binance]\nbackfill = yes\nbackfill_url = https://[::1]:9\n",
         "[binance] backfill: requests over TLS go to a name or an IPv4 address, and not to "
         "[::1]:9"},
        {"[binance]\nbackfill = yes\nbackfill_url = https://h/api\n",
         "3: backfill_url: \"https://h/api\" has a path: the venue's own are appended"},
        {"[binance]\nbackfill_url = ftp://h\n",
         "2: backfill_url: 'ftp://h' does not begin with http:// or https://"},
        {"[binance]\nbackfill = perhaps\n", "2: backfill: \"perhaps\" is neither yes nor no"},
    };
    no_environment();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        T_EQ(load_text(rows[i].text), -EBADMSG);
        if (strstr(error, rows[i].why) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error, rows[i].why);
    }
}

T_TEST(a_source_address_is_an_address)
{
    T_EQ(
        load_text("[bus]\nbind = 10.0.0.9\n[binance]\nbind = 2001:db8::9\n[kraken]\nbind = none\n"),
        0);
    T_STR(config_bind(&config, venue_find("binance", 7)), "2001:db8::9");
    T_STR(config_bind(&config, venue_find("binance_us", 10)), "10.0.0.9");
    T_TRUE(config_bind(&config, venue_find("kraken", 6)) == NULL);
    T_EQ(load("--bind", "eth0", NULL), -EINVAL);
    T_STR(error, "--bind: \"eth0\" is not an IPv4 or IPv6 address");
    T_EQ(load(NULL), 0);
    T_TRUE(config_bind(&config, venue_find("binance", 7)) == NULL);
}

T_TEST(reload_applies_symbols_and_keeps_what_needs_a_restart)
{
    struct config next;
    char kept[128];
    write_file("[bus]\ncapacity = 100\ngrace_ms = 10\n[binance]\nsymbols = AAA\n");
    T_EQ(load("-c", path, NULL), 0);
    write_file("[bus]\ncapacity = 200\nring = 1024\ngrace_ms = 20\n[binance]\nsymbols = AAA BBB\n"
               "deflate = yes\n");
    T_EQ(config_reload(&config, &next, kept, sizeof kept, error), 0);
    T_STR(kept, "capacity, ring, binance.deflate");
    T_EQ(next.capacity, 100);
    T_EQ(next.ring, 65536);
    T_EQ(next.grace_ms, 20);
    T_EQ(next.symbol_count, 2);
    T_TRUE(!next.venue[venue("binance")].deflate);
    config_free(&next);
    config_free(&config);
}

T_TEST(reload_of_a_bad_file_leaves_everything_as_it_was)
{
    struct config next, before;
    char kept[128];
    write_file("[bus]\ncapacity = 100\n[binance]\nsymbols = AAA\n");
    T_EQ(load("-c", path, NULL), 0);
    write_file("[bus]\ncapacity = 100\n[binance]\nsymbols = AAA BBB\nnonsense = 1\n");
    memset(&next, 0x5a, sizeof next);
    before = next;
    T_EQ(config_reload(&config, &next, kept, sizeof kept, error), -EBADMSG);
    T_MEM(&before, &next, sizeof next);
    T_EQ(config.symbol_count, 1);
    config_free(&config);
}

T_TEST(reload_of_a_demo_keeps_its_exchange_and_its_symbols)
{
    struct config next;
    char kept[128];
    size_t v = venue("binance");
    T_EQ(load("--demo", NULL), 0);
    strcpy(config.venue[v].endpoint[0], "ws://127.0.0.1:5");
    config.symbols = calloc(1, sizeof *config.symbols);
    strcpy(config.symbols[0].symbol, "binance:BTCUSDT");
    config.symbol_count = 1;
    T_EQ(config_reload(&config, &next, kept, sizeof kept, error), 0);
    T_STR(kept, "");
    T_STR(next.venue[v].endpoint[0], "ws://127.0.0.1:5");
    T_EQ(next.symbol_count, 1);
    T_TRUE(next.symbols != config.symbols);
    config_free(&next);
    config_free(&config);
}

T_TEST(missing_file_and_binary_file_are_one_sentence_each)
{
    T_EQ(load("-c", "/nonexistent/px.conf", NULL), -EBADMSG);
    T_STR(error, "/nonexistent/px.conf: No such file or directory");
    write_file("x");
    FILE *f = fopen(path, "w");
    fwrite("[bus]\0name=x\n", 1, 13, f);
    fclose(f);
    T_EQ(load("-c", path, NULL), -EBADMSG);
    T_TRUE(strstr(error, "not a text file") != NULL);
}

T_TEST(help_and_version_need_no_good_configuration)
{
    T_EQ(load("-c", "/nonexistent", "--help", NULL), 0);
    T_EQ(config.action, CONFIG_HELP);
    T_EQ(load("--version", "--check", NULL), 0);
    T_EQ(config.action, CONFIG_VERSION);
}
