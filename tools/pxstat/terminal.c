/* See terminal.h. A file of its own, as <term.h> defines common words. */
#include "terminal.h"

#include <curses.h>
#include <term.h>
#include <unistd.h>

int terminal_usable(void)
{
    int error;
    if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) ||
        setupterm(NULL, STDOUT_FILENO, &error) != OK)
        return 0;
    int usable = cursor_address != NULL;
    del_curterm(cur_term);
    return usable;
}
