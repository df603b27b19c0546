/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/api.c - a line for every public name
 *
 * Compiling it is the test: a name that is missing, or whose type has changed,
 * is an error here. What the names do is tested elsewhere.
 */
#include "test.h"

#include <hazptr/hazptr.h>

#ifdef __cplusplus
#include <type_traits>
#define SAME_TYPE(expression, type) \
	static_assert(std::is_same<decltype(expression), type>::value, "type")
#else
#define SAME_TYPE(expression, type)                                         \
	_Static_assert(__builtin_types_compatible_p(__typeof__(expression), \
						    __typeof__(type)),      \
		       "type")
#endif

/* `name` is a function of exactly this type; it is linked, too. */
#define FUNCTION(result, name, ...)                     \
	do {                                            \
		result (*function)(__VA_ARGS__) = name; \
		assert_non_null(function);              \
	} while (0)

/* `member` of `type` has exactly this type. */
#define MEMBER(type, member, member_type)             \
	do {                                          \
		static type whole;                    \
		member_type *pointer = &whole.member; \
		assert_non_null(pointer);             \
	} while (0)

static volatile bool never; /* what may only be compiled */

static void constants(void **state)
{
	(void)state;
	assert_int_equal(HAZPTR_VERSION_MAJOR, 0);
	assert_true(HAZPTR_VERSION_MINOR >= 1);
	assert_true(HAZPTR_VERSION_PATCH >= 0);
	assert_int_equal(HAZPTR_CONTEXT_SLOTS, 8);
	assert_int_equal(HAZPTR_FENCE_MEMBARRIER, 0);
	assert_int_equal(HAZPTR_FENCE_FULL, 1);
	assert_int_equal(HAZPTR_FENCE_MARKER, 2);
	assert_int_equal(HAZPTR_RECLAIM_BACKGROUND, 0);
	assert_int_equal(HAZPTR_RECLAIM_INLINE, 1);
	assert_int_equal(HAZPTR_RECLAIM_MANUAL, 2);
}

static void fence(void **state)
{
	(void)state;
	FUNCTION(enum hazptr_fence_mode, hazptr_fence_mode, void);
	FUNCTION(void, hazptr_fence_light, void);
	FUNCTION(void, hazptr_fence_heavy, void);
}

static void guard(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x, *seen = &x;
	struct item *const *read_only = &source;
	const struct item *to_const = &x;
	HAZPTR_GUARD(scoped);

	(void)state;
	FUNCTION(uintptr_t, hazptr_protect_tagged, struct hazptr_guard *,
		 const uintptr_t *, uintptr_t);
	FUNCTION(void, hazptr_hold, struct hazptr_guard *, const void *);
	FUNCTION(void, hazptr_release, struct hazptr_guard *);
	FUNCTION(void, hazptr_swap, struct hazptr_guard *,
		 struct hazptr_guard *);
	FUNCTION(void, hazptr_detach, struct hazptr_guard *);
	SAME_TYPE(hazptr_protect(&g, &source), struct item *);
	SAME_TYPE(hazptr_protect(&g, read_only), struct item *);
	SAME_TYPE(hazptr_protect(&g, &to_const), const struct item *);
	SAME_TYPE(hazptr_try_protect(&g, &seen, read_only), bool);
	SAME_TYPE(scoped, struct hazptr_guard);
	hazptr_release(&scoped);
}

static void context(void **state)
{
	struct hazptr_slot s = { 0 };
	struct item *source = NULL;
	struct item *const *read_only = &source;
	const struct item *to_const = NULL;

	(void)state;
	FUNCTION(int, hazptr_context_init, struct hazptr_context *);
	FUNCTION(void, hazptr_context_cleanup, struct hazptr_context *);
	FUNCTION(struct hazptr_context *, hazptr_context_switch,
		 struct hazptr_context *);
	FUNCTION(struct hazptr_slot *, hazptr_slot_alloc,
		 struct hazptr_context *);
	FUNCTION(void, hazptr_slot_free, struct hazptr_context *,
		 struct hazptr_slot *);
	FUNCTION(void, hazptr_slot_clear, struct hazptr_slot *);
	SAME_TYPE(hazptr_slot_protect(&s, &source), struct item *);
	SAME_TYPE(hazptr_slot_protect(&s, read_only), struct item *);
	SAME_TYPE(hazptr_slot_protect(&s, &to_const), const struct item *);
	SAME_TYPE(hazptr_slot_try_protect(&s, read_only), struct item *);
	(void)s;
	(void)read_only;
	(void)to_const;
}

