/* Segments: RFC 9293, section 3.10.7, without what toy.h says is missing. */
#include "toy.h"

#include <errno.h>
#include <string.h>

#define TRIES 8 /* 1 + 2 + 4 + … + 60 + 60 s: more than the 3 minutes of R2 for a SYN */
#define LONGEST_RTO (60 * SECOND)
#define TIME_WAIT_LENGTH (240 * SECOND) /* 2 MSL */

static int32_t after(uint32_t a, uint32_t b) { return (int32_t)(a - b); }
static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }
static uint16_t own_mss(void) { return (uint16_t)(toy.interface.mtu - 40); }
static uint32_t room(const struct sock *sock) { return BUFFER - sock->in_size; }

/* Sending ----------------------------------------------------------------------------------------------------------- */

static void send(struct sock *sock, uint32_t seq, uint8_t flags, const uint8_t *data, uint32_t size) {
    struct segment segment = {.from = sock->local, .to = sock->remote, .seq = seq, .flags = flags, .window = (uint16_t)room(sock),
                              .mss = flags & SYN ? own_mss() : 0, .data = data ? data : sock->out, .size = size};
    if (flags & ACK) segment.ack = sock->rcv_nxt;
    ip_output(&segment);
}

void tcp_acknowledge(struct sock *sock) { send(sock, sock->nxt, ACK, NULL, 0); }

/* To a segment that belongs to no connection, or not to this one. */
static void send_reset(const struct segment *cause) {
    struct segment reset = {.from = cause->to, .to = cause->from, .flags = RST, .data = cause->data};
    if (cause->flags & RST) return;
    if (cause->flags & ACK) reset.seq = cause->ack;
    else reset.flags |= ACK, reset.ack = cause->seq + cause->size + !!(cause->flags & SYN) + !!(cause->flags & FIN);
    ip_output(&reset);
}

static void start_timer(struct sock *sock, bool anew) {
    if (anew) sock->tries = 0, sock->rto = SECOND;
    sock->due = toy.now + sock->rto;
}

void tcp_open(struct sock *sock, enum state state) {
    sock->una = toy_random();
    sock->nxt = sock->una + 1;
    sock->mss = sock->mss ? sock->mss : 536;
    start_timer(sock, true);
    set_state(sock, state);
    send(sock, sock->una, state == SYN_SENT ? SYN : SYN | ACK, NULL, 0);
}

static bool fin_sent(const struct sock *sock) { return sock->nxt == sock->una + sock->out_size + 1; }

/* One segment from `seq` on, as large as the window and the MSS let it be; the FIN goes with the last. A probe has one octet at least. */
static uint32_t send_some(struct sock *sock, uint32_t seq, bool probe) {
    uint32_t begin = seq - sock->una, left = sock->out_size - begin;
    uint32_t open = sock->window > begin ? sock->window - begin : probe;
    uint32_t size = least(least(left, open), sock->mss);
    bool fin = sock->fin && size == left && size < open;
    if (size || fin) send(sock, seq, (uint8_t)(ACK | (fin ? FIN : 0) | (size && size == left ? PSH : 0)), sock->out + begin, size);
    if (fin && sock->state == ESTABLISHED) set_state(sock, FIN_WAIT_1);
    if (fin && sock->state == CLOSE_WAIT) set_state(sock, LAST_ACK);
    return size + fin;
}

void tcp_output(struct sock *sock) {
    if (sock->state < ESTABLISHED || sock->state == TIME_WAIT) return;
    while (!fin_sent(sock)) {
        uint32_t sent = send_some(sock, sock->nxt, false);
        sock->nxt += sent;
        if (!sent) break;
    }
    if (sock->due == NEVER && (sock->nxt != sock->una || sock->out_size || sock->fin) && sock->state != FIN_WAIT_2) start_timer(sock, true);
}

void tcp_abort(struct sock *sock, int error, bool tell) {
    if (tell && sock->state > SYN_SENT && sock->state != TIME_WAIT) send(sock, sock->nxt, RST | ACK, NULL, 0);
    sock->error = error;
    sock->due = NEVER;
    set_state(sock, CLOSED);
    if (!sock->held) sock->used = false;
}

void tcp_timeout(struct sock *sock) {
    if (sock->state == TIME_WAIT || ++sock->tries >= TRIES) {
        tcp_abort(sock, ETIMEDOUT, false);
        return;
    }
    sock->rto = 2 * sock->rto < LONGEST_RTO ? 2 * sock->rto : LONGEST_RTO;
    start_timer(sock, false);
    if (sock->state <= SYN_RECEIVED) send(sock, sock->una, sock->state == SYN_SENT ? SYN : SYN | ACK, NULL, 0);
    else {
        uint32_t end = sock->una + send_some(sock, sock->una, true);
        if (after(end, sock->nxt) > 0) sock->nxt = end; /* a window probe */
    }
}

/* Receiving --------------------------------------------------------------------------------------------------------- */

static void listening(struct sock *sock, const struct segment *it) {
    int waiting = 0;
    if (it->flags & RST) return;
    if (it->flags & ACK) {
        send_reset(it);
        return;
    }
    for (int i = 0; i < SOCKETS; i++) waiting += toy.socks[i].used && toy.socks[i].listener == sock;
    if (!(it->flags & SYN) || waiting > sock->backlog) return;
    struct sock *new = sock_new(&it->to, &it->from);
    if (!new) return;
    new->listener = sock;
    new->rcv_nxt = it->seq + 1;
    new->mss = it->mss ? (uint16_t)least(it->mss, own_mss()) : 536;
    tcp_open(new, SYN_RECEIVED);
}

