/* Accounts of libraries' memory: nothing is lost, nothing is left. */
#include "account.h"
#include "json.h"
#include "t.h"

static struct account read_of(uint32_t owner)
{
    struct account a;
    account_read(owner, &a);
    return a;
}

T_TEST(what_is_taken_is_booked_and_what_is_given_back_is_gone)
{
    void *a = account_realloc(PX_OWNER_WEBSOCKET, NULL, 1000);
    T_EQ(read_of(PX_OWNER_WEBSOCKET).blocks, 1);
    T_TRUE(read_of(PX_OWNER_WEBSOCKET).bytes >= 1000);
    T_TRUE(read_of(PX_OWNER_WEBSOCKET).bytes < 1100);
    a = account_realloc(PX_OWNER_WEBSOCKET, a, 100000);
    T_EQ(read_of(PX_OWNER_WEBSOCKET).blocks, 1);
    T_TRUE(read_of(PX_OWNER_WEBSOCKET).bytes >= 100000);
    T_TRUE(account_realloc(PX_OWNER_WEBSOCKET, a, 0) == NULL);
    T_EQ(read_of(PX_OWNER_WEBSOCKET).blocks, 0);
    T_EQ(read_of(PX_OWNER_WEBSOCKET).bytes, 0);
    T_EQ(read_of(PX_OWNER_JSON).calls, 0);
}

T_TEST(the_parser_takes_what_the_plan_says_and_gives_it_back)
{
    const size_t max = 1 << 20;
    json_free(json_new(max)); /* the library keeps a list of its own from its first use on */
    struct account before = read_of(PX_OWNER_JSON);
    struct json *j = json_new(max);
    uint64_t taken = read_of(PX_OWNER_JSON).bytes - before.bytes;
    T_TRUE(taken >= json_bytes(max) && taken < json_bytes(max) + 16384);
    json_free(j);
    T_EQ(read_of(PX_OWNER_JSON).bytes, before.bytes);
    T_EQ(read_of(PX_OWNER_JSON).blocks, before.blocks);
}
