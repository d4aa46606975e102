/* Below TCP: frames to segments and back. */
#include "toy.h"

#include <string.h>
#include <sys/socket.h>

enum { ETHERNET = 14, IP = 20, TCP = 20, MSS_OPTION = 2 };

static uint32_t get(const uint8_t *at, int octets) {
    uint32_t value = 0;
    while (octets--) value = value << 8 | *at++;
    return value;
}

static void put(uint8_t *at, int octets, uint32_t value) {
    while (octets--) {
        at[octets] = (uint8_t)value;
        value >>= 8;
    }
}

static uint32_t sum(const uint8_t *data, size_t size) {
    uint32_t total = 0;
    for (size_t i = 0; i < size; i++) total += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    return total;
}

static uint16_t folded(uint32_t total) {
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

/* Of TCP's header and data, with the pseudo header: source and destination stand together in IP's. */
static uint16_t tcp_checksum(const uint8_t *ip, const uint8_t *tcp, size_t size) {
    return folded(sum(ip + 12, 8) + 6 + (uint32_t)size + sum(tcp, size));
}

void ip_output(const struct segment *it) {
    uint8_t frame[ETHERNET + 9000] = {0}, *ip = frame + ETHERNET, *tcp = ip + IP;
    size_t header = TCP + (it->mss ? 4 : 0), size = IP + header + it->size;
    memcpy(frame, toy.interface.gateway[0].mac, 6);
    memcpy(frame + 6, toy.interface.mac, 6);
    put(frame + 12, 2, 0x0800);
    put(ip, 4, 0x45000000 | (uint32_t)size);
    put(ip + 6, 2, 0x4000); /* DF */
    put(ip + 8, 2, 64 << 8 | 6);
    memcpy(ip + 12, it->from.address, 4);
    memcpy(ip + 16, it->to.address, 4);
    put(ip + 10, 2, folded(sum(ip, IP)));
    put(tcp, 2, it->from.port);
    put(tcp + 2, 2, it->to.port);
    put(tcp + 4, 4, it->seq);
    put(tcp + 8, 4, it->ack);
    put(tcp + 12, 2, (uint32_t)header << 10 | it->flags);
    put(tcp + 14, 2, it->window);
    if (it->mss) put(tcp + TCP, 4, MSS_OPTION << 24 | 4 << 16 | it->mss);
    memcpy(tcp + header, it->data, it->size);
    put(tcp + 16, 2, tcp_checksum(ip, tcp, header + it->size));
    adapter_output(frame, ETHERNET + size);
}

static uint16_t mss_option(const uint8_t *at, const uint8_t *end) {
    while (at < end && *at) {
        if (*at == 1) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at + at[1] > end) break;
        if (*at == MSS_OPTION && at[1] == 4) return (uint16_t)get(at + 2, 2);
        at += at[1];
    }
    return 0;
}

void stack_input(const uint8_t *frame, size_t size) {
    const uint8_t *ip = frame + ETHERNET;
    if (size < ETHERNET + IP + TCP || memcmp(frame, toy.interface.mac, 6) || get(frame + 12, 2) != 0x0800) return;
    size_t length = get(ip + 2, 2), header = (ip[0] & 15) * 4u;
    if (ip[0] >> 4 != 4 || header < IP || length < header + TCP || length > size - ETHERNET || folded(sum(ip, header))) return;
    if (get(ip + 6, 2) & 0x3fff || ip[9] != 6) return; /* a fragment, or not TCP */
    const uint8_t *tcp = ip + header, *end = ip + length;
    size_t offset = (tcp[12] >> 4) * 4u;
    if (offset < TCP || tcp + offset > end || tcp_checksum(ip, tcp, (size_t)(end - tcp))) return;
    struct segment segment = {
        .from = {.family = AF_INET, .port = (uint16_t)get(tcp, 2)},
        .to = {.family = AF_INET, .port = (uint16_t)get(tcp + 2, 2)},
        .seq = get(tcp + 4, 4), .ack = get(tcp + 8, 4), .flags = tcp[13] & 31, .window = (uint16_t)get(tcp + 14, 2),
        .mss = mss_option(tcp + TCP, tcp + offset), .data = tcp + offset, .size = (uint32_t)(end - tcp - (long)offset),
    };
    memcpy(segment.from.address, ip + 12, 4);
    memcpy(segment.to.address, ip + 16, 4);
    if (!memcmp(segment.to.address, toy.interface.address[0].host.address, 4)) tcp_input(&segment);
}
