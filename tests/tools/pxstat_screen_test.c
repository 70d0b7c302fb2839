/* The screen of pxstat --watch, painted into memory. */
#include "t.h"

#include "pxstat_rig.h"

static struct rig rig;

/* Names of symbols down the rows from `row` on, "S00002 S00001 ...". */
static const char *names(int row, int count)
{
    static char text[512];
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        const char *at = strstr(rig_row(&rig, row + i), "venue:");
        T_TRUE(at != NULL);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.6s", i > 0 ? " " : "",
                 at + 6);
    }
    return text;
}

static int symbols_row(void)
{
    int row = rig_find(&rig, 0, "SYMBOL");
    T_TRUE(row > 0);
    return row + 1;
}

T_TEST(everything_that_matters_is_on_80_by_24)
{
    rig_start(&rig, 30);
    rig_look(&rig);
    rig_paint(&rig, 24, 80);
    T_STR(rig_row(&rig, 1), "OK: 30 of 30 subscribed symbols are live");
    T_EQ(rig_tone(&rig, "OK: "), TONE_GOOD);
    for (size_t i = 0; i < 6; i++) {
        static const char *const words[] = {"bus md  live  epoch 3  pid 7  1.2",
                                            "5,000, 1,000/s",
                                            "pxtail",
                                            "venue:S00000",
                                            "400",
                                            "q quit"};
        if (rig_find(&rig, 0, words[i]) < 0)
            fail_msg("no \"%s\"", words[i]);
    }
    T_TRUE(rig_find(&rig, 0, "1.5   20.2      300") > 0);
    T_EQ(rig_find(&rig, 0, "ERROR"), -1);
    T_TRUE(rig_find(&rig, 0, "of 30 symbols") > 0);
    rig_end(&rig);
}

T_TEST(a_large_screen_shows_all_panes_side_by_side)
{
    rig_start(&rig, 30);
    rig.subject.now.error_count = 1;
    snprintf(rig.errors[0].kind, sizeof rig.errors[0].kind, "frame");
    snprintf(rig.errors[0].text, sizeof rig.errors[0].text, "unexpected token");
    rig_look(&rig);
    rig_paint(&rig, 50, 200);
    int titles = rig_find(&rig, 0, "SYMBOL");
    T_TRUE(strstr(rig_row(&rig, titles), "CONNECTION") != NULL);
    T_TRUE(rig_find(&rig, titles, "READER ") > titles);
    T_TRUE(rig_find(&rig, titles, "unexpected token") > titles);
    T_TRUE(rig_find(&rig, titles, "S00029") > titles);
    T_TRUE(rig_find(&rig, 0, "[1 all]") == 49);
    rig_end(&rig);
}

T_TEST(no_size_writes_outside_or_loses_the_verdict)
{
    rig_start(&rig, 300);
    rig_look(&rig);
    for (int overlay = OVERLAY_NONE; overlay <= OVERLAY_RESTART; overlay++)
        for (int pane = 0; pane < PANE_COUNT; pane++)
            for (int rows = 1; rows < 60; rows += rows < 26 ? 1 : 7)
                for (int columns = 1; columns < 240; columns += columns < 30 ? 1 : 23) {
                    rig.ui.pane = (enum pane)pane;
                    rig.ui.overlay = (enum overlay)overlay;
                    rig_paint(&rig, rows, columns);
                    if (rows > 1 && columns > 2 && overlay == OVERLAY_NONE)
                        T_TRUE(strncmp(rig_row(&rig, 1), "OK", 2) == 0);
                }
    rig_end(&rig);
}

T_TEST(symbols_are_sorted_by_each_column_and_the_other_way_round)
{
    rig_start(&rig, 4);
    rig.symbols[2].quality = PX_STALE;
    rig.symbols[1].gaps = 7;
    rig.symbols[0].age_ns = -1;
    rig_look(&rig);
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 4), "S00002 S00000 S00001 S00003"); /* the worst first */
    rig_keys(&rig, "s");                                           /* ticks per second */
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 4), "S00003 S00002 S00001 S00000");
    rig_keys(&rig, "S");
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 4), "S00000 S00001 S00002 S00003");
    rig_keys(&rig, "s"); /* age: what never came has none, and comes last either way */
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 4), "S00001 S00002 S00003 S00000");
    rig_keys(&rig, "S");
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 4), "S00003 S00002 S00001 S00000");
    rig_keys(&rig, "ss"); /* gaps */
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 4), "S00001 S00000 S00002 S00003");
    rig_keys(&rig, "<<<<<"); /* back to the name */
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 4), "S00000 S00001 S00002 S00003");
    rig_keys(&rig, "S");
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 4), "S00003 S00002 S00001 S00000");
    rig_end(&rig);
}

