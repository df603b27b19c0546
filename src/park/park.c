/* SPDX-License-Identifier: MIT */
/*
 * park/park.c - a thread sleeps, and another one wakes it
 *
 * Who wakes takes waiters out of the chain under the bucket's lock, gives the
 * lock back, and then wakes one after the other. The last access to a waiter
 * is the store of NULL into its `bucket`; its thread may then return, and only
 * the address of its word is still used, by the kernel.
 *
 * Who gives up, because of its deadline or of another word, comes through
 * `bucket` to the lock. A table keeps the bucket, so the table is guarded
 * first; that it is the bucket's table is seen by its address.
 */
#include "park.h"

#include <errno.h>

#define FAIR_NS 1000000u
/*
 * A lock that is handed over stands still until its new holder runs. So one in
 * a while is: in a long queue all have waited for long.
 */
#define FAIR_GAP_NS 500000u

bool hazptr_deadline_valid_(const struct timespec *deadline)
{
	return !deadline ||
	       (deadline->tv_nsec >= 0 && deadline->tv_nsec < 1000000000);
}

/* Waking. */

void hazptr_taken_init_(struct taken *t)
{
	t->first = NULL;
	t->end = &t->first;
	t->n = 0;
}

/* With the lock. The waiter's thread stays until it has been woken. */
void hazptr_take_(struct bucket *b, struct waiter *w, struct taken *t)
{
	hazptr_bucket_remove_(b, w);
	/* order FQ5: before its table may be retired; pairs with FQ4 */
	hazptr_store_(&w->bucket, TAKEN, relaxed);
	w->next = NULL;
	*t->end = w;
	t->end = &w->next;
	t->n++;
}

/* Without a lock. */
void hazptr_taken_wake_(struct taken *t, int token)
{
	struct waiter *w, *next;
	uint32_t *awake;

	for (w = t->first; w; w = next) {
		next = w->next;
		awake = &w->sleeper->awake;
		w->token = token;
		HAZPTR_TEST_POINT("wake:taken");
		/* order FS1: the token, and all before; pairs with FS2 */
		hazptr_store_(awake, 1, release);
		HAZPTR_TEST_POINT("wake:awake");
		/* order FQ3: the last access to the waiter; pairs with FQ4 */
		hazptr_store_(&w->bucket, NULL, release);
		HAZPTR_TEST_POINT("wake:released");
		hazptr_wake_(awake);
	}
}

/* Sleeping. */

/* From here on its thread is known, and the table large enough. */
void hazptr_sleeper_init_(struct sleeper *s)
{
	const struct hazptr_record_ *self = hazptr_own_record_();

	hazptr_table_grow_();
	s->awake = 0;
	s->priority = PRIORITY_UNKNOWN;
	s->thread = self ? self->thread : hazptr_thread_id_();
}

void hazptr_waiter_init_(struct waiter *w, const void *key, struct sleeper *s)
{
	w->sleeper = s;
	w->key = key;
	w->since = UINT64_MAX;
	w->bitset = UINT32_MAX;
	w->kind = w->token = 0;
	w->is_idle = true;
}

/* False: the deadline has passed first. */
bool hazptr_sleep_(struct sleeper *s, const struct timespec *deadline)
{
	/* order FS2: what the waker did before; pairs with FS1 */
	while (!hazptr_load_(&s->awake, acquire))
		if (!hazptr_wait_until_(&s->awake, 0, deadline))
			return false;
	return true;
}

static bool has_bucket(const struct table *t, const struct bucket *b)
{
	return b >= t->buckets && b < t->buckets + ((size_t)1 << t->bits);
}

/*
 * The waiter's bucket, locked; NULL: it is taken, or has been woken.
 *
 * Which table has the bucket? A table is retired when no waiter in a chain
 * names it any more. So when this one is in a chain after the table was
 * guarded, the guard was there before the table was retired.
 */
static struct bucket *lock_waiter(struct waiter *w, struct hazptr_guard *g)
{
	struct hazptr_backoff backoff = { 0 };
	struct table *t;
	struct bucket *b;

