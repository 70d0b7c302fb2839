/* Three tiers of samples: seconds, medians of ten seconds, medians of five minutes of those. Each
 * window reads one tier. A window proves growth if
 *  - Mann-Kendall is sure of it,
 *  - it goes on from third to third, and its slope is there without the steepest step as well,
 *  - it is more than what has fallen back before, in a window as long: saw teeth and daily cycles
 *    come down again, a leak never does.
 * The shortest one is too short for that last: it looks at seconds without the jumps among them. */
#include "trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kendall.h"
#include "mend.h"

#define SURE 0.99
/* A level is entered at this part of its limit: else a leak as large as the limit is found only
 * half of the time. */
#define ENTER 0.80
#define LEAVE 0.65
#define CALM  10
/* Windows are cut into so many parts; both steps from third to third are at least STEADY of the
 * rise. */
#define PARTS  9
#define STEADY 0.2
/* A slope without the steepest step counts if it is less than this part of the whole: so much of
 * the difference is noise, which makes some step the steepest. */
#define TELLING 0.75
/* The deepest fall is forgotten slowly: so much of it each minute. */
#define FORGET (1.0 / 4096)
/* Points of ten seconds: a leak that cannot wait is called in so many; with what was before, for so
 * many, it is compared. */
#define OF_LATE 13
#define TOPS    90
/* Teeth that fall by more than so many times what such a leak grows by in a minute are too long to
 * be known by their tops. */
#define TALL 10
/* Points of five minutes: of a day, of an hour, and of the time in which falls are learned before a
 * comparison with the day before proves anything. */
#define A_DAY   288
#define AN_HOUR 12
#define LEARN   72
/* What the day before explains away is no more than this part of a rise. */
#define EXPLAINED  0.75
#define HOUR       3600.0
#define KIB        1024.0
#define WINDOWS    8
#define GLANCES    2 /* so many of the shortest windows */
#define UNMENDED   1 /* of those the one that sees teeth fall */
#define POINTS_MAX 360

enum tier { SECONDS, TENS, FIVES, TIERS };
static const struct {
    uint32_t seconds, points;
} tiers[TIERS] = {{1, 300}, {10, 360}, {300, 312}};

/* `tooth`: points by which the row is eroded, so that teeth no longer than that vanish. `least`:
 * bytes from the first third to the last, below which so short a window proves nothing. How it
 * looks at its points: as they are; only where no jumps of late can be told from it (WHOLE);
 * without jumps and what those give back (MENDED); without what fell at this time of the day before
 * (SINCE). */
static const struct window {
    enum tier tier;
    uint32_t points, enough, tooth;
    double least;
    enum { AS_IS, WHOLE, MENDED, SINCE } look;
} windows[WINDOWS] = {
    {SECONDS, 90, 90, 0, 560 * KIB, MENDED}, {SECONDS, 120, 120, 0, 384 * KIB, WHOLE},
    {TENS, 60, 60, 0, 192 * KIB, AS_IS},     {TENS, 180, 150, 30, 96 * KIB, AS_IS},
    {TENS, 180, 180, 30, 96 * KIB, SINCE},   {TENS, 360, 300, 30, 96 * KIB, AS_IS},
    {TENS, 360, 360, 30, 96 * KIB, SINCE},   {FIVES, 288, 72, 0, 1024 * KIB, AS_IS},
};

struct ring {
    uint32_t next, count;
    double point[POINTS_MAX];
};

struct row {
    uint32_t warm_up;
    struct ring ring[TIERS];
    double fall[WINDOWS]; /* the deepest of late, bytes */
};

struct trend {
    double points[POINTS_MAX], scratch[KENDALL_SCRATCH(POINTS_MAX)];
    uint32_t rows;
    struct row row[];
};

size_t trend_bytes(uint32_t rows)
{
    return sizeof(struct trend) + rows * sizeof(struct row);
}

struct trend *trend_new(uint32_t rows)
{
    struct trend *t = calloc(1, trend_bytes(rows));
    if (t == NULL)
        return NULL;
    t->rows = rows;
    for (uint32_t i = 0; i < rows; i++)
        trend_restart(t, i);
    return t;
}

void trend_free(struct trend *t)
{
    free(t);
}

