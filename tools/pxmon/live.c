/* See live.h. */
#include "live.h"

#include "history.h"
#include "json_out.h"
#include "look_json.h"

static void put_restart(struct json_out *out, const struct restart *r)
{
    jout_object(out, "restart");
    jout_text(out, "phase", restart_phase_name(r->phase));
    jout_text(out, "text", r->text);
    jout_unsigned(out, "epoch_before", r->epoch_before);
    jout_unsigned(out, "epoch", r->epoch);
    jout_end_object(out);
}

void live_restart(FILE *file, const struct restart *restart)
{
    struct json_out out;
    jout_start(&out, file);
    jout_object(&out, NULL);
    put_restart(&out, restart);
    jout_end_object(&out);
}

void live_state(FILE *file, const struct subject *s, const struct history_row *row,
                const struct restart *restart)
{
    struct json_out out;
    jout_start(&out, file);
    jout_object(&out, NULL);
    jout_text(&out, "bus", s->name);
    jout_object(&out, "health");
    jout_signed(&out, "code", s->health.code);
    jout_text(&out, "word", health_word(s->health.code));
    jout_text(&out, "state", s->health.state);
    jout_text(&out, "text", s->health.sentence);
    jout_end_object(&out);
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
