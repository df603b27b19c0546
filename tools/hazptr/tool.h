/* SPDX-License-Identifier: MIT */
/* tools/hazptr/tool.h - what the subcommands share */
#ifndef HAZPTR_TOOL_H
#define HAZPTR_TOOL_H

#include <hazptr/hazptr.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOOL_STRING_(x) #x
#define TOOL_STRING(x) TOOL_STRING_(x)
#define TOOL_VERSION                                           \
	TOOL_STRING(HAZPTR_VERSION_MAJOR)                      \
	"." TOOL_STRING(HAZPTR_VERSION_MINOR) "." TOOL_STRING( \
		HAZPTR_VERSION_PATCH)

/* "hazptr: WHAT: VALUE" and where to look; exit status 2. */
_Noreturn void tool_wrong(const char *what, const char *value);

int tool_info(int argc, char **argv);
int tool_bench(int argc, char **argv);
int tool_torture(int argc, char **argv);

/*
 * A fact: a number, or the text where there is one. The same in text and in
 * JSON, where a note is KEY_note.
 */
struct fact {
	const char *key;
	char text[96]; /* "": a number */
	int64_t number;
	char note[96]; /* "": none */
};

#define FACTS_MAX 64
struct facts {
	struct fact fact[FACTS_MAX];
	size_t n;
};

void fact_number(struct facts *f, const char *key, int64_t number,
		 const char *note);
void fact_text(struct facts *f, const char *key, const char *text,
	       const char *note);

/* machine.c: what the kernel and libc offer, and what the library took. */
void machine_offers(struct facts *f);
void machine_in_use(struct facts *f);

/* sizes.c */
void sizes_of_structs(struct facts *f);
void sizes_limits(struct facts *f);

#endif /* HAZPTR_TOOL_H */