void trend_restart(struct trend *t, uint32_t row)
{
    memset(&t->row[row], 0, sizeof t->row[row]);
    t->row[row].warm_up = TREND_WARM_UP_S;
}

static void add(struct ring *r, enum tier tier, double value)
{
    r->point[r->next] = value;
    r->next = r->next + 1 == tiers[tier].points ? 0 : r->next + 1;
    r->count++;
}

/* The newest n points in order of time; n is not more than there are. */
static void newest(const struct ring *r, enum tier tier, uint32_t n, double *out)
{
    uint32_t size = tiers[tier].points, at = (r->next + size - n) % size;
    for (uint32_t i = 0; i < n; i++, at = at + 1 == size ? 0 : at + 1)
        out[i] = r->point[at];
}

void trend_sample(struct trend *t, uint32_t row, uint64_t bytes)
{
    struct row *r = &t->row[row];
    add(&r->ring[SECONDS], SECONDS, (double)bytes);
    if (r->warm_up > 0) {
        r->warm_up--;
        r->ring[SECONDS].count = 0; /* in no window; only jumps are looked for in them */
        return;
    }
    for (enum tier to = TENS; to < TIERS; to++) {
        uint32_t times = tiers[to].seconds / tiers[to - 1].seconds;
        if (r->ring[to - 1].count % times != 0)
            return;
        newest(&r->ring[to - 1], to - 1, times, t->points);
        add(&r->ring[to], to, kendall_median(t->points, times));
    }
}

/* Each point becomes the lowest of those that follow within a tooth: what comes down again so soon
 * was never there. Returns how many are left. */
static uint32_t erode(double *y, uint32_t n, uint32_t tooth)
{
    if (tooth == 0 || n <= tooth)
        return n;
    for (uint32_t i = 0; i + tooth < n; i++)
        for (uint32_t j = i + 1; j <= i + tooth; j++)
            y[i] = y[j] < y[i] ? y[j] : y[i];
    return n - tooth;
}

static double mean(const double *y, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += y[i];
    return sum / n;
}

/* What one window shows. */
struct sight {
    double fall;            /* the deepest from one part to a later one, bytes */
    double rise, even;      /* bytes from the first third to the last; the same without a step */
    double slope, stepless; /* bytes an hour */
    double z;
    bool full, steady;
};

/* Of the third that begins with this part. */
static double third(const double part[PARTS], uint32_t first)
{
    return (part[first] + part[first + 1] + part[first + 2]) / 3;
}

/* What the parts rise by without their steepest step, as if it had gone on at that pace. A step
 * lies within a part or between two: it shows in one difference over two of them. */
static double stepless(const double part[PARTS])
{
    double most = part[2] - part[0];
    for (uint32_t i = 3; i < PARTS; i++)
        most = part[i] - part[i - 2] > most ? part[i] - part[i - 2] : most;
    return (part[PARTS - 1] - part[0] - most) * (PARTS - 1) / (PARTS - 3);
}

static double deepest(const double part[PARTS])
{
    double fall = 0, high = part[0];
    for (uint32_t i = 1; i < PARTS; i++) {
        fall = high - part[i] > fall ? high - part[i] : fall;
        high = part[i] > high ? part[i] : high;
    }
    return fall;
}

/* All seconds, mended, in t->points. */
static int jumps(struct trend *t, const struct ring *seconds, double *fallen)
{
    newest(seconds, SECONDS, tiers[SECONDS].points, t->points);
    return mend(t->points, tiers[SECONDS].points, t->scratch, fallen);
}

/* The newest n points without jumps, and without what jumps give back in the long run: teeth that
 * rise and fall leave nothing. */
static uint32_t mended(struct trend *t, const struct ring *ring, uint32_t n)
{
    const uint32_t all = tiers[SECONDS].points;
    double fallen;
    if (jumps(t, ring, &fallen) < 0)
        return 0;
    memmove(t->points, t->points + all - n, n * sizeof *t->points);
    for (uint32_t i = 0; i < n; i++)
        t->points[i] -= fallen * (double)i;
    return n;
}

/* Bytes by which memory fell from one point of this window to the next, the day before: by the
 * means of the hours before and after its middle. 0 if it rose, or if that is not known. */
