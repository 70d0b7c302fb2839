/* Rows of a history as JSON. */
#include <math.h>

#include "history.h"
#include "json_out.h"

static void put_value(struct json_out *out, const char *key, double value)
{
    if (value == floor(value) && fabs(value) < 9e15)
        jout_signed(out, key, (int64_t)value);
    else
        jout_fixed(out, key, value, 3);
}

void history_put_object(struct json_out *out, const char *key, const struct history_row *row)
{
    jout_object(out, key);
    jout_signed(out, "t", row->t);
    for (int i = 0; i < HISTORY_COLUMN_COUNT; i++)
        put_value(out, history_columns[i].name, row->v[i]);
    jout_end_object(out);
}

void history_put_names(struct json_out *out, const char *key)
{
    jout_array(out, key);
    jout_text(out, NULL, "t");
    for (int i = 0; i < HISTORY_COLUMN_COUNT; i++)
        jout_text(out, NULL, history_columns[i].name);
    jout_end_array(out);
}

void history_put_array(struct json_out *out, const char *key, const struct history_row *row)
{
    jout_array(out, key);
    jout_signed(out, NULL, row->t);
    for (int i = 0; i < HISTORY_COLUMN_COUNT; i++)
        put_value(out, NULL, row->v[i]);
    jout_end_array(out);
}
