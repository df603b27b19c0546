/* SPDX-License-Identifier: MIT */
/*
 * tests/torture/parking.c - many threads that wait, while the table is resized
 *
 * Four threads wake and move the others, at random. What is checked: each wake
 * that was counted is one wait that returned; each token arrives once; nobody
 * times out before its time; and after each round, in which every word is
 * changed and then woken once, everybody has been awake. Options: parking.h.
 *
 * With --signals handlers wake, too, and may leave a wake to whom they have
 * interrupted: then some waits return for nothing, and are counted apart.
 */
#include "parking.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>

#define WORDS 48   /* for one word at a time */
#define SEVERAL 16 /* for hazptr_futex_waitv() */
#define KEYS 16	   /* for hazptr_park() */
#define WAKERS 4
#define PAIRS 2
#define MOST 8 /* words in one waitv */
#define ROUND_US 150000
#define BULK_US 300000 /* common deadlines are so far apart */

static uint32_t words[WORDS], several[SEVERAL], keys[KEYS];
static uint64_t epoch, arrived, idle, ready;
static int pause_wakers, over;

/* What wakers count. */
static uint64_t woken, woken_several, tokens_given, moved;

static struct sleeper {
	pthread_t thread;
	uint64_t salt;
	uint64_t seen; /* the last epoch */
	uint64_t returns, stale, timed_out;
	uint64_t returns_several, most_several;
	uint64_t parks, tokens;
} * sleepers;

/* Two threads for each of these take turns: the value is whose it is. */
static uint32_t turns[PAIRS * 16]; /* each on a line of its own */
static uint64_t laps, ended;
#define END 2

static __thread bool may_be_disturbed;

/* Waiting */

/* After the word was read: whoever reads it changed reads the epoch changed. */
static bool may_sleep(struct sleeper *s)
{
	uint64_t e = get(&epoch);

	if (s->seen != e) {
		s->seen = e;
		add(&arrived, 1);
	}
	return !__atomic_load_n(&over, __ATOMIC_ACQUIRE);
}

static uint32_t read_word(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* None, one of its own, or one in common with many. */
static const struct timespec *any_deadline(struct timespec *t)
{
	uint64_t left = BULK_US - now_us() % BULK_US;

	switch (pick(3)) {
	case 0:
		return NULL;
	case 1:
		*t = after_us(pick(100 * (uint64_t)options.threads));
		return t;
	default:
		*t = after_us(left);
		return t;
	}
}

static void check_time(const struct timespec *deadline)
{
	uint64_t us;

	if (!deadline)
		failed("timed out without a deadline", NULL);
	us = (uint64_t)deadline->tv_sec * 1000000 +
	     (uint64_t)deadline->tv_nsec / 1000;
	if (now_us() < us)
		failed("timed out before its time", deadline);
}

static void wait_for_one(struct sleeper *s)
{
	const uint32_t *word = &words[pick(WORDS)];
	uint32_t value = read_word(word);
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);
	int result;

	if (!may_sleep(s))
		return;
	if (pick(4))
		result = hazptr_futex_wait(word, value, deadline);
	else
		result = hazptr_futex_wait_bitset(word, value, deadline,
						  (uint32_t)pick(15) + 1);
	if (!result) {
		s->returns++;
	} else if (result == -EAGAIN) {
		s->stale++;
	} else if (result == -ETIMEDOUT) {
		s->timed_out++;
		check_time(deadline);
	} else {
		failed("a wait is wrong", word);
	}
}

