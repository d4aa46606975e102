/* lwIP behind the template's adapter: how it is made, frames, time. Its socket calls are in calls.c, states in states.c. */
#include "stack.h"
#include "port.h"
#include "quiet.h"
#include "states.h"

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/igmp.h"
#include "lwip/init.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/priv/nd6_priv.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND (1000 * MILLISECOND)
#define NO_END 0xffffffff
#define TICKS_AN_HOUR (3600 * 1000 / TCP_SLOW_INTERVAL)

/* What is not there is so in Debian's lwipopts.h, or in lwip/opt.h where that says nothing; README.md has the lines. */
const struct stack_description stack_description = {
    .name = "lwip",
    .version = LWIP_VERSION_STRING,
    .clocks = "virtual real",
    .capabilities = "ipv4 ipv6 states transitions blocking window_scaling icmp half_close keepalive udp",
    .calls = "socket bind listen connect accept send recv shutdown close setsockopt getsockopt getsockname getpeername poll ioctl",
    .options = "SO_ERROR SO_TYPE SO_ACCEPTCONN SO_REUSEADDR SO_KEEPALIVE SO_BROADCAST SO_LINGER SO_RCVTIMEO SO_SNDTIMEO TCP_NODELAY "
               "TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT IP_TTL IP_TOS IP_MULTICAST_TTL IPV6_V6ONLY",
    .flags = "MSG_PEEK MSG_DONTWAIT MSG_NOSIGNAL", /* its MSG_MORE only leaves PSH out */
    .settings = "mtu=any timestamps=off sack=off dsack=off window_scaling=on ecn=off fast_open=off syn_cookies=off pmtu_discovery=off "
                "mtu_probing=off ttl=255 tlp=off rack=off autocork=off rfc1337=on tw_reuse=off icmp_ratelimit=off syn_linear_timeouts=0 "
                "syn_retries=6 retries2=12 keepalive_time=7200000000000 keepalive_interval=75000000000 keepalive_probes=9 "
                "challenge_ack_limit=2147483647 invalid_ratelimit=0 congestion_control=reno send_buffer=65535 receive_buffer=65535 "
                "ephemeral_ports=49152..65535",
};

static struct netif ethernet;
static int64_t last_event; /* when a frame came or went */

/* Frames ------------------------------------------------------------------------------------------------------------ */

static err_t output(struct netif *netif, struct pbuf *p) {
    uint8_t frame[65535];
    LWIP_UNUSED_ARG(netif);
    last_event = port_now;
    port_watch(); /* a state that a segment tells of is older than the segment */
    adapter_output(frame, pbuf_copy_partial(p, frame, sizeof frame, 0));
    return ERR_OK;
}

/* lwIP takes all that it is given: for whom a frame is, the hardware looks. */
static bool for_us(const uint8_t *frame, size_t size) {
    return size >= sizeof(struct eth_hdr) && (frame[0] & 1 || !memcmp(frame, ethernet.hwaddr, 6));
}

void stack_input(const uint8_t *frame, size_t size) {
    if (!for_us(frame, size)) return;
    /* Not PBUF_POOL: memp.c of Debian's library takes TCP_MSS from <netinet/tcp.h>, so what it allocates is smaller than pbuf.c thinks. */
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_RAM);
    if (!p) return;
    pbuf_take(p, frame, (u16_t)size);
    if (ethernet.input(p, &ethernet) != ERR_OK) pbuf_free(p);
    port_work();
    port_watch();
    last_event = port_now;
}

/* Beginning --------------------------------------------------------------------------------------------------------- */

static err_t set_up(struct netif *netif) {
    const struct interface *interface = netif->state;
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = netif->mtu6 = (u16_t)interface->mtu;
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, interface->mac, 6);
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = output;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP; /* no groups: no IGMP, no MLD */
    return ERR_OK;
}

static ip6_addr_t ip6_of(const struct host *host) {
    ip6_addr_t address = {0};
    memcpy(address.addr, host->address, 16);
    return address;
}

