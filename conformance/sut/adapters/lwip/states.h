/* The states of lwIP's connections: told when they change, and looked up. */
#ifndef STATES_H
#define STATES_H

struct tcp_pcb;

/* The connection, or listener, of a socket; NULL: none. */
struct tcp_pcb *pcb_of(int handle);

/* Compare the state of every connection with what it was. */
void states_watch(void);

#endif