static void domain(void **state)
{
	(void)state;
	FUNCTION(int, hazptr_domain_create, struct hazptr_domain **,
		 const struct hazptr_domain_opts *);
	FUNCTION(int, hazptr_domain_destroy, struct hazptr_domain *);
	FUNCTION(size_t, hazptr_flush, struct hazptr_domain *);
	FUNCTION(void, hazptr_barrier, struct hazptr_domain *);
	FUNCTION(void, hazptr_domain_stats, struct hazptr_domain *,
		 struct hazptr_stats *);
	FUNCTION(void, hazptr_domain_dump, struct hazptr_domain *, int);
	MEMBER(struct hazptr_domain_opts, size, size_t);
	MEMBER(struct hazptr_domain_opts, reclaim, enum hazptr_reclaim);
	MEMBER(struct hazptr_domain_opts, max_retired, size_t);
	MEMBER(struct hazptr_domain_opts, max_delay_ms, unsigned);
	MEMBER(struct hazptr_domain_opts, name, const char *);
	MEMBER(struct hazptr_stats, size, size_t);
	MEMBER(struct hazptr_stats, retired, uint64_t);
	MEMBER(struct hazptr_stats, reclaimed, uint64_t);
	MEMBER(struct hazptr_stats, scans, uint64_t);
	MEMBER(struct hazptr_stats, heavy_fences, uint64_t);
	MEMBER(struct hazptr_stats, pending, uint64_t);
	MEMBER(struct hazptr_stats, pending_peak, uint64_t);
	MEMBER(struct hazptr_stats, waiting, uint64_t);
	MEMBER(struct hazptr_stats, ready, uint64_t);
	MEMBER(struct hazptr_stats, max_retired, uint64_t);
	MEMBER(struct hazptr_stats, slots, uint64_t);
	assert_int_equal(sizeof(((struct hazptr_stats *)NULL)->name), 32);
}

static void retire(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	hazptr_reclaim_fn reclaim = item_reclaim;
	void (*same)(struct hazptr_head *) = reclaim;

	(void)state;
	FUNCTION(void, hazptr_retire_ptr, struct hazptr_domain *, void *,
		 void (*)(void *));
	FUNCTION(void, hazptr_head_init, struct hazptr_head *, void *,
		 hazptr_reclaim_fn);
	FUNCTION(void, hazptr_retire_list, struct hazptr_domain *,
		 struct hazptr_head *, struct hazptr_head *);
	FUNCTION(void, hazptr_synchronize, const void *);
	FUNCTION(int, hazptr_synchronize_until, const void *,
		 const struct timespec *);
	FUNCTION(void, hazptr_synchronize_many, const void *const *, size_t);
	if (never) {
		hazptr_retire(NULL, &x, head, same);
		hazptr_retire_free(NULL, &x, head);
	}
	MEMBER(struct hazptr_head, next, struct hazptr_head *);
	assert_true(sizeof(struct hazptr_head) <= 24);
}

static void cohort(void **state)
{
	static struct hazptr_cohort c;
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	FUNCTION(int, hazptr_cohort_init, struct hazptr_cohort *,
		 struct hazptr_domain *);
	FUNCTION(void, hazptr_cohort_barrier, struct hazptr_cohort *);
	FUNCTION(void, hazptr_cohort_destroy, struct hazptr_cohort *);
	if (never)
		hazptr_cohort_retire(&c, &x, head, item_reclaim);
}

