/* The stack that comes with the template: sockets, time, and what the adapter asks for. */
#include "toy.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

const struct stack_description stack_description = {
    .name = "toy",
    .version = "1",
    .clocks = "virtual real",
    .capabilities = "ipv4 states transitions blocking half_close",
    .calls = "socket bind listen connect accept send recv shutdown close getsockopt getsockname getpeername poll",
    .options = "SO_ERROR",
    .flags = "MSG_PEEK MSG_DONTWAIT",
    .settings = "mtu=any timestamps=off sack=off dsack=off window_scaling=off ecn=off fast_open=off tlp=off rack=off syn_cookies=off ttl=64",
};

const char *const state_names[] = {"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
                                   "CLOSING", "LAST-ACK", "TIME-WAIT"};
struct toy toy;

/* Sockets ----------------------------------------------------------------------------------------------------------- */

uint32_t toy_random(void) { /* splitmix32: all that is chosen at random follows from the seed */
    uint32_t z = toy.random += 0x9e3779b9;
    z = (z ^ z >> 16) * 0x21f0aaad;
    z = (z ^ z >> 15) * 0x735a2d97;
    return z ^ z >> 15;
}

void set_state(struct sock *sock, enum state state) {
    bool born = sock->state == CLOSED && sock->listener;
    if (sock->state == state) return;
    adapter_moved(&sock->local, state == LISTEN || sock->state == LISTEN ? NULL : &sock->remote, state_names[born ? LISTEN : sock->state],
                  state_names[state]);
    sock->state = state;
}

struct sock *sock_new(const struct host *local, const struct host *remote) {
    for (struct sock *sock = toy.socks; sock < toy.socks + SOCKETS; sock++) {
        if (sock->used) continue;
        *sock = (struct sock){.used = true, .local = *local, .remote = *remote, .due = NEVER};
        return sock;
    }
    return NULL;
}

static bool is_any(const struct host *host) { return !memcmp(host->address, (uint8_t[4]){0}, 4); }

static bool same(const struct host *a, const struct host *b) { return a->port == b->port && !memcmp(a->address, b->address, 4); }

static bool covers(const struct host *a, const struct host *b) { return a->port == b->port && (is_any(a) || same(a, b)); }

/* The connection between the two, else the listener. */
struct sock *sock_find(const struct host *local, const struct host *remote) {
    struct sock *listener = NULL;
    for (struct sock *sock = toy.socks; sock < toy.socks + SOCKETS; sock++) {
        if (!sock->used || !covers(&sock->local, local)) continue;
        if (sock->state == LISTEN) listener = sock;
        else if (sock->state != CLOSED && remote && same(&sock->remote, remote)) return sock;
    }
    return listener;
}

static struct sock *held(int handle) {
    return handle >= 1 && handle <= SOCKETS && toy.socks[handle - 1].held ? &toy.socks[handle - 1] : NULL;
}

static int handle_of(const struct sock *sock) { return (int)(sock - toy.socks) + 1; }

static int later(const struct call *call) { return call->blocking && !(call->flags & MSG_DONTWAIT) ? WAITS : -EAGAIN; }

static int taken_error(struct sock *sock) {
    int error = sock->error;
    sock->error = 0;
    return -error;
}

/* Calls: each has a socket but the first ---------------------------------------------------------------------------- */

static int call_socket(struct call *call) {
    if (call->domain != AF_INET) return -EAFNOSUPPORT;
    if (call->type != SOCK_STREAM) return -ESOCKTNOSUPPORT;
    struct sock *sock = sock_new(&(struct host){.family = AF_INET}, &(struct host){.family = AF_UNSPEC});
    if (!sock) return -ENFILE;
    sock->held = true;
    return handle_of(sock);
}

