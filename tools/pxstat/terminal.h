/* What terminfo knows of the terminal, before curses is asked to use it. */
#ifndef PX_TOOLS_PXSTAT_TERMINAL_H
#define PX_TOOLS_PXSTAT_TERMINAL_H

/* Are stdin and stdout a terminal on which a cursor can be placed: not a pipe, not TERM=dumb, not
 * one that terminfo does not know? Writes nothing. */
int terminal_usable(void);

#endif