static void wait_for_several(struct sleeper *s)
{
	struct hazptr_futex_waitv v[MOST];
	unsigned i, n = 1 + (unsigned)pick(MOST);
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);
	int result;

	for (i = 0; i < n; i++) {
		v[i].addr = &several[pick(SEVERAL)];
		v[i].expected = read_word(v[i].addr);
	}
	if (!may_sleep(s))
		return;
	result = hazptr_futex_waitv(v, n, deadline);
	if (result >= 0 && result < (int)n) {
		s->returns_several++;
		s->most_several += n;
	} else if (result == -EAGAIN) {
		s->stale++;
	} else if (result == -ETIMEDOUT) {
		s->timed_out++;
		check_time(deadline);
	} else {
		failed("a wait for several is wrong", v);
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

static void park(struct sleeper *s)
{
	struct parking p = { &keys[pick(KEYS)], 0 };
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);
	int result;

	p.value = read_word(p.key);
	if (!may_sleep(s))
		return;
	result = hazptr_park(p.key, is_same, NULL, NULL, &p, deadline);
	if (result >= 0) {
		s->parks++;
		s->tokens += (uint64_t)result;
	} else if (result == -EAGAIN) {
		s->stale++;
	} else if (result == -ETIMEDOUT) {
		s->timed_out++;
		check_time(deadline);
	} else {
		failed("a park is wrong", p.key);
	}
}

static void *sleep_on(void *arg)
{
	struct sleeper *s = arg;

	random_begin(s->salt);
	hazptr_futex_wake(&words[0], 0); /* handlers may from here on */
	may_be_disturbed = true;
	add(&ready, 1);
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		uint64_t way = pick(8);

		if (!way)
			wait_for_several(s);
		else if (way < 3)
			park(s);
		else
			wait_for_one(s);
	}
	may_sleep(s); /* seen the last epoch, too */
	return NULL;
}

/* Waking */

static unsigned count(int result, const char *what)
{
	if (result < 0)
		failed(what, NULL);
	return (unsigned)result;
}

static void change(uint32_t *word)
{
	__atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
}

static void wake(void)
{
	uint32_t *word = &words[pick(WORDS)];
	int n = (int)pick(5), result;

	if (!pick(8)) {
		change(word);
		n = pick(2) ? INT_MAX : n;
	}
	if (pick(3))
		result = hazptr_futex_wake(word, n);
	else
		result = hazptr_futex_wake_bitset(word, n,
						  (uint32_t)pick(15) + 1);
	if (result > n)
		failed("more were woken than asked for", word);
	add(&woken, count(result, "wake"));
}

/* Of what a requeue returns the first @nwake were woken. */
static void count_requeue(int result, int nwake, int nrequeue, uint64_t *sum)
{
	int n = result < nwake ? result : nwake;

	count(result, "requeue");
	if (result > nwake + nrequeue)
		failed("more were moved than asked for", NULL);
	add(sum, (uint64_t)n);
	add(&moved, (uint64_t)(result - n));
}

static void requeue(uint32_t *of, unsigned n, uint64_t *sum)
{
	uint32_t *from = &of[pick(n)], *to = &of[pick(n)];
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
		result = hazptr_futex_cmp_requeue(from, ~value, nwake, nrequeue,
						  to);
		if (result != -EAGAIN)
			failed("requeued, though the word is another", from);
		return;
	}
	count_requeue(result, nwake, nrequeue, sum);
}

static void wake_op(void)
{
	uint32_t *word = &words[pick(WORDS)], *word2 = &words[pick(WORDS)];
	uint32_t op = FUTEX_OP(FUTEX_OP_ADD, 1, pick(6), pick(100));
	int n = (int)pick(3), n2 = (int)pick(3), result;

	result = hazptr_futex_wake_op(word, n, word2, n2, op);
	if (result > n + n2)
		failed("wake_op woke too many", word);
	add(&woken, count(result, "wake_op"));
}

static void wake_several(void)
{
	uint32_t *word = &several[pick(SEVERAL)];

	if (!pick(3)) {
		requeue(several, SEVERAL, &woken_several);
		return;
	}
	if (!pick(8))
		change(word);
	add(&woken_several,
	    count(hazptr_futex_wake(word, (int)pick(4)), "wake several"));
}

