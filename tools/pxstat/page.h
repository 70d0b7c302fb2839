/* Lines of text with a tone: what is printed plainly and what --watch shows in colour is one page.
 */
#ifndef PX_TOOLS_PXSTAT_PAGE_H
#define PX_TOOLS_PXSTAT_PAGE_H

#include <stddef.h>

#include "judge.h"
#include "snapshot.h"
#include "tone.h"

#define PAGE_LINE_BYTES 512
struct page_line {
    enum tone tone;
    char text[PAGE_LINE_BYTES]; /* UTF-8 without control characters */
};
struct page {
    struct page_line *lines;
    size_t count, room;
    size_t columns; /* longer lines are cut, the last column then is '~'; 0: as long as they get */
    int failed;     /* a line could not be stored: no memory */
};

/* Sections, as their options name them. */
enum section {
    SECTION_MEMORY = 1 << 0,
    SECTION_CONNECTIONS = 1 << 1,
    SECTION_SUBSCRIPTIONS = 1 << 2,
    SECTION_READERS = 1 << 3,
    SECTION_SYMBOLS = 1 << 4,
    SECTION_LATENCY = 1 << 5,
    SECTION_ERRORS = 1 << 6,
    SECTION_COUNTERS = 1 << 7
};

/* What a page is made from. `before` is an earlier snapshot for rates, or NULL. */
struct view {
    const struct snapshot *now;
    const struct snapshot *before;
    const struct health *health;
};

void page_clear(struct page *page);
void page_free(struct page *page);
__attribute__((format(printf, 3, 4))) void page_add(struct page *page, enum tone tone,
                                                    const char *format, ...);

/* One screen: everything that matters, the worst first, at most `rows` lines. */
void page_overview(struct page *page, const struct view *view, size_t rows);

/* The sections of the set, in full. */
void page_sections(struct page *page, const struct view *view, unsigned sections);

/* Shared by the two above. */
void page_title(struct page *page, const struct view *view);
void page_memory_line(struct page *page, const struct snapshot *s);
void page_conn(struct page *page, const struct snapshot *s, const struct conn *conn);
void page_symbol(struct page *page, const struct px_symbol_info *symbol);
void page_reader(struct page *page, const struct px_reader_info *reader);
void page_error(struct page *page, const struct snapshot *s, const struct px_error_info *error);
/* Kinds of a symbol that is live, else why it is not, with the venue's words. */
void symbol_words(const struct px_symbol_info *symbol, char *out, size_t size);
extern const char page_conn_head[], page_symbol_head[], page_reader_head[], page_error_head[];

#endif
