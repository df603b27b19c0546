/* SPDX-License-Identifier: MIT */
/*
 * explore/fiber.c - threads as coroutines, and their variables
 *
 * All threads of a client run in one real thread, on stacks of their own. A
 * switch exchanges the client's thread-local block, so `__thread` works as the
 * source has it. Before each run the client's data are what they were when
 * main() began.
 *
 * A stack is entered once, by makecontext; afterwards _setjmp and _longjmp
 * switch, which make no system call.
 */
#define _GNU_SOURCE
#include "engine.h"

#include <link.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK (64 * 1024)
#define TLS_MAX 4096
#define CONTROLLER EX_MAX

void thread_body(int tid);

static struct fiber {
	jmp_buf here, base;
	ucontext_t context;
	char tls[TLS_MAX];
} fibers[EX_MAX + 1];

static struct {
	char *data, *kept; /* .data and .bss of the client's image */
	size_t size;
	char *tls;
	size_t tls_size;
	const char *tls_image;
	size_t tls_image_size;
	ucontext_t start;
	int entering;
} image;

static int on_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t relro = 0, begin, end;
	int i;

	(void)size, (void)arg;
	for (i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
			relro = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr +
				info->dlpi_phdr[i].p_memsz;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_TLS) {
			image.tls = info->dlpi_tls_data;
			image.tls_size = p->p_memsz;
			image.tls_image =
				(const char *)(info->dlpi_addr + p->p_vaddr);
			image.tls_image_size = p->p_filesz;
		}
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_W))
			continue;
		begin = info->dlpi_addr + p->p_vaddr;
		end = begin + p->p_memsz;
		if (relro > begin && relro <= end)
			begin = (relro + 4095) & ~(uintptr_t)4095;
		image.data = (char *)begin;
		image.size = end > begin ? end - begin : 0;
	}
	return 1; /* the program is the first */
}

static void entry(void)
{
	int tid = image.entering;

	if (!_setjmp(fibers[tid].base))
		swapcontext(&fibers[tid].context, &image.start);
	thread_body(ex.self);
	fail("a thread went on after its end");
}

void fibers_start(void)
{
	int i;

	dl_iterate_phdr(on_object, NULL);
	if (image.tls_size > TLS_MAX) {
		fprintf(stderr, "explore: too many thread-local variables\n");
		exit(2);
	}
	for (i = 0; i < EX_MAX; i++) {
		char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (stack == MAP_FAILED || getcontext(&fibers[i].context)) {
			perror("explore: stack");
			exit(2);
		}
		fibers[i].context.uc_stack.ss_sp = stack;
		fibers[i].context.uc_stack.ss_size = STACK;
		image.entering = i;
		makecontext(&fibers[i].context, entry, 0);
		swapcontext(&image.start, &fibers[i].context);
	}
}

/* The thread will begin anew, with fresh thread-local variables. */
void fiber_reset(int tid)
{
	struct fiber *f = &fibers[tid];

	memcpy(f->here, f->base, sizeof(f->here));
	memset(f->tls, 0, image.tls_size);
	memcpy(f->tls, image.tls_image, image.tls_image_size);
}

static void swap_tls(int from, int to)
{
	if (from != CONTROLLER)
		memcpy(fibers[from].tls, image.tls, image.tls_size);
	if (to != CONTROLLER)
		memcpy(image.tls, fibers[to].tls, image.tls_size);
}

void fiber_switch(int tid)
{
	int from = ex.self < 0 ? CONTROLLER : ex.self;
	int to = tid < 0 ? CONTROLLER : tid;

	if (from == to)
		return;
	swap_tls(from, to);
	if (!_setjmp(fibers[from].here)) {
		ex.self = tid;
		_longjmp(fibers[to].here, 1);
	}
}

/* To the controller, for good: the run is over. */
_Noreturn void fiber_leave(void)
{
	ex.self = -1;
	_longjmp(fibers[CONTROLLER].here, 1);
}

bool is_thread_local(const void *p)
{
	const char *c = p;

	return c >= image.tls && c < image.tls + image.tls_size;
}

bool is_image(const void *p)
{
	const char *c = p;

	return c >= image.data && c < image.data + image.size;
}

void image_keep(void)
{
	image.kept = malloc(image.size);
	if (!image.kept)
		exit(2);
	memcpy(image.kept, image.data, image.size);
}

void image_restore(void)
{
	memcpy(image.data, image.kept, image.size);
}
