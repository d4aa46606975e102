/* The protocol's loop: a line of JSON in, a table of methods, frames on the link, answers. PROTOCOL.md says what it speaks, stack.h what
 * it needs of a stack. Everything is done in one thread: between two lines a stack on the virtual clock does nothing. */
#define _DEFAULT_SOURCE
#include "messages.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#endif

#define AGAIN "CONFORMANCE_AGAIN" /* in the environment: what this program was doing when it executed itself */
#define LARGEST_FRAME 65536

/* A socket call that was made, and may wait. */
struct made {
    struct made *next;
    json_t *id;
    const struct stack_method *method;
    struct call call;
};

static struct {
    int link;
    char **arguments;
    json_t *configuration; /* the last `configure` */
    bool begun, real;
    int64_t now, began; /* ns since `reset`; CLOCK_MONOTONIC at `reset` */
    struct made *waiting;
    FILE *output;
    char *input; /* what was read of standard input, and not handled yet */
    size_t input_size;
    const char *wrong; /* why a request cannot be carried out */
} adapter;

/* Messages out ------------------------------------------------------------------------------------------------------ */

static void print(json_t *message) {
    json_object_set_new(message, "jsonrpc", json_string("2.0"));
    json_dumpf(message, adapter.output, JSON_COMPACT);
    fputc('\n', adapter.output);
    fflush(adapter.output);
    json_decref(message);
}

static void notify(const char *method, json_t *params) {
    print(json_pack("{s:s, s:o}", "method", method, "params", params));
}

static void answer(json_t *id, json_t *result) {
    if (adapter.begun && !adapter.real)
        json_object_set_new(result, "next", stack_next() == NEVER ? json_null() : json_integer(stack_next()));
    print(json_pack("{s:O, s:o}", "id", id, "result", result));
}

static void refuse(json_t *id, int code, const char *why) {
    print(json_pack("{s:O?, s:{s:i, s:s}}", "id", id, "error", "code", code, "message", why));
}

