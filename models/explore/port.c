/* SPDX-License-Identifier: MIT */
/*
 * explore/port.c - the library's port layer, over the explorer
 *
 * In the place of src/port. Locks, sleeping and waking are steps of the
 * engine; fences are in access.c, where their callers are known. There are no
 * signals, no processors (hence no restartable sequences), and no fork.
 */
#include "../../src/port/port.h"
#include "port.h"

#include <stdarg.h>
#include <stdio.h>

int hazptr_fence_chosen_;

int hazptr_fence_choose_slow_(void)
{
	return hazptr_fence_chosen_;
}

void hazptr_fence_after_fork_(void)
{
}

bool hazptr_fence_rseq_register_(void)
{
	return false;
}

void hazptr_fence_rseq_(void)
{
	ex_die("hazptr_fence_rseq_", NULL, "there are no sequences here");
}

void hazptr_die_(const char *call, const void *object, const char *what)
{
	ex_die(call, object, what);
}

void hazptr_warn_(const char *call, const void *object, const char *what)
{
	ex_warn(call, object, what);
}

void hazptr_warn_setting_(const char *setting, const char *value,
			  const char *what)
{
	(void)value;
	ex_warn(setting, NULL, what);
}

void hazptr_abort_(void)
{
	ex_die("abort", NULL, "it said why");
}

void hazptr_text_add_(struct hazptr_text *t, const char *format, ...)
{
	size_t room = sizeof(t->line) - t->n;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(t->line + t->n, room, format, arguments);
	va_end(arguments);
	t->n += n > 0 && (size_t)n < room ? (size_t)n : 0;
}

void hazptr_text_write_(struct hazptr_text *t, int fd)
{
	(void)t, (void)fd;
}

void hazptr_text_say_(struct hazptr_text *t)
{
	ex_warn("report", NULL, t->line);
}

bool hazptr_debug_wanted_(bool say)
{
	(void)say;
	return false;
}

unsigned hazptr_debug_stall_ms_(bool say)
{
	(void)say;
	return 0;
}

void *hazptr_alloc_(size_t size)
{
	return ex_alloc(size);
}

void *hazptr_alloc_zeroed_(size_t size)
{
	return ex_alloc(size);
}

void ex_free(void *p);

void hazptr_free_(void *p)
{
	ex_free(p);
}

uint64_t hazptr_now_(void)
{
	return ex_now();
}

static uint64_t later(uint64_t ns)
{
	return ns == UINT64_MAX ? ns : ex_now() + ns;
}

void hazptr_wait_(const uint32_t *word, uint32_t value, uint64_t ns)
{
	ex_wait(word, value, later(ns));
}

void hazptr_wake_(const uint32_t *word)
{
	ex_wake(word);
}

bool hazptr_wait_until_(const uint32_t *word, uint32_t value,
			const struct timespec *deadline)
{
	uint64_t at = UINT64_MAX;

	if (deadline && deadline->tv_sec < 0)
		return false;
	if (deadline)
		at = (uint64_t)deadline->tv_sec * 1000000000u +
		     (uint64_t)deadline->tv_nsec;
	return ex_wait(word, value, at);
}

int hazptr_priority_(int thread)
{
	(void)thread;
	return 0;
}

/* Parking is what there is to explore; spinning before it is not. */
bool hazptr_spin_(unsigned *turn)
{
	(void)turn;
	return false;
}

void hazptr_backoff_(struct hazptr_backoff *b, uint64_t deadline)
{
	b->turn++;
	if (deadline)
		ex_backoff(deadline);
}

void hazptr_lock_(struct hazptr_lock *l)
{
	ex_lock(&l->word);
}

void hazptr_unlock_(struct hazptr_lock *l)
{
	ex_unlock(&l->word);
}

void hazptr_lock_reset_(struct hazptr_lock *l)
{
	(void)l;
}

void *hazptr_rseq_area_(void)
{
	return NULL;
}

size_t hazptr_cpus_possible_(void)
{
	return 0;
}

bool hazptr_stats_wanted_(void)
{
	return false;
}

int hazptr_thread_id_(void)
{
	return 1 + ex_self();
}

bool hazptr_thread_is_gone_(int id)
{
	return ex_thread_ended(id - 1);
}

void hazptr_signals_block_(sigset_t *before)
{
	(void)before;
}

void hazptr_signals_restore_(const sigset_t *before)
{
	(void)before;
}

bool hazptr_fork_hooks_(void (*prepare)(void), void (*parent)(void),
			void (*child)(void))
{
	(void)prepare, (void)parent, (void)child;
	return true;
}

bool hazptr_exit_hook_(void (*at_exit)(void *))
{
	ex_exit_hook(at_exit);
	return true;
}

bool hazptr_thread_at_exit_(void *arg)
{
	ex_at_exit(arg);
	return true;
}

bool hazptr_thread_start_(void *(*run)(void *), void *arg, const char *name)
{
	(void)name;
	return ex_thread_start(run, arg);
}

void hazptr_pin_(void)
{
}
