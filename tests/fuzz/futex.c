/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/futex.c - waiting at words and keys, waking, moving
 *
 * Calls in any sequence, with threads that sleep. Who is woken and what each
 * call returns is the model's to say (futex.h); where nobody sleeps, futex(2)
 * itself is asked, with the same arguments on words of its own.
 */
#define _GNU_SOURCE
#include "futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the kernel's answer ---- */

static uint32_t kernel[WORDS + 1];

static int ask(const uint32_t *word, int op, uint32_t value, uintptr_t value2,
	       const uint32_t *word2, uint32_t value3)
{
	long result = syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value,
			      value2, word2, value3);

	return result < 0 ? -errno : (int)result;
}

/* A word of the model's, or what is no word. */
static const uint32_t *word_at(uint32_t *words, unsigned which)
{
	if (which < WORDS)
		return &words[which];
	return (const uint32_t *)(const void *)((char *)words + which);
}

static void compare_wait(struct input *in)
{
	unsigned at = take_below(in, WORDS + 4), how = take(in);
	uint32_t value = take_below(in, 4), bitset = take_below(in, 3);
	const struct timespec *deadline = how & 1 ? &past : &wrong;

	/* No time, and a time that is over: neither waits. */
	must(hazptr_futex_wait_bitset(word_at(m.words, at), value, deadline,
				      bitset) ==
	     ask(word_at(kernel, at), FUTEX_WAIT_BITSET, value,
		 (uintptr_t)deadline, NULL, bitset));
}

static void compare_wake(struct input *in)
{
	unsigned at = take_below(in, WORDS + 4);
	unsigned to = take_below(in, WORDS + 4);
	int n = (int)take_below(in, 4), moves = (int)take_below(in, 4);
	uint32_t value = take_below(in, 4);

	must(hazptr_futex_cmp_requeue(word_at(m.words, at), value, n, moves,
				      word_at(m.words, to)) ==
	     ask(word_at(kernel, at), FUTEX_CMP_REQUEUE, (uint32_t)n,
		 (uintptr_t)moves, word_at(kernel, to), value));
	must(hazptr_futex_requeue(word_at(m.words, at), n, moves,
				  word_at(m.words, to)) ==
	     ask(word_at(kernel, at), FUTEX_REQUEUE, (uint32_t)n,
		 (uintptr_t)moves, word_at(kernel, to), 0));
	must(hazptr_futex_wake(word_at(m.words, at), n) ==
	     ask(word_at(kernel, at), FUTEX_WAKE, (uint32_t)n, 0, NULL, 0));
	must(hazptr_futex_wake_bitset(word_at(m.words, at), n, value) ==
	     ask(word_at(kernel, at), FUTEX_WAKE_BITSET, (uint32_t)n, 0, NULL,
		 value));
}

static void call_compare(struct input *in)
{
	unsigned what = take(in);

	if (m.n)
		return;
	memcpy(kernel, m.words, sizeof(m.words));
	if (what & 1)
		compare_wait(in);
	else
		compare_wake(in);
	must(!memcmp(kernel, m.words, sizeof(m.words)));
}

/* ---- wake_op ---- */

static int32_t twelve_bits(uint32_t word)
{
	word &= 0xFFF;
	return word & 0x800 ? (int32_t)word - 0x1000 : (int32_t)word;
}

/* Does the old value pass, as <linux/futex.h> has it? */
static bool passes(uint32_t op, uint32_t old)
{
	int32_t value = (int32_t)old, with = twelve_bits(op);

	switch (op >> 24 & 15) {
	case FUTEX_OP_CMP_EQ:
		return value == with;
	case FUTEX_OP_CMP_NE:
		return value != with;
	case FUTEX_OP_CMP_LT:
		return value < with;
	case FUTEX_OP_CMP_LE:
		return value <= with;
	case FUTEX_OP_CMP_GT:
		return value > with;
	default:
		return value >= with;
	}
}

/* Any, or one that compares with what the word may well be. */
static uint32_t take_op(struct input *in)
{
	unsigned what = take(in);
	uint32_t op;

	if (what >= 0xE0)
		return take_word(in);
	op = what % 16 << 28 | take_below(in, 8) << 24;
	op |= (uint32_t)((int8_t)take(in) & 0xFFF) << 12;
	return op | ((uint32_t)(int8_t)take(in) & 0xFFF);
}

