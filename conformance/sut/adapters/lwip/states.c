/* lwIP tells nobody when a connection's state changes, but all of them are in its lists: whatever it was doing, those are looked through. */
#include "states.h"
#include "stack.h"

#include "lwip/api.h"
#include "lwip/priv/sockets_priv.h"
#include "lwip/priv/tcp_priv.h"
#include <string.h>
#include <sys/socket.h>

#define MOST 4096

/* A connection or a listener, as it was seen last. */
struct seen {
    struct host local, remote;
    enum tcp_state state;
    bool there;
};

static struct seen seen[MOST];
static int seen_count;

/* In the order of enum tcp_state. */
static const char *const names[] = {"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
                                    "CLOSING", "LAST-ACK", "TIME-WAIT"};

static struct host host_of(const ip_addr_t *address, u16_t port) {
    struct host host = {.family = IP_IS_V4(address) ? AF_INET : AF_INET6, .port = port};
    memcpy(host.address, ip_2_ip6(address)->addr, host.family == AF_INET ? 4 : 16);
    return host;
}

static bool same(const struct host *a, const struct host *b) {
    return a->family == b->family && a->port == b->port && !memcmp(a->address, b->address, sizeof a->address);
}

/* For every connection and listener, until one gives true. */
static bool each(bool (*look)(const struct host *, const struct host *, enum tcp_state, void *), void *argument) {
    struct tcp_pcb *lists[] = {tcp_active_pcbs, tcp_tw_pcbs};
    for (int i = 0; i < 2; i++) {
        for (struct tcp_pcb *pcb = lists[i]; pcb; pcb = pcb->next) {
            struct host local = host_of(&pcb->local_ip, pcb->local_port), remote = host_of(&pcb->remote_ip, pcb->remote_port);
            if (look(&local, &remote, pcb->state, argument)) return true;
        }
    }
    for (struct tcp_pcb_listen *pcb = tcp_listen_pcbs.listen_pcbs; pcb; pcb = pcb->next) {
        struct host local = host_of(&pcb->local_ip, pcb->local_port), none = {.family = AF_UNSPEC};
        if (look(&local, &none, LISTEN, argument)) return true;
    }
    return false;
}

/* Watching ---------------------------------------------------------------------------------------------------------- */

static void move(struct seen *one, enum tcp_state old, enum tcp_state new) {
    one->state = new;
    adapter_moved(&one->local, one->remote.family == AF_UNSPEC ? NULL : &one->remote, names[old], names[new]);
}

static bool compare(const struct host *local, const struct host *remote, enum tcp_state state, void *argument) {
    LWIP_UNUSED_ARG(argument);
    for (struct seen *one = seen; one < seen + seen_count; one++) {
        if (!same(&one->local, local) || !same(&one->remote, remote)) continue;
        one->there = true;
        if (one->state != state) move(one, one->state, state);
        return false;
    }
    if (seen_count == MOST) return false;
    seen[seen_count] = (struct seen){.local = *local, .remote = *remote, .there = true};
    move(&seen[seen_count++], state == SYN_RCVD ? LISTEN : CLOSED, state);
    return false;
}

void states_watch(void) {
    for (int i = 0; i < seen_count; i++) seen[i].there = false;
    each(compare, NULL);
    for (int i = 0; i < seen_count;) {
        if (seen[i].there) i++;
        else {
            move(&seen[i], seen[i].state, CLOSED);
            seen[i] = seen[--seen_count];
        }
    }
}

/* Looking up -------------------------------------------------------------------------------------------------------- */

struct sought {
    const struct host *local, *remote;
    enum tcp_state connection, listener;
};

static bool find(const struct host *local, const struct host *remote, enum tcp_state state, void *argument) {
    struct sought *sought = argument;
    if (local->port != sought->local->port) return false;
    if (state == LISTEN) sought->listener = LISTEN;
    else if (sought->remote && same(local, sought->local) && same(remote, sought->remote)) sought->connection = state;
    return false;
}

/* lwIP frees a connection after TIME-WAIT without a word to its socket, which goes on pointing to it. */
static bool exists(const struct tcp_pcb *pcb) {
    for (int i = 0; i < NUM_TCP_PCB_LISTS; i++)
        for (const struct tcp_pcb *one = *tcp_pcb_lists[i]; one; one = one->next)
            if (one == pcb) return true;
    return false;
}

struct tcp_pcb *pcb_of(int handle) {
    struct lwip_sock *sock = handle > 0 ? lwip_socket_dbg_get_socket(handle) : NULL;
    struct netconn *conn = sock ? sock->conn : NULL;
    return conn && NETCONNTYPE_GROUP(conn->type) == NETCONN_TCP && conn->pcb.tcp && exists(conn->pcb.tcp) ? conn->pcb.tcp : NULL;
}

const char *stack_state(int handle, const struct host *local, const struct host *remote) {
    struct sought sought = {.local = local, .remote = remote};
    const struct tcp_pcb *pcb = pcb_of(handle);
    enum tcp_state own = pcb ? pcb->state : CLOSED;
    if (own != CLOSED || !local) return names[own];
    each(find, &sought);
    if (sought.connection == CLOSED && handle < 0) return names[sought.listener];
    return names[sought.connection];
}
