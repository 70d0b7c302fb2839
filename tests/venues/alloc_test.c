/* No message costs an allocation. The allocator's calls are counted by standing before it, which a
 * sanitizer does as well: there this test has nothing to say. */
#include "t.h"

#include "frames.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTED 0
#endif
#endif
#ifndef COUNTED
#define COUNTED 1
#endif

static uint64_t calls;

#if COUNTED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    calls++;
    return __libc_malloc(size);
}
__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
    calls++;
    return __libc_calloc(n, size);
}
__attribute__((visibility("default"))) void *realloc(void *p, size_t size)
{
    calls++;
    return __libc_realloc(p, size);
}
#endif

static void on_event(void *user, const struct venue_event *event)
{
    (void)event;
    ++*(uint64_t *)user;
}

T_TEST(no_frame_of_any_venue_costs_an_allocation)
{
    static char padded[1u << 16];
    if (!COUNTED)
        T_SKIP("a sanitizer stands before the allocator");
    for (size_t v = 0; v < venue_count; v++) {
        char path[1024];
        struct frames f;
        uint64_t events = 0;
        const struct venue_sink sink = {.event = on_event, .user = &events};
        uint64_t before_parser = calls;
        struct json *json = json_new(sizeof padded);
        T_TRUE(calls > before_parser); /* the count counts */
        snprintf(path, sizeof path, "%s/%s.frames", PX_FRAMES, venue_table[v]->name);
        T_TRUE(frames_read(&f, path));
        uint64_t before = calls;
        for (size_t i = 0; i < 100 * f.count; i++) {
            const struct frame *frame = &f.list[i % f.count];
            memcpy(padded, frame->text, frame->len);
            venue_table[v]->on_text(json, padded, frame->len, &sink);
        }
        T_EQ(calls - before, 0);
        T_TRUE(events >= 100 * f.count);
        frames_free(&f);
        json_free(json);
    }
}