	for (;;) {
		/* order FQ2: in protect, before the bucket; pairs with FQ1 */
		t = hazptr_protect(g, &w->table);
		HAZPTR_TEST_POINT("unqueue:guarded");
		/* order FQ4: all that the waker did; pairs with FQ3 */
		b = hazptr_load_(&w->bucket, acquire);
		if (!b || b == TAKEN)
			return NULL;
		if (!has_bucket(t, b)) { /* it is just being moved */
			hazptr_backoff_(&backoff, UINT64_MAX);
			continue;
		}
		hazptr_lock_(&b->lock);
		/* private: under the lock, when it is this one; else a hint */
		if (hazptr_load_(&w->bucket, relaxed) == b)
			return b;
		hazptr_unlock_(&b->lock);
	}
}

static bool is_last(const struct bucket *b, const void *key)
{
	const struct waiter *w;

	for (w = b->first; w; w = w->next)
		if (w->key == key)
			return false;
	return true;
}

/* Whoever has taken it is about to let it go. */
void hazptr_await_waker_(const struct waiter *w)
{
	struct hazptr_backoff backoff = { 0 };

	/* order FQ4: all that the waker did; pairs with FQ3 */
	while (hazptr_load_(&w->bucket, acquire))
		hazptr_backoff_(&backoff, UINT64_MAX);
}

bool hazptr_unqueue_(struct waiter *w,
		     void (*timed_out)(void *arg, const void *key,
				       bool was_last),
		     void *arg)
{
	HAZPTR_GUARD(guard);
	struct bucket *b;

	hazptr_working_begin_();
	b = lock_waiter(w, &guard);
	if (b) {
		hazptr_bucket_remove_(b, w);
		if (timed_out)
			timed_out(arg, w->key, is_last(b, w->key));
		hazptr_unlock_(&b->lock);
	}
	hazptr_working_end_();
	if (!b)
		hazptr_await_waker_(w);
	return b != NULL;
}

static bool queue(struct waiter *w, bool (*validate)(void *arg), void *arg)
{
	struct lease l;
	struct place p;
	bool valid;

	hazptr_lease_begin_(&l);
	hazptr_place_lock_(&l, w->key, &p);
	HAZPTR_TEST_POINT("park:locked");
	valid = !validate || validate(arg);
	if (valid)
		hazptr_bucket_insert_(&p, w);
	hazptr_unlock_(&p.bucket->lock);
	hazptr_lease_end_(&l);
	return valid;
}

int hazptr_park_how_(const void *key, bool (*validate)(void *arg),
		     void (*before_sleep)(void *arg),
		     void (*timed_out)(void *arg, const void *key,
				       bool was_last),
		     void *arg, const struct timespec *deadline,
		     const struct hazptr_park_how_ *how)
{
	struct sleeper s;
	struct waiter w;

	if (!key || !hazptr_deadline_valid_(deadline))
		return -EINVAL;
	hazptr_sleeper_init_(&s);
	hazptr_waiter_init_(&w, key, &s);
	w.since = how->since ? how->since : hazptr_now_();
	w.kind = how->kind;
	w.is_idle = how->is_idle;
	if (!queue(&w, validate, arg))
		return -EAGAIN;
	HAZPTR_TEST_POINT("park:queued");
	if (before_sleep)
		before_sleep(arg);
	if (hazptr_sleep_(&s, deadline))
		hazptr_await_waker_(&w);
	else if (hazptr_unqueue_(&w, timed_out, arg))
		return -ETIMEDOUT;
	return w.token;
}

int hazptr_park(const void *key, bool (*validate)(void *arg),
		void (*before_sleep)(void *arg),
		void (*timed_out)(void *arg, const void *key, bool was_last),
		void *arg, const struct timespec *deadline)
{
	static const struct hazptr_park_how_ how = { 0, 0, false };

	return hazptr_park_how_(key, validate, before_sleep, timed_out, arg,
				deadline, &how);
}

/* Unparking. */

/* With the lock. */
static bool is_fair(struct bucket *b, uint64_t since)
{
	uint64_t now = hazptr_now_();

	if (now - since <= FAIR_NS || now < b->fair_at)
		return false;
	b->fair_at = now + FAIR_GAP_NS;
	return true;
}

static void take_selected(struct bucket *b, const void *key,
			  enum hazptr_selected_ (*select)(void *arg, int kind),
			  void *arg, struct taken *taken,
			  struct hazptr_unparked *what)
{
	enum hazptr_selected_ selected = SKIP;
	struct waiter *w, *next;
	uint64_t since = UINT64_MAX;

