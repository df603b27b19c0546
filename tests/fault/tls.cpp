/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/tls.cpp - retire from C++ thread_local and static destructors
 *
 * Finding: retire during thread-local destruction, and during that of a
 * program's static objects, crashed (folly). Such destructors run before the
 * library's exit hook, or, for those made in other destructors, after others;
 * the static ones run when main has returned.
 */
#include <hazptr/hazptr.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

std::atomic<int> made, reclaimed;

struct node {
	int value;
	struct hazptr_head head;
};

void reclaim(struct hazptr_head *head)
{
	char *p = reinterpret_cast<char *>(head) - offsetof(node, head);

	delete reinterpret_cast<node *>(p);
	reclaimed++;
}

void use_library(int depth)
{
	node *source = new node();

	made++;
	if (depth < 12) {
		HAZPTR_GUARD(guard);
		node *n = hazptr_protect(&guard, &source);

		if (n != source)
			std::abort();
		use_library(depth + 1);
	}
	hazptr_retire(nullptr, source, head, reclaim);
}

/* What a thread keeps; used by its destructor for the last time. */
struct late {
	const char *when;

	explicit late(const char *made_when) : when(made_when) {}
	~late()
	{
		use_library(0);
		(void)hazptr_flush(nullptr);
	}
};

/* Holds something until the thread's end, and releases it then. */
struct holder {
	struct hazptr_guard guard;
	node *kept;

	holder() : guard(), kept(new node())
	{
		node *source = kept;

		made++;
		(void)hazptr_protect(&guard, &source);
	}
	~holder()
	{
		hazptr_release(&guard);
		hazptr_retire(nullptr, kept, head, reclaim);
	}
};

late statically("static");

void touch(const late &l)
{
	if (!l.when)
		std::abort();
}

void one_thread()
{
	static thread_local late before("before the first use");

	touch(before);
	use_library(0);

	static thread_local late after("after it");
	static thread_local holder h;

	touch(after);
	if (!h.kept)
		std::abort();
}

uint64_t slots()
{
	struct hazptr_stats stats = {};

	stats.size = sizeof(stats);
	hazptr_domain_stats(nullptr, &stats);
	return stats.slots;
}

int check(bool right, const char *what)
{
	if (!right)
		std::fprintf(stderr, "failed: %s\n", what);
	return right ? 0 : 1;
}

} /* namespace */

int main()
{
	uint64_t before = 0;
	int wrong = 0, i;

	touch(statically);
	for (i = 0; i < 100; i++) {
		std::thread(one_thread).join();
		if (i == 4)
			before = slots();
	}
	hazptr_barrier(nullptr);
	wrong += check(made == reclaimed, "all objects were reclaimed");
	wrong += check(slots() == before, "contexts are used again");
	one_thread(); /* and now in the main thread, while it exits */
	return wrong ? 1 : 0;
}