T_TEST(a_filter_is_live_and_escape_clears_it)
{
    rig_start(&rig, 30);
    rig.symbols[5].quality = PX_STALE;
    rig_look(&rig);
    rig_keys(&rig, "/s0002");
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 2), "S00020 S00021");
    T_TRUE(rig_find(&rig, 0, "of 10 symbols, filter \"s0002\" (of 30)") > 0);
    T_TRUE(strstr(rig_row(&rig, 23), "filter: s0002_") != NULL);
    rig_keys(&rig, "\x7f\x7f\x7f\x7f\x7f"
                   "stale\n"); /* its quality is searched too */
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 1), "S00005");
    T_TRUE(strstr(rig_row(&rig, 23), "q quit") != NULL);
    rig_keys(&rig, "/nothing");
    rig_paint(&rig, 24, 80);
    T_TRUE(rig_find(&rig, 0, "none of 30 symbols") > 0);
    rig_keys(&rig, "\x1b");
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 2), "S00005 S00000");
    T_EQ(rig_find(&rig, 0, "filter"), 23); /* the key alone */
    rig_end(&rig);
}

T_TEST(a_filter_never_overflows_and_q_is_a_letter_of_it)
{
    rig_start(&rig, 1);
    rig_look(&rig);
    rig_keys(&rig, "/");
    for (int i = 0; i < 500; i++)
        T_TRUE(ui_key(&rig.ui, 'q') != UI_QUIT);
    T_EQ(strlen(rig.ui.list[PANE_SYMBOLS].filter), UI_FILTER_BYTES - 1);
    rig_paint(&rig, 24, 80);
    rig_end(&rig);
}

T_TEST(scrolling_stops_at_both_ends)
{
    rig_start(&rig, 100);
    rig_look(&rig);
    rig_keys(&rig, "3<");
    ui_key(&rig.ui, UI_KEY_UP);
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 2), "S00000 S00001");
    ui_key(&rig.ui, UI_KEY_DOWN);
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 1), "S00001");
    size_t page = rig.ui.list[PANE_SYMBOLS].page;
    ui_key(&rig.ui, UI_KEY_PAGE_DOWN);
    rig_paint(&rig, 24, 80);
    T_EQ(rig.ui.list[PANE_SYMBOLS].top, page); /* one row stays */
    ui_key(&rig.ui, UI_KEY_END);
    rig_paint(&rig, 24, 80);
    T_TRUE(rig_find(&rig, 0, "S00099") > 0 && rig_find(&rig, 0, "to 100 of 100") > 0);
    ui_key(&rig.ui, UI_KEY_PAGE_DOWN);
    ui_key(&rig.ui, UI_KEY_DOWN);
    rig_paint(&rig, 24, 80);
    T_TRUE(rig_find(&rig, 0, "S00099") > 0);
    rig.subject.now.symbol_count = 3; /* and is moved back when rows go */
    rig_look(&rig);
    rig_paint(&rig, 24, 80);
    T_STR(names(symbols_row(), 3), "S00000 S00001 S00002");
    ui_key(&rig.ui, UI_KEY_HOME);
    T_EQ(rig.ui.list[PANE_SYMBOLS].top, 0);
    rig_end(&rig);
}

T_TEST(symbols_that_nobody_wants_are_shown_on_request)
{
    rig_start(&rig, 3);
    rig.symbols[1].pins = rig.symbols[1].kinds = 0;
    rig_look(&rig);
    rig_paint(&rig, 24, 80);
    T_EQ(rig_find(&rig, 0, "S00001"), -1);
    rig_keys(&rig, "a");
    rig_paint(&rig, 24, 80);
    T_TRUE(rig_find(&rig, 0, "S00001") > 0);
    rig_end(&rig);
}

T_TEST(a_connection_that_ails_says_why_in_place_of_its_rates)
{
    rig_start(&rig, 1);
    struct px_conn_info *c = &rig.conns[0].info;
    c->state = PX_CONN_WAITING;
    c->breaker = PX_BREAKER_OPEN;
    c->next_mono_ns = 22 * RIG_SECOND;
    snprintf(c->reason, sizeof c->reason, "HTTP 429, retry after 60 s");
    rig_look(&rig);
    rig_paint(&rig, 24, 80);
    T_TRUE(rig_find(&rig, 0, "waiting     open      next in 12.0s; HTTP 429, retry after") > 0);
    T_EQ(rig_tone(&rig, "open      next"), TONE_BAD);
    T_EQ(rig_tone(&rig, "WARNING: "), TONE_WARN);
    rig_end(&rig);
}

