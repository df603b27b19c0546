/* SPDX-License-Identifier: MIT */
/* tests/unit/fence.c - the sentences of hazptr/fence.h */
#include "test.h"

#include <hazptr/fence.h>

#include <sys/auxv.h>
#include <sys/stat.h>

#define THREADS 8

static const char *const mode_names[] = { "membarrier", "full", "marker" };

static void mode_is_the_one_that_was_asked_for(void **state)
{
	const char *asked = getenv("HAZPTR_FENCE");
	enum hazptr_fence_mode mode = hazptr_fence_mode();

	(void)state;
	assert_in_range(mode, HAZPTR_FENCE_MEMBARRIER, HAZPTR_FENCE_MARKER);
	if (asked && strcmp(asked, "full") == 0)
		assert_int_equal(mode, HAZPTR_FENCE_FULL);
	else if (asked && strcmp(asked, "marker") == 0)
		assert_int_equal(mode, HAZPTR_FENCE_MARKER);
	else /* nobody but the environment asks for the marker */
		assert_int_not_equal(mode, HAZPTR_FENCE_MARKER);
}

static void *mode_seen(void *arg)
{
	*(enum hazptr_fence_mode *)arg = hazptr_fence_mode();
	return NULL;
}

static void mode_is_the_same_everywhere_and_stays(void **state)
{
	enum hazptr_fence_mode mode = hazptr_fence_mode();
	enum hazptr_fence_mode seen[THREADS];
	pthread_t threads[THREADS];
	int i, status;
	pid_t pid;

	(void)state;
	for (i = 0; i < THREADS; i++)
		threads[i] = test_start(mode_seen, &seen[i]);
	for (i = 0; i < THREADS; i++) {
		test_join(threads[i]);
		assert_int_equal(seen[i], mode);
	}
	pid = fork();
	if (pid == 0) {
		hazptr_fence_heavy();
		_exit(hazptr_fence_mode() == mode ? 0 : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(hazptr_fence_mode(), mode);
}

/* Each stores one word and reads the other's: both may not miss. */

#define ROUNDS TEST_MANY(20000)

struct round {
	int reader_stored, updater_stored;
	int reader_saw, updater_saw;
};

static struct round rounds[ROUNDS];
static int reader_at, updater_at;

/* Stay beside the other thread, without any order that would help. */
static void keep_step(int *mine, int *other, int i)
{
	__atomic_store_n(mine, i, __ATOMIC_RELAXED);
	while (__atomic_load_n(other, __ATOMIC_RELAXED) < i)
		sched_yield();
}

static void *fence_reader(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		keep_step(&reader_at, &updater_at, i);
		__atomic_store_n(&rounds[i].reader_stored, 1, __ATOMIC_RELAXED);
		hazptr_fence_light();
		rounds[i].reader_saw = __atomic_load_n(
			&rounds[i].updater_stored, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&reader_at, ROUNDS, __ATOMIC_RELAXED);
	return NULL;
}

static void light_and_heavy_make_a_full_fence(void **state)
{
	pthread_t reader = test_start(fence_reader, NULL);
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		keep_step(&updater_at, &reader_at, i);
		__atomic_store_n(&rounds[i].updater_stored, 1,
				 __ATOMIC_RELAXED);
		hazptr_fence_heavy();
		rounds[i].updater_saw = __atomic_load_n(
			&rounds[i].reader_stored, __ATOMIC_RELAXED);
	}
	test_join(reader);
	for (i = 0; i < ROUNDS; i++)
		assert_true(rounds[i].reader_saw || rounds[i].updater_saw);
}

static void fences_leave_errno_alone(void **state)
{
	(void)state;
	errno = 4711;
	hazptr_fence_light();
	hazptr_fence_heavy();
	assert_int_equal(errno, 4711);
}

/* Children that say which mode they chose. */

static void child_mode(void)
{
	const char *name = mode_names[hazptr_fence_mode()];

	hazptr_fence_light();
	hazptr_fence_heavy();
	must(write(1, name, strlen(name)) > 0);
}

static pthread_barrier_t all_at_once;

static void *choose_at_once(void *arg)
{
	pthread_barrier_wait(&all_at_once);
	return mode_seen(arg);
}

static void child_modes(void)
{
	enum hazptr_fence_mode seen[THREADS];
	pthread_t threads[THREADS];
	int i;

	must(!pthread_barrier_init(&all_at_once, NULL, THREADS));
	for (i = 0; i < THREADS; i++)
		threads[i] = test_start(choose_at_once, &seen[i]);
	for (i = 0; i < THREADS; i++)
		test_join(threads[i]);
	for (i = 0; i < THREADS; i++)
		must(seen[i] == seen[0]);
	child_mode();
}

/* Runs a child to a good end. */
static void run(struct test_result *r, const char *child, const char *fence)
{
	test_child_run(r, child, fence);
	if (r->status != 0)
		fail_msg("%s %s: status %x: %s", child, fence ? fence : "",
			 (unsigned)r->status, r->err);
}

static void environment_forces_a_mode(void **state)
{
	struct test_result r;

	(void)state;
	run(&r, "mode", "HAZPTR_FENCE=full");
	assert_string_equal(r.out, "full");
	assert_string_equal(r.err, "");
	run(&r, "mode", "HAZPTR_FENCE=marker");
	assert_string_equal(r.out, "marker");
	assert_string_equal(r.err, "");
	run(&r, "mode", "HAZPTR_FENCE=membarrier");
	if (strcmp(r.out, "membarrier") == 0) {
		assert_string_equal(r.err, "");
	} else { /* refused by the kernel, and said so */
		assert_string_equal(r.out, "full");
		assert_int_equal(test_lines(r.err), 1);
		assert_non_null(strstr(r.err, "HAZPTR_FENCE"));
	}
}

static void no_variable_says_nothing(void **state)
{
	struct test_result r;

	(void)state;
	run(&r, "mode", NULL);
	assert_string_equal(r.err, "");
	assert_string_not_equal(r.out, "marker");
}

static void unknown_value_is_reported_once_and_ignored(void **state)
{
	static const char *const unknown[] = {
		"HAZPTR_FENCE=bogus",	"HAZPTR_FENCE=FULL",
		"HAZPTR_FENCE=ful",	"HAZPTR_FENCE=fullx",
		"HAZPTR_FENCE=marker ", "HAZPTR_FENCE=membarrier,full",
	};
	struct test_result without, r;
	size_t i;

	(void)state;
	run(&without, "mode", NULL);
	for (i = 0; i < TEST_COUNT(unknown); i++) {
		run(&r, "mode", unknown[i]);
		assert_string_equal(r.out, without.out);
		assert_int_equal(test_lines(r.err), 1);
		assert_non_null(strstr(r.err, "HAZPTR_FENCE"));
		run(&r, "modes", unknown[i]);
		assert_string_equal(r.out, without.out);
		assert_int_equal(test_lines(r.err), 1);
	}
}

static void report_shows_the_unknown_value(void **state)
{
	struct test_result r;

	(void)state;
	run(&r, "mode", "HAZPTR_FENCE=bogus");
	assert_non_null(strstr(r.err, "bogus"));
}

/* In a set-user-ID program: 'secure' when the kernel agrees that it is one. */
static void child_secure_mode(void)
{
	if (getauxval(AT_SECURE))
		must(write(1, "secure ", 7) == 7);
	child_mode();
}

static bool copy_file(const char *from, int to)
{
	char buffer[65536];
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return false;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, (size_t)n) != n)
			break;
	close(fd);
	return n == 0;
}

