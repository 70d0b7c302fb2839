/* See live.h. */
#include "live.h"

#include "history.h"
#include "json_out.h"
#include "look_json.h"

/* Of a phase that did not begin there is no time. */
static void put_phases(struct json_out *out, const struct restart_progress *p)
{
    jout_object(out, "at_ms");
    for (int i = RESTART_ASKED; i < RESTART_PHASE_COUNT; i++)
        if (p->at_ms[i] >= 0)
            jout_signed(out, restart_phase_name((enum restart_phase)i), p->at_ms[i]);
    jout_end_object(out);
}

static void put_restart(struct json_out *out, const struct restart_progress *p)
{
    jout_object(out, "restart");
    jout_text(out, "phase", restart_phase_name(p->phase));
    jout_text(out, "text", p->text);
    jout_signed(out, "start", p->start_utc_s);
    put_phases(out, p);
    jout_unsigned(out, "epoch_before", p->epoch_before);
    jout_unsigned(out, "epoch", p->epoch);
    jout_unsigned(out, "connections", p->connections);
    jout_unsigned(out, "connections_live", p->connections_live);
    jout_unsigned(out, "symbols", p->symbols);
    jout_unsigned(out, "symbols_live", p->symbols_live);
    jout_fixed(out, "blackout_ms", p->blackout_ms, 1);
    jout_end_object(out);
}

static void put_health(struct json_out *out, const struct health *h)
{
    jout_object(out, "health");
    jout_signed(out, "code", h->code);
    jout_text(out, "word", health_word(h->code));
    jout_text(out, "state", h->state);
    jout_text(out, "text", h->sentence);
    jout_end_object(out);
}

void live_news(FILE *file, const struct subject *s, const struct restart_progress *restart)
{
    struct json_out out;
    jout_start(&out, file);
    jout_object(&out, NULL);
    jout_text(&out, "bus", s->name);
    put_health(&out, &s->health);
    put_restart(&out, restart);
    jout_end_object(&out);
}

void live_state(FILE *file, const struct subject *s, const struct history_row *row,
                const struct restart_progress *restart)
{
    struct json_out out;
    jout_start(&out, file);
    jout_object(&out, NULL);
    jout_text(&out, "bus", s->name);
    put_health(&out, &s->health);
    put_restart(&out, restart);
    history_put_names(&out, "columns");
    history_put_array(&out, "row", row);
    if (s->has_now) {
        /* an object of its own, on the same file */
        fputs(",\"stat\":", file);
        look_json(file, &s->now, &s->health);
    } else {
        jout_null(&out, "stat");
    }
    jout_end_object(&out);
}
