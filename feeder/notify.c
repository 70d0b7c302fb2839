#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "now.h"

static struct {
    int fd;
    struct sockaddr_un to;
    socklen_t len;
} notify = {.fd = -1};

int notify_open(const char *address)
{
    notify_close();
    if (address == NULL || address[0] == '\0')
        return 0;
    size_t len = strlen(address);
    if ((address[0] != '/' && address[0] != '@') || len >= sizeof(notify.to.sun_path))
        return -EINVAL;
    memset(&notify.to, 0, sizeof(notify.to));
    notify.to.sun_family = AF_UNIX;
    memcpy(notify.to.sun_path, address, len);
    if (address[0] == '@')
        notify.to.sun_path[0] = '\0'; /* an abstract name is as long as it is said to be */
    notify.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return notify.fd < 0 ? -errno : 0;
}

void notify_close(void)
{
    if (notify.fd >= 0)
        close(notify.fd);
    notify.fd = -1;
}

void notify_send(const char *text)
{
    if (notify.fd >= 0)
        sendto(notify.fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *)&notify.to, notify.len);
}

void notify_reloading(void)
{
    char text[80];
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)(now_mono_ns() / 1000));
    notify_send(text);
}
