#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"

static int ends[2];
static char got[8192];

static void start(enum log_level level, bool journal)
{
    T_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    log_open(ends[1], level, journal);
}

/* All lines written so far, without their times. */
static const char *lines(void)
{
    char raw[8192];
    ssize_t n = read(ends[0], raw, sizeof raw - 1);
    got[0] = '\0';
    raw[n > 0 ? n : 0] = '\0';
    for (char *line = strtok(raw, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *text = line[0] == '<' ? line : strchr(line, ' ');
        strcat(got, text == NULL ? "" : text + (text[0] == ' '));
        strcat(got, "|");
    }
    return got;
}

T_TEST(line_has_time_level_object_and_text)
{
    char raw[256];
    start(LOG_LEVEL_INFO, false);
    log_info("binance#0", "live after %d ms", 12);
    ssize_t n = read(ends[0], raw, sizeof raw - 1);
    T_TRUE(n > 0);
    raw[n] = '\0';
    T_TRUE(strncmp(raw, "20", 2) == 0 && raw[10] == 'T' && raw[23] == 'Z');
    T_STR(raw + 24, " info binance#0: live after 12 ms\n");
}

T_TEST(level_below_the_chosen_one_is_silent)
{
    start(LOG_LEVEL_WARNING, false);
    log_info("a", "x");
    log_warning("a", "y");
    log_error("a", "z");
    T_STR(lines(), "warning a: y|error a: z|");
}

T_TEST(repeats_are_counted_not_repeated)
{
    start(LOG_LEVEL_INFO, false);
    for (int i = 0; i < 1000; i++)
        log_warning("a", "the same");
    log_info("a", "another");
    log_info("a", "another");
    log_flush();
    T_STR(lines(), "warning a: the same|warning last message repeated 999 times|info a: another|"
                   "info last message repeated 1 times|");
}

T_TEST(journal_gets_a_priority_in_place_of_the_time)
{
    start(LOG_LEVEL_DEBUG, true);
    log_error("a", "e");
    log_debug("a", "d");
    T_STR(lines(), "<3>error a: e|<7>debug a: d|");
}

T_TEST(journal_is_recognised_by_device_and_inode)
{
    struct stat st;
    char stream[64];
    start(LOG_LEVEL_INFO, false);
    T_EQ(fstat(ends[1], &st), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    T_TRUE(log_is_journal(ends[1], stream));
    T_TRUE(!log_is_journal(0, "1:2"));
    T_TRUE(!log_is_journal(ends[1], NULL));
    T_TRUE(!log_is_journal(ends[1], "nonsense"));
}

T_TEST(words_of_others_cannot_forge_a_line)
{
    start(LOG_LEVEL_INFO, false);
    log_info("a", "%s", "x\n2026 error b: y\x1b[2J");
    T_STR(lines(), "info a: x?2026 error b: y?[2J|");
}

T_TEST(long_text_stays_one_line)
{
    static char text[5000];
    memset(text, 'x', sizeof text - 1);
    start(LOG_LEVEL_INFO, false);
    log_info("a", "%s", text);
    log_info("b", "y");
    lines();
    char *end = strchr(got, '|');
    T_TRUE(end != NULL && end - got < 1100);
    T_STR(end + 1, "info b: y|");
}

T_TEST(full_pipe_loses_the_line_and_nothing_else)
{
    start(LOG_LEVEL_INFO, false);
    for (int i = 0; i < 20000; i++)
        log_info("a", "%d", i);
    T_TRUE(strncmp(lines(), "info a: 0|", 10) == 0);
}

T_TEST(a_pipe_that_nobody_reads_does_not_stop_the_feeder)
{
    static char all[1 << 20];
    T_EQ(pipe2(ends, O_CLOEXEC), 0); /* blocking, as stderr is */
    log_open(ends[1], LOG_LEVEL_INFO, true);
    for (int i = 0; i < 20000; i++)
        log_info("x", "line %d", i); /* comes back at all */
    T_TRUE(read(ends[0], all, sizeof all) > 10000);
    T_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    T_EQ(read(ends[0], all, sizeof all), -1);
    log_info("x", "read again");
    const char *said = lines();
    T_TRUE(strstr(said, "lines were lost") != NULL);
    T_TRUE(strstr(said, "read again") != NULL);
}

T_TEST(level_names_are_found)
{
    enum log_level level;
    T_EQ(log_level_find("debug", &level), 0);
    T_EQ(level, LOG_LEVEL_DEBUG);
    T_EQ(log_level_find("Debug", &level), -EINVAL);
}

T_TEST(service_manager_is_told_over_an_abstract_socket)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char name[64], text[128];
    int n = snprintf(name, sizeof name, "@px-notify-%d", (int)getpid());
    memcpy(at.sun_path + 1, name + 1, (size_t)n - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
    T_EQ(bind(fd, (struct sockaddr *)&at, len), 0);
    T_EQ(notify_open(name), 0);
    notify_send("READY=1");
    ssize_t got_bytes = recv(fd, text, sizeof text - 1, 0);
    T_EQ(got_bytes, 7);
    T_MEM(text, "READY=1", 7);
    notify_reloading();
    got_bytes = recv(fd, text, sizeof text - 1, 0);
    T_TRUE(got_bytes > 20);
    T_MEM(text, "RELOADING=1\nMONOTONIC_USEC=", 27);
    notify_close();
    notify_send("READY=1");
    T_EQ(recv(fd, text, sizeof text, 0), -1);
    close(fd);
    T_EQ(notify_open("nowhere"), -EINVAL);
    T_EQ(notify_open(NULL), 0);
}
