/* SPDX-License-Identifier: MIT */
/*
 * port/hooks.c - signals, threads and fork
 *
 * A key's destructor, not a C++ style thread_local destructor, tells us of a
 * thread's end: it runs after those, and again (up to four rounds) when another
 * key's destructor has used the library after it.
 */
#define _GNU_SOURCE
#include "port.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_key_t exit_key;

int hazptr_thread_id_(void)
{
	return (int)syscall(SYS_gettid);
}

bool hazptr_thread_is_gone_(int id)
{
	int saved = errno;
	bool gone = syscall(SYS_tgkill, getpid(), id, 0) && errno == ESRCH;

	errno = saved;
	return gone;
}

void hazptr_signals_block_(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

void hazptr_signals_restore_(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

bool hazptr_fork_hooks_(void (*prepare)(void), void (*parent)(void),
			void (*child)(void))
{
	return !pthread_atfork(prepare, parent, child);
}

bool hazptr_exit_hook_(void (*at_exit)(void *))
{
	return !pthread_key_create(&exit_key, at_exit);
}

bool hazptr_thread_at_exit_(void *arg)
{
	return !pthread_setspecific(exit_key, arg);
}

bool hazptr_thread_start_(void *(*run)(void *), void *arg, const char *name)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t before;
	bool started;

	if (pthread_attr_init(&attr))
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	hazptr_signals_block_(&before);
	started = !pthread_create(&thread, &attr, run, arg);
	if (started)
		pthread_setname_np(thread, name);
	hazptr_signals_restore_(&before);
	pthread_attr_destroy(&attr);
	return started;
}
