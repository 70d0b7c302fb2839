#include "savefile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

/* A saved set of any capacity fits; what is larger is not ours. */
#define FILE_MAX ((off_t)256 << 20)

int savefile_init(struct savefile *f, const char *dir, const char *bus, const char *suffix,
                  const char *head)
{
    *f = (struct savefile){.head = head};
    int n = snprintf(f->path, sizeof(f->path), "%s/%s.%s", dir, bus, suffix);
    return n < 0 || (size_t)n >= sizeof(f->path) ? -ENAMETOOLONG : 0;
}

static uint64_t checksum(const char *text, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return h;
}

static ssize_t read_all(int fd, char *text, size_t cap)
{
    size_t len = 0;
    ssize_t n = 0;
    while (len < cap && (n = read(fd, text + len, cap - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return n < 0 ? -errno : (ssize_t)len;
}

/* The file's text, which may be of a larger table than ours. Returns its length, -EINVAL for what
 * cannot be ours. */
static ssize_t slurp(const struct savefile *f, char **text)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ELOOP ? -EINVAL : -errno;
    struct stat st;
    ssize_t len = -EINVAL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
        st.st_size <= FILE_MAX) {
        *text = malloc((size_t)st.st_size + 1);
        len = *text == NULL ? -ENOMEM : read_all(fd, *text, (size_t)st.st_size);
    }
    close(fd);
    return len;
}

static int last_line(char out[SAVEFILE_END_MAX], uint32_t count, uint64_t sum)
{
    return snprintf(out, SAVEFILE_END_MAX, "end %u %016" PRIx64 "\n", count, sum);
}

/* Is it whole and of ours? */
static bool whole(const struct savefile *f, size_t len, struct savefile_text *t)
{
    char expected[SAVEFILE_END_MAX];
    if (strlen(t->text) != len || strncmp(t->text, f->head, strlen(f->head)) != 0)
        return false;
    char *last = strstr(t->text, "\nend ");
    if (last == NULL)
        return false;
    t->end = last + 1;
    t->count = (uint32_t)strtoul(t->end + strlen("end "), NULL, 10);
    t->lines = t->text + strlen(f->head);
    last_line(expected, t->count, checksum(t->text, (size_t)(t->end - t->text)));
    return strcmp(t->end, expected) == 0;
}

int savefile_read(const struct savefile *f, struct savefile_text *out)
{
    struct savefile_text t = {0};
    ssize_t len = slurp(f, &t.text);
    int rc = len < 0 ? (int)len : whole(f, (size_t)len, &t) ? 0 : -EINVAL;
    if (rc < 0)
        free(t.text);
    else
        *out = t;
    return rc;
}

void savefile_move_aside(struct savefile *f)
{
    snprintf(f->other, sizeof(f->other), "%s.bad", f->path);
    if (rename(f->path, f->other) == 0)
        log_warning(f->path, "not a file of this program, or damaged: moved to %s", f->other);
    else
        log_warning(f->path, "not a file of this program, or damaged: %s", strerror(errno));
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

static int put(struct savefile *f, const char *text, size_t len)
{
    snprintf(f->other, sizeof(f->other), "%s.tmp", f->path);
    int fd = open(f->other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int rc = write_all(fd, text, len);
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(f->other, f->path) != 0)
        rc = -errno;
    if (rc != 0)
        unlink(f->other);
    return rc;
}

int savefile_write(struct savefile *f, char *text, size_t len, uint32_t count)
{
    int n = last_line(text + len, count, checksum(text, len));
    int rc = put(f, text, len + (size_t)n);
    if (rc != 0 && rc != f->failed)
        log_warning(f->path, "cannot be written: %s", strerror(-rc));
    f->failed = rc;
    return rc;
}
