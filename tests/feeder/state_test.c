#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "state.h"

#define SEC INT64_C(1000000000)

static char dir[64];
static char seen[65536];
static const char *const *to_save;
static unsigned saves;

static struct state *make(uint32_t lines)
{
    if (dir[0] == '\0') {
        strcpy(dir, "/tmp/px-state-XXXXXX");
        T_TRUE(mkdtemp(dir) != NULL);
        log_open(open("/dev/null", O_WRONLY), LOG_LEVEL_DEBUG, false);
    }
    struct state *s = state_new(dir, "md", lines, NULL);
    T_TRUE(s != NULL);
    return s;
}

__attribute__((destructor)) static void clean(void)
{
    static const char *const names[] = {"md.wanted", "md.wanted.bad", "md.wanted.tmp"};
    char path[128];
    for (int i = 0; dir[0] != '\0' && i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
        rmdir(path);
    }
    if (dir[0] != '\0')
        rmdir(dir);
}

static void line(void *user, const char *symbol, uint32_t kinds)
{
    (void)user;
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s/%u ", symbol, kinds);
}

static int next(void *user, uint32_t *cursor, char symbol[PX_SYMBOL_MAX + 1], uint32_t *kinds)
{
    (void)user;
    if (*cursor == 0)
        saves++;
    if (to_save[*cursor] == NULL)
        return 0;
    strcpy(symbol, to_save[*cursor]);
    *kinds = 1 + *cursor % 7;
    ++*cursor;
    return 1;
}

static int load(struct state *s)
{
    seen[0] = '\0';
    return state_load(s, line, NULL);
}

static void put(struct state *s, const char *text)
{
    FILE *f = fopen(state_path(s), "w");
    fputs(text, f);
    fclose(f);
}

static int exists(struct state *s, const char *suffix)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s", state_path(s), suffix);
    return access(path, F_OK) == 0;
}

T_TEST(what_was_saved_is_loaded)
{
    static const char *const symbols[] = {"binance:BTCUSDT", "kraken:BTC/USD", "x:*", NULL};
    struct state *s = make(10);
    to_save = symbols;
    T_EQ(state_save(s, next, NULL), 0);
    T_EQ(load(s), 3);
    T_STR(seen, "binance:BTCUSDT/1 kraken:BTC/USD/2 x:*/3 ");
    T_TRUE(!exists(s, ".tmp"));
    state_free(s);
}

T_TEST(missing_file_is_an_empty_set)
{
    struct state *s = make(10);
    unlink(state_path(s));
    T_EQ(load(s), 0);
    state_free(s);
}

T_TEST(damaged_file_is_moved_aside_and_counts_as_empty)
{
    static const char *const symbols[] = {"binance:BTCUSDT", "binance:ETHUSDT", NULL};
    struct state *s = make(10);
    char text[256] = "", cut[256];
    to_save = symbols;
    T_EQ(state_save(s, next, NULL), 0);
    FILE *f = fopen(state_path(s), "r");
    size_t len = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    /* cut anywhere, and with any byte changed: never a symbol that was not saved */
    for (size_t i = 0; i < len; i++) {
        memcpy(cut, text, sizeof cut);
        cut[i] = '\0';
        put(s, cut);
        T_EQ(load(s), 0);
        T_STR(seen, "");
        T_TRUE(exists(s, ".bad"));
        memcpy(cut, text, sizeof cut);
        cut[i] ^= 0x11;
        put(s, cut);
        T_EQ(load(s), 0);
        T_STR(seen, "");
        T_TRUE(!exists(s, ""));
    }
    put(s, text);
    T_EQ(load(s), 2);
    state_free(s);
}

T_TEST(foreign_file_is_moved_aside)
{
    struct state *s = make(10);
    put(s, "#!/bin/sh\nend of it\n");
    T_EQ(load(s), 0);
    T_TRUE(exists(s, ".bad") && !exists(s, ""));
    T_EQ(symlink("/etc/passwd", state_path(s)), 0);
    T_EQ(load(s), 0);
    T_TRUE(!exists(s, ""));
    T_EQ(mkdir(state_path(s), 0700), 0);
    T_EQ(load(s), 0);
    rmdir(state_path(s));
    state_free(s);
}

T_TEST(set_of_a_larger_table_is_loaded_as_far_as_there_is_room)
{
    static const char *const symbols[] = {"a:A", "a:B", "a:C", "a:D", "a:E", NULL};
    struct state *large = make(5000), *small = make(2);
    to_save = symbols;
    T_EQ(state_save(large, next, NULL), 0);
    T_EQ(load(small), 2);
    T_STR(seen, "a:A/1 a:B/2 ");
    T_TRUE(exists(small, ""));
    T_EQ(state_save(large, next, NULL), 0);
    T_EQ(load(large), 5);
    state_free(large);
    state_free(small);
}

T_TEST(file_that_is_larger_than_any_set_is_moved_aside_unread)
{
    struct state *s = make(2);
    put(s, "px-wanted 1\n");
    T_EQ(truncate(state_path(s), (off_t)1 << 40), 0);
    T_EQ(load(s), 0);
    T_TRUE(exists(s, ".bad") && !exists(s, ""));
    state_free(s);
}

T_TEST(set_larger_than_the_table_is_cut_at_its_end)
{
    static const char *const symbols[] = {"a:A", "a:B", "a:C", NULL};
    struct state *s = make(2);
    to_save = symbols;
    T_EQ(state_save(s, next, NULL), 0);
    T_EQ(load(s), 2);
    state_free(s);
}

T_TEST(changes_within_a_second_are_one_save)
{
    static const char *const symbols[] = {"a:A", NULL};
    struct state *s = make(2);
    to_save = symbols;
    saves = 0;
    T_EQ(state_tick(s, 0, next, NULL), 0);
    for (int64_t now = 0; now < 3 * SEC; now += SEC / 100) {
        state_dirty(s);
        T_TRUE(state_tick(s, now, next, NULL) >= 0);
    }
    T_EQ(saves, 3);
    state_free(s);
}

T_TEST(directory_that_vanished_is_an_error_and_no_end)
{
    static const char *const symbols[] = {"a:A", NULL};
    struct state *s = state_new("/nonexistent/px", "md", 10, NULL);
    log_open(open("/dev/null", O_WRONLY), LOG_LEVEL_DEBUG, false);
    to_save = symbols;
    state_dirty(s);
    T_EQ(state_tick(s, 0, next, NULL), -ENOENT);
    T_EQ(state_tick(s, 2 * SEC, next, NULL), -ENOENT);
    state_free(s);
}
