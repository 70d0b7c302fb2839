/* Cells, and bars of charts. */
#include "t.h"

#include <math.h>

#include "grid.h"
#include "spark.h"

static struct grid grid;

static void start(int rows, int columns, int utf8)
{
    grid.utf8 = utf8;
    T_EQ(grid_resize(&grid, rows, columns), 0);
}

static void expect(int row, const wchar_t *text)
{
    for (int c = 0; text[c] != L'\0'; c++)
        if (grid_at(&grid, row, c)->ch != text[c])
            fail_msg("row %d, column %d is U+%04x, not U+%04x", row, c,
                     (unsigned)grid_at(&grid, row, c)->ch, (unsigned)text[c]);
}

T_TEST(text_is_cut_at_its_width_and_says_so)
{
    start(2, 10, 1);
    T_EQ(grid_text(&grid, (struct span){0, 1, 4}, TONE_GOOD, "abcdef"), 4);
    expect(0, L" abc~     ");
    T_EQ(grid_at(&grid, 0, 1)->tone, TONE_GOOD);
    T_EQ(grid_at(&grid, 0, 5)->tone, TONE_PLAIN);
    T_EQ(grid_text(&grid, (struct span){1, 6, 100}, TONE_PLAIN, "wxyz"), 4);
    expect(1, L"      wxyz");
    T_EQ(grid_print(&grid, 1, 8, TONE_PLAIN, "%d", 12345), 2);
    expect(1, L"      wx1~");
}

T_TEST(nothing_is_written_outside_of_the_screen)
{
    start(2, 4, 1);
    T_EQ(grid_text(&grid, (struct span){5, 0, 4}, TONE_BAD, "abc"), 3);
    T_EQ(grid_text(&grid, (struct span){-1, 0, 4}, TONE_BAD, "abc"), 3);
    T_EQ(grid_text(&grid, (struct span){0, 9, 4}, TONE_BAD, "abc"), 0);
    grid_tone(&grid, (struct span){1, 2, 100}, TONE_BAR);
    grid_box(&grid, &(struct area){-3, -3, 20, 20}, "title");
    expect(0, L"    ");
    start(0, 0, 1);
    grid_text(&grid, (struct span){0, 0, 4}, TONE_BAD, "abc");
    grid_box(&grid, &(struct area){0, 0, 0, 0}, "title");
    T_EQ(grid.rows, 0);
}

T_TEST(what_would_steer_a_terminal_or_is_not_one_column_wide_is_a_question_mark)
{
    start(1, 12, 1);
    grid_text(&grid, (struct span){0, 0, 12}, TONE_PLAIN, "a\x1b[1m\x01");
    expect(0, L"a?[1m?");
    grid_text(&grid, (struct span){0, 0, 12}, TONE_PLAIN,
              "\xc2\x85|\xe4\xb8\xad|e\xcc\x81|\xe2\x80\xae|\xe2\x82\xac");
    expect(0, L"?|?|e?|?|€");
    grid_text(&grid, (struct span){0, 0, 12}, TONE_PLAIN, "\xff|\xe2\x82|\xc0\xaf");
    expect(0, L"?|??|??");
}

T_TEST(a_terminal_without_utf8_gets_ascii_only)
{
    const double values[] = {1, 2, 3};
    start(3, 12, 0);
    grid_text(&grid, (struct span){0, 0, 12}, TONE_PLAIN, "5 \xe2\x82\xac");
    expect(0, L"5 ?");
    grid_spark(&grid, (struct span){0, 4, 3}, values, 3);
    grid_box(&grid, &(struct area){0, 8, 3, 4}, "");
    for (int row = 0; row < 3; row++)
        for (int c = 0; c < 12; c++)
            T_TRUE(grid_at(&grid, row, c)->ch < 0x80);
}

T_TEST(a_spark_line_shows_the_newest_and_spans_low_to_high)
{
    const double values[] = {50, 0, 100, 50, (double)NAN, 100};
    start(1, 8, 1);
    T_EQ(grid_spark(&grid, (struct span){0, 0, 5}, values, 6), 5);
    expect(0, L"▁█▄ █   ");
    T_EQ(grid_spark(&grid, (struct span){0, 6, 5}, values, 6), 2);
    T_EQ(grid_spark(&grid, (struct span){0, 0, 0}, values, 6), 0);
}

T_TEST(what_is_flat_looks_flat)
{
    const double noise[] = {1000000, 1004096, 1000000, 1004096};
    struct spark_range r = spark_range_of(noise, 4);
    for (size_t i = 0; i < 4; i++)
        T_TRUE(spark_eighths(&r, noise[i], 0, 1) <= 3);
    const double same[] = {5, 5};
    r = spark_range_of(same, 2);
    T_EQ(spark_eighths(&r, 5, 0, 1), 1);
    const double none[] = {(double)NAN};
    r = spark_range_of(none, 1);
    T_EQ(spark_eighths(&r, none[0], 0, 1), 0);
    const double zero[] = {0, 0};
    r = spark_range_of(zero, 2);
    T_EQ(spark_eighths(&r, 0, 0, 3), 1);
    T_EQ(spark_eighths(&r, 0, 1, 3), 0);
}

T_TEST(another_size_is_blank_again)
{
    start(2, 4, 1);
    grid_text(&grid, (struct span){0, 0, 4}, TONE_BAD, "abcd");
    start(3, 3, 1);
    for (int row = 0; row < 3; row++)
        expect(row, L"   ");
    T_TRUE(grid_at(&grid, 3, 0) == NULL && grid_at(&grid, 0, 3) == NULL);
    grid_free(&grid);
}
