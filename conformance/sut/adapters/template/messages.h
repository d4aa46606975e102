/* Between JSON and what the stack takes: descriptions, interfaces, socket calls and what they returned. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "stack.h"
#include <jansson.h>

#define LARGEST 0x4000000 /* octets of a send or recv */

/* What `initialize` answers. */
json_t *description_json(void);

/* The interface of `configure`. NULL, or what is wrong. */
const char *interface_from(json_t *json, struct interface *interface);

/* {"address": …, "port": …}; a host without an address is null. False if it is neither. */
bool host_from(json_t *json, struct host *host);
json_t *host_json(const struct host *host);

/* The parameters of a socket call. NULL, or what is wrong. What it allocates, call_free() frees. */
const char *call_from(const char *method, json_t *params, struct call *call);
void call_free(struct call *call);

/* What it returned. */
json_t *call_result(const char *method, const struct call *call, int returned);

#endif
