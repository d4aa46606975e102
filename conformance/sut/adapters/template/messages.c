#define _DEFAULT_SOURCE
#include "messages.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Words ------------------------------------------------------------------------------------------------------------- */

struct word { const char *name; int number; };
#define WORD(name) {#name, name}

static const struct word errors[] = {
    WORD(EACCES), WORD(EADDRINUSE), WORD(EADDRNOTAVAIL), WORD(EAFNOSUPPORT), WORD(EAGAIN), WORD(EALREADY), WORD(EBADF), WORD(ECONNABORTED),
    WORD(ECONNREFUSED), WORD(ECONNRESET), WORD(EDESTADDRREQ), WORD(EEXIST), WORD(EFAULT), WORD(EHOSTUNREACH), WORD(EINPROGRESS), WORD(EINTR),
    WORD(EINVAL), WORD(EIO), WORD(EISCONN), WORD(EMFILE), WORD(EMSGSIZE), WORD(ENETDOWN), WORD(ENETUNREACH), WORD(ENFILE), WORD(ENOBUFS),
    WORD(ENOMEM), WORD(ENOPROTOOPT), WORD(ENOSYS), WORD(ENOTCONN), WORD(ENOTSOCK), WORD(EOPNOTSUPP), WORD(EPERM), WORD(EPIPE), WORD(EPROTO),
    WORD(EPROTONOSUPPORT), WORD(EPROTOTYPE), WORD(ESHUTDOWN), WORD(ESOCKTNOSUPPORT), WORD(ETIMEDOUT), {0}};
static const struct word constants[] = {
    WORD(AF_UNSPEC), WORD(AF_UNIX), WORD(AF_INET), WORD(AF_INET6), WORD(SOCK_STREAM), WORD(SOCK_DGRAM), WORD(SOCK_RAW), WORD(SOCK_SEQPACKET),
    WORD(IPPROTO_IP), WORD(IPPROTO_ICMP), WORD(IPPROTO_TCP), WORD(IPPROTO_UDP), WORD(IPPROTO_IPV6), WORD(IPPROTO_ICMPV6), WORD(IPPROTO_RAW),
    WORD(SHUT_RD), WORD(SHUT_WR), WORD(SHUT_RDWR), WORD(MSG_OOB), WORD(MSG_PEEK), WORD(MSG_DONTROUTE), WORD(MSG_TRUNC), WORD(MSG_DONTWAIT),
    WORD(MSG_EOR), WORD(MSG_WAITALL), {"MSG_NOSIGNAL", MSG_NOSIGNAL}, {"SOCK_RDM", SOCK_RDM},
#ifdef __linux__
    {"AF_NETLINK", AF_NETLINK}, {"AF_PACKET", AF_PACKET}, {"IPPROTO_SCTP", IPPROTO_SCTP}, {"IPPROTO_UDPLITE", IPPROTO_UDPLITE},
    {"IPPROTO_MPTCP", 262}, {"MSG_ERRQUEUE", MSG_ERRQUEUE}, {"MSG_MORE", MSG_MORE}, {"MSG_FASTOPEN", MSG_FASTOPEN},
#endif
    {0}};
static const struct word poll_events[] = {WORD(POLLIN), WORD(POLLPRI), WORD(POLLOUT), WORD(POLLERR), WORD(POLLHUP), WORD(POLLNVAL), {0}};

/* A name or a number as a number. */
static bool number_from(json_t *json, int *number) {
    if (json_is_integer(json)) {
        *number = (int)json_integer_value(json);
        return true;
    }
    for (const struct word *word = constants; json_is_string(json) && word->name; word++) {
        if (!strcmp(word->name, json_string_value(json))) {
            *number = word->number;
            return true;
        }
    }
    return false;
}

static const char *error_name(int number) {
    for (const struct word *word = errors; word->name; word++)
        if (word->number == number) return word->name;
    return "EIO";
}

/* A text of words as a list; `=` ends a word, too. */
static json_t *list_from(const char *text, const char *separators) {
    json_t *list = json_array();
    while (text && *text) {
        size_t length = strcspn(text, separators);
        json_array_append_new(list, json_stringn(text, length));
        text += length + strspn(text + length, separators);
    }
    return list;
}

