/* URLs of endpoints: ws:// and wss://, and of what stands beside them: http:// and https://. Pure.
 */
#ifndef PX_FEEDER_URL_H
#define PX_FEEDER_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_HOST_MAX  253 /* RFC 1035, without the final dot */
#define URL_PATH_MAX  1024
#define URL_ERROR_MAX 192

struct url {
    bool tls;
    bool numeric;                     /* host is an IPv4 or IPv6 address */
    bool has_path;                    /* more than "/" was given: used as it is */
    uint16_t port;                    /* 80 and 443 by default */
    char host[URL_HOST_MAX + 1];      /* without the brackets of an IPv6 address */
    char authority[URL_HOST_MAX + 9]; /* of the Host header: brackets kept, port unless default */
    char path[URL_PATH_MAX + 1];      /* with the query, begins with '/' */
};

/* Errors: -EINVAL with one sentence in `error`; *out is untouched then. */
int url_parse(const char *text, struct url *out, char error[URL_ERROR_MAX]);
int url_parse_http(const char *text, struct url *out, char error[URL_ERROR_MAX]);

/* HOST or HOST:PORT alone, not NUL-terminated: host, numeric and port (0: none was given) of *out.
 * Errors: as url_parse(), but *out may have changed. */
int url_parse_authority(const char *text, size_t len, struct url *out, char error[URL_ERROR_MAX]);

#endif
