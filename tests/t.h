/* The house vocabulary of a C test, on cmocka: T_TEST(promise) { ... } registers itself, main()
 * runs all of them or the one that argv[1] names. A test that cannot run here calls T_SKIP(reason).
 */
#ifndef PX_TESTS_T_H
#define PX_TESTS_T_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T_MAX_TESTS 256
static struct CMUnitTest t_tests[T_MAX_TESTS];
static size_t t_count;
static int t_skipped;

#define T_TEST(promise)                                                                    \
    static void promise(void **state);                                                     \
    __attribute__((constructor)) static void t_register_##promise(void)                    \
    {                                                                                      \
        if (t_count < T_MAX_TESTS)                                                         \
            t_tests[t_count++] = (struct CMUnitTest){#promise, promise, NULL, NULL, NULL}; \
    }                                                                                      \
    static void promise(__attribute__((unused)) void **state)

/* Say why, and leave the test: ctest shows it as skipped (exit status 77). */
#define T_SKIP(...)                      \
    do {                                 \
        printf("skipped: " __VA_ARGS__); \
        printf("\n");                    \
        t_skipped = 1;                   \
        skip();                          \
    } while (0)

#define T_TRUE(x) assert_true(x)
#define T_EQ(a, b)                                                   \
    do {                                                             \
        long long t_a = (long long)(a), t_b = (long long)(b);        \
        if (t_a != t_b)                                              \
            fail_msg("%s is %lld, not %s = %lld", #a, t_a, #b, t_b); \
    } while (0)
#define T_STR(a, b)    assert_string_equal(a, b)
#define T_MEM(a, b, n) assert_memory_equal(a, b, n)

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    int failed = _cmocka_run_group_tests(argv[0], t_tests, t_count, NULL, NULL);
    if (failed != 0)
        return 1;
    return t_skipped != 0 && argc > 1 ? 77 : 0;
}

#endif