json_t *description_json(void) {
    const struct stack_description *it = &stack_description;
    json_t *settings = json_object(), *texts = list_from(it->settings, " "), *text;
    size_t i, j;
    json_array_foreach(texts, i, text) {
        const char *name = json_string_value(text), *equal = strchr(name, '=');
        json_t *values = list_from(equal + 1, ","), *value;
        json_array_foreach(values, j, value) {
            char *end;
            long long number = strtoll(json_string_value(value), &end, 10);
            if (!*end) json_array_set_new(values, j, json_integer(number));
        }
        if (!strcmp(equal + 1, "any")) json_decref(values), values = json_string("any");
        json_object_setn_new(settings, name, equal - name, values);
    }
    json_decref(texts);
    return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "protocol", 1, "name", it->name, "version", it->version,
                     "clocks", list_from(it->clocks, " "), "capabilities", list_from(it->capabilities, " "), "calls", list_from(it->calls, " "),
                     "options", list_from(it->options, " "), "flags", list_from(it->flags, " "), "settings", settings);
}

/* Hosts and the interface ------------------------------------------------------------------------------------------- */

static bool address_from(const char *text, struct host *host) {
    host->family = text && strchr(text, ':') ? AF_INET6 : AF_INET;
    return text && inet_pton(host->family, text, host->address) == 1;
}

bool host_from(json_t *json, struct host *host) {
    *host = (struct host){.family = AF_UNSPEC};
    if (!json || json_is_null(json)) return true;
    json_t *address = json_object_get(json, "address");
    host->port = (uint16_t)json_integer_value(json_object_get(json, "port"));
    return !address || json_is_null(address) || address_from(json_string_value(address), host);
}

json_t *host_json(const struct host *host) {
    char text[INET6_ADDRSTRLEN];
    if (!host || host->family == AF_UNSPEC) return json_null();
    return json_pack("{s:s, s:i}", "address", inet_ntop(host->family, host->address, text, sizeof text), "port", host->port);
}

static bool mac_from(json_t *json, uint8_t mac[6]) {
    return json_is_string(json) && sscanf(json_string_value(json), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", mac, mac + 1, mac + 2, mac + 3,
                                          mac + 4, mac + 5) == 6;
}

const char *interface_from(json_t *json, struct interface *it) {
    json_t *addresses = json_object_get(json, "addresses"), *gateways = json_object_get(json, "gateways"), *one;
    size_t i;
    *it = (struct interface){.mtu = (int)json_integer_value(json_object_get(json, "mtu"))};
    if (!mac_from(json_object_get(json, "mac"), it->mac) || it->mtu <= 0) return "the interface has no mac or no mtu";
    if (json_array_size(addresses) > MOST_ADDRESSES || json_array_size(gateways) > MOST_ADDRESSES) return "too many addresses";
    json_array_foreach(addresses, i, one) {
        if (!host_from(one, &it->address[i].host)) return "an address that is none";
        it->address[i].prefix = (int)json_integer_value(json_object_get(one, "prefix"));
        it->addresses++;
    }
    json_array_foreach(gateways, i, one) {
        char to[64] = "";
        const char *text = json_string_value(json_object_get(one, "to"));
        if (!text || sscanf(text, "%63[^/]/%d", to, &it->gateway[i].prefix) != 2 || !address_from(to, &it->gateway[i].to)) return "a net that is none";
        if (!host_from(one, &it->gateway[i].host) || !mac_from(json_object_get(one, "mac"), it->gateway[i].mac)) return "a gateway that is none";
        it->gateways++;
    }
    return NULL;
}

/* Calls ------------------------------------------------------------------------------------------------------------- */

static const char digits[] = "0123456789abcdef";

