/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/report.c - what was done, as text or JSON */
#include "futex.h"
#include "nodes.h"

#include <json-c/json.h>
#include <sys/resource.h>
#include <unistd.h>

static struct {
	struct op *op;
	const struct workload *of;
} all_ops[OPS_MAX];
static unsigned n_ops;

static void number_ops(const struct workload *w)
{
	unsigned i;

	for (i = 0; i < w->n_ops && n_ops < OPS_MAX; i++) {
		w->ops[i].index = n_ops;
		all_ops[n_ops].op = &w->ops[i];
		all_ops[n_ops++].of = w;
	}
}

/* Numbers all of them when it is first called. */
struct op *op_number(unsigned i, const struct workload **of)
{
	unsigned k;

	if (!n_ops) {
		for (k = 0; k < WORKLOADS; k++)
			number_ops(workloads[k]);
		number_ops(&faults_workload);
	}
	if (i >= n_ops)
		return NULL;
	*of = all_ops[i].of;
	return all_ops[i].op;
}

static uint64_t done_in(const struct workload *w)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < w->n_ops; i++)
		n += done_all(w->ops[i].index);
	return n;
}

static uint64_t done_in_all(void)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < WORKLOADS; i++)
		n += done_in(workloads[i]);
	return n;
}

void report_progress(unsigned second)
{
	struct domain_figures f[DOMAINS];
	uint64_t retired = 0, waiting = 0;
	bool terminal = isatty(STDERR_FILENO);
	unsigned i, n;

	if (!terminal && !setting.progress)
		return;
	n = nodes_figures(f);
	for (i = 0; i < n; i++) {
		retired += f[i].stats.retired;
		waiting += f[i].stats.waiting;
	}
	fprintf(stderr,
		"%s%4u s  %llu operations, %llu retired, %llu waiting, "
		"%llu signals%s",
		terminal ? "\r" : "", second, (unsigned long long)done_in_all(),
		(unsigned long long)retired, (unsigned long long)waiting,
		(unsigned long long)get(&signals_seen),
		terminal ? "\033[K" : "\n");
}

/*
 * The summary is built once, as a tree, and printed as text or as JSON. Order
 * is that of insertion.
 */
typedef struct json_object tree;

static tree *node(tree *parent, const char *key)
{
	tree *o = json_object_new_object();

	json_object_object_add(parent, key, o);
	return o;
}

static void put(tree *o, const char *key, uint64_t n)
{
	json_object_object_add(o, key, json_object_new_int64((int64_t)n));
}