static double fell(struct trend *t, const struct row *r, const struct window *win)
{
    const struct ring *ring = &r->ring[FIVES];
    const uint32_t all = tiers[FIVES].points, seconds = tiers[win->tier].seconds;
    uint32_t since = A_DAY + win->points * seconds / 2 / tiers[FIVES].seconds;
    if (ring->count < all)
        return 0;
    newest(ring, FIVES, all, t->scratch);
    double before = mean(t->scratch + all - since - AN_HOUR, AN_HOUR);
    double after = mean(t->scratch + all - since, AN_HOUR);
    return fmax(before - after, 0) * seconds / HOUR;
}

/* The newest points of the window, eroded, in t->points. Returns how many, 0 too few. */
static uint32_t gather(struct trend *t, const struct row *r, uint32_t w, bool eroded)
{
    const struct window *win = &windows[w];
    const struct ring *ring = &r->ring[win->tier];
    uint32_t n = ring->count < win->points ? ring->count : win->points;
    if (n < win->enough || (win->look == SINCE && r->ring[FIVES].count < tiers[FIVES].points))
        return 0;
    if (win->look == MENDED)
        return mended(t, ring, n);
    newest(ring, win->tier, n, t->points);
    double back = win->look == SINCE ? fell(t, r, win) : 0;
    for (uint32_t i = 0; i < n && back > 0; i++)
        t->points[i] += back * i;
    return eroded ? erode(t->points, n, win->tooth) : n;
}

/* The last ten seconds are higher than all of a quarter of an hour before the window: teeth come
 * back to where they were, a leak does not. True if nothing is known of that time. */
static bool higher(struct trend *t, const struct row *r)
{
    const struct ring *ring = &r->ring[TENS];
    uint32_t n = ring->count < TOPS + OF_LATE ? ring->count : TOPS + OF_LATE;
    double top = 0;
    newest(ring, TENS, n, t->points);
    for (uint32_t i = 0; i + OF_LATE < n; i++)
        top = fmax(top, t->points[i]);
    return n > 0 && t->points[n - 1] > top;
}

/* The cheap part, all but slope and z: most windows prove nothing by it already. */
static void glance(struct trend *t, const struct row *r, uint32_t w, struct sight *s)
{
    double part[PARTS];
    memset(s, 0, sizeof *s);
    if (windows[w].look == MENDED && !higher(t, r))
        return;
    uint32_t n = gather(t, r, w, true), size = n / PARTS;
    if (n == 0)
        return;
    for (uint32_t i = 0; i < PARTS; i++)
        part[i] = mean(t->points + n - (PARTS - i) * size, size);
    s->full = true;
    s->fall = windows[w].look == MENDED ? 0 : deepest(part);
    s->rise = third(part, 6) - third(part, 0);
    double middle = third(part, 3);
    s->steady =
        middle - third(part, 0) >= STEADY * s->rise && third(part, 6) - middle >= STEADY * s->rise;
    double seconds = (double)size * (PARTS - 1) * tiers[windows[w].tier].seconds;
    s->stepless = stepless(part) * HOUR / seconds;
    s->even = stepless(part) * (PARTS - 3) / (PARTS - 1); /* thirds are so far apart */
}

/* The dear part: those two. */
static void test(struct trend *t, const struct row *r, uint32_t w, struct sight *s)
{
    uint32_t n = gather(t, r, w, true);
    s->slope = kendall_slope(t->points, n, t->scratch) * HOUR / tiers[windows[w].tier].seconds;
    n = gather(t, r, w, false);
    s->z = kendall_z(t->points, n, t->scratch);
}

/* What only some windows ask besides. */
static bool holds(struct trend *t, const struct row *r, const struct window *win, double rise)
{
    double fallen, span = (double)win->points * (PARTS - 3) / PARTS;
    if (win->look == WHOLE)
        return jumps(t, &r->ring[SECONDS], &fallen) <= 0;
    if (win->look == SINCE)
        return r->ring[FIVES].count >= tiers[FIVES].points + LEARN &&
               fell(t, r, win) * span <= EXPLAINED * rise;
    return true;
}

static bool worth(struct trend *t, const struct row *r, uint32_t w, const struct sight *s)
{
    const struct window *win = &windows[w];
    double fall = win->look == MENDED ? r->fall[UNMENDED] / TALL : r->fall[w];
    return s->full && s->steady && s->rise >= win->least && s->even >= fall && s->rise >= fall &&
           holds(t, r, win, s->rise);
}

