/* SPDX-License-Identifier: MIT */
/* tests/fault/fault.c - what the cases share: objects, gates, waiting */
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

int things_alive;
int things_reclaimed;
int gate_hits;
__thread bool gate_me;
void (*gate_hook)(const char *point);

/* The testing build alone has it. */
#pragma weak hazptr_test_point_

static const char *gate_point;
static sem_t gate_reached, gate_opened;

_Noreturn void fault_fail(const char *file, int line, const char *what)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s:%d: failed: %s\n", file, line,
			 what);

	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(3);
	_exit(1);
}

void fault_equal(const char *file, int line, const char *what, long long a,
		 long long b)
{
	char text[200];

	if (a == b)
		return;
	snprintf(text, sizeof(text), "%s: %lld and %lld", what, a, b);
	fault_fail(file, line, text);
}

_Noreturn void fault_skip(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
	_exit(CASE_SKIP);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_ASAN true
#endif
#if __has_feature(thread_sanitizer)
#define IS_TSAN true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(IS_ASAN)
#define IS_ASAN true
#endif
#if defined(__SANITIZE_THREAD__) && !defined(IS_TSAN)
#define IS_TSAN true
#endif
#ifndef IS_ASAN
#define IS_ASAN false
#endif
#ifndef IS_TSAN
#define IS_TSAN false
#endif

#if IS_TSAN
/* Children of a process with threads start threads here; and many end. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0:atexit_sleep_ms=20";
}
#endif

bool fault_is_asan(void)
{
	return IS_ASAN;
}

bool fault_is_tsan(void)
{
	return IS_TSAN;
}

bool fault_is_valgrind(void)
{
	static int known = -1;
	const char *preload = getenv("LD_PRELOAD");

	if (known < 0)
		known = preload && strstr(preload, "vgpreload");
	return known;
}

void fault_needs_threads_after_fork(void)
{
	if (IS_TSAN)
		fault_skip("this sanitizer loses count of the threads that "
			   "the child of a fork starts");
}

bool fault_is_sanitized(void)
{
	return IS_ASAN || IS_TSAN || fault_is_valgrind();
}

unsigned fault_scaled(unsigned n)
{
	const char *given = getenv("HAZPTR_TEST_SCALE");
	unsigned scale = given ? (unsigned)strtoul(given, NULL, 10) : 0;

	if (!scale)
		scale = fault_is_valgrind() ? 50 :
			fault_is_sanitized() ? 10 : 1;
	n /= scale;
	return n ? n : 1;
}

double fault_seconds(double quick)
{
	const char *given = getenv("HAZPTR_TEST_SECONDS");

	return given ? strtod(given, NULL) : quick;
}

int alive(void)
{
	return __atomic_load_n(&things_alive, __ATOMIC_ACQUIRE);
}

int reclaimed(void)
{
	return __atomic_load_n(&things_reclaimed, __ATOMIC_ACQUIRE);
}

struct thing *thing_new(uint32_t id)
{
	struct thing *t = calloc(1, sizeof(*t));

	CHECK(t);
	t->magic = THING_MAGIC;
	t->id = id;
	__atomic_fetch_add(&things_alive, 1, __ATOMIC_ACQ_REL);
	return t;
}

void thing_check(const struct thing *t)
{
	CHECK_EQ(__atomic_load_n(&t->magic, __ATOMIC_RELAXED), THING_MAGIC);
}

void thing_destroy(void *p)
{
	struct thing *t = p;

	thing_check(t);
	if (t->at_reclaim)
		t->at_reclaim(t);
	t->magic = THING_DEAD;
	free(t);
	__atomic_fetch_sub(&things_alive, 1, __ATOMIC_ACQ_REL);
	__atomic_fetch_add(&things_reclaimed, 1, __ATOMIC_ACQ_REL);
}

void thing_reclaim(struct hazptr_head *head)
{
	thing_destroy((char *)head - offsetof(struct thing, head));
}

void thing_retire(struct hazptr_domain *d, struct thing *t)
{
	hazptr_retire(d, t, head, thing_reclaim);
}

struct thing *thing_protect(struct hazptr_guard *g, struct thing *const *src)
{
	struct thing *t = hazptr_protect(g, src);

	CHECK(t);
	thing_check(t);
	return t;
}

struct thing *thing_guarded(struct hazptr_guard *g, uint32_t id)
{
	struct thing *source = thing_new(id);
	struct thing *t = hazptr_protect(g, &source);

	CHECK(t == source);
	return t;
}

struct hazptr_domain *domain_new(enum hazptr_reclaim reclaim,
				 size_t max_retired, unsigned max_delay_ms)
{
	struct hazptr_domain_opts opts = {
		.size = sizeof(opts),
		.reclaim = reclaim,
		.max_retired = max_retired,
		.max_delay_ms = max_delay_ms,
		.name = "fault",
	};
	struct hazptr_domain *d;

	CHECK_EQ(hazptr_domain_create(&d, &opts), 0);
	return d;
}

struct hazptr_stats domain_stats(struct hazptr_domain *d)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };

	hazptr_domain_stats(d, &stats);
	return stats;
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void nap_ms(unsigned ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

bool wait_for(const int *word, int value, unsigned seconds)
{
	double end = now() + seconds;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < value) {
		if (now() > end)
			return false;
		nap_ms(1);
	}
	return true;
}

pthread_t spawn(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, run, arg), 0);
	return thread;
}

void join(pthread_t thread)
{
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* D and R are not asleep, nor is a thread that begins or ends. */
static bool others_sleep(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	bool all = true;

	CHECK(tasks);
	while ((entry = readdir(tasks))) {
		long tid = strtol(entry->d_name, NULL, 10);
		char path[64], state = 'S';
		FILE *f;

		if (!tid || tid == syscall(SYS_gettid))
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", tid);
		f = fopen(path, "r");
		if (f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1)
			all &= state == 'S';
		if (f)
			fclose(f);
	}
	closedir(tasks);
	return all;
}

/*
 * AddressSanitizer does not take its allocator's locks for a fork. A thread
 * that is in malloc() then, or in its own beginning or end, has one for ever in
 * the child. So under it: when all others sleep.
 */
pid_t fault_fork(void)
{
	double end = now() + 60;

	fflush(NULL);
	while (IS_ASAN && !others_sleep() && now() < end)
		nap_ms(1);
	return fork();
}

bool child_ok(pid_t child)
{
	int status;

	CHECK(child > 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	fprintf(stderr, "child %d: exit %d, signal %d\n", (int)child,
		WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return false;
}

static pid_t each_thread(int *count)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t found = 0;

	CHECK(tasks);
	*count = 0;
	while ((entry = readdir(tasks))) {
		char path[300], name[32] = "";
		FILE *f;

		if (entry->d_name[0] == '.')
			continue;
		++*count;
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 entry->d_name);
		f = fopen(path, "r");
		if (f && fgets(name, sizeof(name), f) &&
		    !strncmp(name, "hazptr", 6))
			found = (pid_t)strtol(entry->d_name, NULL, 10);
		if (f)
			fclose(f);
	}
	closedir(tasks);
	return found;
}

int thread_count(void)
{
	int count;

	each_thread(&count);
	return count;
}

pid_t library_thread(void)
{
	int count;

	return each_thread(&count);
}

unsigned long long thread_status(pid_t tid, const char *field, int base)
{
	size_t length = strlen(field);
	unsigned long long value = 0;
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
	f = fopen(path, "r");
	CHECK(f);
	while (!found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, length) || line[length] != ':')
			continue;
		value = strtoull(line + length + 1, NULL, base);
		found = true;
	}
	fclose(f);
	CHECK(found);
	return value;
}

/* Called by the library in whatever thread, at whatever place. */
static void on_point(const char *point)
{
	const char *armed = __atomic_load_n(&gate_point, __ATOMIC_ACQUIRE);

	if (gate_hook)
		gate_hook(point);
	if (!armed || strcmp(armed, point))
		return;
	__atomic_fetch_add(&gate_hits, 1, __ATOMIC_ACQ_REL);
	if (!gate_me ||
	    !__atomic_compare_exchange_n(&gate_point, &armed, NULL, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	sem_post(&gate_reached);
	while (sem_wait(&gate_opened) && errno == EINTR)
		;
}

__attribute__((constructor)) static void gate_init(void)
{
	sem_init(&gate_reached, 0, 0);
	sem_init(&gate_opened, 0, 0);
	if (&hazptr_test_point_)
		hazptr_test_point_ = on_point;
}

void gate_arm(const char *point)
{
	__atomic_store_n(&gate_hits, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&gate_point, point, __ATOMIC_RELEASE);
}

void gate_wait(void)
{
	while (sem_wait(&gate_reached) && errno == EINTR)
		;
}

void gate_open(void)
{
	sem_post(&gate_opened);
}