static void new_window(struct sock *sock, const struct segment *it) {
    sock->window = it->window;
    sock->wl1 = it->seq;
    sock->wl2 = it->ack;
}

static void opening(struct sock *sock, const struct segment *it) {
    if (it->flags & ACK && it->ack != sock->nxt) {
        send_reset(it);
        return;
    }
    if (it->flags & RST) {
        if (it->flags & ACK) tcp_abort(sock, ECONNREFUSED, false);
        return;
    }
    if (!(it->flags & SYN) || !(it->flags & ACK)) return; /* no simultaneous open */
    sock->rcv_nxt = it->seq + 1;
    sock->una = it->ack;
    sock->mss = it->mss ? (uint16_t)least(it->mss, own_mss()) : 536;
    sock->due = NEVER;
    new_window(sock, it);
    set_state(sock, ESTABLISHED);
    tcp_acknowledge(sock);
    tcp_output(sock);
}

static bool acceptable(const struct sock *sock, const struct segment *it) {
    uint32_t length = it->size + !!(it->flags & SYN) + !!(it->flags & FIN), window = room(sock), begin = it->seq - sock->rcv_nxt;
    if (!window) return !length && !begin;
    return begin < window || (length && begin + length - 1 < window) || (!length && !begin);
}

/* What the ACK field says. False: the segment is not to be looked at any more. */
static bool acknowledged(struct sock *sock, const struct segment *it) {
    bool new = after(it->ack, sock->una) > 0;
    if (sock->state == SYN_RECEIVED) {
        if (!new || after(it->ack, sock->nxt) > 0) {
            send_reset(it);
            return false;
        }
        sock->una++;
        new_window(sock, it);
        set_state(sock, ESTABLISHED);
    }
    if (after(it->ack, sock->nxt) > 0) {
        tcp_acknowledge(sock);
        return false;
    }
    bool all = new && it->ack == sock->nxt, fin = all && fin_sent(sock) && sock->state > ESTABLISHED && sock->state != CLOSE_WAIT;
    uint32_t data = new && after(it->ack, sock->una) > 0 ? least(it->ack - sock->una, sock->out_size) : 0;
    if (after(it->ack, sock->una) >= 0 && (after(it->seq, sock->wl1) > 0 || (it->seq == sock->wl1 && after(it->ack, sock->wl2) >= 0)))
        new_window(sock, it);
    memmove(sock->out, sock->out + data, sock->out_size -= data);
    if (new) sock->una = it->ack;
    if (all) sock->due = NEVER;
    else if (new) start_timer(sock, true);
    if (!sock->window) sock->tries = 0; /* somebody answers the probes */
    if (fin) {
        sock->fin = false;
        if (sock->state == FIN_WAIT_1) set_state(sock, FIN_WAIT_2);
        else if (sock->state == CLOSING) set_state(sock, TIME_WAIT), sock->due = toy.now + TIME_WAIT_LENGTH;
        else if (sock->state == LAST_ACK) tcp_abort(sock, 0, false);
    }
    return sock->state != CLOSED;
}

/* Text that is next, as much as there is room for, and the FIN behind it. */
static void received(struct sock *sock, const struct segment *it) {
    uint32_t old = sock->rcv_nxt - it->seq, length = it->size + !!(it->flags & FIN);
    if (!length) return;
    if (sock->state == TIME_WAIT) sock->due = toy.now + TIME_WAIT_LENGTH;
    if (!sock->fin_received && old < length) {
        uint32_t size = old < it->size ? least(it->size - old, room(sock)) : 0;
        if (size && !sock->held && !sock->listener) { /* nobody will read it */
            tcp_abort(sock, 0, true);
            return;
        }
        memcpy(sock->in + sock->in_size, it->data + old, size);
        sock->in_size += size;
        sock->rcv_nxt += size;
        if (it->flags & FIN && old + size == it->size) {
            sock->fin_received = true;
            sock->rcv_nxt++;
        }
    }
    tcp_acknowledge(sock);
    if (!sock->fin_received) return;
    if (sock->state == ESTABLISHED) set_state(sock, CLOSE_WAIT);
    else if (sock->state == FIN_WAIT_1) set_state(sock, CLOSING);
    else if (sock->state == FIN_WAIT_2) set_state(sock, TIME_WAIT), sock->due = toy.now + TIME_WAIT_LENGTH;
}

void tcp_input(const struct segment *it) {
    struct sock *sock = sock_find(&it->to, &it->from);
    if (!sock) {
        send_reset(it);
        return;
    }
    if (sock->state == LISTEN) {
        listening(sock, it);
        return;
    }
    if (sock->state == SYN_SENT) {
        opening(sock, it);
        return;
    }
    if (!acceptable(sock, it)) {
        if (!(it->flags & RST)) tcp_acknowledge(sock);
    } else if (it->flags & RST && it->seq == sock->rcv_nxt) {
        tcp_abort(sock, ECONNRESET, false);
    } else if (it->flags & (RST | SYN)) {
        tcp_acknowledge(sock); /* RFC 5961 */
    } else if (it->flags & ACK && acknowledged(sock, it)) {
        received(sock, it);
        if (sock->state != CLOSED) tcp_output(sock);
    }
}
