/* Any bytes of a proxy, twice: whole, and cut by a seed. Both must end alike and take the same
 * bytes. The same bytes as an address and as a list must break nothing, and no refusal of an
 * address may be silent. Input: seed of the cuts, then the bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static size_t feed(struct proxy_reply *r, const uint8_t *data, size_t size, uint32_t seed)
{
    size_t total = 0;
    while (total < size && r->result == PROXY_MORE) {
        size_t n = size - total, taken;
        seed = seed * 1664525 + 1013904223;
        if (seed % 2 != 0 && n > 1 + (seed >> 16) % 7)
            n = 1 + (seed >> 16) % 7;
        enum proxy_result result = proxy_take(r, data + total, n, &taken);
        check(taken <= n && (taken == n || result != PROXY_MORE));
        total += taken;
    }
    check(total <= PROXY_REPLY_MAX + 1);
    return total;
}

static void check_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), out[1024];
    const char *why = NULL;
    struct proxy proxy;
    check(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (proxy_parse(text, &proxy, &why) == 0)
        check(proxy.to.port != 0 && proxy_request(&proxy, &proxy.to, out, sizeof out) > 0);
    else
        check(why != NULL);
    proxy_spares(text, "stream.example");
    proxy_spares(text, "10.0.0.1");
    proxy_spares(text, "2001:db8::1");
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char reason[PROXY_REASON_MAX];
    struct proxy_reply whole = {0}, cut = {0};
    size_t taken;
    if (size < 1)
        return 0;
    proxy_take(&whole, data + 1, size - 1, &taken);
    check(feed(&cut, data + 1, size - 1, data[0]) == taken);
    check(whole.result == cut.result && whole.status == cut.status);
    proxy_reason(&whole, reason);
    check(reason[0] != '\0');
    check_text(data + 1, size - 1);
    return 0;
}
