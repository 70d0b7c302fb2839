/* Between the parts of the Binance dialect: what is asked (binance.c), the names of paths, streams
 * and symbols (binance_names.c), and what is told on spot (binance_write.c) and of futures
 * (binance_futures.c). */
#ifndef PXSIM_BINANCE_H
#define PXSIM_BINANCE_H

#include "text.h"
#include "venue.h"

#define BINANCE_STREAMS_MAX 1024
#define BINANCE_NAME_MAX    64

static inline bool binance_is_coinm(const struct session *s)
{
    return s->venue == &sim_venue_binance_coinm;
}

static inline bool binance_is_futures(const struct session *s)
{
    return s->venue == &sim_venue_binance_usdm || binance_is_coinm(s);
}

/* Paths. USD-M has one for each class of data. */
int binance_open(struct session *s, char *target);
int binance_usdm_open(struct session *s, char *target);

/* A name that may be asked for, whether there is such a stream or not. */
bool binance_well_formed(const char *name);
/* 0, 1 if it was subscribed already, -ENOMEM. */
int binance_subscribe(struct session *s, const char *name);

bool binance_is_symbol(const char *name);
bool binance_usdm_is_symbol(const char *name);
bool binance_coinm_is_symbol(const char *name);
bool binance_is_contract_on(const char *name, const char *pair);
size_t binance_coinm_spell(const char *base, const char *quote, char *out, size_t cap);

size_t binance_write(const struct stream *st, const struct hub_event *event, char *buf,
                     size_t room);
/* The payload of a stream of futures; false if there is nothing to say. */
bool binance_futures_payload(struct text *t, const struct stream *st, const struct hub_event *ev);
size_t binance_shutdown_notice(const struct session *s, char *buf, size_t room);

int binance_history(struct hub *hub, const struct rest_request *r, struct text *body);
int binance_futures_history(struct hub *hub, const struct rest_request *r, struct text *body);

/* What both markets are put in words with. `key` is all that stands before the value. */
void binance_key_text(struct text *t, const char *key, const char *value);
void binance_key_int(struct text *t, const char *key, int64_t value);
void binance_key_flag(struct text *t, const char *key, bool value);
/* a / b in units of 1e-8, 0 where it is not defined or does not fit */
int64_t binance_ratio(int64_t a, int64_t b);
/* The array of what changed, put in words one by one; false if nothing did. */
bool binance_all_market(struct text *t, const struct stream *st, const struct hub_event *ev,
                        void (*one)(struct text *t, const struct stream *st,
                                    const struct hub_event *ev));

#endif
