/* Any text through the decimals: what is taken prints, and its print is taken as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "px/bus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_decimal d, again;
    char text[PX_DECIMAL_MAX];
    if (decimal_parse((const char *)data, size, &d) != 0)
        return 0;
    int len = px_decimal_text(d, text, sizeof text);
    if (len <= 0 || decimal_parse(text, (size_t)len, &again) != 0 || again.mantissa != d.mantissa ||
        again.exponent != d.exponent)
        abort();
    return 0;
}