static int64_t monotonic(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

void adapter_moved(const struct host *local, const struct host *remote, const char *old, const char *new) {
    json_t *params = json_pack("{s:o, s:o, s:s, s:s}", "local", host_json(local), "remote", host_json(remote), "old", old, "new", new);
    if (adapter.real) json_object_set_new(params, "time", json_integer(monotonic()));
    notify("stateChanged", params);
}

void adapter_log(const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    notify("log", json_pack("{s:s}", "text", text));
}

const char *adapter_setting(const char *name) {
    static char number[24];
    json_t *value = json_object_get(json_object_get(adapter.configuration, "settings"), name);
    if (!json_is_integer(value)) return json_string_value(value);
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    return number;
}

/* The link ---------------------------------------------------------------------------------------------------------- */

static int tap(const char *name) {
#ifdef __linux__
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int device = open("/dev/net/tun", O_RDWR);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (device >= 0 && !ioctl(device, TUNSETIFF, &request)) return device;
#else
    (void)name;
#endif
    return -1;
}

static int open_link(void) {
    char again[16];
    const char *link = getenv("CONFORMANCE_LINK");
    int descriptor = link && !strncmp(link, "fd:", 3) ? atoi(link + 3) : link && !strncmp(link, "tap:", 4) ? tap(link + 4) : -1;
    if (descriptor < 0 || fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0) {
        fprintf(stderr, "CONFORMANCE_LINK=%s cannot be used\n", link ? link : "");
        exit(1);
    }
    snprintf(again, sizeof again, "fd:%d", descriptor);
    setenv("CONFORMANCE_LINK", again, 1); /* a TAP device stays open when this program executes itself */
    return descriptor;
}

void adapter_output(const uint8_t *frame, size_t size) {
    while (write(adapter.link, frame, size) < 0 && (errno == EAGAIN || errno == EINTR)) {
        struct pollfd writable = {.fd = adapter.link, .events = POLLOUT};
        poll(&writable, 1, -1);
    }
}

static void take_frames(void) {
    static uint8_t frame[LARGEST_FRAME];
    ssize_t size;
    while ((size = read(adapter.link, frame, sizeof frame)) > 0)
        if (adapter.begun) stack_input(frame, (size_t)size);
}

/* Socket calls ------------------------------------------------------------------------------------------------------ */

static void forget(struct made *one) {
    json_decref(one->id);
    call_free(&one->call);
    free(one);
}

static void returned(struct made *one, int value) {
    answer(one->id, call_result(one->method->name, &one->call, value));
    forget(one);
}

/* Something happened: calls that can return now do. One that does may let another. */
static void try_again(void) {
    for (struct made **place = &adapter.waiting, *one; (one = *place);) {
        int value = one->method->call(&one->call);
        if (value == WAITS) {
            place = &one->next;
            continue;
        }
        *place = one->next;
        returned(one, value);
        place = &adapter.waiting;
    }
}

static void socket_call(json_t *id, const struct stack_method *method, json_t *params) {
    struct made *one = malloc(sizeof *one), **place = &adapter.waiting;
    *one = (struct made){.id = json_incref(id), .method = method};
    const char *wrong = call_from(method->name, params, &one->call);
    if (wrong) {
        refuse(id, -32602, wrong);
        forget(one);
        return;
    }
    int value = method->call(&one->call);
    if (value != WAITS) {
        try_again();
        returned(one, value);
        return;
    }
    one->call.again = true;
    while (*place) place = &(*place)->next;
    *place = one;
    notify("blocked", json_pack("{s:O}", "id", id));
}

/* Requests ---------------------------------------------------------------------------------------------------------- */

static json_t *initialize(json_t *params) {
    if (json_integer_value(json_object_get(params, "protocol")) != 1) adapter.wrong = "this adapter speaks version 1 of the protocol";
    return description_json();
}

/* How the next `reset` makes the stack. */
static json_t *configure(json_t *params) {
    struct interface interface;
    adapter.wrong = interface_from(json_object_get(params, "interface"), &interface);
    json_decref(adapter.configuration);
    adapter.configuration = json_incref(params);
    return json_object();
}

/* The same program from its beginning, with what it needs to go on. */
static void execute_again(json_t *id, json_t *params) {
    json_t *state = json_pack("{s:O, s:O, s:O, s:s%}", "configuration", adapter.configuration, "id", id, "params", params, "input",
                              adapter.input ? adapter.input : "", adapter.input_size);
    setenv(AGAIN, json_dumps(state, JSON_COMPACT), 1);
    dup2(fileno(adapter.output), STDOUT_FILENO);
    close(fileno(adapter.output));
    execvp(adapter.arguments[0], adapter.arguments);
    perror("cannot execute itself again");
    exit(1);
}

static void reset(json_t *id, json_t *params) {
    struct interface interface;
    const char *wrong = interface_from(json_object_get(adapter.configuration, "interface"), &interface);
    const char *clock = json_string_value(json_object_get(adapter.configuration, "clock"));
    if (wrong) {
        refuse(id, -32600, wrong);
        return;
    }
    adapter.begun = false;
    take_frames(); /* they were for the old one */
    for (struct made *one; (one = adapter.waiting);) {
        adapter.waiting = one->next;
        forget(one);
    }
    if (!stack_begin(&interface, (uint32_t)json_integer_value(json_object_get(params, "seed")))) execute_again(id, params);
    adapter.real = clock && !strcmp(clock, "real");
    adapter.began = monotonic();
    adapter.now = 0;
    adapter.begun = true;
    answer(id, json_object());
}

static json_t *advance(json_t *params) {
    json_t *to = json_object_get(params, "to");
    if (!json_is_integer(to)) adapter.wrong = "advance needs `to`";
    if (json_integer_value(to) > adapter.now) adapter.now = json_integer_value(to);
    stack_advance(adapter.now);
    take_frames();
    return json_object();
}

static json_t *state(json_t *params) {
    json_t *handle = json_object_get(params, "socket");
    struct host local, remote;
    if (!host_from(json_object_get(params, "local"), &local) || !host_from(json_object_get(params, "remote"), &remote)) adapter.wrong = "address";
    return json_pack("{s:s}", "state", stack_state(json_is_integer(handle) ? (int)json_integer_value(handle) : -1,
                                                   local.family ? &local : NULL, remote.family ? &remote : NULL));
}

static const struct { const char *name; json_t *(*handle)(json_t *); bool early; } methods[] = {
    {"initialize", initialize, true}, {"configure", configure, true}, {"advance", advance, false}, {"state", state, false},
};

/* What came before a request is done before it: on the real clock also what is due. `advance` says itself what time frames come at. */
static void catch_up(bool frames) {
    if (!adapter.begun) return;
    if (adapter.real) {
        adapter.now = monotonic() - adapter.began;
        stack_advance(adapter.now);
    }
    if (frames) take_frames();
    try_again();
}

static void handle(json_t *request) {
    const char *method = json_string_value(json_object_get(request, "method"));
    json_t *id = json_object_get(request, "id"), *params = json_object_get(request, "params");
    if (!method || !id) {
        refuse(id, -32600, "not a request");
        return;
    }
    if (!strcmp(method, "reset")) {
        reset(id, params);
        return;
    }
    catch_up(strcmp(method, "advance"));
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i].name, method) || !(adapter.begun || methods[i].early)) continue;
        adapter.wrong = NULL;
        json_t *result = methods[i].handle(params);
        if (adapter.begun) try_again();
        if (!adapter.wrong) answer(id, json_incref(result));
        else refuse(id, -32602, adapter.wrong);
        json_decref(result);
        return;
    }
    for (const struct stack_method *known = stack_methods; adapter.begun && known->name; known++) {
        if (strcmp(known->name, method)) continue;
        socket_call(id, known, params);
        return;
    }
    refuse(id, -32601, adapter.begun ? "no such method" : "no such method before `reset`");
}

