/* SPDX-License-Identifier: MIT */
/* tests/fault/runner.c - each case a process, and how it ended */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SAID_MAX 16384

struct outcome {
	int status;	/* as from waitpid */
	bool late;
	char said[SAID_MAX];
	size_t length;
};

static const char *const fence_names[] = { "membarrier", "full", "marker" };

static char *program(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	CHECK(n > 0);
	path[n] = '\0';
	return path;
}

_Noreturn static void start_case(const struct fault_case *c, const char *fence,
				 int err)
{
	char *args[4] = { program(), "--case", NULL, NULL };
	struct rlimit no_core = { 0, 0 };

	setpgid(0, 0);
	setrlimit(RLIMIT_CORE, &no_core);
	args[2] = strdup(c->name);
	dup2(err, STDERR_FILENO);
	close(err);
	if (fence)
		setenv("HAZPTR_FENCE", fence, 1);
	else
		unsetenv("HAZPTR_FENCE");
	if (c->prepare && !c->prepare())
		fault_skip("the kernel refuses what the test needs");
	execv(args[0], args);
	_exit(127);
}

/* Collect what the case says until it has ended or its time is up. */
static void watch(pid_t child, int err, unsigned seconds, struct outcome *o)
{
	double end = now() + seconds;
	struct pollfd p = { .fd = err, .events = POLLIN };
	bool open = true;

	while (!o->late) {
		ssize_t n = 0;

		if (open && poll(&p, 1, 20) > 0) {
			n = read(err, o->said + o->length,
				 SAID_MAX - 1 - o->length);
			if (n <= 0)
				open = false;
			else
				o->length += (size_t)n;
		} else if (!open) {
			nap_ms(1);
		}
		if (n <= 0 && waitpid(child, &o->status, WNOHANG) == child)
			break;
		o->late = now() > end;
	}
	if (!o->late)
		return;
	kill(-child, SIGKILL); /* and what it has forked */
	waitpid(child, &o->status, 0);
}

/* What was still in the pipe; descendants that live on may hold it open. */
static void drain(int err, struct outcome *o)
{
	ssize_t n;

	fcntl(err, F_SETFL, O_NONBLOCK);
	do {
		n = read(err, o->said + o->length, SAID_MAX - 1 - o->length);
		if (n > 0)
			o->length += (size_t)n;
	} while (n > 0);
	o->said[o->length] = '\0';
}

/* The lines of the library's own; with text: those that contain it. */
static int library_lines(char *said, const char *text)
{
	char *line = said;
	int n = 0;

	while (line && *line) {
		char *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		if (!strncmp(line, "hazptr: ", 8) && strstr(line, text))
			n++;
		if (end)
			*end++ = '\n';
		line = end;
	}
	return n;
}

static const char *wrong(const struct fault_case *c, struct outcome *o)
{
	int lines = library_lines(o->said, "");

	if (o->late)
		return "still runs after its time";
	if (c->signal && !(WIFSIGNALED(o->status) &&
			   WTERMSIG(o->status) == c->signal))
		return "did not die of the signal that was expected";
	if (!c->signal && WIFSIGNALED(o->status))
		return "died of a signal";
	if (!c->signal && WEXITSTATUS(o->status) != c->status)
		return "wrong exit code";
	if (!c->says && lines)
		return "the library complained";
	if (c->says && library_lines(o->said, c->says) != 1)
		return "not exactly one line that was expected";
	if (c->says && lines != 1)
		return "more lines of the library's than expected";
	return NULL;
}

static int run_case(const struct fault_case *c, const char *fence)
{
	struct outcome *o = calloc(1, sizeof(*o));
	unsigned seconds = c->seconds ? c->seconds : 60;
	double began = now();
	const char *what;
	int err[2], result;
	pid_t child;

	CHECK(o && !pipe(err));
	fflush(stdout);
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		close(err[0]);
		start_case(c, fence, err[1]);
	}
	close(err[1]);
	watch(child, err[0], fault_is_sanitized() ? 5 * seconds : seconds, o);
	drain(err[0], o);
	close(err[0]);
	if (!o->late && WIFEXITED(o->status) &&
	    WEXITSTATUS(o->status) == CASE_SKIP) {
		what = "skip";
		result = CASE_SKIP;
	} else {
		what = wrong(c, o);
		result = what ? 1 : 0;
	}
	printf("%-4s %s%s%s (%.1f s)", result == 1 ? "FAIL" :
	       result ? "skip" : "ok", c->name, fence ? ", fence " : "",
	       fence ? fence : "", now() - began);
	if (result == 1)
		printf(": %s, status %#x", what, (unsigned)o->status);
	putchar('\n');
	if (o->length && (result || !c->says))
		printf("%s%s", o->said,
		       o->said[o->length - 1] == '\n' ? "" : "\n");
	free(o);
	return result;
}

static void count(int result, int done[3])
{
	done[result == CASE_SKIP ? 2 : result]++;
}

static void run_in_modes(const struct fault_case *c, int done[3])
{
	unsigned i;

	if (!c->fences) {
		count(run_case(c, c->fence), done);
		return;
	}
	for (i = 0; i < 3; i++)
		if (c->fences & (1u << i))
			count(run_case(c, fence_names[i]), done);
}

/* A case that returns has passed; exit() lets a leak checker look. */
static int be_case(const struct fault_case *c, const char *name)
{
	for (; c->name; c++) {
		if (strcmp(c->name, name))
			continue;
		c->run();
		return 0;
	}
	return 2;
}

int fault_main(int argc, char **argv, const struct fault_case *cases)
{
	const char *prefix = argc > 1 ? argv[1] : "";
	const struct fault_case *c;
	int done[3] = { 0, 0, 0 };

	if (argc == 3 && !strcmp(argv[1], "--case"))
		return be_case(cases, argv[2]);
	for (c = cases; c->name; c++)
		if (!strncmp(c->name, prefix, strlen(prefix)))
			run_in_modes(c, done);
	printf("%d passed, %d failed, %d skipped\n", done[0], done[1],
	       done[2]);
	if (done[1] || !(done[0] + done[2]))
		return 1;
	return done[0] ? 0 : CASE_SKIP;
}
