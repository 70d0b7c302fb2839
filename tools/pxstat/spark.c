/* See spark.h. */
#include "spark.h"

#include <langinfo.h>
#include <math.h>
#include <string.h>

int spark_locale(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

const char *spark_bar(int eighths, int utf8)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {" ", ".", ".", ":", ":", "|", "|", "#", "#"};
    return utf8 ? blocks[eighths] : ascii[eighths];
}

struct spark_range spark_range_of(const double *values, size_t count)
{
    struct spark_range r = {(double)NAN, (double)NAN};
    for (size_t i = 0; i < count; i++) {
        r.low = fmin(r.low, values[i]);
        r.high = fmax(r.high, values[i]);
    }
    double least = fabs(r.high) / 64;
    if (r.high - r.low < least)
        r.high = r.low + least;
    return r;
}

int spark_eighths(const struct spark_range *range, double value, int line, int height)
{
    if (isnan(value))
        return 0;
    double span = range->high - range->low;
    double filled = span > 0 ? (value - range->low) / span * height * 8 : 0;
    int eighths = (int)lround(filled) - line * 8;
    if (line == 0 && eighths < 1)
        eighths = 1;
    return eighths < 0 ? 0 : eighths > 8 ? 8 : eighths;
}
