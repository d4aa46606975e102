/* When lwIP's timers run without doing anything. */
#ifndef QUIET_H
#define QUIET_H

#include <stdbool.h>

#define QUIET 60 /* seconds */

/* Will no timer send a segment or change a state within QUIET seconds, if nothing comes before? Connections only: the timers below
 * them (neighbours, fragments) come to rest within QUIET seconds after the last thing that happened. */
bool connections_quiet(void);

#endif
