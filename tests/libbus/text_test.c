#include "t.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>

#include "px/bus.h"

static const char *text(int64_t mantissa, int32_t exponent)
{
    static char out[PX_DECIMAL_MAX];
    struct px_decimal d = {mantissa, exponent};
    int len = px_decimal_text(d, out, sizeof out);
    T_TRUE(len >= 0);
    T_EQ(len, strlen(out));
    return out;
}

T_TEST(decimal_prints_the_digits_and_trailing_zeros_of_the_venue)
{
    T_STR(text(10, -4), "0.0010");
    T_STR(text(1, -8), "0.00000001");
    T_STR(text(6183763000000, -8), "61837.63000000");
    T_STR(text(0, 0), "0");
    T_STR(text(0, -3), "0.000");
    T_STR(text(-5, -1), "-0.5");
    T_STR(text(-12345, -2), "-123.45");
    T_STR(text(12345, -5), "0.12345");
    T_STR(text(42, 0), "42");
}

T_TEST(decimal_prints_the_widest_values)
{
    T_STR(text(INT64_MAX, 0), "9223372036854775807");
    T_STR(text(INT64_MIN, 0), "-9223372036854775808");
    T_STR(text(INT64_MIN, -30), "-0.000000000009223372036854775808");
    T_STR(text(INT64_MIN, -19), "-0.9223372036854775808");
    T_STR(text(INT64_MIN, -18), "-9.223372036854775808");
    T_STR(text(1, PX_EXPONENT_MIN), "0.000000000000000000000000000001");
}

T_TEST(decimal_absent_is_an_empty_text_and_not_a_number)
{
    T_STR(text(17, PX_ABSENT), "");
    T_TRUE(isnan(px_decimal_double((struct px_decimal){17, PX_ABSENT})));
}

T_TEST(decimal_out_of_range_is_refused_not_printed)
{
    char out[PX_DECIMAL_MAX] = "kept";
    T_EQ(px_decimal_text((struct px_decimal){1, 1}, out, sizeof out), -EINVAL);
    T_EQ(px_decimal_text((struct px_decimal){1, -32}, out, sizeof out), -EINVAL);
    T_EQ(px_decimal_text((struct px_decimal){1, INT32_MIN}, out, sizeof out), -EINVAL);
    T_EQ(px_decimal_text((struct px_decimal){123, -1}, out, 4), -ENOSPC);
    T_EQ(px_decimal_text((struct px_decimal){1, 0}, out, 0), -ENOSPC);
    T_STR(out, "kept");
    T_EQ(px_decimal_text((struct px_decimal){123, -1}, out, 5), 4);
    T_TRUE(isnan(px_decimal_double((struct px_decimal){1, 1})));
}

T_TEST(decimal_double_is_the_nearest_in_any_locale)
{
    setlocale(LC_ALL, "de_DE.UTF-8");
    uint64_t seed = 12345;
    for (int i = 0; i < 100000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        struct px_decimal d = {(int64_t)seed >> (i % 64), -(int32_t)((seed >> 7) % 31)};
        char plain[PX_DECIMAL_MAX + 8];
        snprintf(plain, sizeof plain, "%llde%d", (long long)d.mantissa, d.exponent);
        T_TRUE(px_decimal_double(d) == strtod(plain, NULL));
    }
    setlocale(LC_ALL, "C");
}

T_TEST(decimal_text_reads_back_as_the_same_number)
{
    uint64_t seed = 99;
    for (int i = 0; i < 100000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        struct px_decimal d = {(int64_t)seed >> (i % 64), -(int32_t)((seed >> 9) % 31)};
        const char *plain = text(d.mantissa, d.exponent);
        const char *point = strchr(plain, '.');
        T_EQ(point == NULL ? 0 : strlen(point + 1), -d.exponent);
        char digits[PX_DECIMAL_MAX];
        size_t n = 0;
        for (const char *p = plain; *p != '\0'; p++)
            if (*p != '.')
                digits[n++] = *p;
        digits[n] = '\0';
        T_EQ(strtoll(digits, NULL, 10), d.mantissa);
    }
}

T_TEST(every_name_is_there_and_none_is_null)
{
    const char *(*const names[])(uint32_t) = {px_kind_name,    px_event_name, px_quality_name,
                                              px_cause_text,   px_state_name, px_conn_state_name,
                                              px_breaker_name, px_owner_name};
    const uint32_t counts[] = {
        PX_STATUS + 1,        PX_EVENT_COUNT,      PX_QUALITY_COUNT,         PX_CAUSE_COUNT,
        PX_STATE_RETIRED + 1, PX_CONN_STATE_COUNT, PX_BREAKER_HALF_OPEN + 1, PX_OWNER_COUNT + 1};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (uint32_t v = 0; v < counts[i]; v++) {
            T_TRUE(names[i](v)[0] != '\0');
            T_TRUE(strcmp(names[i](v), "unknown") != 0);
        }
        T_STR(names[i](counts[i]), "unknown");
        T_STR(names[i](UINT32_MAX), "unknown");
    }
}

T_TEST(every_errno_has_a_sentence)
{
    for (int error = -200; error <= 1; error++) {
        T_TRUE(px_strerror(error) != NULL);
        T_TRUE(px_strerror(error)[0] != '\0');
    }
    T_STR(px_strerror(-ENODEV), "no such venue");
    T_STR(px_strerror(-9999), "unknown error");
    T_STR(px_strerror(INT_MIN), "unknown error");
    T_STR(px_strerror(0), "done");
}
