/* lwIP looks at its connections four times a second, whether or not there is anything to do. The tester need not be told of each time:
 * a case of a day would take a hundred thousand requests a connection. */
#include "quiet.h"

#include "lwip/priv/tcp_priv.h"
#include <stdint.h>

#define MILLISECONDS ((QUIET + 1) * 1000u)

static u32_t idle(const struct tcp_pcb *pcb) { return (tcp_ticks - pcb->tmr) * TCP_SLOW_INTERVAL; }

/* What tcp_fasttmr() and tcp_slowtmr() look at. */
static bool quiet(const struct tcp_pcb *pcb) {
    if (pcb->unsent || pcb->unacked || pcb->ooseq || pcb->refused_data || pcb->rtime >= 0 || pcb->persist_backoff) return false;
    if (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND | TF_RXCLOSED)) return false;
    if (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT && pcb->state != FIN_WAIT_2) return false;
    return !ip_get_option(pcb, SOF_KEEPALIVE) || (!pcb->keep_cnt_sent && idle(pcb) + MILLISECONDS < pcb->keep_idle);
}

bool connections_quiet(void) {
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (!quiet(pcb)) return false;
    for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next)
        if (idle(pcb) + MILLISECONDS >= 2 * TCP_MSL) return false;
    return true;
}
