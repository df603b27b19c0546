/* SPDX-License-Identifier: MIT */
/*
 * park/futex.c - waiting at a word
 *
 * Who waits marks its key in the bucket, and then looks at the word. Who wakes
 * has changed the word, and then looks at the marks. With a full fence between
 * the two steps on both sides one of them sees the other: so a wake that finds
 * no mark takes no lock. A mark is a bit of the key's hash; one too many costs
 * a look at the chain.
 *
 *	wait					wake
 *	mark			FW5		word = new	the user's
 *	fence			FW1		fence		FW3
 *	word == expected? sleep			no mark? done	FW2
 *
 * HAZPTR_FUTEX_WAKE=asymmetric moves all of the cost to wait: its fence is a
 * heavy one, and wake has none.
 */
#include "park.h"

#include <errno.h>
#include <linux/futex.h>

static bool is_changed(const uint32_t *addr, uint32_t expected)
{
	/* order FW6: what came with the new value; the user's store */
	return hazptr_load_(addr, acquire) != expected;
}

/* With the lock: a membarrier is no wait for what another thread does. */
static void fence(void)
{
	if (hazptr_table_policy_now_() & POLICY_ASYMMETRIC)
		hazptr_fence_heavy(); /* order FW1: mark before word; FW3 */
	else
		hazptr_fence_(seq_cst); /* order FW1: mark before word; FW3 */
}

int hazptr_futex_queue_(struct waiter *w, const uint32_t *addr,
			uint32_t expected)
{
	struct lease l;
	struct place p;
	bool changed;

	hazptr_lease_begin_(&l);
	hazptr_place_lock_(&l, addr, &p);
	hazptr_bucket_insert_(&p, w);
	fence();
	HAZPTR_TEST_POINT("wait:counted");
	changed = is_changed(addr, expected);
	if (changed)
		hazptr_bucket_remove_(p.bucket, w);
	hazptr_unlock_(&p.bucket->lock);
	hazptr_lease_end_(&l);
	return changed ? -EAGAIN : 0;
}

int hazptr_futex_wait_bitset(const uint32_t *addr, uint32_t expected,
			     const struct timespec *deadline, uint32_t bitset)
{
	struct sleeper s;
	struct waiter w;

	if (!hazptr_futex_valid_(addr) || !bitset ||
	    !hazptr_deadline_valid_(deadline))
		return -EINVAL;
	if (is_changed(addr, expected))
		return -EAGAIN;
	hazptr_sleeper_init_(&s);
	hazptr_waiter_init_(&w, addr, &s);
	w.bitset = bitset;
	if (hazptr_futex_queue_(&w, addr, expected))
		return -EAGAIN;
	HAZPTR_TEST_POINT("wait:queued");
	if (!hazptr_sleep_(&s, deadline))
		return hazptr_unqueue_(&w, NULL, NULL) ? -ETIMEDOUT : 0;
	hazptr_await_waker_(&w);
	return 0;
}

int hazptr_futex_wait(const uint32_t *addr, uint32_t expected,
		      const struct timespec *deadline)
{
	return hazptr_futex_wait_bitset(addr, expected, deadline,
					HAZPTR_FUTEX_BITSET_ANY);
}

/*
 * Nobody is marked there: nobody waits who has not seen the new word. The table
 * may be an old one once the fence has passed; then its buckets are dead, and
 * who was marked in the next one had seen that. So the bucket is fetched while
 * the fence is waited for.
 */
static inline bool is_empty(const void *key)
{
	uint32_t policy = hazptr_table_policy_now_();
	HAZPTR_GUARD(guard);
	const struct bucket *b;

	b = hazptr_bucket_of_(hazptr_protect(&guard, &hazptr_table_), key);
	__builtin_prefetch(b);
	HAZPTR_TEST_POINT("wake:table");
	if (policy & POLICY_ASYMMETRIC)
		hazptr_fence_light(); /* order FW3: word before keys; FW1 */
	else
		hazptr_fence_(seq_cst); /* order FW3: word before keys; FW1 */
	/* order FW2: after the word was stored; FW1, FW4, FW5 */
	return !(hazptr_load_(&b->keys, relaxed) &
		 (hazptr_key_bit_(key) | DEAD_BUCKET));
}