static void put_text(tree *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void add_workload(tree *o, const struct workload *w)
{
	unsigned i;

	for (i = 0; i < w->n_ops; i++)
		put(o, w->ops[i].name, done_all(w->ops[i].index));
}

static void add_disturbances(tree *o)
{
	add_workload(o, &faults_workload);
	put(o, "signal", get(&signals_seen));
	put(o, "stop", get(&watched->stops));
	put(o, "allocation refused", get(&refused));
}

static void add_domains(tree *o)
{
	struct domain_figures f[DOMAINS];
	unsigned i, n = nodes_figures(f);
	tree *d;

	for (i = 0; i < n; i++) {
		d = node(o, f[i].stats.name);
		put(d, "retired", f[i].stats.retired);
		put(d, "reclaimed", f[i].stats.reclaimed);
		put(d, "peak", f[i].stats.pending_peak);
		put(d, "waiting", f[i].most_waiting);
		if (f[i].bounded)
			put(d, "bound", f[i].stats.max_retired);
		put(d, "scans", f[i].stats.scans);
		put(d, "heavy_fences", f[i].stats.heavy_fences);
	}
}

static void add_rest(tree *root)
{
	struct hazptr_promotion_stats p = { .size = sizeof(p) };
	struct rusage usage;
	tree *o = node(root, "thread_shared");

	hazptr_thread_shared_stats(&p);
	put(o, "promoted by scan", p.promoted_by_scan);
	put(o, "promoted by age", p.promoted_by_age);
	put(o, "promoted by request", p.promoted_by_request);
	put(o, "promoted by exit", p.promoted_by_exit);
	put(o, "counted at once", p.fallen_back);
	o = node(root, "waits");
	put(o, "woken", futex_sums.woken);
	put(o, "moved", futex_sums.moved);
	put(o, "stale", futex_sums.stale);
	put(o, "timed out", futex_sums.timed_out);
	o = node(root, "objects");
	put(o, "places", objects_used());
	put(o, "made", objects_made());
	put(o, "none free", objects_none());
	getrusage(RUSAGE_SELF, &usage);
	put(o, "peak memory KiB", (uint64_t)usage.ru_maxrss);
}

static tree *summary(void)
{
	tree *root = json_object_new_object(), *o, *array;
	unsigned i;

	put_text(root, "result", "clean");
	put(root, "seed", setting.seed);
	put_text(root, "fence", setting.fence);
	put(root, "threads", setting.threads);
	json_object_object_add(root, "seconds",
			       json_object_new_double(setting.seconds));
	array = json_object_new_array();
	for (i = 1; i < FAULTS; i++)
		if (has_fault((enum fault)i))
			json_object_array_add(
				array, json_object_new_string(fault_names[i]));
	json_object_object_add(root, "faults", array);
	put(root, "operations", done_in_all());
	o = node(root, "workloads");
	for (i = 0; i < WORKLOADS; i++)
		if (setting.workloads >> i & 1)
			add_workload(node(o, workloads[i]->name), workloads[i]);
	add_disturbances(node(root, "disturbances"));
	add_domains(node(root, "domains"));
	add_rest(root);
	return root;
}

static unsigned long long number(tree *o, const char *key)
{
	tree *value = NULL;

	json_object_object_get_ex(o, key, &value);
	return (unsigned long long)json_object_get_int64(value);
}

static tree *part(tree *root, const char *key)
{
	tree *o = NULL;

	json_object_object_get_ex(root, key, &o);
	return o;
}

static void for_each(tree *o, void (*tell)(const char *key, tree *value))
{
	struct json_object_iter it;

	json_object_object_foreachC(o, it) tell(it.key, it.val);
}

static void print_number(const char *key, tree *value)
{
	printf("  %-20s %14lld\n", key,
	       (long long)json_object_get_int64(value));
}

static void print_workload(const char *name, tree *o)
{
	struct json_object_iter it;
	int64_t sum = 0;

	json_object_object_foreachC(o, it) sum += json_object_get_int64(it.val);
	printf("%-22s %14lld\n", name, (long long)sum);
	for_each(o, print_number);
}

static void print_figure(const char *key, tree *value)
{
	printf("  %s %lld", key, (long long)json_object_get_int64(value));
}

static void print_figures(const char *title, tree *o)
{
	printf("%s:", title);
	for_each(o, print_figure);
	putchar('\n');
}

static void print_domain(const char *name, tree *d)
{
	printf("%-12s %12llu %12llu %9llu %9llu ", name, number(d, "retired"),
	       number(d, "reclaimed"), number(d, "peak"), number(d, "waiting"));
	if (part(d, "bound"))
		printf("%7llu", number(d, "bound"));
	else
		printf("%7s", "-");
	printf(" %10llu %12llu\n", number(d, "scans"),
	       number(d, "heavy_fences"));
}

static void print_text(tree *root)
{
	for_each(part(root, "workloads"), print_workload);
	puts("disturbances");
	for_each(part(root, "disturbances"), print_number);
	printf("\n%-12s %12s %12s %9s %9s %7s %10s %12s\n", "domain", "retired",
	       "reclaimed", "peak", "waiting", "bound", "scans",
	       "heavy fences");
	for_each(part(root, "domains"), print_domain);
	putchar('\n');
	print_figures("thread-shared", part(root, "thread_shared"));
	print_figures("waits", part(root, "waits"));
	print_figures("objects", part(root, "objects"));
	printf("\nclean: %llu operations, seed %llu\n",
	       number(root, "operations"), number(root, "seed"));
}

void report(void)
{
	tree *root = summary();

	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
	if (setting.json)
		puts(json_object_to_json_string_ext(
			root,
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
	else
		print_text(root);
	json_object_put(root);
}
