/* lwIP's port (lwip/sys.h). Debian's library has one of its own, for POSIX threads and the machine's clock; the linker takes these in its
 * place, so that nothing in the stack runs but what the adapter lets run, at the time that the adapter says.
 *
 * A socket call runs in a thread of its own, which is a stack to switch to (ucontext) and no thread of the system: where it would sleep
 * it goes back to the adapter, and is gone on with after everything that happens, to look whether it need wait any longer. */
#include "port.h"

#include "lwip/sys.h"
#include "lwip/tcpip.h"
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#define STACK 131072
#define MAILS 128 /* as many as in Debian's port */
#define MILLISECOND 1000000

int64_t port_now;
void (*port_watch)(void);

/* Threads ----------------------------------------------------------------------------------------------------------- */

struct thread {
    struct thread *next;
    ucontext_t context, caller;
    void (*work)(void *);
    void *argument;
    bool ended;
    int64_t until; /* it waits no longer than that */
    char stack[STACK];
};

static struct thread *threads, *running;

static void thread_body(void) {
    struct thread *self = running;
    self->work(self->argument);
    self->ended = true;
    swapcontext(&self->context, &self->caller);
}

struct thread *thread_new(void (*work)(void *), void *argument) {
    struct thread *new = calloc(1, sizeof *new);
    new->work = work;
    new->argument = argument;
    new->until = INT64_MAX;
    getcontext(&new->context);
    new->context.uc_stack.ss_sp = new->stack;
    new->context.uc_stack.ss_size = sizeof new->stack;
    makecontext(&new->context, thread_body, 0);
    new->next = threads;
    return threads = new;
}

bool thread_run(struct thread *thread) {
    running = thread;
    swapcontext(&thread->caller, &thread->context);
    running = NULL;
    if (!thread->ended) return false;
    struct thread **place = &threads;
    while (*place != thread) place = &(*place)->next;
    *place = thread->next;
    free(thread);
    return true;
}

int64_t thread_next(void) {
    int64_t next = INT64_MAX;
    for (struct thread *thread = threads; thread; thread = thread->next)
        if (thread->until < next) next = thread->until;
    return next;
}

/* Wait until something happened, at most until then. False: it is then. */
static bool wait_until(int64_t until) {
    struct thread *self = running;
    if (!self) {
        fprintf(stderr, "lwIP's core waits, which it must not\n");
        abort();
    }
    if (port_now >= until) return false;
    self->until = until;
    swapcontext(&self->context, &self->caller);
    self->until = INT64_MAX;
    return true;
}

static int64_t end_of(u32_t timeout) { return timeout ? port_now + (int64_t)timeout * MILLISECOND : INT64_MAX; }

static u32_t waited_since(int64_t begin) { return (u32_t)((port_now - begin) / MILLISECOND); }

sys_thread_t sys_thread_new(const char *name, lwip_thread_fn function, void *argument, int stack, int priority) {
    LWIP_UNUSED_ARG(name);
    LWIP_UNUSED_ARG(function);
    LWIP_UNUSED_ARG(argument);
    LWIP_UNUSED_ARG(stack);
    LWIP_UNUSED_ARG(priority);
    return NULL; /* tcpip_init() makes one, and it is not called */
}

/* What lwIP's own thread would do, at once: packets that it sends to itself wait for nobody --------------------------- */

static struct { tcpip_callback_fn function; void *argument; } work[MAILS];
static unsigned work_begin, work_end;

err_t tcpip_try_callback(tcpip_callback_fn function, void *argument) {
    if (work_end - work_begin == MAILS) return ERR_MEM;
    work[work_end % MAILS].function = function;
    work[work_end++ % MAILS].argument = argument;
    return ERR_OK;
}

err_t tcpip_callback(tcpip_callback_fn function, void *argument) { return tcpip_try_callback(function, argument); }

