/* The command line, and numbers for people. */
#include "t.h"

#include <errno.h>
#include <unistd.h>

#include "cli.h"
#include "px/bus.h"

static const struct cli_option options[] = {
    {'n', "count", "COUNT", "a number"},
    {'w', "watch", "[SECONDS]", "a number that may be missing"},
    {'q', "quick", NULL, "a flag"},
    {0, NULL, NULL, NULL},
};
static const struct cli_program program = {
    .name = "t", .usage = "", .purpose = "", .options = options, .usage_exit = CLI_USAGE};

#define WALK(cli, ...)                                           \
    char *argv[] = {(char *)(uintptr_t) "t", __VA_ARGS__, NULL}; \
    cli_start(cli, &program, (int)(sizeof argv / sizeof argv[0]) - 1, argv)
#define W(text) (char *)(uintptr_t)(text)

T_TEST(options_stand_anywhere_and_operands_keep_their_order)
{
    struct cli cli;
    WALK(&cli, W("one"), W("--count"), W("5"), W("two"), W("-q"), W("--"), W("-three"));
    T_EQ(cli_next(&cli), 'n');
    T_STR(cli.value, "5");
    T_EQ(cli_next(&cli), 'q');
    T_EQ(cli_next(&cli), CLI_END);
    T_EQ(cli.operand_count, 3);
    T_STR(cli.operands[0], "one");
    T_STR(cli.operands[1], "two");
    T_STR(cli.operands[2], "-three");
}

T_TEST(values_may_be_attached)
{
    struct cli cli;
    WALK(&cli, W("-qn7"), W("--count=8"), W("--bus=x"), W("-by"), W("--json"));
    T_EQ(cli_next(&cli), 'q');
    T_EQ(cli_next(&cli), 'n');
    T_STR(cli.value, "7");
    T_EQ(cli_next(&cli), 'n');
    T_STR(cli.value, "8");
    T_EQ(cli_next(&cli), CLI_END);
    T_STR(cli.bus, "y");
    T_EQ(cli.json, 1);
}

T_TEST(an_optional_value_may_be_missing)
{
    struct cli cli;
    WALK(&cli, W("--watch"), W("-q"), W("--watch"), W("2"), W("-w"));
    T_EQ(cli_next(&cli), 'w');
    T_TRUE(cli.value == NULL);
    T_EQ(cli_next(&cli), 'q');
    T_EQ(cli_next(&cli), 'w');
    T_STR(cli.value, "2");
    T_EQ(cli_next(&cli), 'w');
    T_TRUE(cli.value == NULL);
    T_EQ(cli_next(&cli), CLI_END);
}

T_TEST(unknown_and_incomplete_options_are_refused)
{
    struct cli cli;
    {
        WALK(&cli, W("--counter"), W("1"));
        T_EQ(cli_next(&cli), CLI_INVALID);
    }
    {
        WALK(&cli, W("--count"));
        T_EQ(cli_next(&cli), CLI_INVALID);
    }
    {
        WALK(&cli, W("--quick=1"));
        T_EQ(cli_next(&cli), CLI_INVALID);
    }
    {
        WALK(&cli, W("-x"));
        T_EQ(cli_next(&cli), CLI_INVALID);
    }
}

T_TEST(numbers_are_taken_whole_or_refused)
{
    uint64_t count = 77;
    int64_t ns = 77;
    uint32_t kinds = 77;
    static const char *const counts[] = {"", "0", "-1", "1x", "18446744073709551616", "1.5"};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        T_EQ(cli_count(counts[i], UINT64_MAX, &count), -EINVAL);
    static const char *const seconds[] = {"", "0", "-1", "nan", "inf", "1s", "1e99", " 1"};
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
        T_EQ(cli_seconds(seconds[i], 1e6, &ns), -EINVAL);
    static const char *const lists[] = {"", "trades", "trade,", ",trade", "trade,,quote", "TRADE"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        T_EQ(cli_kinds(lists[i], &kinds), -EINVAL);
    T_EQ(count + (uint64_t)ns + kinds, 3 * 77);
    T_EQ(cli_count("18446744073709551615", UINT64_MAX, &count), 0);
    T_TRUE(count == UINT64_MAX);
    T_EQ(cli_seconds("0.25", 1e6, &ns), 0);
    T_EQ(ns, 250000000);
    T_EQ(cli_kinds("ticker,trade", &kinds), 0);
    T_EQ(kinds, PX_TICKERS | PX_TRADES);
    T_EQ(cli_kinds("all", &kinds), 0);
    T_EQ(kinds, PX_ALL_KINDS);
}

T_TEST(numbers_for_people_have_units)
{
    char out[CLI_NUMBER_MAX];
    T_STR(cli_bytes(out, 0), "0 B");
    T_STR(cli_bytes(out, 1023), "1023 B");
    T_STR(cli_bytes(out, 9437184), "9.0 MiB");
    T_STR(cli_bytes(out, UINT64_MAX), "16777216.0 TiB");
    T_STR(cli_duration(out, -1), "-");
    T_STR(cli_duration(out, 1500), "1.5 us");
    T_STR(cli_duration(out, 40000000), "40 ms");
    T_STR(cli_duration(out, INT64_C(7200000000)), "7.2 s");
    T_STR(cli_duration(out, INT64_C(3720000000000)), "1 h 02 min");
    T_STR(cli_duration(out, INT64_MAX), "106751 d 23 h");
    T_STR(cli_grouped(out, 0), "0");
    T_STR(cli_grouped(out, 1234567), "1,234,567");
    T_STR(cli_grouped(out, UINT64_MAX), "18,446,744,073,709,551,615");
}