static void ref(void **state)
{
	struct counted {
		struct hazptr_ref ref;
	} *source = NULL, *const *read_only = &source;

	(void)state;
	FUNCTION(void, hazptr_ref_init, struct hazptr_ref *, uint32_t);
	FUNCTION(uint32_t, hazptr_ref_read, const struct hazptr_ref *);
	FUNCTION(void, hazptr_ref_get, struct hazptr_ref *);
	FUNCTION(bool, hazptr_ref_get_unless_zero, struct hazptr_ref *);
	FUNCTION(bool, hazptr_ref_put, struct hazptr_ref *);
	FUNCTION(void, hazptr_rcuref_init, struct hazptr_rcuref *, uint32_t);
	FUNCTION(bool, hazptr_rcuref_get, struct hazptr_rcuref *);
	FUNCTION(bool, hazptr_rcuref_put, struct hazptr_rcuref *);
	FUNCTION(uint32_t, hazptr_rcuref_read, const struct hazptr_rcuref *);
	FUNCTION(bool, hazptr_rcuref_is_dead, const struct hazptr_rcuref *);
	SAME_TYPE(hazptr_ref_lookup(&source, ref), struct counted *);
	SAME_TYPE(hazptr_ref_lookup(read_only, ref), struct counted *);
	(void)read_only;
}

static void shared(void **state)
{
	hazptr_release_fn release = NULL;
	void (*same)(struct hazptr_shared_node *) = release;

	(void)state;
	(void)same;
	FUNCTION(struct hazptr_shared, hazptr_shared_create,
		 struct hazptr_shared_node *, hazptr_release_fn);
	FUNCTION(struct hazptr_shared, hazptr_shared_create_count_first,
		 struct hazptr_shared_node *, hazptr_release_fn);
	FUNCTION(bool, hazptr_shared_is_null, struct hazptr_shared);
	FUNCTION(struct hazptr_shared, hazptr_shared_copy,
		 struct hazptr_shared);
	FUNCTION(void, hazptr_shared_drop, struct hazptr_shared *);
	FUNCTION(void, hazptr_shared_drop_sync, struct hazptr_shared *);
	MEMBER(struct hazptr_shared, node, struct hazptr_shared_node *);
	MEMBER(struct hazptr_sync_shared, node, struct hazptr_shared_node *);
	assert_true(sizeof(struct hazptr_shared_node) <= 24);
}

static void sync_shared(void **state)
{
	(void)state;
	FUNCTION(struct hazptr_shared, hazptr_sync_shared_load,
		 const struct hazptr_sync_shared *);
	FUNCTION(struct hazptr_shared, hazptr_sync_shared_exchange,
		 struct hazptr_sync_shared *, struct hazptr_shared *);
	FUNCTION(void, hazptr_sync_shared_store, struct hazptr_sync_shared *,
		 struct hazptr_shared *);
	FUNCTION(void, hazptr_sync_shared_store_copy,
		 struct hazptr_sync_shared *, struct hazptr_shared);
	FUNCTION(bool, hazptr_sync_shared_compare_exchange,
		 struct hazptr_sync_shared *, struct hazptr_shared,
		 struct hazptr_shared *);
	FUNCTION(void, hazptr_sync_shared_drop, struct hazptr_sync_shared *);
	FUNCTION(void, hazptr_sync_shared_drop_sync,
		 struct hazptr_sync_shared *);
}

static void weak(void **state)
{
	(void)state;
	FUNCTION(struct hazptr_shared, hazptr_shared_create_weak,
		 struct hazptr_weak_node *, hazptr_release_fn,
		 hazptr_release_fn);
	FUNCTION(struct hazptr_weak, hazptr_weak_create, struct hazptr_shared);
	FUNCTION(struct hazptr_shared, hazptr_weak_lock, struct hazptr_weak);
	FUNCTION(struct hazptr_weak, hazptr_weak_copy, struct hazptr_weak);
	FUNCTION(void, hazptr_weak_drop, struct hazptr_weak *);
	MEMBER(struct hazptr_weak_node, node, struct hazptr_shared_node);
	assert_true(sizeof(struct hazptr_weak_node) <= 32);
}