void port_work(void) {
    for (unsigned most = 10 * MAILS; work_begin != work_end && most; most--, work_begin++)
        work[work_begin % MAILS].function(work[work_begin % MAILS].argument);
}

/* Semaphores and mailboxes: whoever still waits for one that is freed waits for ever, so they stay ------------------- */

struct sys_sem { int count; };
struct sys_mbox { unsigned first, last; void *mails[MAILS]; };

err_t sys_sem_new(sys_sem_t *sem, u8_t count) {
    *sem = calloc(1, sizeof **sem);
    (*sem)->count = count;
    return ERR_OK;
}

void sys_sem_signal(sys_sem_t *sem) {
    (*sem)->count = 1;
    if (port_watch) port_watch();
}

u32_t sys_arch_sem_wait(sys_sem_t *sem, u32_t timeout) {
    struct sys_sem *it = *sem;
    int64_t begin = port_now, end = end_of(timeout);
    while (!it->count)
        if (!wait_until(end)) return SYS_ARCH_TIMEOUT;
    it->count = 0;
    return waited_since(begin);
}

void sys_sem_free(sys_sem_t *sem) { LWIP_UNUSED_ARG(sem); }

err_t sys_mbox_new(sys_mbox_t *mbox, int size) {
    LWIP_UNUSED_ARG(size);
    *mbox = calloc(1, sizeof **mbox);
    return ERR_OK;
}

err_t sys_mbox_trypost(sys_mbox_t *mbox, void *mail) {
    struct sys_mbox *it = *mbox;
    if (port_watch) port_watch();
    if (it->last - it->first == MAILS - 1) return ERR_MEM;
    it->mails[it->last++ % MAILS] = mail;
    return ERR_OK;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t *mbox, void *mail) { return sys_mbox_trypost(mbox, mail); }

void sys_mbox_post(sys_mbox_t *mbox, void *mail) {
    while (sys_mbox_trypost(mbox, mail) != ERR_OK) wait_until(INT64_MAX);
}

static bool fetched(struct sys_mbox *mbox, void **mail) {
    if (mbox->first == mbox->last) return false;
    void *it = mbox->mails[mbox->first++ % MAILS];
    if (mail) *mail = it;
    return true;
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t *mbox, void **mail) { return fetched(*mbox, mail) ? 0 : SYS_MBOX_EMPTY; }

u32_t sys_arch_mbox_fetch(sys_mbox_t *mbox, void **mail, u32_t timeout) {
    struct sys_mbox *it = *mbox;
    int64_t begin = port_now, end = end_of(timeout);
    while (!fetched(it, mail))
        if (!wait_until(end)) return SYS_ARCH_TIMEOUT;
    return waited_since(begin);
}

void sys_mbox_free(sys_mbox_t *mbox) { LWIP_UNUSED_ARG(mbox); }

/* Locks: nobody is there to be kept out ------------------------------------------------------------------------------ */

err_t sys_mutex_new(sys_mutex_t *mutex) {
    *mutex = NULL;
    return ERR_OK;
}

void sys_mutex_lock(sys_mutex_t *mutex) { LWIP_UNUSED_ARG(mutex); }
void sys_mutex_unlock(sys_mutex_t *mutex) { LWIP_UNUSED_ARG(mutex); }
void sys_mutex_free(sys_mutex_t *mutex) { LWIP_UNUSED_ARG(mutex); }
void sys_lock_tcpip_core(void) {}
void sys_unlock_tcpip_core(void) {}
void sys_check_core_locking(void) {}
void sys_mark_tcpip_thread(void) {}
sys_prot_t sys_arch_protect(void) { return 0; }
void sys_arch_unprotect(sys_prot_t level) { LWIP_UNUSED_ARG(level); }
void sys_init(void) {}

/* Time -------------------------------------------------------------------------------------------------------------- */

u32_t sys_now(void) { return (u32_t)(port_now / MILLISECOND); }
u32_t sys_jiffies(void) { return (u32_t)port_now; }
