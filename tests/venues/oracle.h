/* A second opinion on JSON, written without a look at the parser that it judges: slow, one
 * character at a time. It says whether a text is JSON and which scalars it holds. */
#ifndef PX_TESTS_VENUES_ORACLE_H
#define PX_TESTS_VENUES_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

#define ORACLE_TOKENS 4096
#define ORACLE_TEXT   (1u << 17)

struct oracle {
    bool json;      /* RFC 8259, UTF-8, no lone surrogates */
    unsigned depth; /* deepest nesting */
    size_t count, used;
    struct oracle_token {
        bool string;
        const char *text; /* of strings unescaped; in `store`, NUL-terminated */
        size_t len;
    } token[ORACLE_TOKENS];
    char store[ORACLE_TEXT];
};

void oracle_read(struct oracle *o, const char *text, size_t len);

/* Is one of the strings this text, or does one end in it behind a letter that parts names
 * ("trade.", "live_trades_")? */
bool oracle_names(const struct oracle *o, const char *text, size_t len);

/* Does one of the scalars, string or number, say this decimal (plain notation, digit for digit)? */
bool oracle_has_decimal(const struct oracle *o, const char *plain, size_t len);

#endif
