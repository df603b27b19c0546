/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/faults.c - what disturbs the workers
 *
 * Signals by timers, moves between processors from outside (so that they come
 * in the middle of anything), threads that come and go, forks, shortages. The
 * process is stopped from outside: command.c.
 */
#define _GNU_SOURCE
#include "nodes.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define SIGNAL_NS 100000 /* 10 kHz, in turn to all workers */
#define CHURNERS 2
#define STEPS_OF_A_SHORT_LIFE 60
#define CHILD_SECONDS 120

uint64_t signals_seen;
static cpu_set_t cpus; /* that the process may use */

enum { MOVE, LIFE, FORKED, SHORTAGE };
static struct op ops[] = {
	[MOVE] = { .name = "move to a processor" },
	[LIFE] = { .name = "short life" },
	[FORKED] = { .name = "fork" },
	[SHORTAGE] = { .name = "shortage" },
};

/* Signals */

static void handler(int sig)
{
	int error = errno;
	unsigned i;

	(void)sig;
	if (!self || !self->handles)
		return;
	i = self->ticks++ % WORKLOADS;
	if (setting.workloads >> i & 1 && workloads[i]->signal)
		workloads[i]->signal();
	__atomic_fetch_add(&signals_seen, 1, __ATOMIC_RELAXED);
	errno = error;
}

void timer_begin(struct worker *w)
{
	struct sigevent event;
	uint64_t ns = (uint64_t)SIGNAL_NS * setting.threads;
	struct timespec t = { (time_t)(ns / 1000000000),
			      (long)(ns % 1000000000) };
	struct itimerspec period = { t, t };

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGUSR1;
	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	w->handles = true;
	if (timer_create(CLOCK_MONOTONIC, &event, &w->timer) ||
	    timer_settime(w->timer, 0, &period, NULL))
		failed("no timer to be had", NULL);
}

void timer_end(struct worker *w)
{
	timer_delete(w->timer);
	w->handles = false;
}

/* Processors */

static void move(unsigned unused)
{
	struct worker *w;
	unsigned n = each_worker(&w);
	int cpu, k;

	(void)unused;
	while (!is_over_late()) {
		cpu_set_t set = cpus;

		cpu = (int)pick((uint64_t)CPU_COUNT(&cpus) + 1);
		if (cpu < CPU_COUNT(&cpus)) {
			CPU_ZERO(&set);
			for (k = 0; !CPU_ISSET(k, &cpus) || cpu--; k++)
				;
			CPU_SET(k, &set);
		}
		pthread_setaffinity_np(w[pick(n)].thread, sizeof(set), &set);
		did(&ops[MOVE]);
		nap_us(pick(1000));
	}
}

/* Threads that come and go */

static void *short_life(void *arg)
{
	struct worker *w = arg;
	int i;

	worker_begin(w, w->random);
	for (i = 0; i < STEPS_OF_A_SHORT_LIFE; i++)
		do_something();
	worker_leave();
	return NULL;
}

static void churn(unsigned i)
{
	static struct worker lives[CHURNERS];
	static struct place places[CHURNERS];
	struct worker *w = &lives[i];
	unsigned k;

	while (!is_over()) {
		memset(w, 0, sizeof(*w));
		w->random = pick(UINT64_MAX);
		w->place = &places[i];
		w->helper = self->helper;
		w->of = &faults_workload;
		if (!start_thread(&w->thread, short_life, w)) {
			nap_us(10000);
			continue;
		}
		pthread_join(w->thread, NULL);
		for (k = 0; k < OPS_MAX; k++)
			__atomic_store_n(&self->done[k],
					 self->done[k] + w->done[k],
					 __ATOMIC_RELAXED);
		did(&ops[LIFE]);
	}
}

/* Forks */

static void wait_for_child(pid_t child)
{
	uint64_t end = now_us() + CHILD_SECONDS * (uint64_t)1000000;
	int status;

	while (!waitpid(child, &status, WNOHANG)) {
		if (now_us() > end) {
			kill(child, SIGKILL);
			failed("a forked child hangs", NULL);
		}
		nap_us(500);
	}
	if (WIFSIGNALED(status))
		fprintf(stderr, "hazptr: torture: a child died of %s\n",
			strsignal(WTERMSIG(status)));
	if (status)
		failed("a forked child failed", NULL);
}

/* With guards in its hands. */
static void fork_once(void)
{
	HAZPTR_GUARD(a);
	HAZPTR_GUARD(b);
	struct obj *o = hazptr_protect(&a, any_source());
	struct obj *p = hazptr_protect(&b, any_source());
	pid_t child = fork();

	if (child < 0)
		return; /* as the machine is */
	if (!child) {
		is_child = true;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		node_check(o);
		node_check(p);
		hazptr_release(&a);
		be_child();
	}
	node_check(o);
	hazptr_release(&a);
	hazptr_release(&b);
	wait_for_child(child);
}

static void fork_on(unsigned unused)
{
	sigset_t set;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!is_over()) {
		fork_once();
		did(&ops[FORKED]);
		nap_us(20000 + pick(150000));
	}
}

/* Memory: now there is all, now little, now none. */
static void run_short(unsigned unused)
{
	static const unsigned one_in[] = { 0, 0, 1, 2, 5, 50 };

	(void)unused;
	while (!is_over()) {
		nomem_set(one_in[pick(COUNT(one_in))]);
		did(&ops[SHORTAGE]);
		nap_us(pick(30000));
	}
	nomem_set(0);
}

void faults_begin(void)
{
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &action, NULL);
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		failed("sched_getaffinity", NULL);
}

static const struct helper helpers[] = {
	{ .name = "mover",
	  .run = move,
	  .n = 1,
	  .late = true,
	  .fault = AFFINITY },
	{ .name = "churner", .run = churn, .n = CHURNERS, .fault = CHURN },
	{ .name = "forker", .run = fork_on, .n = 1, .fault = FORK },
	{ .name = "shortage", .run = run_short, .n = 1, .fault = NOMEM },
};

const struct workload faults_workload = {
	.name = "disturbances",
	.ops = ops,
	.n_ops = COUNT(ops),
	.helpers = helpers,
	.n_helpers = COUNT(helpers),
};