static void add_address(const struct host *host, int prefix) {
    ip4_addr_t address, mask = {prefix ? htonl(~0u << (32 - prefix)) : 0};
    s8_t index;
    if (host->family == AF_INET6) {
        ip6_addr_t address6 = ip6_of(host);
        netif_add_ip6_address(&ethernet, &address6, &index);
        netif_ip6_addr_set_state(&ethernet, index, IP6_ADDR_PREFERRED);
        return;
    }
    memcpy(&address, host->address, 4);
    netif_set_ipaddr(&ethernet, &address);
    netif_set_netmask(&ethernet, &mask);
}

/* IPv4's gateway is asked for its MAC address, because Debian's lwIP has no static entries; IPv6's default router is one that a Router
 * Advertisement has told. */
static void add_gateway(const struct host *host, const uint8_t mac[6]) {
    if (host->family == AF_INET) {
        ip4_addr_t address;
        memcpy(&address, host->address, 4);
        netif_set_gw(&ethernet, &address);
        return;
    }
    struct nd6_neighbor_cache_entry *neighbour = &neighbor_cache[0];
    neighbour->next_hop_address = ip6_of(host);
    neighbour->netif = &ethernet;
    memcpy(neighbour->lladdr, mac, 6);
    neighbour->state = ND6_REACHABLE;
    neighbour->isrouter = 1;
    neighbour->counter.reachable_time = reachable_time;
    default_router_list[0].neighbor_entry = neighbour;
    default_router_list[0].invalidation_timer = NO_END;
}

bool stack_begin(const struct interface *interface, uint32_t seed) {
    static bool begun;
    static struct interface kept;
    if (begun) return false; /* much of lwIP's state is out of reach */
    begun = true;
    kept = *interface;
    port_now = 0;
    port_watch = states_watch;
    srand(seed); /* LWIP_RAND() */
    lwip_init();
    tcp_ticks = TICKS_AN_HOUR + seed % TICKS_AN_HOUR; /* up for a while: 0 stands for "no round trip is measured", and adds nothing to an ISN */
    netif_add(&ethernet, NULL, NULL, NULL, &kept, set_up, ethernet_input);
    netif_set_default(&ethernet);
    netif_create_ip6_linklocal_address(&ethernet, 1);
    netif_ip6_addr_set_state(&ethernet, 0, IP6_ADDR_PREFERRED);
    for (int i = 0; i < interface->addresses; i++) add_address(&interface->address[i].host, interface->address[i].prefix);
    for (int i = 0; i < interface->gateways; i++) add_gateway(&interface->gateway[i].host, interface->gateway[i].mac);
    netif_set_up(&ethernet);
    ethernet.rs_count = 0; /* no Router Solicitations */
    return true;
}

/* Time -------------------------------------------------------------------------------------------------------------- */

/* lwIP's table (timeouts.c), but that the timers of groups, which have nothing to do without groups, do not wake anybody ten times a second. */
const struct lwip_cyclic_timer lwip_cyclic_timers[] = {
    {TCP_TMR_INTERVAL, tcp_tmr}, {IP_TMR_INTERVAL, ip_reass_tmr}, {ARP_TMR_INTERVAL, etharp_tmr}, {10 * IGMP_TMR_INTERVAL, igmp_tmr},
    {ND6_TMR_INTERVAL, nd6_tmr}, {IP6_REASS_TMR_INTERVAL, ip6_reass_tmr}, {10 * MLD6_TMR_INTERVAL, mld6_tmr}};

static int64_t next_timer(void) {
    u32_t left = sys_timeouts_sleeptime();
    return left == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? NEVER : (port_now / MILLISECOND + left) * MILLISECOND;
}

int64_t stack_next(void) {
    bool rest = port_now - last_event > QUIET * SECOND && connections_quiet();
    int64_t timer = rest ? port_now + QUIET * SECOND : next_timer(), thread = thread_next();
    return timer < thread ? timer : thread;
}

void stack_advance(int64_t now) {
    for (int64_t due; (due = next_timer()) <= now;) {
        if (due > port_now) port_now = due;
        sys_check_timeouts();
        port_work();
        port_watch();
    }
    port_now = now;
}
