/* A small TCP: passive and active opens, data in order, FIN, RST, retransmission, TIME-WAIT. IPv4 on Ethernet, no options but MSS, no
 * congestion control, no reassembly. It is here so that the adapter has something to be tried with. */
#ifndef TOY_H
#define TOY_H

#include "stack.h"

#define SECOND INT64_C(1000000000)
#define SOCKETS 64
#define BUFFER 16384

enum state { CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct segment {
    struct host from, to;
    uint32_t seq, ack;
    uint16_t window, mss; /* mss 0: no option */
    uint8_t flags;
    const uint8_t *data;
    uint32_t size;
};

/* A socket, or a connection that has none (yet, or any more). */
struct sock {
    bool used, held, told; /* held: it is somebody's; told: connect() has returned */
    enum state state;
    struct host local, remote;
    struct sock *listener; /* until it is accepted */
    int backlog, error;
    uint32_t una, nxt, window, wl1, wl2, rcv_nxt;
    uint16_t mss;
    uint8_t out[BUFFER], in[BUFFER]; /* `out` begins at `una` */
    uint32_t out_size, in_size;
    bool fin, fin_received; /* fin: one is to be sent after `out` */
    int64_t due, rto;       /* when the timer expires */
    int tries;
};

extern struct toy {
    struct interface interface;
    struct sock socks[SOCKETS];
    int64_t now;
    uint32_t random;
} toy;

extern const char *const state_names[];

/* toy.c */
struct sock *sock_new(const struct host *local, const struct host *remote);
struct sock *sock_find(const struct host *local, const struct host *remote);
void set_state(struct sock *sock, enum state state);
uint32_t toy_random(void);

/* toy_tcp.c */
void tcp_open(struct sock *sock, enum state state); /* SYN_SENT or SYN_RECEIVED: send a SYN */
void tcp_output(struct sock *sock);                 /* send what may be sent, and the FIN after it */
void tcp_acknowledge(struct sock *sock);
void tcp_abort(struct sock *sock, int error, bool tell); /* with a RST if the peer is to be told */
void tcp_timeout(struct sock *sock);

/* toy_ip.c */
void ip_output(const struct segment *segment);
void tcp_input(const struct segment *segment); /* toy_tcp.c; called for each good segment */

#endif