	for (w = b->first; w; w = next) {
		next = w->next;
		if (w->key != key)
			continue;
		if (selected != STOP)
			selected = select(arg, w->kind);
		if (selected != TAKE) {
			what->have_more = true;
			if (selected == STOP)
				break;
			continue;
		}
		since = w->since < since ? w->since : since;
		hazptr_take_(b, w, taken);
	}
	what->unparked = taken->n;
	what->be_fair = taken->n && is_fair(b, since);
}

int hazptr_unpark_some_(
	const void *key, enum hazptr_selected_ (*select)(void *arg, int kind),
	int (*decide)(void *arg, const struct hazptr_unparked *what), void *arg)
{
	struct hazptr_unparked what = { 0, 0, false, false };
	struct taken taken;
	struct lease l;
	struct place p;
	int token = 0;

	hazptr_taken_init_(&taken);
	hazptr_lease_begin_(&l);
	hazptr_place_lock_(&l, key, &p);
	take_selected(p.bucket, key, select, arg, &taken, &what);
	if (decide)
		token = decide(arg, &what);
	hazptr_unlock_(&p.bucket->lock);
	hazptr_lease_end_(&l);
	hazptr_taken_wake_(&taken, token);
	return what.unparked;
}

struct one {
	bool found;
	int (*decide)(void *arg, const struct hazptr_unparked *what);
	void *arg;
};

static enum hazptr_selected_ select_one(void *arg, int kind)
{
	struct one *one = arg;

	(void)kind;
	if (one->found)
		return STOP;
	one->found = true;
	return TAKE;
}

static int decide_one(void *arg, const struct hazptr_unparked *what)
{
	struct one *one = arg;

	return one->decide ? one->decide(one->arg, what) : 0;
}

int hazptr_unpark_one(const void *key,
		      int (*decide)(void *arg,
				    const struct hazptr_unparked *what),
		      void *arg)
{
	struct one one = { false, decide, arg };

	return hazptr_unpark_some_(key, select_one, decide_one, &one);
}

static enum hazptr_selected_ select_all(void *arg, int kind)
{
	(void)arg;
	(void)kind;
	return TAKE;
}

static int decide_all(void *arg, const struct hazptr_unparked *what)
{
	(void)what;
	return *(int *)arg;
}

int hazptr_unpark_all(const void *key, int token)
{
	return hazptr_unpark_some_(key, select_all, decide_all, &token);
}

static void requeue(const struct place *from, const void *from_key,
		    const struct place *to, const void *to_key,
		    const struct hazptr_requeue *n, struct taken *taken,
		    struct hazptr_unparked *what)
{
	uint64_t since = UINT64_MAX, now = hazptr_now_();
	struct waiter *w, *next;

	for (w = from->bucket->first; w; w = next) {
		next = w->next;
		if (w->key != from_key)
			continue;
		if (taken->n < n->wake) {
			since = w->since < since ? w->since : since;
			hazptr_take_(from->bucket, w, taken);
		} else if (what->requeued < n->requeue) {
			hazptr_bucket_remove_(from->bucket, w);
			w->key = to_key;
			w->since = now; /* it is the other lock's patience */
			hazptr_bucket_insert_(to, w);
			what->requeued++;
		} else {
			what->have_more = true;
			break;
		}
	}
	what->unparked = taken->n;
	what->be_fair = taken->n && is_fair(from->bucket, since);
}

int hazptr_unpark_requeue(const void *from, const void *to,
			  bool (*choose)(void *arg, struct hazptr_requeue *n),
			  int (*decide)(void *arg,
					const struct hazptr_unparked *what),
			  void *arg)
{
	struct hazptr_unparked what = { 0, 0, false, false };
	struct hazptr_requeue n = { 0, 0 };
	struct place p1, p2;
	struct taken taken;
	struct lease l;
	bool chosen;
	int token = 0;

	if (!from || !to || from == to)
		return -EINVAL;
	hazptr_taken_init_(&taken);
	hazptr_lease_begin_(&l);
	hazptr_place_lock_two_(&l, from, &p1, to, &p2);
	chosen = choose(arg, &n);
	if (chosen) {
		requeue(&p1, from, &p2, to, &n, &taken, &what);
		if (decide)
			token = decide(arg, &what);
	}
	hazptr_place_unlock_two_(&p1, &p2);
	hazptr_lease_end_(&l);
	hazptr_taken_wake_(&taken, token);
	return chosen ? what.unparked + what.requeued : -EAGAIN;
}
