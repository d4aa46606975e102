/* Socket calls: lwIP's own socket layer, which has the names and arguments of POSIX with lwip_ before them. */
#include "port.h"
#include "stack.h"
#include "states.h"

#include "lwip/api.h"
#include "lwip/priv/sockets_priv.h"
#include "lwip/sockets.h"
#include "lwip/tcp.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t address_of(const struct host *host, union address *address) {
    memset(address, 0, sizeof *address);
    address->any.sa_family = (sa_family_t)host->family;
    if (host->family == AF_INET6) {
        address->v6.sin6_port = htons(host->port);
        memcpy(&address->v6.sin6_addr, host->address, 16);
        return sizeof address->v6;
    }
    address->v4.sin_port = htons(host->port);
    memcpy(&address->v4.sin_addr, host->address, 4);
    return sizeof address->v4;
}

static void host_of(const union address *address, struct host *host) {
    *host = (struct host){.family = address->any.sa_family};
    if (host->family == AF_INET6) {
        host->port = ntohs(address->v6.sin6_port);
        memcpy(host->address, &address->v6.sin6_addr, 16);
    } else {
        host->port = ntohs(address->v4.sin_port);
        memcpy(host->address, &address->v4.sin_addr, 4);
    }
}

/* Options ----------------------------------------------------------------------------------------------------------- */

enum kind { NUMBER, OCTET, TIME, LINGER };