/* What becomes of the word is the kernel's to say; but see -ENOSYS. */
static void call_wake_op(struct input *in)
{
	unsigned at = take_below(in, WORDS), to = take_below(in, WORDS);
	int n = (int)take_below(in, 4), n2 = (int)take_below(in, 4), result;
	uint32_t op = take_op(in), old = m.words[to];
	struct woken w;

	memcpy(kernel, m.words, sizeof(m.words));
	result = ask(&kernel[at], FUTEX_WAKE_OP, (uint32_t)n, (uintptr_t)n2,
		     &kernel[to], op);
	must(result == 0 || result == -ENOSYS);
	woken_init(&w);
	if (!result) {
		model_wake(&w, at, n, UINT32_MAX, 0);
		if (passes(op, old))
			model_wake(&w, to, n2, UINT32_MAX, 0);
		result = w.n;
	} else {
		kernel[to] = old; /* it has changed it all the same */
	}
	must(hazptr_futex_wake_op(&m.words[at], n, &m.words[to], n2, op) ==
	     result);
	must(!memcmp(kernel, m.words, sizeof(m.words)));
	check_woken(&w);
}

/* ---- sleeping ---- */

static struct sleeper *find_idle(void)
{
	for (int i = 0; i < SLEEPERS; i++)
		if (!sleepers[i].sleeps)
			return &sleepers[i];
	return NULL;
}

/* -EAGAIN, or what a time says that is over or none; 0: it will sleep. */
static int refusal(const struct order *o)
{
	bool stale = o->invalid;

	for (unsigned i = 0; i < o->n && o->how != PARK; i++)
		stale |= m.words[o->at[i]] != o->expected[i];
	if (o->deadline == &wrong || (o->how == WAIT && !o->bitset))
		return -EINVAL;
	if (stale)
		return -EAGAIN;
	return o->deadline ? -ETIMEDOUT : 0;
}

static void give(struct sleeper *s)
{
	const struct order *o = &s->order;
	int result = refusal(o);

	sem_post(&s->go);
	await(&s->ready);
	if (result) {
		if (s->queued)
			await(&s->done);
		must(s->result == result);
		must(s->queued == (result == -ETIMEDOUT));
		if (s->queued && o->how == PARK)
			must(o->was_last == !count_at(o->at[0]));
		return;
	}
	must(s->queued);
	s->sleeps = true;
	for (unsigned i = 0; i < o->n; i++)
		append((struct entry){ s, i, o->at[i], o->bitset });
}

static void call_sleep(struct input *in)
{
	static const struct timespec *const deadlines[8] = { &past, &wrong };
	struct sleeper *s = find_idle();
	unsigned what = take(in);
	struct order *o;

	if (!s)
		return;
	o = &s->order;
	*o = (struct order){ .how = what % 3, .n = 1, .bitset = UINT32_MAX };
	o->deadline = deadlines[7 - (what >> 2 & 7)];
	if (o->how == WAITV)
		o->n = 1 + take_below(in, VECTOR);
	for (unsigned i = 0; i < o->n; i++) {
		unsigned at = take(in);

		o->at[i] = at % WORDS;
		o->expected[i] = m.words[at % WORDS] + (at >= 0xF0);
	}
	if (o->how == PARK) {
		o->at[0] = WORDS + o->at[0] % KEYS;
		o->invalid = what >= 0xF0;
	}
	if (o->how == WAIT && what & 0x20)
		o->bitset = take(in);
	give(s);
}

static void call_store(struct input *in)
{
	unsigned at = take_below(in, WORDS);

	__atomic_store_n(&m.words[at], take(in) & 1 ? take_word(in) : take(in),
			 __ATOMIC_SEQ_CST);
}

/* ---- waking ---- */

static void call_wake(struct input *in)
{
	unsigned at = take_below(in, WORDS);
	int n = (int)take_below(in, SLEEPERS + 2);
	uint32_t bitset = take(in);
	struct woken w;

	n = n > SLEEPERS ? INT_MAX : n;
	bitset = bitset & 1 ? UINT32_MAX : bitset;
	woken_init(&w);
	model_wake(&w, at, n, bitset, 0);
	must(hazptr_futex_wake_bitset(&m.words[at], n, bitset) ==
	     (bitset ? w.n : -EINVAL));
	check_woken(&w);
}

