/* Where the control socket and the state live, made and checked at start. */
#ifndef PX_DIRS_H
#define PX_DIRS_H

#include <stddef.h>

#include "config.h"

/* --runtime-dir, else /run/px if writable, else $XDG_RUNTIME_DIR/px, else /tmp/px-UID (ours alone).
 * Made if it is missing, with the segment's group. Errors: negative errno, `error` has the
 * sentence: not ours, not enterable for the group, not writable. */
int dirs_runtime(const struct config *config, char *out, size_t cap, char error[CONFIG_ERROR_MAX]);

/* --state-dir, else /var/lib/px for root, else $XDG_STATE_HOME/px, else ~/.local/state/px. Made if
 * it is missing, mode 0700. Errors: as above. */
int dirs_state(const struct config *config, char *out, size_t cap, char error[CONFIG_ERROR_MAX]);

#endif