static int call_bind(struct call *call) {
    struct sock *sock = held(call->socket), *end = toy.socks + SOCKETS;
    if (!sock) return -EBADF;
    if (sock->local.port || sock->state != CLOSED || call->host.family != AF_INET) return -EINVAL;
    if (!is_any(&call->host) && memcmp(call->host.address, toy.interface.address[0].host.address, 4)) return -EADDRNOTAVAIL;
    for (struct sock *other = toy.socks; other < end && call->host.port; other++)
        if (other->used && !other->listener && other->local.port == call->host.port) return -EADDRINUSE;
    sock->local = call->host;
    if (!sock->local.port) sock->local.port = (uint16_t)(49152 + toy_random() % 16384);
    return 0;
}

static int call_listen(struct call *call) {
    struct sock *sock = held(call->socket);
    if (!sock) return -EBADF;
    if (sock->state != CLOSED && sock->state != LISTEN) return -EINVAL;
    if (!sock->local.port) sock->local.port = (uint16_t)(49152 + toy_random() % 16384);
    sock->backlog = call->backlog < 0 ? SOCKETS : call->backlog;
    set_state(sock, LISTEN);
    return 0;
}

static int call_connect(struct call *call) {
    struct sock *sock = held(call->socket);
    if (!sock) return -EBADF;
    if (sock->state == SYN_SENT) return call->again ? WAITS : -EALREADY;
    if (call->again || (sock->state >= ESTABLISHED && !sock->told)) {
        sock->told = true;
        return sock->error ? taken_error(sock) : 0;
    }
    if (sock->error) return taken_error(sock);
    if (sock->state != CLOSED) return -EISCONN;
    if (call->host.family != AF_INET) return -EAFNOSUPPORT;
    sock->remote = call->host;
    memcpy(sock->local.address, toy.interface.address[0].host.address, 4);
    if (!sock->local.port) sock->local.port = (uint16_t)(49152 + toy_random() % 16384);
    tcp_open(sock, SYN_SENT);
    return call->blocking ? WAITS : -EINPROGRESS;
}

static int call_accept(struct call *call) {
    struct sock *sock = held(call->socket);
    if (!sock) return -EBADF;
    if (sock->state != LISTEN) return -EINVAL;
    for (struct sock *new = toy.socks; new < toy.socks + SOCKETS; new++) {
        if (!new->used || new->listener != sock || new->state < ESTABLISHED) continue;
        new->listener = NULL;
        new->held = new->told = true;
        call->host = new->remote;
        return handle_of(new);
    }
    return later(call);
}

static int call_send(struct call *call) {
    struct sock *sock = held(call->socket);
    if (!sock) return -EBADF;
    if (sock->error) return taken_error(sock);
    if (sock->state == SYN_SENT) return later(call);
    if (sock->fin || (sock->state != ESTABLISHED && sock->state != CLOSE_WAIT)) return sock->told ? -EPIPE : -ENOTCONN;
    size_t left = call->size - call->done, room = BUFFER - sock->out_size, size = left < room ? left : room;
    memcpy(sock->out + sock->out_size, call->data + call->done, size);
    sock->out_size += (uint32_t)size;
    call->done += size;
    tcp_output(sock);
    if (size < left && (later(call) == WAITS || !call->done)) return later(call);
    return (int)call->done;
}

static int call_recv(struct call *call) {
    struct sock *sock = held(call->socket);
    if (!sock) return -EBADF;
    if (!sock->in_size && sock->error) return taken_error(sock);
    if (!sock->in_size && (sock->fin_received || (sock->told && sock->state == CLOSED))) return 0;
    if (!sock->in_size) return sock->state < SYN_SENT ? -ENOTCONN : later(call);
    uint32_t size = call->size < sock->in_size ? (uint32_t)call->size : sock->in_size, before = BUFFER - sock->in_size;
    memcpy(call->data, sock->in, size);
    if (call->flags & MSG_PEEK) return (int)size;
    memmove(sock->in, sock->in + size, sock->in_size -= size);
    if (before < sock->mss && BUFFER - sock->in_size >= sock->mss && !sock->fin_received) tcp_acknowledge(sock); /* the window is open again */
    return (int)size;
}

