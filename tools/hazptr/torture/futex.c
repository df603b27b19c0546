/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/futex.c - wait, wake, requeue, waitv, park
 *
 * What is checked: each wake that was counted is one wait that returned, each
 * token arrives once, nobody times out before the time, and nobody sleeps for
 * ever (rounds.c). Requeues lead to a later word only: a round wakes them in
 * their order, and so finds those who are moved under its eyes.
 *
 * Handlers may leave a wake to whom they have interrupted: then some waits
 * return for nothing.
 */
#include "futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>

#define MOST 8 /* words in one waitv */

uint32_t futex_words[WORDS], futex_several[SEVERAL], futex_keys[KEYS];
struct futex_sums futex_sums;
static bool by_count; /* HAZPTR_FUTEX: then handlers may not wake */

static void begin(void)
{
	const char *s = getenv("HAZPTR_FUTEX");

	by_count = s && !strcmp(s, "count");
}

static uint32_t read_word(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* None, past, or in a moment. Short lives do not wait for a round. */
static const struct timespec *any_deadline(struct timespec *t)
{
	uint64_t way = pick(4);

	if (!way && !self->helper)
		return NULL;
	*t = after_us(way == 1 ? 0 : pick(400));
	return t;
}

/* After the word was read: who reads it changed reads the epoch changed. */
static bool may_sleep(const struct timespec *deadline)
{
	if (deadline)
		return true;
	__atomic_store_n(&self->asleep, 1 + get(&futex_epoch),
			 __ATOMIC_RELEASE);
	return !is_over();
}

/* True: woken; its result is @result. */
static bool was_woken(int result, const struct timespec *deadline)
{
	uint64_t us;

	__atomic_store_n(&self->asleep, 0, __ATOMIC_RELEASE);
	if (result >= 0)
		return true;
	if (result == -EAGAIN) {
		add(&futex_sums.stale, 1);
		return false;
	}
	if (result != -ETIMEDOUT)
		failed("a wait is wrong", NULL);
	if (!deadline)
		failed("timed out without a deadline", NULL);
	us = (uint64_t)deadline->tv_sec * 1000000 +
	     (uint64_t)deadline->tv_nsec / 1000;
	if (now_us() < us)
		failed("timed out before its time", deadline);
	add(&futex_sums.timed_out, 1);
	return false;
}

static void wait_for_one(void)
{
	const uint32_t *word = &futex_words[pick(WORDS)];
	uint32_t value = read_word(word);
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);
	int result = -EAGAIN;

	if (!may_sleep(deadline))
		;
	else if (pick(4))
		result = hazptr_futex_wait(word, value, deadline);
	else
		result = hazptr_futex_wait_bitset(word, value, deadline,
						  (uint32_t)pick(15) + 1);
	if (was_woken(result, deadline))
		add(&futex_sums.returned, 1);
}

static void wait_for_several(void)
{
	struct hazptr_futex_waitv v[MOST];
	unsigned i, n = 1 + (unsigned)pick(MOST);
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);
	int result = -EAGAIN;

	for (i = 0; i < n; i++) {
		v[i].addr = &futex_several[pick(SEVERAL)];
		v[i].expected = read_word(v[i].addr);
	}
	if (may_sleep(deadline))
		result = hazptr_futex_waitv(v, n, deadline);
	if (result >= (int)n)
		failed("waitv: no such word", v);
	if (was_woken(result, deadline)) {
		add(&futex_sums.returned_several, 1);
		add(&futex_sums.most_several, n);
	}
}

struct parking {
	const uint32_t *key;
	uint32_t value;
};

static bool is_same(void *arg)
{
	const struct parking *p = arg;

	return read_word(p->key) == p->value;
}

static void park(void)
{
	struct parking p = { &futex_keys[pick(KEYS)], 0 };
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);
	int result = -EAGAIN;

	p.value = read_word(p.key);
	if (may_sleep(deadline))
		result = hazptr_park(p.key, is_same, NULL, NULL, &p, deadline);
	if (was_woken(result, deadline))
		add(&futex_sums.tokens, (uint64_t)result);
}

static void wake(void)
{
	uint32_t *word = &futex_words[pick(WORDS)];
	int n = (int)pick(5), result;

	if (!pick(3)) {
		futex_change(word);
		n = pick(2) ? INT_MAX : n;
	}
	if (pick(3))
		result = hazptr_futex_wake(word, n);
	else
		result = hazptr_futex_wake_bitset(word, n,
						  (uint32_t)pick(15) + 1);
	if (result > n)
		failed("more were woken than asked for", word);
	add(&futex_sums.woken, futex_count(result, "wake"));
}

static void wake_several(void)
{
	uint32_t *word = &futex_several[pick(SEVERAL)];

	if (pick(2))
		futex_change(word);
	add(&futex_sums.woken_several,
	    futex_count(hazptr_futex_wake(word, (int)pick(4)), "wake"));
}

