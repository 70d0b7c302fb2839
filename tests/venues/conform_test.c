/* Every venue of venues.def, without a line of code for any: its own frames, and what chance makes
 * of them, against expectations and a second opinion on JSON. */
#include "t.h"

#include <errno.h>

#include "frames.h"
#include "oracle.h"

#define FRAME_MAX 8192
#define MUTATIONS 60000
#define DEPTH_MAX 32

static struct json *json;
static struct frames frames;
static struct decoded now;
static struct oracle oracle;

static void open_venue(const struct px_venue *venue)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.frames", PX_FRAMES, venue->name);
    T_TRUE(frames_read(&frames, path));
    T_TRUE(frames.count > 0);
    T_TRUE((json = json_new(1u << 20)) != NULL);
}

static void close_venue(void)
{
    frames_free(&frames);
    json_free(json);
}

/* What holds for every frame, whatever it is. */
static void judge(const struct px_venue *venue, struct frame frame, char padding)
{
    decode(venue, json, frame, padding, &now);
    oracle_read(&oracle, frame.text, frame.len);
    const char *broken = NULL;
    if (now.events == 0)
        broken = "no event at all";
    else if (now.rc < 0 && (now.rc != -EBADMSG || now.events != 1 || now.bad != 1))
        broken = "a refused frame is one VENUE_BAD and nothing else";
    else if (now.rc >= 0 && (size_t)now.rc != now.events)
        broken = "the count that is returned is not that of the events";
    else if (now.partial > 0 && !venue->partial)
        broken = "values are left out, and the venue is not said to be partial";
    else if (!oracle.json && now.rc >= 0)
        broken = "this is not JSON";
    if (broken != NULL)
        fail_msg("%s: %.*s\ngave %s(%d)", broken, (int)frame.len, frame.text, now.text, now.rc);
}

static bool is_label(const char *word)
{
    static const char *const labels[] = {"price", "size", "bid",  "ask",
                                         "last",  "open", "high", "low"};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (strcmp(word, labels[i]) == 0)
            return true;
    return false;
}

/* Symbol and decimals of a tick must be scalars of the frame, as the frame has them. */
static void judge_tick(struct frame frame, char *line)
{
    char *save = NULL, *word = strtok_r(line, " ", &save), *label;
    bool book = strcmp(word, "book") == 0;
    bool is_tick = book || strcmp(word, "trade") == 0 || strcmp(word, "quote") == 0 ||
                   strcmp(word, "ticker") == 0;
    if (!is_tick)
        return;
    word = strtok_r(NULL, " ", &save);
    if (!oracle_names(&oracle, word, strlen(word)))
        fail_msg("symbol %s is not in %.*s", word, (int)frame.len, frame.text);
    while ((label = strtok_r(NULL, " ", &save)) != NULL) {
        if (!is_label(label) || (book && strcmp(label, "last") == 0))
            continue;
        word = strtok_r(NULL, " ", &save);
        if (strcmp(word, "absent") == 0)
            continue;
        if (!oracle_has_decimal(&oracle, word, strlen(word)))
            fail_msg("%s %s is not in %.*s", label, word, (int)frame.len, frame.text);
    }
}

static void judge_ticks(struct frame frame)
{
    char *save = NULL;
    for (char *line = strtok_r(now.text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save))
        judge_tick(frame, line);
}

/* The expected file has each frame's events behind the frame's number. $PX_REGENERATE writes it
 * anew: the difference is to be read. */
static void expect_events(const struct px_venue *venue, FILE *expected, bool write)
{
    char want[DECODED_MAX], line[DECODED_MAX + 32];
    for (size_t i = 0; i < frames.count; i++) {
        char *save = NULL;
        judge(venue, frames.list[i], '\0');
        for (char *event = strtok_r(now.text, "\n", &save); event != NULL;
             event = strtok_r(NULL, "\n", &save)) {
            snprintf(line, sizeof line, "%zu %s\n", i + 1, event);
            if (write) {
                fputs(line, expected);
            } else if (fgets(want, sizeof want, expected) == NULL || strcmp(want, line) != 0) {
                fail_msg("%s gave:\n%sexpected:\n%s", venue->name, line, want);
            }
        }
    }
    if (!write && fgets(want, sizeof want, expected) != NULL)
        fail_msg("%s did not give:\n%s", venue->name, want);
}

T_TEST(every_venue_reads_its_own_frames_as_expected)
{
    for (size_t v = 0; v < venue_count; v++) {
        char path[1024];
        bool write = getenv("PX_REGENERATE") != NULL;
        open_venue(venue_table[v]);
        snprintf(path, sizeof path, "%s/%s.expected", PX_FRAMES, venue_table[v]->name);
        FILE *expected = fopen(path, write ? "w" : "r");
        T_TRUE(expected != NULL);
        expect_events(venue_table[v], expected, write);
        fclose(expected);
        close_venue();
    }
}

T_TEST(every_venue_refuses_its_frames_cut_at_any_byte_once)
{
    for (size_t v = 0; v < venue_count; v++) {
        size_t refused = 0;
        open_venue(venue_table[v]);
        for (size_t i = 0; i < frames.count; i++)
            for (size_t len = 0; len < frames.list[i].len; len++) {
                judge(venue_table[v], (struct frame){frames.list[i].text, len},
                      frames.list[i].text[len]);
                refused += now.bad;
            }
        T_TRUE(refused > frames.count * 20);
        close_venue();
    }
}

T_TEST(every_venue_gives_the_same_for_a_frame_in_any_order_and_number)
{
    for (size_t v = 0; v < venue_count; v++) {
        uint64_t seed = 7 + v;
        open_venue(venue_table[v]);
        char **first = calloc(frames.count, sizeof *first);
        for (size_t i = 0; i < frames.count; i++) {
            decode(venue_table[v], json, frames.list[i], '\0', &now);
            first[i] = strdup(now.text);
        }
        for (int n = 0; n < 20000; n++) {
            size_t i = chance_below(&seed, frames.count);
            decode(venue_table[v], json, frames.list[i], (char)chance(&seed), &now);
            T_STR(now.text, first[i]);
        }
        for (size_t i = 0; i < frames.count; i++)
            free(first[i]);
        free(first);
        close_venue();
    }
}

T_TEST(no_venue_gives_a_price_that_a_corrupted_frame_does_not_state)
{
    static char out[FRAME_MAX];
    for (size_t v = 0; v < venue_count; v++) {
        uint64_t seed = 42 + v;
        size_t refused = 0, ticks = 0;
        open_venue(venue_table[v]);
        for (int n = 0; n < MUTATIONS; n++) {
            struct frame a = frames.list[chance_below(&seed, frames.count)];
            struct frame b = frames.list[chance_below(&seed, frames.count)];
            struct frame frame = {out, mutate(&seed, a, b, out, sizeof out)};
            judge(venue_table[v], frame, (char)chance(&seed));
            if (oracle.json && oracle.depth <= DEPTH_MAX &&
                strncmp(now.text, "bad (broken", 11) == 0)
                fail_msg("this is JSON: %.*s\n%s", (int)frame.len, frame.text, now.text);
            refused += now.bad;
            ticks += now.ticks;
            judge_ticks(frame);
        }
        T_TRUE(refused > MUTATIONS / 4);
        T_TRUE(ticks > MUTATIONS / 20);
        close_venue();
    }
}