static const struct option { const char *name; int level, number; enum kind kind; } options[] = {
    {"SO_ERROR", SOL_SOCKET, SO_ERROR, NUMBER}, {"SO_TYPE", SOL_SOCKET, SO_TYPE, NUMBER}, {"SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN, NUMBER},
    {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, NUMBER}, {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, NUMBER},
    {"SO_BROADCAST", SOL_SOCKET, SO_BROADCAST, NUMBER}, {"SO_LINGER", SOL_SOCKET, SO_LINGER, LINGER},
    {"SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO, TIME}, {"SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO, TIME},
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, NUMBER}, {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, NUMBER},
    {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, NUMBER}, {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, NUMBER},
    {"IP_TTL", IPPROTO_IP, IP_TTL, NUMBER}, {"IP_TOS", IPPROTO_IP, IP_TOS, NUMBER}, {"IP_MULTICAST_TTL", IPPROTO_IP, IP_MULTICAST_TTL, OCTET},
    {"IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, NUMBER}};

union value {
    int number;
    uint8_t octet;
    struct timeval time;
    struct linger linger;
};

static socklen_t size_of(enum kind kind) {
    static const socklen_t sizes[] = {sizeof(int), sizeof(uint8_t), sizeof(struct timeval), sizeof(struct linger)};
    return sizes[kind];
}

static const struct option *option_of(const struct call *call) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (call->name && !strcmp(options[i].name, call->name)) return &options[i];
    errno = ENOPROTOOPT;
    return NULL;
}

static int call_setsockopt(struct call *call) {
    const struct option *option = option_of(call);
    union value value = {0};
    if (!option) return -1;
    if (option->kind == NUMBER) value.number = call->value[0];
    if (option->kind == OCTET) value.octet = (uint8_t)call->value[0];
    if (option->kind == TIME) value.time = (struct timeval){call->value[0] / 1000, call->value[0] % 1000 * 1000};
    if (option->kind == LINGER) value.linger = (struct linger){call->value[0], call->value[1]};
    return lwip_setsockopt(call->socket, option->level, option->number, &value, size_of(option->kind));
}

static int call_getsockopt(struct call *call) {
    const struct option *option = option_of(call);
    union value value = {0};
    socklen_t size = option ? size_of(option->kind) : 0;
    if (!option || lwip_getsockopt(call->socket, option->level, option->number, &value, &size)) return -1;
    if (option->kind == TIME) return (int)(value.time.tv_sec * 1000 + value.time.tv_usec / 1000);
    if (option->kind == LINGER) return value.linger.l_onoff ? value.linger.l_linger : 0;
    return option->kind == OCTET ? value.octet : value.number;
}

/* The others: what they give is what lwIP's call gives, -1 with errno if it failed ------------------------------------- */

static int call_socket(struct call *call) { return lwip_socket(call->domain, call->type, call->protocol); }

static int call_bind(struct call *call) {
    union address address;
    socklen_t size = address_of(&call->host, &address);
    return lwip_bind(call->socket, &address.any, size);
}

static int call_listen(struct call *call) { return lwip_listen(call->socket, call->backlog); }

static int call_connect(struct call *call) {
    union address address;
    if (call->host.family == AF_UNSPEC) {
        errno = ENOSYS; /* netconn_disconnect() is for UDP */
        return -1;
    }
    socklen_t size = address_of(&call->host, &address);
    return lwip_connect(call->socket, &address.any, size);
}

static int call_accept(struct call *call) {
    union address address;
    socklen_t size = sizeof address;
    int new = lwip_accept(call->socket, &address.any, &size);
    if (new >= 0) host_of(&address, &call->host);
    return new;
}

static int call_send(struct call *call) { return (int)lwip_send(call->socket, call->data, call->size, call->flags); }

static int call_recv(struct call *call) { return (int)lwip_recv(call->socket, call->data, call->size, call->flags); }

static int call_shutdown(struct call *call) { return lwip_shutdown(call->socket, call->how); }

/* SO_LINGER with no time is how a case asks for RFC 9293's ABORT. lwIP has that as tcp_abort(); its lwip_close() comes to it only where
 * data is unacknowledged. Of a listener with SO_LINGER it reads queues that a listener has not got, and may fail an assertion. */
static int call_close(struct call *call) {
    struct tcp_pcb *pcb = pcb_of(call->socket);
    struct netconn *conn = pcb ? lwip_socket_dbg_get_socket(call->socket)->conn : NULL;
    if (pcb && pcb->state == LISTEN) conn->linger = -1;
    if (pcb && pcb->state > SYN_SENT && conn->linger == 0) tcp_abort(pcb);
    return lwip_close(call->socket);
}

static int name_of(struct call *call, int (*function)(int, struct sockaddr *, socklen_t *)) {
    union address address;
    socklen_t size = sizeof address;
    int failed = function(call->socket, &address.any, &size);
    if (!failed) host_of(&address, &call->host);
    return failed;
}

static int call_getsockname(struct call *call) { return name_of(call, lwip_getsockname); }

static int call_getpeername(struct call *call) { return name_of(call, lwip_getpeername); }

static int call_poll(struct call *call) {
    struct pollfd one = {.fd = call->socket, .events = POLLIN | POLLPRI | POLLOUT};
    return lwip_poll(&one, 1, 0) < 0 ? -1 : one.revents;
}

static int call_ioctl(struct call *call) {
    int value = 0;
    if (!call->name || strcmp(call->name, "FIONREAD")) {
        errno = ENOSYS; /* what lwIP says of every other request */
        return -1;
    }
    return lwip_ioctl(call->socket, FIONREAD, &value) ? -1 : value;
}

/* A call in its thread ---------------------------------------------------------------------------------------------- */

struct job {
    struct thread *thread;
    struct call *call;
    int (*function)(struct call *);
    int returned;
};

static void work(void *argument) {
    struct job *job = argument;
    if (job->call->socket > 0) lwip_fcntl(job->call->socket, F_SETFL, job->call->blocking ? 0 : O_NONBLOCK);
    errno = 0;
    int returned = job->function(job->call);
    job->returned = returned < 0 ? -errno : returned;
}

static int in_thread(struct call *call, int (*function)(struct call *)) {
    struct job *job = call->memory;
    if (!job) {
        call->memory = job = malloc(sizeof *job);
        *job = (struct job){.call = call, .function = function};
        job->thread = thread_new(work, job);
    }
    job->call = call;
    bool ended = thread_run(job->thread);
    port_work();
    port_watch();
    if (!ended) return WAITS;
    int returned = job->returned;
    free(job);
    return returned;
}

#define CALL(name) static int name##_(struct call *call) { return in_thread(call, call_##name); }
CALL(socket) CALL(bind) CALL(listen) CALL(connect) CALL(accept) CALL(send) CALL(recv) CALL(shutdown) CALL(close) CALL(setsockopt)
CALL(getsockopt) CALL(getsockname) CALL(getpeername) CALL(poll) CALL(ioctl)

const struct stack_method stack_methods[] = {
    {"socket", socket_}, {"bind", bind_}, {"listen", listen_}, {"connect", connect_}, {"accept", accept_}, {"send", send_}, {"recv", recv_},
    {"shutdown", shutdown_}, {"close", close_}, {"setsockopt", setsockopt_}, {"getsockopt", getsockopt_}, {"getsockname", getsockname_},
    {"getpeername", getpeername_}, {"poll", poll_}, {"ioctl", ioctl_}, {NULL, NULL}};
