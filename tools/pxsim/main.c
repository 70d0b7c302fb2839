/* pxsim: a simulated exchange. Only wires: options, server, loop. */
#include "options.h"
#include "server.h"

int main(int argc, char **argv)
{
    struct options options;
    struct server server;
    int status = options_parse(&options, argc, argv);
    if (status >= 0)
        return status;
    int rc = server_open(&server, &options);
    if (rc == 0)
        rc = server_run(&server);
    server_close(&server);
    return rc == 0 ? 0 : 1;
}
