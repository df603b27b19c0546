/* SPDX-License-Identifier: MIT */
/* explore/port.h - what port.c, in the client's image, asks of the engine */
#ifndef EX_PORT_H
#define EX_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void ex_lock(const void *word);
void ex_unlock(const void *word);
bool ex_wait(const void *word, uint32_t value, uint64_t deadline);
void ex_wake(const void *word);
void ex_backoff(uint64_t deadline);
uint64_t ex_now(void);
void *ex_alloc(size_t size);
int ex_self(void);
bool ex_thread_start(void *(*run)(void *), void *arg);
bool ex_thread_ended(int tid);
void ex_exit_hook(void (*at_exit)(void *));
void ex_at_exit(void *arg);
_Noreturn void ex_die(const char *call, const void *object, const char *what);
void ex_warn(const char *call, const void *object, const char *what);

#endif /* EX_PORT_H */