T_TEST(a_dead_feeder_is_said_in_the_first_two_lines)
{
    rig_start(&rig, 1);
    rig.subject.now.holder = HOLDER_GONE;
    rig_look(&rig);
    rig_paint(&rig, 24, 80);
    T_TRUE(strstr(rig_row(&rig, 0), "bus md  gone  epoch 3") != NULL);
    T_TRUE(strstr(rig_row(&rig, 1), "CRITICAL: the feeder is gone: pid 7") != NULL);
    T_EQ(rig_tone(&rig, "CRITICAL"), TONE_BAD);
    T_EQ(rig_tone(&rig, "was live"), TONE_DIM);
    T_TRUE(rig_row(&rig, 2)[0] == ' '); /* a sentence too long for one line goes on in the next */
    rig_paint(&rig, 24, 300);
    T_TRUE(strstr(rig_row(&rig, 1), "last sign of life") != NULL);
    rig_end(&rig);
}

T_TEST(a_bus_that_is_gone_is_waited_for)
{
    rig_start(&rig, 1);
    rig.subject.has_now = rig.subject.has_before = false;
    rig.subject.health = (struct health){.code = HEALTH_UNKNOWN, .state = "absent"};
    snprintf(rig.subject.health.sentence, 100, "there is no such bus");
    model_update(&rig.model, &rig.subject);
    for (int overlay = OVERLAY_NONE; overlay <= OVERLAY_RESTART; overlay++) {
        rig.ui.overlay = (enum overlay)overlay;
        rig_paint(&rig, 24, 80);
        T_STR(rig_row(&rig, 1), "UNKNOWN: there is no such bus");
    }
    rig_end(&rig);
}

T_TEST(memory_has_the_colour_and_the_word_of_its_level)
{
    rig_start(&rig, 1);
    rig.subject.now.has_memory = 1;
    rig.subject.now.memory =
        (struct px_memory_sample){.rss_bytes = 9 << 20, .owner_bytes = {1, 2, 3}};
    rig.subject.now.verdict = (struct px_memory_verdict){.mono_ns = 1,
                                                         .trend = PX_TREND_GROWING,
                                                         .level = PX_LEVEL_CRITICAL,
                                                         .owner = PX_OWNER_TLS,
                                                         .growth_bytes_per_hour = 52500000,
                                                         .confidence_ppm = 990000,
                                                         .time_to_limit_s = 600};
    rig_look(&rig);
    for (int i = 0; i < 12; i++)
        rig.model.resident[rig.model.resident_count++] = (9 << 20) + 1000000.0 * i;
    rig_paint(&rig, 24, 120);
    int row = rig_find(&rig, 0, "memory   9.0 MiB  +52.50 MB/hour, growing (99 %)  level CRITICAL");
    T_TRUE(row > 0 && strstr(rig_row(&rig, row), "limit in 10 min 00 s") != NULL);
    T_TRUE(strstr(rig_row(&rig, row), "???") != NULL); /* the spark line */
    T_EQ(rig_tone(&rig, "memory   9.0"), TONE_BAD);
    T_EQ(rig_tone(&rig, "tls"), TONE_BAD);
    T_EQ(rig_tone(&rig, "websocket"), TONE_PLAIN);
    rig_end(&rig);
}

T_TEST(a_reader_that_loses_ticks_stands_first_and_out)
{
    rig_start(&rig, 1);
    rig.readers[1] = (struct px_reader_info){.name = "slow", .pid = 9, .lag = 4000, .lost = 123};
    rig.subject.now.reader_count = 2;
    rig_look(&rig);
    rig_paint(&rig, 24, 80);
    int row = rig_find(&rig, 0, "READER ");
    T_TRUE(strstr(rig_row(&rig, row + 1), "slow") != NULL);
    T_EQ(rig_tone(&rig, "4000"), TONE_WARN);
    T_EQ(rig_tone(&rig, "123 "), TONE_WARN);
    rig_end(&rig);
}