static void call_requeue(struct input *in)
{
	unsigned at = take_below(in, WORDS), to = take_below(in, WORDS);
	int n = (int)take_below(in, 4), moves = (int)take_below(in, 8);
	unsigned how = take(in);
	uint32_t value = m.words[at] + (how >= 0xF0);
	struct woken w;
	int result;

	woken_init(&w);
	if (how & 1 && value != m.words[at]) {
		result = -EAGAIN;
	} else {
		result = model_wake(&w, at, n, UINT32_MAX, 0);
		result += model_move(at, moves, to);
	}
	if (how & 1)
		must(hazptr_futex_cmp_requeue(&m.words[at], value, n, moves,
					      &m.words[to]) == result);
	else
		must(hazptr_futex_requeue(&m.words[at], n, moves,
					  &m.words[to]) == result);
	check_woken(&w);
}

struct unpark {
	struct hazptr_requeue n;
	int unparked, requeued;
	bool have_more, agreed;
	int token;
};

static bool choose(void *arg, struct hazptr_requeue *n)
{
	*n = ((struct unpark *)arg)->n;
	return ((struct unpark *)arg)->agreed;
}

static int decide(void *arg, const struct hazptr_unparked *what)
{
	const struct unpark *u = arg;

	must(what->unparked == u->unparked && what->requeued == u->requeued);
	must(what->have_more == u->have_more);
	must(!what->be_fair || what->unparked);
	return u->token;
}

static void call_unpark(struct input *in)
{
	unsigned at = take_below(in, KEYS), how = take(in);
	const void *key = &m.keys[at];
	struct unpark u = { .token = (int)(how >> 1) };
	struct woken w;

	woken_init(&w);
	u.unparked = model_wake(&w, WORDS + at, how & 1 ? 1 : INT_MAX,
				UINT32_MAX, u.token);
	u.have_more = count_at(WORDS + at);
	if (how & 1)
		must(hazptr_unpark_one(key, decide, &u) == w.n);
	else
		must(hazptr_unpark_all(key, u.token) == w.n);
	check_woken(&w);
}

static void call_unpark_requeue(struct input *in)
{
	unsigned at = take_below(in, KEYS), to = take_below(in, KEYS);
	struct unpark u = { .n = { (int)take_below(in, 4),
				   (int)take_below(in, 6) } };
	unsigned how = take(in);
	struct woken w;
	int result;

	woken_init(&w);
	u.agreed = how < 0xF0;
	u.token = (int)(how & 15);
	if (at == to) {
		result = -EINVAL;
	} else if (!u.agreed) {
		result = -EAGAIN;
	} else {
		u.unparked = model_wake(&w, WORDS + at, u.n.wake, UINT32_MAX,
					u.token);
		u.requeued = model_move(WORDS + at, u.n.requeue, WORDS + to);
		u.have_more = count_at(WORDS + at);
		result = u.unparked + u.requeued;
	}
	must(hazptr_unpark_requeue(&m.keys[at], &m.keys[to], choose, decide,
				   &u) == result);
	check_woken(&w);
}

static void call_resize(struct input *in)
{
	unsigned bits = take_below(in, 12);

	if (bits == 11) {
		must(hazptr_futex_hash_resize(3) == -EINVAL);
		must(hazptr_futex_hash_resize(1u << 21) == -EINVAL);
		return;
	}
	must(!hazptr_futex_hash_resize(1u << bits));
	must(hazptr_futex_hash_buckets() >= 1u << bits);
}

/* ---- the sequence ---- */

/* All return, whoever moved them where. */
static void end(void)
{
	for (unsigned at = 0; at < WORDS + KEYS; at++) {
		struct woken w;
		int n;

		woken_init(&w);
		n = model_wake(&w, at, INT_MAX, UINT32_MAX, 7);
		if (at < WORDS)
			must(hazptr_futex_wake(&m.words[at], INT_MAX) == n);
		else
			must(hazptr_unpark_all(&m.keys[at - WORDS], 7) == n);
		check_woken(&w);
	}
	must(!m.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const calls[])(struct input * in) = {
		call_sleep,	     call_sleep,   call_sleep,	 call_sleep,
		call_store,	     call_wake,	   call_wake,	 call_requeue,
		call_requeue,	     call_wake_op, call_wake_op, call_unpark,
		call_unpark_requeue, call_resize,  call_compare,
	};
	struct input in = { data, data + size };

	start_sleepers();
	memset(&m, 0, sizeof(m));
	while (has_more(&in))
		calls[take_below(&in, FUZZ_COUNT(calls))](&in);
	end();
	return 0;
}