static void set_user_id_programs_ignore_the_variable(void **state)
{
	char name[] = "/tmp/hazptr-setuid-XXXXXX";
	char before[sizeof(test_self)];
	struct test_result r;
	int fd;

	(void)state;
	if (geteuid() != 0 || TEST_SANITIZED)
		skip();
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_true(copy_file(test_self, fd));
	assert_int_equal(fchown(fd, 65534, 65534), 0);
	assert_int_equal(fchmod(fd, 04755), 0);
	assert_int_equal(close(fd), 0);
	memcpy(before, test_self, sizeof(before));
	strcpy(test_self, name);
	test_child_run(&r, "secure", "HAZPTR_FENCE=marker");
	memcpy(test_self, before, sizeof(before));
	unlink(name);
	if (r.status != 0 || strncmp(r.out, "secure ", 7) != 0)
		skip(); /* the file system does not let it */
	assert_string_not_equal(r.out, "secure marker");
	assert_string_equal(r.err, "");
}

static const struct test_child children[] = {
	{ "mode", child_mode },
	{ "modes", child_modes },
	{ "secure", child_secure_mode },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(mode_is_the_one_that_was_asked_for),
		cmocka_unit_test(mode_is_the_same_everywhere_and_stays),
		cmocka_unit_test(light_and_heavy_make_a_full_fence),
		cmocka_unit_test(fences_leave_errno_alone),
		cmocka_unit_test(environment_forces_a_mode),
		cmocka_unit_test(no_variable_says_nothing),
		cmocka_unit_test(unknown_value_is_reported_once_and_ignored),
		cmocka_unit_test(report_shows_the_unknown_value),
		cmocka_unit_test(set_user_id_programs_ignore_the_variable),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
