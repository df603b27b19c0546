/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/signal.c - a handler that protects, at any instruction
 *
 * Finding: an interrupt between "found a free slot" and "took it" (the kernel
 * patches of 2026), and a handler that meets a half-linked overflow list, or
 * the lock that its own thread holds.
 *
 * The handlers protect more objects than there are slots, look at them twice,
 * and let go in an order that is not that of a stack. Two signals that do not
 * mask each other nest.
 */
#define _GNU_SOURCE
#include "fault.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define SOURCES 8
#define NESTED 12

static struct thing *sources[SOURCES];
static int stop;
static volatile sig_atomic_t handled[2];
static timer_t timers[2];
static __thread unsigned turns; /* differs from call to call */

/* Protect, look, look again, release in another order. */
static void visit(unsigned n)
{
	struct hazptr_guard g[NESTED];
	struct thing *t[NESTED];
	unsigned i, turn = turns++;

	memset(g, 0, sizeof(g));
	for (i = 0; i < n; i++)
		t[i] = thing_protect(&g[i], &sources[(i + turn) % SOURCES]);
	for (i = 0; i < n; i++) {
		unsigned k = (i * 7 + turn) % n; /* n is no multiple of 7 */

		thing_check(t[k]);
		hazptr_release(&g[k]);
	}
}

static void rearm(int which)
{
	long us = (fault_is_valgrind() ? 3000 : 40) + turns * 37 % 120;
	struct itimerspec when = { .it_value.tv_nsec = us * 1000 };

	CHECK_EQ(timer_settime(timers[which], 0, &when, NULL), 0);
}

static void on_timer(int signal)
{
	int which = signal == SIGUSR1 ? 0 : 1;
	int saved = errno;

	visit(which ? 3 : 11);
	handled[which]++;
	if (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		rearm(which);
	errno = saved;
}

static void start_timer(int which, int signal)
{
	struct sigaction action = { .sa_handler = on_timer,
				    .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = signal };

	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	CHECK_EQ(sigaction(signal, &action, NULL), 0);
	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timers[which]), 0);
	rearm(which);
}

static void replace(struct hazptr_domain *d, unsigned i)
{
	struct thing *fresh = thing_new(i);
	struct thing *old = __atomic_exchange_n(&sources[i % SOURCES], fresh,
						__ATOMIC_ACQ_REL);

	thing_retire(d, old);
}

/* Objects vanish all the time, so that a guard that was lost is noticed. */
static void *write_on(void *domain)
{
	unsigned i = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		replace(i & 1 ? domain : NULL, i);
		if (++i % 64 == 0)
			hazptr_flush(domain);
	}
	return NULL;
}

static void read_in_context(struct hazptr_context *c)
{
	struct hazptr_slot *s = hazptr_slot_alloc(c);
	struct thing *t;

	CHECK(!hazptr_context_switch(c));
	visit(5);
	CHECK(s);
	t = hazptr_slot_protect(s, &sources[turns % SOURCES]);
	thing_check(t);
	CHECK(hazptr_context_switch(NULL) == c);
	visit(2);
	thing_check(t);
	hazptr_slot_free(c, s);
}

static void swap_about(void)
{
	struct hazptr_guard g[NESTED];
	struct thing *t[NESTED], *seen;
	unsigned i, k;

	memset(g, 0, sizeof(g));
	for (i = 0; i < NESTED; i++)
		t[i] = thing_protect(&g[i], &sources[i % SOURCES]);
	for (i = 0; i < NESTED; i++) {
		k = (i * 7 + turns) % NESTED;
		hazptr_swap(&g[i], &g[k]);
		seen = t[i];
		t[i] = t[k];
		t[k] = seen;
	}
	for (i = 0; i < NESTED; i++) {
		thing_check(t[i]);
		seen = t[i];
		if (hazptr_try_protect(&g[i], &seen, &sources[i % SOURCES]))
			thing_check(seen);
		hazptr_release(&g[i]);
	}
}

static void main_step(struct hazptr_domain *d, struct hazptr_context *c,
		      unsigned turn)
{
	switch (turn % 8) {
	case 0:
	case 1:
		visit(NESTED);
		break;
	case 2:
		visit(1);
		break;
	case 3:
		replace(NULL, turn);
		break;
	case 4:
		replace(d, turn);
		break;
	case 5:
		read_in_context(c);
		break;
	case 6:
		swap_about();
		break;
	default:
		if (turn % 64 == 7)
			hazptr_flush(d);
		visit(2);
	}
}

static void set_up(void)
{
	unsigned i;

	for (i = 0; i < SOURCES; i++)
		sources[i] = thing_new(i);
	visit(1); /* a thread may be interrupted once it is registered */
}

static void tear_down(struct hazptr_domain *d)
{
	unsigned i;

	for (i = 0; i < SOURCES; i++)
		thing_retire(d, sources[i]);
	hazptr_barrier(d);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void timer_signals_at_any_instruction(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_INLINE, 50, 0);
	struct hazptr_context c;
	double end = now() + fault_seconds(fault_is_sanitized() ? 2 : 1);
	pthread_t writer;
	unsigned turn;

	set_up();
	CHECK_EQ(hazptr_context_init(&c), 0);
	writer = spawn(write_on, d);
	start_timer(0, SIGUSR1);
	start_timer(1, SIGUSR2);
	for (turn = 0; turn % 16 || now() < end; turn++)
		main_step(d, &c, turn);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	join(writer);
	while (!handled[0] || !handled[1])
		nap_ms(1);
	timer_delete(timers[0]);
	timer_delete(timers[1]);
	hazptr_context_cleanup(&c);
	tear_down(d);
	fprintf(stderr, "%u turns, %d + %d signals handled\n", turn,
		(int)handled[0], (int)handled[1]);
}

static __thread int raised;
static int raised_at[6];
static const char *const signal_points[6] = {
	"retire:busy", "scan:collected", "scan:fenced",
	"scan:slots", "overflow:link", "overflow:linked",
};

static void on_raised(int signal)
{
	int saved = errno;

	(void)signal;
	visit(11);
	errno = saved;
}

/* The handler, once per point, where the library stands at the moment. */
static void raise_at_point(const char *point)
{
	int i;

	if (!gate_me || raised)
		return;
	raised = 1;
	for (i = 0; i < 6; i++) {
		if (strcmp(point, signal_points[i]))
			continue;
		CHECK_EQ(raise(SIGUSR1), 0);
		raised_at[i]++;
	}
	raised = 0;
}

static void signals_at_every_point(void)
{
	struct sigaction action = { .sa_handler = on_raised };
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_INLINE, 20, 0);
	struct hazptr_context c;
	unsigned turn, i;

	gate_hook = raise_at_point;
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	set_up();
	CHECK_EQ(hazptr_context_init(&c), 0);
	gate_me = true;
	for (turn = fault_scaled(8000) + 100; turn; turn--)
		main_step(d, &c, turn);
	gate_me = false;
	for (i = 0; i < 6; i++)
		CHECK(raised_at[i] > 0);
	hazptr_context_cleanup(&c);
	tear_down(d);
}

static const struct fault_case cases[] = {
	{ "timer_signals_at_any_instruction", timer_signals_at_any_instruction,
	  .fences = FENCE_ALL },
	{ "signals_at_every_point", signals_at_every_point,
	  .fences = FENCE_ALL },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