/* The loop ---------------------------------------------------------------------------------------------------------- */

/* The lines of standard input that are complete. */
static void take_lines(void) {
    for (char *end; adapter.input_size && (end = memchr(adapter.input, '\n', adapter.input_size));) {
        size_t length = (size_t)(end - adapter.input) + 1;
        json_t *request = json_loadb(adapter.input, length, 0, NULL);
        adapter.input_size -= length;
        memmove(adapter.input, end + 1, adapter.input_size);
        if (request) handle(request);
        else refuse(NULL, -32700, "not JSON");
        json_decref(request);
    }
}

static void read_input(void) {
    adapter.input = realloc(adapter.input, adapter.input_size + 65536);
    ssize_t size = read(STDIN_FILENO, adapter.input + adapter.input_size, 65536);
    if (size <= 0) exit(0);
    adapter.input_size += (size_t)size;
}

static int until_next(void) {
    int64_t ns = adapter.begun && adapter.real ? stack_next() : NEVER;
    if (ns == NEVER) return -1;
    ns -= monotonic() - adapter.began;
    return ns <= 0 ? 0 : ns > 1000000000 ? 1000 : (int)(ns / 1000000 + 1);
}

int main(int count, char **arguments) {
    (void)count;
    adapter.arguments = arguments;
    adapter.output = fdopen(dup(STDOUT_FILENO), "w");
    dup2(STDERR_FILENO, STDOUT_FILENO); /* what the stack prints is no message */
    adapter.link = open_link();
    json_t *again = getenv(AGAIN) ? json_loads(getenv(AGAIN), 0, NULL) : NULL;
    unsetenv(AGAIN);
    if (again) {
        adapter.configuration = json_incref(json_object_get(again, "configuration"));
        adapter.input = strdup(json_string_value(json_object_get(again, "input")));
        adapter.input_size = strlen(adapter.input);
        reset(json_object_get(again, "id"), json_object_get(again, "params"));
        take_lines();
        json_decref(again);
    }
    for (;;) {
        struct pollfd sources[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = adapter.link, .events = POLLIN}};
        bool real = adapter.begun && adapter.real;
        poll(sources, real ? 2 : 1, until_next());
        if (real) catch_up(true);
        if (!sources[0].revents) continue;
        read_input();
        take_lines();
    }
}
