/* Text to exact decimal. Never double, never locale. */
#ifndef PX_DECIMAL_H
#define PX_DECIMAL_H

#include <stddef.h>

#include "px/types.h"

/* Parse text[0..len), a number by the grammar of JSON: optional '-', digits without leading zeros,
 * optional fraction, optional exponent. Digits and trailing zeros are kept ("0.0010" is 10e-4); an
 * exponent is applied exactly ("1E-8" is 1e-8, "1.50E1" is 150e-1, "1.50E3" is 1500): a positive
 * net exponent is multiplied out. The sign of a zero is not kept. No byte behind len is read.
 * Threads: any.   Errors: -EINVAL not a number; -ERANGE more than 63 bits or 30 decimals: refused,
 * never rounded. *out is untouched then. */
int decimal_parse(const char *text, size_t len, struct px_decimal *out);

#endif