static void take(struct bucket *b, const void *key, int n, uint32_t bitset,
		 struct taken *taken)
{
	struct waiter *w, *next;

	for (w = b->first; w && n; w = next) {
		next = w->next;
		if (w->key != key || !w->is_idle || !(w->bitset & bitset))
			continue;
		hazptr_take_(b, w, taken);
		n--;
	}
}

int hazptr_wake_idle_(const void *key, int n, uint32_t bitset)
{
	struct taken taken;
	struct lease l;
	struct place p;

	if (hazptr_working_left_(key))
		return 0;
	hazptr_taken_init_(&taken);
	hazptr_lease_begin_(&l);
	hazptr_place_lock_(&l, key, &p);
	take(p.bucket, key, n, bitset, &taken);
	if (!taken.n)
		hazptr_bucket_unmark_(p.bucket);
	hazptr_unlock_(&p.bucket->lock);
	hazptr_lease_end_(&l);
	hazptr_taken_wake_(&taken, 0);
	return taken.n;
}

int hazptr_futex_wake_bitset(const uint32_t *addr, int n, uint32_t bitset)
{
	if (!hazptr_futex_valid_(addr) || n < 0 || !bitset)
		return -EINVAL;
	return is_empty(addr) ? 0 : hazptr_wake_idle_(addr, n, bitset);
}

int hazptr_futex_wake(const uint32_t *addr, int n)
{
	return hazptr_futex_wake_bitset(addr, n, HAZPTR_FUTEX_BITSET_ANY);
}

static int move(const struct place *from, const void *key,
		const struct place *to, const void *to_key, int n)
{
	struct waiter *w, *next;
	int moved = 0;

	for (w = from->bucket->first; w && moved < n; w = next) {
		next = w->next;
		if (w->key != key || !w->is_idle)
			continue;
		moved++;
		if (key == to_key)
			continue;
		hazptr_bucket_unlink_(from->bucket, w);
		w->key = to_key;
		HAZPTR_TEST_POINT("requeue:removed");
		hazptr_bucket_insert_(to, w);
	}
	/* Not before: in one bucket the mark at @to_key must not go away. */
	hazptr_bucket_unmark_(from->bucket);
	return moved;
}

/*
 * Those who are moved are marked at @to before the word is looked at: who
 * changes it and then wakes at @to comes for them.
 */
static int requeue(const uint32_t *from, const uint32_t *expected, int nwake,
		   int nrequeue, const uint32_t *to)
{
	struct taken taken;
	struct place p1, p2;
	struct lease l;
	bool changed;
	int moved = 0;

	if (!hazptr_futex_valid_(from) || !hazptr_futex_valid_(to) ||
	    nwake < 0 || nrequeue < 0)
		return -EINVAL;
	hazptr_taken_init_(&taken);
	hazptr_lease_begin_(&l);
	hazptr_place_lock_two_(&l, from, &p1, to, &p2);
	hazptr_bucket_mark_(p2.bucket, to);
	fence();
	changed = expected && is_changed(from, *expected);
	if (!changed) {
		take(p1.bucket, from, nwake, HAZPTR_FUTEX_BITSET_ANY, &taken);
		moved = move(&p1, from, &p2, to, nrequeue);
	}
	if (!moved)
		hazptr_bucket_unmark_(p2.bucket);
	hazptr_place_unlock_two_(&p1, &p2);
	hazptr_lease_end_(&l);
	hazptr_taken_wake_(&taken, 0);
	return changed ? -EAGAIN : taken.n + moved;
}