static void thread_shared(void **state)
{
	static struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;

	(void)state;
	hazptr_thread_shared_drop(&ts);
	FUNCTION(struct hazptr_shared_node *, hazptr_thread_shared_load,
		 struct hazptr_thread_shared *,
		 const struct hazptr_sync_shared *);
	FUNCTION(struct hazptr_shared_node *, hazptr_thread_shared_borrow,
		 struct hazptr_thread_shared *, struct hazptr_shared);
	FUNCTION(struct hazptr_shared_node *, hazptr_thread_shared_get,
		 const struct hazptr_thread_shared *);
	FUNCTION(struct hazptr_shared, hazptr_thread_shared_to_shared,
		 struct hazptr_thread_shared *);
	FUNCTION(void, hazptr_thread_shared_drop,
		 struct hazptr_thread_shared *);
	FUNCTION(void, hazptr_thread_shared_set_max_age_ms, unsigned);
	FUNCTION(void, hazptr_thread_shared_stats,
		 struct hazptr_promotion_stats *);
	MEMBER(struct hazptr_promotion_stats, size, size_t);
	MEMBER(struct hazptr_promotion_stats, taken, uint64_t);
	MEMBER(struct hazptr_promotion_stats, fallen_back, uint64_t);
	MEMBER(struct hazptr_promotion_stats, promoted_by_scan, uint64_t);
	MEMBER(struct hazptr_promotion_stats, promoted_by_age, uint64_t);
	MEMBER(struct hazptr_promotion_stats, promoted_by_request, uint64_t);
	MEMBER(struct hazptr_promotion_stats, promoted_by_exit, uint64_t);
	MEMBER(struct hazptr_promotion_stats, slots, uint64_t);
}

static void mutex(void **state)
{
	static struct hazptr_mutex m = HAZPTR_MUTEX_INIT;

	(void)state;
	FUNCTION(void, hazptr_mutex_lock, struct hazptr_mutex *);
	FUNCTION(bool, hazptr_mutex_trylock, struct hazptr_mutex *);
	FUNCTION(int, hazptr_mutex_lock_until, struct hazptr_mutex *,
		 const struct timespec *);
	FUNCTION(void, hazptr_mutex_unlock, struct hazptr_mutex *);
	assert_int_equal(sizeof(m), 4);
}

static void cond(void **state)
{
	static struct hazptr_cond c = HAZPTR_COND_INIT;

	(void)state;
	FUNCTION(void, hazptr_cond_wait, struct hazptr_cond *,
		 struct hazptr_mutex *);
	FUNCTION(int, hazptr_cond_wait_until, struct hazptr_cond *,
		 struct hazptr_mutex *, const struct timespec *);
	FUNCTION(void, hazptr_cond_signal, struct hazptr_cond *);
	FUNCTION(void, hazptr_cond_broadcast, struct hazptr_cond *);
	assert_true(sizeof(c) <= 8);
}

static void sem(void **state)
{
	static struct hazptr_sem s = HAZPTR_SEM_INIT(1);

	(void)state;
	FUNCTION(void, hazptr_sem_init, struct hazptr_sem *, uint32_t);
	FUNCTION(void, hazptr_sem_wait, struct hazptr_sem *);
	FUNCTION(bool, hazptr_sem_trywait, struct hazptr_sem *);
	FUNCTION(int, hazptr_sem_wait_until, struct hazptr_sem *,
		 const struct timespec *);
	FUNCTION(int, hazptr_sem_post, struct hazptr_sem *);
	FUNCTION(uint32_t, hazptr_sem_value, const struct hazptr_sem *);
	assert_int_equal(HAZPTR_SEM_MAX, 0x7FFFFFFF);
	assert_int_equal(sizeof(s), 8);
}

