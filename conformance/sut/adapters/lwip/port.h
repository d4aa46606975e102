/* What lwIP is given in place of an operating system: a clock that the adapter moves, and threads that are never two at once. */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stdint.h>

/* What time it is, ns. lwIP sees milliseconds. */
extern int64_t port_now;

/* Called whenever lwIP's core tells somebody something, so that no state between two is missed. */
extern void (*port_watch)(void);

/* Do what lwIP left to its own thread: packets from itself to itself. */
void port_work(void);

/* A thread in which a socket call runs. */
struct thread;
struct thread *thread_new(void (*work)(void *), void *argument);

/* Go on with it until it ends or waits. True: it has ended, and is gone. */
bool thread_run(struct thread *thread);

/* When the first of those that wait gives up waiting, or INT64_MAX. */
int64_t thread_next(void);

#endif