int hazptr_futex_requeue(const uint32_t *addr, int nwake, int nrequeue,
			 const uint32_t *addr2)
{
	return requeue(addr, NULL, nwake, nrequeue, addr2);
}

int hazptr_futex_cmp_requeue(const uint32_t *addr, uint32_t expected, int nwake,
			     int nrequeue, const uint32_t *addr2)
{
	return requeue(addr, &expected, nwake, nrequeue, addr2);
}

/* FUTEX_OP: four bits op, four cmp, twelve oparg, twelve cmparg. */
struct wake_op {
	unsigned op;
	unsigned cmp;
	uint32_t oparg;
	int32_t cmparg;
};

static int32_t extend(uint32_t twelve_bits)
{
	return (int32_t)(twelve_bits ^ 0x800) - 0x800;
}

static bool decode(uint32_t word, struct wake_op *o)
{
	int32_t oparg = extend(word >> 12 & 0xFFF);

	o->op = word >> 28 & 7;
	o->cmp = word >> 24 & 15;
	o->cmparg = extend(word & 0xFFF);
	/* A shift that is too large is reduced, as the kernel does it. */
	o->oparg = word >> 28 & FUTEX_OP_OPARG_SHIFT ? 1u << (oparg & 31)
						     : (uint32_t)oparg;
	return o->op <= FUTEX_OP_XOR && o->cmp <= FUTEX_OP_CMP_GE;
}

static uint32_t apply(uint32_t *word, const struct wake_op *o)
{
	/* All of them under the locks of both queues. */
	switch (o->op) {
	case FUTEX_OP_SET:
		/* order FO1: FW6 */
		return hazptr_exchange_(word, o->oparg, seq_cst);
	case FUTEX_OP_ADD:
		/* order FO1: FW6 */
		return hazptr_fetch_add_(word, o->oparg, seq_cst);
	case FUTEX_OP_OR:
		/* order FO1: FW6 */
		return hazptr_fetch_or_(word, o->oparg, seq_cst);
	case FUTEX_OP_ANDN:
		/* order FO1: FW6 */
		return hazptr_fetch_and_(word, ~o->oparg, seq_cst);
	default:
		/* order FO1: FW6 */
		return hazptr_fetch_xor_(word, o->oparg, seq_cst);
	}
}

static bool passes(int32_t old, const struct wake_op *o)
{
	switch (o->cmp) {
	case FUTEX_OP_CMP_EQ:
		return old == o->cmparg;
	case FUTEX_OP_CMP_NE:
		return old != o->cmparg;
	case FUTEX_OP_CMP_LT:
		return old < o->cmparg;
	case FUTEX_OP_CMP_LE:
		return old <= o->cmparg;
	case FUTEX_OP_CMP_GT:
		return old > o->cmparg;
	default:
		return old >= o->cmparg;
	}
}

int hazptr_futex_wake_op(const uint32_t *addr, int nwake, uint32_t *addr2,
			 int nwake2, uint32_t op)
{
	struct taken taken;
	struct place p1, p2;
	struct wake_op o;
	struct lease l;

	if (!hazptr_futex_valid_(addr) || !hazptr_futex_valid_(addr2) ||
	    nwake < 0 || nwake2 < 0)
		return -EINVAL;
	if (!decode(op, &o))
		return -ENOSYS;
	hazptr_taken_init_(&taken);
	hazptr_lease_begin_(&l);
	hazptr_place_lock_two_(&l, addr, &p1, addr2, &p2);
	op = apply(addr2, &o);
	take(p1.bucket, addr, nwake, HAZPTR_FUTEX_BITSET_ANY, &taken);
	if (passes((int32_t)op, &o))
		take(p2.bucket, addr2, nwake2, HAZPTR_FUTEX_BITSET_ANY, &taken);
	hazptr_place_unlock_two_(&p1, &p2);
	hazptr_lease_end_(&l);
	hazptr_taken_wake_(&taken, 0);
	return taken.n;
}