static int call_shutdown(struct call *call) {
    struct sock *sock = held(call->socket);
    if (!sock) return -EBADF;
    if (sock->state < ESTABLISHED) return -ENOTCONN;
    if (call->how == SHUT_RD) return 0;
    if (!sock->fin && (sock->state == ESTABLISHED || sock->state == CLOSE_WAIT)) {
        sock->fin = true;
        tcp_output(sock);
    }
    return 0;
}

static int call_close(struct call *call) {
    struct sock *sock = held(call->socket);
    if (!sock) return -EBADF;
    for (struct sock *child = toy.socks; child < toy.socks + SOCKETS; child++)
        if (child->used && child->listener == sock) tcp_abort(child, 0, true);
    sock->held = false;
    if (sock->state <= SYN_RECEIVED || sock->in_size) tcp_abort(sock, 0, true);
    else if (!sock->fin && (sock->state == ESTABLISHED || sock->state == CLOSE_WAIT)) {
        sock->fin = true;
        tcp_output(sock);
    }
    return 0;
}

static int call_getsockopt(struct call *call) {
    struct sock *sock = held(call->socket);
    if (!sock) return -EBADF;
    return call->name && !strcmp(call->name, "SO_ERROR") ? -taken_error(sock) : -ENOPROTOOPT;
}

static int call_getsockname(struct call *call) {
    struct sock *sock = held(call->socket);
    if (!sock) return -EBADF;
    call->host = sock->local;
    return 0;
}

static int call_getpeername(struct call *call) {
    struct sock *sock = held(call->socket);
    if (!sock) return -EBADF;
    call->host = sock->remote;
    return sock->state < ESTABLISHED ? -ENOTCONN : 0;
}

static int call_poll(struct call *call) {
    struct sock *sock = held(call->socket);
    int events = 0;
    if (!sock) return -EBADF;
    for (struct sock *new = toy.socks; new < toy.socks + SOCKETS; new++)
        if (new->used && new->listener == sock && new->state >= ESTABLISHED) events |= POLLIN;
    if (sock->in_size || sock->fin_received) events |= POLLIN;
    if ((sock->state == ESTABLISHED || sock->state == CLOSE_WAIT) && sock->out_size < BUFFER) events |= POLLOUT;
    if (sock->state == CLOSED) events |= POLLHUP | POLLOUT;
    return events | (sock->error ? POLLERR | POLLIN : 0);
}

const struct stack_method stack_methods[] = {
    {"socket", call_socket}, {"bind", call_bind}, {"listen", call_listen}, {"connect", call_connect}, {"accept", call_accept},
    {"send", call_send}, {"recv", call_recv}, {"shutdown", call_shutdown}, {"close", call_close}, {"getsockopt", call_getsockopt},
    {"getsockname", call_getsockname}, {"getpeername", call_getpeername}, {"poll", call_poll}, {NULL, NULL}};

/* The rest ---------------------------------------------------------------------------------------------------------- */

bool stack_begin(const struct interface *interface, uint32_t seed) {
    toy = (struct toy){.interface = *interface, .random = seed};
    return true;
}

void stack_advance(int64_t now) {
    toy.now = now;
    for (struct sock *sock = toy.socks; sock < toy.socks + SOCKETS; sock++)
        if (sock->used && sock->due <= now) tcp_timeout(sock);
}

int64_t stack_next(void) {
    int64_t next = NEVER;
    for (struct sock *sock = toy.socks; sock < toy.socks + SOCKETS; sock++)
        if (sock->used && sock->due < next) next = sock->due;
    return next;
}

const char *stack_state(int handle, const struct host *local, const struct host *remote) {
    struct sock *own = held(handle), *found = local ? sock_find(local, remote) : NULL;
    if (own && own->state != CLOSED) return state_names[own->state];
    if (handle >= 0 && found && found->state == LISTEN) found = NULL; /* what was a socket's is never the listener on its port */
    return state_names[found ? found->state : CLOSED];
}