T_TEST(a_restart_is_asked_for_by_name_and_only_y_does_it)
{
    rig_start(&rig, 1);
    rig_look(&rig);
    T_EQ(ui_key(&rig.ui, 'r'), UI_DRAW);
    rig_paint(&rig, 24, 80);
    T_TRUE(rig_find(&rig, 0, "Restart the feeder of bus md?") > 0);
    T_TRUE(rig_find(&rig, 0, "y restarts it, any other key does not") > 0);
    T_TRUE(ui_key(&rig.ui, 'q') != UI_QUIT);
    T_EQ(rig.ui.overlay, OVERLAY_NONE);
    T_TRUE(ui_key(&rig.ui, 'y') != UI_RESTART);
    ui_key(&rig.ui, 'r');
    T_TRUE(ui_key(&rig.ui, UI_KEY_ENTER) != UI_RESTART);
    ui_key(&rig.ui, 'r');
    T_EQ(ui_key(&rig.ui, 'y'), UI_RESTART);
    rig.recycle = (struct recycle){.running = 1, .took_ns = 1500000000};
    rig_paint(&rig, 24, 80);
    T_TRUE(rig_find(&rig, 0, "is being restarted, 1.5 s so far; it is live") > 0);
    rig.recycle = (struct recycle){.code = 1, .took_ns = RIG_SECOND};
    rig.recycle.used = (size_t)snprintf(rig.recycle.output, sizeof rig.recycle.output,
                                        "pxrestart: md: no feeder runs on this bus\n");
    rig_paint(&rig, 24, 80);
    T_EQ(rig_tone(&rig, "failed after 1.0 s"), TONE_BAD);
    T_TRUE(rig_find(&rig, 0, "no feeder runs on this bus") > 0);
    ui_key(&rig.ui, 'x');
    T_EQ(rig.ui.overlay, OVERLAY_NONE);
    rig_end(&rig);
}

T_TEST(keys_change_pane_pace_and_pause)
{
    rig_start(&rig, 1);
    rig_look(&rig);
    ui_key(&rig.ui, UI_KEY_TAB);
    T_EQ(rig.ui.pane, PANE_CONNS);
    ui_key(&rig.ui, UI_KEY_BACK_TAB);
    ui_key(&rig.ui, UI_KEY_BACK_TAB);
    T_EQ(rig.ui.pane, PANE_ERRORS);
    rig_keys(&rig, "4");
    rig_paint(&rig, 24, 80);
    T_TRUE(rig_find(&rig, 0, "pxtail") > 0 && rig_find(&rig, 0, "SYMBOL") < 0);
    T_EQ(ui_key(&rig.ui, '+'), UI_LOOK);
    T_EQ(rig.ui.interval_ns, 2 * RIG_SECOND);
    for (int i = 0; i < 20; i++)
        ui_key(&rig.ui, '-');
    T_EQ(rig.ui.interval_ns, RIG_SECOND / 10);
    for (int i = 0; i < 20; i++)
        ui_key(&rig.ui, '+');
    T_EQ(rig.ui.interval_ns, 60 * RIG_SECOND);
    ui_key(&rig.ui, 'p');
    rig_paint(&rig, 24, 80);
    T_TRUE(rig.ui.paused && strstr(rig_row(&rig, 0), "PAUSED") != NULL);
    T_EQ(ui_key(&rig.ui, ' '), UI_LOOK);
    T_EQ(ui_key(&rig.ui, 'q'), UI_QUIT);
    rig_end(&rig);
}

T_TEST(help_names_every_key)
{
    static const char *const keys[] = {"Tab",  "s or >", "S ", "/ ", "a ",
                                       "p or", "+ -",    "r ", "q "};
    rig_start(&rig, 1);
    rig_look(&rig);
    rig_keys(&rig, "?");
    rig_paint(&rig, 24, 80);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (rig_find(&rig, 0, keys[i]) < 0)
            fail_msg("help does not name \"%s\"", keys[i]);
    for (int row = 0; row < 24; row++)
        T_TRUE(strchr(rig_row(&rig, row), '~') == NULL); /* no line is cut */
    rig_end(&rig);
}

T_TEST(fifty_thousand_symbols_are_drawn_at_the_pace_of_the_keys)
{
    rig_start(&rig, 50000);
    rig_look(&rig);
    rig_keys(&rig, "3s");
    int64_t start_ns = cli_now_ns();
    for (int i = 0; i < 5; i++)
        rig_paint(&rig, 50, 200);
    int64_t each_ns = (cli_now_ns() - start_ns) / 5;
    print_message("%.1f ms for a screen of 50,000 symbols\n", (double)each_ns / 1e6);
    T_STR(names(symbols_row(), 2), "S49999 S49998");
    struct table_row *rows = rig.tables[PANE_SYMBOLS].rows;
    rig_paint(&rig, 50, 200);
    T_TRUE(rows == rig.tables[PANE_SYMBOLS].rows); /* memory of the rows is kept */
    rig_end(&rig);
}