static int give_token(void *arg, const struct hazptr_unparked *what)
{
	int token = *(int *)arg;

	add(&tokens_given, (uint64_t)token * (uint64_t)what->unparked);
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
	uint32_t *key = &keys[pick(KEYS)], *to = &keys[pick(KEYS)];
	int token = (int)pick(1000), result;

	switch (pick(4)) {
	case 0:
		change(key);
		result = hazptr_unpark_all(key, token);
		add(&tokens_given, (uint64_t)token * count(result, "unpark"));
		break;
	case 1:
		result = hazptr_unpark_requeue(key, to, choose, give_token,
					       &token);
		if (result == -EAGAIN ? token % 5 : (result < 0) != (key == to))
			failed("unpark_requeue", key);
		break;
	default:
		count(hazptr_unpark_one(key, give_token, &token), "unpark");
	}
}

static void *wake_on(void *arg)
{
	static void (*const ways[])(void) = { wake, wake,    wake_several,
					      wake, wake_op, unpark };

	random_begin(*(uint64_t *)arg);
	hazptr_futex_wake(&words[0], 0);
	may_be_disturbed = true;
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		uint64_t way = pick(7);

		if (way < 6)
			ways[way]();
		else
			requeue(words, WORDS, &woken);
		if (!pick(12))
			nap_us(50);
		if (!__atomic_load_n(&pause_wakers, __ATOMIC_ACQUIRE))
			continue;
		add(&idle, 1);
		while (__atomic_load_n(&pause_wakers, __ATOMIC_ACQUIRE))
			nap_us(100);
		add(&idle, -(uint64_t)1);
	}
	return NULL;
}

/* In whatever thread: a waiter, a waker, or one that is just asleep. */
static void handler(int sig)
{
	static uint64_t turn;
	int saved = errno;

	(void)sig;
	if (may_be_disturbed) {
		uint64_t i = __atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED);

		add(&woken, count(hazptr_futex_wake(&words[i % WORDS], 1),
				  "wake in a handler"));
	}
	errno = saved;
}

/* Handing over: a wake that is lost is a pair that stands still. */
static void *take_turns(void *arg)
{
	uint32_t i = *(uint32_t *)arg, me = i & 1, value;
	uint32_t *turn = &turns[i / 2 * 16];
	uint64_t n = 0;

	random_begin(1000000 + i);
	for (;; n++) {
		while ((value = read_word(turn)) != me && value != END)
			hazptr_futex_wait(turn, value, NULL);
		if (value == END)
			break;
		if (__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
			__atomic_store_n(turn, END, __ATOMIC_RELEASE);
			hazptr_futex_wake(turn, INT_MAX);
			break;
		}
		for (value = (uint32_t)pick(400); value; value--)
			__atomic_signal_fence(__ATOMIC_SEQ_CST);
		__atomic_store_n(turn, !me, __ATOMIC_RELEASE);
		hazptr_futex_wake(turn, 1);
	}
	add(&laps, n);
	add(&ended, 1);
	return NULL;
}

/* The whole */

static void wake_all(void)
{
	unsigned i;

	for (i = 0; i < WORDS; i++) {
		change(&words[i]);
		add(&woken, count(hazptr_futex_wake(&words[i], INT_MAX), "w"));
	}
	for (i = 0; i < SEVERAL; i++) {
		change(&several[i]);
		add(&woken_several,
		    count(hazptr_futex_wake(&several[i], INT_MAX), "w"));
	}
	for (i = 0; i < KEYS; i++) {
		change(&keys[i]);
		add(&tokens_given,
		    3 * (uint64_t)count(hazptr_unpark_all(&keys[i], 3), "u"));
	}
}

/* Nobody moves sleepers now; so one wake for each word is enough. */
static void whole_round(bool last)
{
	uint64_t e;

	__atomic_store_n(&pause_wakers, 1, __ATOMIC_RELEASE);
	await(&idle, WAKERS, "a waker hangs");
	e = __atomic_add_fetch(&epoch, 1, __ATOMIC_ACQ_REL);
	if (last)
		__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	wake_all();
	await(&arrived, e * options.threads, "somebody sleeps for ever");
	__atomic_store_n(&pause_wakers, 0, __ATOMIC_RELEASE);
	while (get(&idle))
		nap_us(100);
}

static size_t stack_size(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return 256 << 10;
#else
	return options.threads > 1000 ? 32 << 10 : 64 << 10;
#endif
}