static bool proves(const struct sight *s)
{
    return s->slope > 0 && s->stepless > 0 && s->z > 0 && kendall_confidence(s->z) >= SURE;
}

/* What falls is remembered, and slowly forgotten. */
static void learn(struct row *r, uint32_t w, const struct sight *s)
{
    if (s->fall > r->fall[w])
        r->fall[w] = s->fall;
}

/* The steepest proof, or the longest window that says nearly the same, which says it better. */
static void prefer(struct trend_verdict *out, const struct sight *s, uint32_t w)
{
    double growth = s->stepless < TELLING * s->slope ? s->stepless : s->slope;
    if (out->proved && growth <= 0.8 * out->growth)
        return;
    out->proved = true;
    out->trend = PX_TREND_GROWING;
    out->growth = growth;
    out->confidence = kendall_confidence(s->z);
    out->window_s = windows[w].points * tiers[windows[w].tier].seconds;
}

/* Nothing is proved: what the longest window shows. */
static void describe(struct trend *t, struct row *r, uint32_t w, struct trend_verdict *out)
{
    struct sight s;
    test(t, r, w, &s);
    bool sure = kendall_confidence(s.z) >= SURE && s.slope * s.z > 0;
    out->trend = PX_TREND_FLAT;
    if (sure)
        out->trend = s.slope > 0 ? PX_TREND_GROWING : PX_TREND_SHRINKING;
    out->growth = s.slope;
    out->confidence = sure ? kendall_confidence(s.z) : 1 - kendall_confidence(s.z);
    out->window_s = windows[w].points * tiers[windows[w].tier].seconds;
}

/* Returns the longest window that is full, WINDOWS if none is. */
static uint32_t prove(struct trend *t, struct row *r, uint32_t count, struct trend_verdict *out)
{
    uint32_t longest = WINDOWS;
    memset(out, 0, sizeof *out);
    for (uint32_t w = 0; w < count; w++) {
        struct sight s;
        glance(t, r, w, &s);
        if (worth(t, r, w, &s)) {
            test(t, r, w, &s);
            if (proves(&s))
                prefer(out, &s, w);
        }
        learn(r, w, &s);
        longest = s.full ? w : longest;
    }
    return longest;
}

void trend_judge(struct trend *t, uint32_t row, struct trend_verdict *out)
{
    struct row *r = &t->row[row];
    for (uint32_t w = 0; w < WINDOWS; w++)
        r->fall[w] -= r->fall[w] * FORGET;
    uint32_t longest = prove(t, r, WINDOWS, out);
    if (!out->proved && longest < WINDOWS)
        describe(t, r, longest, out);
}

bool trend_glance(struct trend *t, uint32_t row, struct trend_verdict *out)
{
    prove(t, &t->row[row], GLANCES, out);
    return out->proved;
}

int64_t trend_time_left(const struct trend_verdict *v, uint64_t left_bytes)
{
    if (!v->proved || v->growth <= 0)
        return -1;
    double s = (double)left_bytes / v->growth * HOUR;
    return s < 1e15 ? (int64_t)s : -1;
}

static uint32_t level_at(const struct trend_limits *limits, const struct trend_verdict *v,
                         uint64_t left_bytes, double part)
{
    if (!v->proved)
        return PX_LEVEL_OK;
    int64_t left = left_bytes == 0 ? -1 : trend_time_left(v, left_bytes);
    if (v->growth >= part * limits->critical ||
        (left >= 0 && (double)left * part <= (double)limits->critical_left_s))
        return PX_LEVEL_CRITICAL;
    return v->growth >= part * limits->warn ? PX_LEVEL_WARNING : PX_LEVEL_OK;
}

uint32_t trend_level(struct trend_alarm *a, const struct trend_limits *limits,
                     const struct trend_verdict *v, uint64_t left_bytes)
{
    uint32_t enter = level_at(limits, v, left_bytes, ENTER);
    uint32_t stay = level_at(limits, v, left_bytes, LEAVE);
    if (enter > a->level)
        a->level = enter;
    a->calm = stay < a->level ? a->calm + 1 : 0;
    if (a->calm >= CALM) {
        a->level = stay;
        a->calm = 0;
    }
    return a->level;
}
