/* The upgrade request and its answers, as bytes. Pure. */
#ifndef PXSIM_HTTP_H
#define PXSIM_HTTP_H

#include <stddef.h>

#define HTTP_KEY_MAX 64

struct http_upgrade {
    char *target; /* inside the caller's buffer, terminated; NULL: the request has none */
    char key[HTTP_KEY_MAX];
};

/* Take the request off the front of `buf`, which it cuts into strings. Returns the bytes it took, 0
 * when more are needed, or minus the HTTP status to refuse with. */
long http_take(char *buf, size_t len, struct http_upgrade *ret_upgrade);

/* "101 Switching Protocols" for that key. Returns its length. */
size_t http_accept(char *buf, size_t room, const char *key);

/* Head of an answer of `len` bytes of JSON, after which the connection ends. Returns its length. */
size_t http_ok(char *buf, size_t room, size_t len);

/* Any other status, with Retry-After when `retry_after_s` is not negative. */
size_t http_refuse(char *buf, size_t room, int status, long retry_after_s);

#endif