static void rwlock(void **state)
{
	static struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;

	(void)state;
	FUNCTION(void, hazptr_rwlock_rdlock, struct hazptr_rwlock *);
	FUNCTION(void, hazptr_rwlock_wrlock, struct hazptr_rwlock *);
	FUNCTION(bool, hazptr_rwlock_tryrdlock, struct hazptr_rwlock *);
	FUNCTION(bool, hazptr_rwlock_trywrlock, struct hazptr_rwlock *);
	FUNCTION(int, hazptr_rwlock_rdlock_until, struct hazptr_rwlock *,
		 const struct timespec *);
	FUNCTION(int, hazptr_rwlock_wrlock_until, struct hazptr_rwlock *,
		 const struct timespec *);
	FUNCTION(void, hazptr_rwlock_unlock, struct hazptr_rwlock *);
	assert_true(sizeof(l) <= 8);
}

static void park(void **state)
{
	(void)state;
	FUNCTION(int, hazptr_park, const void *, bool (*)(void *),
		 void (*)(void *), void (*)(void *, const void *, bool), void *,
		 const struct timespec *);
	FUNCTION(int, hazptr_unpark_one, const void *,
		 int (*)(void *, const struct hazptr_unparked *), void *);
	FUNCTION(int, hazptr_unpark_all, const void *, int);
	FUNCTION(int, hazptr_unpark_requeue, const void *, const void *,
		 bool (*)(void *, struct hazptr_requeue *),
		 int (*)(void *, const struct hazptr_unparked *), void *);
	MEMBER(struct hazptr_unparked, unparked, int);
	MEMBER(struct hazptr_unparked, requeued, int);
	MEMBER(struct hazptr_unparked, have_more, bool);
	MEMBER(struct hazptr_unparked, be_fair, bool);
	MEMBER(struct hazptr_requeue, wake, int);
	MEMBER(struct hazptr_requeue, requeue, int);
}

static void futex(void **state)
{
	(void)state;
	FUNCTION(int, hazptr_futex_wait, const uint32_t *, uint32_t,
		 const struct timespec *);
	FUNCTION(int, hazptr_futex_wait_bitset, const uint32_t *, uint32_t,
		 const struct timespec *, uint32_t);
	FUNCTION(int, hazptr_futex_wake, const uint32_t *, int);
	FUNCTION(int, hazptr_futex_wake_bitset, const uint32_t *, int,
		 uint32_t);
	FUNCTION(int, hazptr_futex_requeue, const uint32_t *, int, int,
		 const uint32_t *);
	FUNCTION(int, hazptr_futex_cmp_requeue, const uint32_t *, uint32_t, int,
		 int, const uint32_t *);
	FUNCTION(int, hazptr_futex_wake_op, const uint32_t *, int, uint32_t *,
		 int, uint32_t);
	FUNCTION(int, hazptr_futex_waitv, const struct hazptr_futex_waitv *,
		 unsigned, const struct timespec *);
	FUNCTION(int, hazptr_futex_hash_resize, unsigned);
	FUNCTION(unsigned, hazptr_futex_hash_buckets, void);
	MEMBER(struct hazptr_futex_waitv, addr, const uint32_t *);
	MEMBER(struct hazptr_futex_waitv, expected, uint32_t);
	assert_true(HAZPTR_FUTEX_BITSET_ANY == UINT32_MAX);
	assert_int_equal(HAZPTR_FUTEX_WAITV_MAX, 128);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(constants), cmocka_unit_test(fence),
		cmocka_unit_test(guard),     cmocka_unit_test(context),
		cmocka_unit_test(domain),    cmocka_unit_test(retire),
		cmocka_unit_test(cohort),    cmocka_unit_test(ref),
		cmocka_unit_test(shared),    cmocka_unit_test(sync_shared),
		cmocka_unit_test(weak),	     cmocka_unit_test(thread_shared),
		cmocka_unit_test(mutex),     cmocka_unit_test(cond),
		cmocka_unit_test(sem),	     cmocka_unit_test(rwlock),
		cmocka_unit_test(park),	     cmocka_unit_test(futex),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