static bool octets_from(const char *hex, struct call *call) {
    size_t length = strlen(hex);
    if (length % 2 || length / 2 > LARGEST || strspn(hex, "0123456789abcdefABCDEF") != length) return false;
    call->data = malloc(length / 2 + 1);
    for (call->size = 0; call->size < length / 2; call->size++, hex += 2)
        call->data[call->size] = (uint8_t)((strchr(digits, hex[0] | 32) - digits) << 4 | (strchr(digits, hex[1] | 32) - digits));
    return true;
}

/* setsockopt: a number, octets, or [on, seconds] */
static bool value_from(json_t *json, struct call *call) {
    if (json_is_string(json)) return octets_from(json_string_value(json), call);
    if (json_is_array(json))
        return number_from(json_array_get(json, 0), &call->value[0]) && number_from(json_array_get(json, 1), &call->value[1]);
    return number_from(json, &call->value[0]);
}

static bool flags_from(json_t *json, struct call *call) {
    json_t *flag;
    size_t i;
    json_array_foreach(json, i, flag) {
        int number;
        if (!number_from(flag, &number)) return false;
        call->flags |= number;
    }
    return json_is_array(json);
}

static const struct { const char *name; size_t offset; } numbers[] = {
    {"socket", offsetof(struct call, socket)}, {"domain", offsetof(struct call, domain)}, {"type", offsetof(struct call, type)},
    {"protocol", offsetof(struct call, protocol)}, {"backlog", offsetof(struct call, backlog)}, {"how", offsetof(struct call, how)},
};

const char *call_from(const char *method, json_t *params, struct call *call) {
    json_t *value;
    *call = (struct call){.socket = -1, .blocking = json_is_true(json_object_get(params, "blocking"))};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        value = json_object_get(params, numbers[i].name);
        if (value && !number_from(value, (int *)((char *)call + numbers[i].offset))) return numbers[i].name;
    }
    call->name = json_string_value(json_object_get(params, strcmp(method, "ioctl") ? "name" : "request"));
    if (call->name) call->name = strdup(call->name);
    if (!host_from(params, &call->host)) return "address";
    if ((value = json_object_get(params, "flags")) && !flags_from(value, call)) return "flags";
    if ((value = json_object_get(params, "value")) && !value_from(value, call)) return "value";
    if ((value = json_object_get(params, "data")) && !(json_is_string(value) && octets_from(json_string_value(value), call))) return "data";
    if (!strcmp(method, "recv")) {
        json_int_t size = json_integer_value(json_object_get(params, "size"));
        if (size < 0) return "size";
        call->size = size < LARGEST ? (size_t)size : LARGEST;
        call->data = malloc(call->size + 1);
    }
    return NULL;
}

void call_free(struct call *call) {
    free(call->data);
    free((char *)call->name);
}

static json_t *octets_json(const uint8_t *data, size_t size) {
    char *hex = malloc(2 * size + 1);
    for (size_t i = 0; i < size; i++) {
        hex[2 * i] = digits[data[i] >> 4];
        hex[2 * i + 1] = digits[data[i] & 15];
    }
    json_t *json = json_stringn(hex, 2 * size);
    free(hex);
    return json;
}

static json_t *events_json(int events) {
    json_t *list = json_array();
    for (const struct word *word = poll_events; word->name; word++)
        if (events & word->number) json_array_append_new(list, json_string(word->name));
    return list;
}

json_t *call_result(const char *method, const struct call *call, int returned) {
    if (returned < 0) return json_pack("{s:s}", "errno", error_name(-returned));
    json_t *result = json_object(), *value = json_integer(returned);
    if (!strcmp(method, "recv") && !(call->flags & MSG_TRUNC)) json_decref(value), value = octets_json(call->data, (size_t)returned);
    if (!strcmp(method, "poll")) json_decref(value), value = events_json(returned);
    if (!strcmp(method, "getsockopt") && !strcmp(call->name ? call->name : "", "SO_ERROR") && returned)
        json_decref(value), value = json_string(error_name(returned));
    json_object_set_new(result, "value", value);
    if (!strcmp(method, "accept") || !strncmp(method, "get", 3)) {
        json_t *host = host_json(&call->host);
        if (json_is_object(host)) json_object_update(result, host);
        json_decref(host);
    }
    return result;
}