static void end_all(unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		pthread_join(sleepers[i].thread, NULL);
}

/* False: the system refuses so many. */
static bool start_sleepers(void)
{
	unsigned i;

	sleepers = calloc(options.threads, sizeof(*sleepers));
	if (!sleepers)
		failed("no memory", NULL);
	for (i = 0; i < options.threads; i++) {
		sleepers[i].salt = 100 + i;
		if (start_thread(&sleepers[i].thread, stack_size(), sleep_on,
				 &sleepers[i]))
			continue;
		printf("parking: SKIPPED: the system has %u threads, not %u\n",
		       i, options.threads);
		__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
		wake_all();
		end_all(i);
		return false;
	}
	await(&ready, options.threads, "a thread does not start");
	return true;
}

static void tell(const char *what, uint64_t n)
{
	printf("%26s %12llu\n", what, (unsigned long long)n);
}

static void check_sums(void)
{
	struct sleeper sum = { 0 };
	unsigned i;

	for (i = 0; i < options.threads; i++) {
		sum.returns += sleepers[i].returns;
		sum.stale += sleepers[i].stale;
		sum.timed_out += sleepers[i].timed_out;
		sum.returns_several += sleepers[i].returns_several;
		sum.most_several += sleepers[i].most_several;
		sum.parks += sleepers[i].parks;
		sum.tokens += sleepers[i].tokens;
	}
	tell("waits that returned", sum.returns);
	tell("woken", woken);
	tell("for nothing", sum.returns - woken);
	tell("stale", sum.stale);
	tell("timed out", sum.timed_out);
	tell("requeued", moved);
	tell("waitv that returned", sum.returns_several);
	tell("parks that returned", sum.parks);
	if (sum.returns < woken)
		failed("a wake was lost", NULL);
	if (sum.returns != woken && !options.signals)
		failed("a wait returned for nothing", NULL);
	if (woken_several > sum.most_several ||
	    (woken_several < sum.returns_several && !options.signals))
		failed("a wake of several is wrong", NULL);
	if (sum.tokens != tokens_given)
		failed("a token was lost, or arrived twice", NULL);
	if (!sum.returns || !sum.timed_out || !moved || !sum.returns_several ||
	    !sum.parks)
		failed("something was never tried", NULL);
}

static int run(void)
{
	static uint64_t salts[WAKERS] = { 1, 2, 3, 4 };
	static uint32_t players[2 * PAIRS] = { 0, 1, 2, 3 };
	pthread_t wakers[WAKERS], pairs[2 * PAIRS];
	struct targets targets;
	uint64_t end, rounds = 0, resizes, signals = 0;
	unsigned i;

	resizes_begin();
	if (!start_sleepers())
		return SKIPPED;
	for (i = 0; i < WAKERS; i++)
		start(&wakers[i], wake_on, &salts[i]);
	for (i = 0; i < 2 * PAIRS; i++)
		start(&pairs[i], take_turns, &players[i]);
	targets = (struct targets){ &sleepers->thread, options.threads,
				    sizeof(*sleepers) };
	if (options.signals)
		signals_begin(&targets, handler);
	end = now_us() + (uint64_t)(options.seconds * 1e6);
	for (; now_us() < end; rounds++) {
		nap_us(ROUND_US);
		whole_round(false);
	}
	if (options.signals)
		signals = signals_end();
	whole_round(true);
	end_all(options.threads);
	await(&ended, 2 * PAIRS, "a pair stands still");
	for (i = 0; i < 2 * PAIRS; i++)
		pthread_join(pairs[i], NULL);
	for (i = 0; i < WAKERS; i++)
		pthread_join(wakers[i], NULL);
	resizes = resizes_end();
	tell("rounds", rounds);
	tell("resizes", resizes);
	tell("signals", signals);
	tell("turns taken", laps);
	check_sums();
	all_reclaimed();
	return 0;
}

int main(int argc, char **argv)
{
	options.name = "parking";
	options.seconds = 1;
	options.threads = 200;
	if (!options_read(argc, argv))
		return 2;
	return run();
}
