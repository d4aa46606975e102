/* The seam between the adapter and a stack.
 *
 * adapter.c and messages.c speak the protocol: messages, frames, the clock, calls that block. What a stack has to give is declared here;
 * toy.c is an example. To put a stack of your own behind the tester, write these functions and say what it has in stack_description.
 */
#ifndef STACK_H
#define STACK_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEVER INT64_MAX
#define WAITS INT_MIN /* what a call gives that cannot return yet */

/* An address in network order, and a port. */
struct host {
    int family; /* AF_INET, AF_INET6; AF_UNSPEC: none */
    uint8_t address[16];
    uint16_t port;
};

#define MOST_ADDRESSES 8

/* How the stack is connected. Peers are behind the gateways. */
struct interface {
    uint8_t mac[6];
    int mtu;
    int addresses, gateways; /* how many there are */
    struct { struct host host; int prefix; } address[MOST_ADDRESSES];
    struct { struct host host, to; int prefix; uint8_t mac[6]; } gateway[MOST_ADDRESSES];
};

/* What `initialize` answers. Words are separated by spaces. */
struct stack_description {
    const char *name, *version, *clocks, *capabilities, *calls, *options, *flags;
    const char *settings; /* "mtu=any timestamps=off syn_retries=6,3": the values that a setting can have, the first is its default */
};
extern const struct stack_description stack_description;

/* A socket call: its arguments, and the results that a number does not hold. Constants are those of the system's headers. */
struct call {
    bool blocking; /* may it wait, or has the socket O_NONBLOCK? */
    bool again;    /* it gave WAITS before, and is made once more because something happened */
    void *memory;  /* yours to keep something between the two; NULL at first, and never freed by the adapter */
    size_t done;   /* the same: octets of a send that are taken */
    int socket, domain, type, protocol, backlog, flags, how, level;
    int value[2];     /* of setsockopt; SO_LINGER has two, SO_RCVTIMEO and SO_SNDTIMEO are ms */
    const char *name; /* of the option of setsockopt and getsockopt, or of ioctl's request */
    struct host host; /* bind, connect; set by accept, getsockname, getpeername */
    uint8_t *data;    /* send, setsockopt with octets; room for `size` octets that recv sets */
    size_t size;
};

/* Gives what the call returned (a handle, a count, a number; of getsockopt(SO_ERROR) an errno's number, of poll its bits), or -errno, or
 * WAITS if it is blocking and cannot return yet: it is made again, with the same struct, after everything that happens. */
typedef int stack_call(struct call *);

/* The calls that the stack has; the last has no name. */
extern const struct stack_method { const char *name; stack_call *call; } stack_methods[];

/* Make the stack as new, at time 0. All that is random follows from the seed. False: it cannot be begun a second time in this process;
 * the adapter executes itself again, and then it is the first time. adapter_setting() says what is configured. */
bool stack_begin(const struct interface *interface, uint32_t seed);

/* A frame came. */
void stack_input(const uint8_t *frame, size_t size);

/* It is `now` (ns since stack_begin): do what is due. With the virtual clock it is never later than stack_next() said. */
void stack_advance(int64_t now);

/* When stack_advance() is needed if nothing comes before, or NEVER. May be too early, never too late. */
int64_t stack_next(void);

/* RFC 9293's name of the state of a socket (-1: none), or of a connection (NULL: none). See `state` in PROTOCOL.md. */
const char *stack_state(int socket, const struct host *local, const struct host *remote);

/* What the adapter does for the stack ------------------------------------------------------------------------------- */

/* Send a frame. */
void adapter_output(const uint8_t *frame, size_t size);

/* A state changed; `remote` of a listener is NULL. Capability `transitions`. */
void adapter_moved(const struct host *local, const struct host *remote, const char *old, const char *new);

/* Tell whoever reads the result. */
void adapter_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a setting is configured to, NULL if to its default: "off", "6", "60000000000" (ns). */
const char *adapter_setting(const char *name);

#endif