/* Of what a requeue returns the first @nwake were woken. */
static void requeue_of(uint32_t *of, unsigned n, uint64_t *sum)
{
	unsigned i = (unsigned)pick(n - 1);
	uint32_t *from = &of[i], *to = &of[i + 1 + pick(n - 1 - i)];
	int nwake = (int)pick(3), nrequeue = (int)pick(40), result;
	uint32_t value = read_word(from);

	if (pick(3)) {
		result = hazptr_futex_requeue(from, nwake, nrequeue, to);
	} else if (pick(3)) {
		result = hazptr_futex_cmp_requeue(from, value, nwake, nrequeue,
						  to);
		if (result == -EAGAIN)
			return;
	} else {
		result = hazptr_futex_cmp_requeue(from, value - 1000, nwake,
						  nrequeue, to);
		if (result != -EAGAIN)
			failed("requeued, though the word is another", from);
		return;
	}
	if (result > nwake + nrequeue)
		failed("more were moved than asked for", from);
	nwake = result < nwake ? result : nwake;
	add(sum, futex_count(nwake, "requeue"));
	add(&futex_sums.moved, (uint64_t)(result - nwake));
}

static void requeue(void)
{
	if (pick(3))
		requeue_of(futex_words, WORDS, &futex_sums.woken);
	else
		requeue_of(futex_several, SEVERAL, &futex_sums.woken_several);
}

static void wake_op(void)
{
	uint32_t *word = &futex_words[pick(WORDS)];
	uint32_t *word2 = &futex_words[pick(WORDS)];
	uint32_t op = FUTEX_OP(FUTEX_OP_ADD, 1, pick(6), pick(100));
	int n = (int)pick(3), n2 = (int)pick(3), result;

	result = hazptr_futex_wake_op(word, n, word2, n2, op);
	if (result > n + n2)
		failed("wake_op woke too many", word);
	add(&futex_sums.woken, futex_count(result, "wake_op"));
}

static int give_token(void *arg, const struct hazptr_unparked *what)
{
	int token = *(int *)arg;

	add(&futex_sums.tokens_given,
	    (uint64_t)token * (uint64_t)what->unparked);
	return token;
}

static bool choose(void *arg, struct hazptr_requeue *n)
{
	n->wake = *(int *)arg % 3;
	n->requeue = *(int *)arg % 32;
	return *(int *)arg % 5;
}

static void unpark(void)
{
	unsigned i = (unsigned)pick(KEYS - 1);
	uint32_t *key = &futex_keys[i];
	uint32_t *to = &futex_keys[i + 1 + pick(KEYS - 1 - i)];
	int token = (int)pick(1000), result;

	switch (pick(4)) {
	case 0:
		futex_change(key);
		result = hazptr_unpark_all(key, token);
		add(&futex_sums.tokens_given,
		    (uint64_t)token * futex_count(result, "unpark"));
		break;
	case 1:
		result = hazptr_unpark_requeue(key, to, choose, give_token,
					       &token);
		if (result < 0 && (result != -EAGAIN || token % 5))
			failed("unpark_requeue", key);
		break;
	default:
		futex_count(hazptr_unpark_one(key, give_token, &token),
			    "unpark");
	}
}

static void in_handler(void)
{
	int n;

	if (by_count)
		return;
	n = hazptr_futex_wake(&futex_words[self->ticks % WORDS], 1);
	add(&futex_sums.woken, futex_count(n, "wake in a handler"));
}

static void check(void)
{
	const struct futex_sums *s = &futex_sums;
	bool exact = !has_fault(SIGNALS) || by_count;

	if (s->returned < s->woken)
		failed("a wake was lost", NULL);
	if (exact && s->returned != s->woken)
		failed("a wait returned for nothing", NULL);
	if (s->woken_several > s->most_several ||
	    (exact && s->woken_several < s->returned_several))
		failed("a wake of several words is wrong", NULL);
	if (s->tokens != s->tokens_given)
		failed("a token was lost, or arrived twice", NULL);
}

struct op futex_ops[] = {
	[ROUND] = { .name = "round" },
	[RESIZE] = { .name = "resize" },
	[RELAY] = { .name = "relay" },
	[FIRST] = { .name = "wait", .run = wait_for_one, .weight = 40 },
	{ .name = "waitv", .run = wait_for_several, .weight = 15 },
	{ .name = "park", .run = park, .weight = 20 },
	{ .name = "wake", .run = wake, .weight = 60 },
	{ .name = "wake several", .run = wake_several, .weight = 30 },
	{ .name = "requeue", .run = requeue, .weight = 30 },
	{ .name = "wake_op", .run = wake_op, .weight = 20 },
	{ .name = "unpark", .run = unpark, .weight = 30 },
};

static const struct helper helpers[] = {
	{ .name = "conductor", .run = conduct, .n = 1, .late = true },
	{ .name = "resizer", .run = resize, .n = 1, .late = true },
	{ .name = "relay", .run = relay, .n = 2 },
};

const struct workload futex_workload = {
	.name = "futex",
	.ops = futex_ops,
	.n_ops = COUNT(futex_ops),
	.helpers = helpers,
	.n_helpers = COUNT(helpers),
	.begin = begin,
	.check = check,
	.signal = in_handler,
};
