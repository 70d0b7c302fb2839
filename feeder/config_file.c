/* The file, through libinih. Three of its habits are dealt with here: it cuts lines at 200 bytes
 * (Debian's build; its ini_max_line has no effect), it does not tell the handler the line, and a
 * section without a key is never reported. So it is fed by a reader of our own, which knows the
 * line, looks at section heads, and passes a longer line as a line and continuation lines, split
 * between words. A continuation line reaches the handler as one more value of the same name. */
#include "config_keys.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (8u << 20)
/* The buffer that inih gives to its reader, newline and NUL included; no more of a larger one is
 * used, so that line_of_piece() walks the same pieces. */
#define PIECE_MAX 200

struct file_reader {
    struct config_build *build;
    const char *at;   /* rest of the text */
    const char *rest; /* rest of a line that is being passed in pieces, or NULL */
    size_t rest_len;
    unsigned line, pieces;
    unsigned error_line; /* 0: none */
};

static void reader_fail(struct file_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void reader_fail(struct file_reader *r, const char *format, ...)
{
    if (r->error_line != 0)
        return;
    r->error_line = r->line;
    va_list args;
    va_start(args, format);
    vsnprintf(r->build->why, sizeof(r->build->why), format, args);
    va_end(args);
}

static void check_section(struct file_reader *r, const char *line, size_t len)
{
    const char *end = memchr(line, ']', len);
    char name[64] = "";
    if (end == NULL) {
        reader_fail(r, "a section head without \"]\"");
        return;
    }
    snprintf(name, sizeof(name), "%.*s", (int)(end - line - 1), line + 1);
    if (strcmp(name, "bus") != 0 && venue_find(name, strlen(name)) == NULL)
        reader_fail(r, "unknown section [%s]", name);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Where a line that must be split ends: at its inline comment, as inih would have it. */
static size_t without_comment(const char *line, size_t len)
{
    size_t start = 0;
    while (start < len && is_blank(line[start]))
        start++;
    if (start < len && (line[start] == ';' || line[start] == '#'))
        return 0;
    for (size_t i = start + 1; i < len; i++)
        if (line[i] == ';' && is_blank(line[i - 1]))
            return i;
    return len;
}

/* How much of the rest fits into `room` bytes without cutting a word; 0: not even one word. The
 * first piece of a line needs a word behind its "name =", or it would be a setting without a value.
 */
static size_t whole_words(const char *rest, size_t len, size_t room, bool names)
{
    size_t take = room, head = 0;
    if (len <= room)
        return len;
    while (take > 0 && !is_blank(rest[take]) && rest[take - 1] != ',')
        take--;
    if (names) {
        while (head < take && rest[head] != '=' && rest[head] != ':')
            head++;
        while (head < take && (is_blank(rest[head]) || rest[head] == '=' || rest[head] == ':'))
            head++;
    }
    return head == take && names ? 0 : take;
}

/* Pass as many whole words of the rest as fit. A piece that is not the first begins with a blank,
 * which makes it a continuation line. */
static void next_piece(struct file_reader *r, char *out, size_t cap, bool first)
{
    bool names = first && !is_blank(r->rest[0]);
    size_t take = whole_words(r->rest, r->rest_len, cap - 2 - (first ? 0 : 1), names);
    if (take == 0)
        reader_fail(r, "a word that is too long");
    else if (!first && (r->rest[0] == '#' || r->rest[0] == ';'))
        /* as the first word of a line it would begin a comment, in the middle it does not */
        reader_fail(r, "a word that begins with %c", r->rest[0]);
    if (r->error_line != 0) {
        memcpy(out, "\n", 2);
        return;
    }
    if (!first)
        *out++ = ' ';
    memcpy(out, r->rest, take);
    memcpy(out + take, "\n", 2);
    r->rest += take;
    r->rest_len -= take;
    while (r->rest_len > 0 && is_blank(*r->rest))
        r->rest++, r->rest_len--;
    if (r->rest_len == 0)
        r->rest = NULL;
}

/* ini_reader: fgets() over the text. */
static char *reader_next(char *out, int cap, void *stream)
{
    struct file_reader *r = stream;
    size_t room = (size_t)cap < PIECE_MAX ? (size_t)cap : PIECE_MAX;
    if (r->error_line != 0 || (r->rest == NULL && *r->at == '\0'))
        return NULL;
    r->pieces++;
    if (r->rest != NULL) {
        next_piece(r, out, room, false);
        return out;
    }
    size_t len = strcspn(r->at, "\n");
    const char *line = r->at;
    r->at += len + (line[len] == '\n');
    r->line++;
    if (line[0] == '[')
        check_section(r, line, len);
    if (len + 2 <= room) {
        memcpy(out, line, len);
        memcpy(out + len, "\n", 2);
        return out;
    }
    r->rest_len = without_comment(line, len);
    r->rest = line;
    if (r->rest_len == 0) { /* a long comment */
        r->rest = NULL;
        memcpy(out, "\n", 2);
        return out;
    }
    next_piece(r, out, room, true);
    return out;
}

static bool appends(const struct config_key *key)
{
    return key->type == KEY_SYMBOLS || key->type == KEY_KINDS || key->type == KEY_LIST ||
           key->type == KEY_URLS;
}

/* ini_handler: returns 0 for an error, which inih counts and we have by then. */
static int handle(void *user, const char *section, const char *name, const char *value)
{
    struct file_reader *r = user;
    struct config_build *b = r->build;
    const struct config_key *keys = config_bus_keys, *key;
    size_t count = config_bus_key_count;
    void *base = &b->config;
    uint64_t *set = &b->bus_set;
    if (r->error_line != 0)
        return 0;
    if (strcmp(section, "bus") != 0) {
        const struct px_venue *venue = venue_find(section, strlen(section));
        if (venue == NULL) {
            reader_fail(r, "%s is in no section", name);
            return 0;
        }
        size_t v = config_venue_index(venue);
        keys = config_venue_keys;
        count = config_venue_key_count;
        base = &b->config.venue[v];
        set = &b->venue_set[v];
    }
    key = config_key_find(keys, count, name);
    if (key == NULL) {
        reader_fail(r, "unknown key %s", name);
        return 0;
    }
    uint64_t bit = UINT64_C(1) << (key - keys);
    bool again = (*set & bit) != 0;
    if (again && !appends(key)) {
        reader_fail(r, "%s has more than one value", key->name);
        return 0;
    }
    *set |= bit;
    if (config_key_set(b, key, base, value, again) != 0) {
        char why[sizeof(b->why)];
        snprintf(why, sizeof(why), "%s: %.150s", key->name, b->why);
        reader_fail(r, "%s", why);
        return 0;
    }
    return 1;
}

/* inih counts pieces, people count lines. */
static unsigned line_of_piece(const char *text, unsigned piece, struct config_build *b)
{
    struct file_reader r = {.build = b, .at = text};
    char out[PIECE_MAX];
    while (r.pieces < piece && reader_next(out, sizeof(out), &r) != NULL)
        ;
    return r.line;
}

static int parse(struct config_build *b, const char *path, const char *text,
                 char error[CONFIG_ERROR_MAX])
{
    struct file_reader r = {.build = b, .at = text};
    b->why[0] = '\0';
    int rc = ini_parse_stream(reader_next, &r, handle, &r);
    if (r.error_line == 0 && rc == 0)
        return 0;
    if (r.error_line == 0 && rc < 0)
        return -ENOMEM;
    if (r.error_line == 0) {
        r.error_line = line_of_piece(text, (unsigned)rc, b);
        snprintf(b->why, sizeof(b->why), "neither [section] nor key = value");
    }
    snprintf(error, CONFIG_ERROR_MAX, "%s:%u: %s", path, r.error_line, b->why);
    return -EBADMSG;
}

/* The whole file as a text, or NULL and errno. */
static char *slurp(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    char *text = malloc(FILE_MAX_BYTES + 1);
    size_t len = text == NULL ? 0 : fread(text, 1, FILE_MAX_BYTES + 1, file);
    int rc = text == NULL ? ENOMEM : ferror(file) ? errno : 0;
    if (rc == 0 && len > FILE_MAX_BYTES)
        rc = EFBIG;
    if (rc == 0) {
        text[len] = '\0';
        if (strlen(text) != len)
            rc = EILSEQ; /* a NUL byte: not a text */
    }
    fclose(file);
    if (rc == 0)
        return text;
    free(text);
    errno = rc;
    return NULL;
}

int config_file_read(struct config_build *b, const char *path, char error[CONFIG_ERROR_MAX])
{
    char *text = slurp(path);
    if (text == NULL) {
        int rc = errno;
        snprintf(error, CONFIG_ERROR_MAX, "%s: %s", path,
                 rc == EILSEQ ? "not a text file" : strerror(rc));
        return -EBADMSG;
    }
    int rc = parse(b, path, text, error);
    free(text);
    return rc;
}
