/* SPDX-License-Identifier: MIT */
/* tools/hazptr/info.c - hazptr info */
#include "tool.h"

#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: hazptr info [--json]\n"
	"What this machine and kernel offer, which fence and which slots are "
	"in use\nand why, the sizes of the public structs in bytes, and the "
	"limits.\n";

static const struct section {
	const char *key;
	const char *title;
	void (*look)(struct facts *f);
} sections[] = {
	{ "machine", "machine", machine_offers },
	{ "in_use", "in use", machine_in_use },
	{ "sizes", "sizes, in bytes", sizes_of_structs },
	{ "limits", "limits", sizes_limits },
};

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static struct fact *add(struct facts *f, const char *key, const char *note)
{
	static struct fact beyond; /* FACTS_MAX is too small: nothing is lost */
	struct fact *new = f->n < FACTS_MAX ? &f->fact[f->n++] : &beyond;

	*new = (struct fact){ .key = key };
	snprintf(new->note, sizeof(new->note), "%s", note);
	return new;
}

void fact_number(struct facts *f, const char *key, int64_t number,
		 const char *note)
{
	add(f, key, note)->number = number;
}

void fact_text(struct facts *f, const char *key, const char *text,
	       const char *note)
{
	struct fact *new = add(f, key, note);

	snprintf(new->text, sizeof(new->text), "%s", text);
}

static void print_fact(const struct fact *f)
{
	printf("  %-24s ", f->key);
	if (f->text[0])
		printf("%s", f->text);
	else
		printf("%lld", (long long)f->number);
	if (f->note[0])
		printf(" (%s)", f->note);
	putchar('\n');
}

static int print_text(const struct facts *facts)
{
	puts("hazptr " TOOL_VERSION);
	for (size_t i = 0; i < SECTIONS; i++) {
		printf("\n%s\n", sections[i].title);
		for (size_t k = 0; k < facts[i].n; k++)
			print_fact(&facts[i].fact[k]);
	}
	return 0;
}

static void put(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static struct json_object *section(const struct facts *facts)
{
	struct json_object *o = json_object_new_object();
	char key[64];

	for (size_t i = 0; i < facts->n; i++) {
		const struct fact *f = &facts->fact[i];

		if (f->text[0])
			put(o, f->key, f->text);
		else
			json_object_object_add(
				o, f->key, json_object_new_int64(f->number));
		snprintf(key, sizeof(key), "%s_note", f->key);
		if (f->note[0])
			put(o, key, f->note);
	}
	return o;
}

static int print_json(const struct facts *facts)
{
	struct json_object *root = json_object_new_object();
	const char *text;

	put(root, "version", TOOL_VERSION);
	for (size_t i = 0; i < SECTIONS; i++)
		json_object_object_add(root, sections[i].key,
				       section(&facts[i]));
	text = json_object_to_json_string_ext(
		root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
	if (text)
		puts(text);
	else
		fputs("hazptr: info: out of memory\n", stderr);
	json_object_put(root);
	return text ? 0 : 1;
}

int tool_info(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static struct facts facts[SECTIONS];
	static char name[] = "hazptr info";
	bool json = false;
	int c;

	argv[0] = name; /* for getopt's messages */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (c != 'j') {
			fputs(usage, stderr);
			return 2;
		}
		json = true;
	}
	if (optind < argc)
		tool_wrong("info takes no argument", argv[optind]);
	for (size_t i = 0; i < SECTIONS; i++)
		sections[i].look(&facts[i]);
	return json ? print_json(facts) : print_text(facts);
}
