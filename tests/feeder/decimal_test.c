/* Decimals: what is a number, what fits, and that digits are kept. */
#include "t.h"

#include <errno.h>

#include "decimal.h"
#include "px/bus.h"

/* The text must parse to this mantissa and exponent, and print as `plain`. It is given without a
 * byte behind it, so that a sanitizer sees one that is read too far. */
static void expect(const char *text, int64_t mantissa, int32_t exponent, const char *plain)
{
    struct px_decimal d = {1, -1};
    char out[PX_DECIMAL_MAX];
    size_t len = strlen(text);
    char *exact = malloc(len);
    memcpy(exact, text, len);
    int rc = decimal_parse(exact, len, &d);
    free(exact);
    if (rc != 0 || d.mantissa != mantissa || d.exponent != exponent)
        fail_msg("\"%s\" gave %d: %lld e%d", text, rc, (long long)d.mantissa, d.exponent);
    T_TRUE(px_decimal_text(d, out, sizeof out) > 0);
    T_STR(out, plain);
}

static void expect_error(const char *text, int error)
{
    struct px_decimal d = {123, -4};
    int rc = decimal_parse(text, strlen(text), &d);
    if (rc != error)
        fail_msg("\"%s\" gave %d, not %d", text, rc, error);
    T_EQ(d.mantissa, 123);
    T_EQ(d.exponent, -4);
}

T_TEST(digits_and_trailing_zeros_are_kept)
{
    expect("0.0010", 10, -4, "0.0010");
    expect("61837.63000000", 6183763000000, -8, "61837.63000000");
    expect("0", 0, 0, "0");
    expect("0.000", 0, -3, "0.000");
    expect("100", 100, 0, "100");
    expect("-0.5", -5, -1, "-0.5");
    expect("-7", -7, 0, "-7");
    expect("7.00", 700, -2, "7.00");
}

T_TEST(exponents_are_applied_exactly)
{
    expect("1E-8", 1, -8, "0.00000001");
    expect("9.2E-7", 92, -8, "0.00000092");
    expect("1.50E3", 1500, 0, "1500");
    expect("1.50E1", 150, -1, "15.0");
    expect("1.50e+2", 150, 0, "150");
    expect("12e0", 12, 0, "12");
    expect("12e-0", 12, 0, "12");
    expect("1e18", 1000000000000000000, 0, "1000000000000000000");
    expect("-2.5e-3", -25, -4, "-0.0025");
    expect("1e-0000000000000000000000003", 1, -3, "0.001");
}

T_TEST(a_zero_is_a_zero_whatever_its_sign_and_exponent)
{
    expect("-0", 0, 0, "0");
    expect("-0.0", 0, -1, "0.0");
    expect("0e400", 0, 0, "0");
    expect("0.00e5", 0, 0, "0");
    expect_error("0e-400", -ERANGE);
}

T_TEST(what_fits_63_bits_and_30_decimals_is_taken_to_the_last_digit)
{
    expect("9223372036854775807", INT64_MAX, 0, "9223372036854775807");
    expect("-9223372036854775807", -INT64_MAX, 0, "-9223372036854775807");
    expect("922337203685477580.7", INT64_MAX, -1, "922337203685477580.7");
    expect("1234567890123456789", 1234567890123456789, 0, "1234567890123456789");
    expect("0.000000000000000000000000000001", 1, -30, "0.000000000000000000000000000001");
    expect("0.9223372036854775807", INT64_MAX, -19, "0.9223372036854775807");
    expect("1e-30", 1, -30, "0.000000000000000000000000000001");
}

T_TEST(what_does_not_fit_is_refused_and_never_rounded)
{
    static const char *const texts[] = {"9223372036854775808",
                                        "-9223372036854775808",
                                        "922337203685477580.8",
                                        "10000000000000000000",
                                        "1.0000000000000000000",
                                        "0.0000000000000000000000000000001",
                                        "0.0000000000000000000000000000000",
                                        "1e-31",
                                        "1e19",
                                        "1e400",
                                        "1e-400",
                                        "1e99999999999999999999",
                                        "1e-99999999999999999999",
                                        "99999999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_error(texts[i], -ERANGE);
}

T_TEST(what_is_not_a_number_of_json_is_refused)
{
    static const char *const texts[] = {"",      "-",
                                        "+1",    ".5",
                                        "5.",    "-.5",
                                        "1.e5",  "01",
                                        "00",    "-01",
                                        "0x10",  " 1",
                                        "1 ",    "1,5",
                                        "1_0",   "1e",
                                        "1e+",   "1e-",
                                        "e5",    "1.2.3",
                                        "--1",   "1-",
                                        "NaN",   "nan",
                                        "inf",   "1e1.5",
                                        "abc",   "1a",
                                        "\"1\"", "1\n",
                                        "٣",     "1e5x",
                                        "0e",    "99999999999999999999x"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_error(texts[i], -EINVAL);
}

T_TEST(length_and_not_a_nul_ends_the_text)
{
    struct px_decimal d;
    T_EQ(decimal_parse("12.5xyz", 4, &d), 0);
    T_EQ(d.mantissa, 125);
    T_EQ(decimal_parse("1\0002", 3, &d), -EINVAL);
    T_EQ(decimal_parse("", 0, &d), -EINVAL);
}
