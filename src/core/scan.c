/* SPDX-License-Identifier: MIT */
/*
 * core/scan.c - which retired objects does nobody hold any more
 *
 *	1. take what was retired		(before the fence)
 *	2. heavy fence				(HP7)
 *	3. read all slots into a set		(after the fence)
 *	4. sift: in the set, keep; else free, or hand to its function
 *
 * Cost: O(slots + retired), plus the fence. Nothing is allocated. Frees come
 * after the locks are dropped.
 *
 * While an object stands in a line, two low bits of its address in the head
 * are the scan's: MARKED, it was in a set of an earlier round; SEEN, this walk
 * has met it, so that an object that was retired twice is met twice.
 */
#include "debug.h"

#define MARKED ((uintptr_t)1)
#define SEEN ((uintptr_t)2)

/* Where a chain joins itself: the head that two others lead to. */
static const struct hazptr_head *ring_entry(const struct hazptr_head *first,
					    const struct hazptr_head *inside)
{
	const struct hazptr_head *ahead = first->next, *p;

	for (p = inside->next; p != inside; p = p->next)
		ahead = ahead->next;
	for (p = first; p != ahead; p = p->next)
		ahead = ahead->next;
	return p;
}

void hazptr_ring_check_(struct ring_check *c, const struct hazptr_head *head)
{
	if (!c->first)
		c->first = head;
	if (head == c->before)
		hazptr_die_twice_(ring_entry(c->first, head)->object);
	if (c->n++ < c->next)
		return;
	c->before = head;
	c->next = 2 * c->n;
}

static struct hazptr_head **end_of(struct hazptr_head **link)
{
	struct ring_check ring = { 0 };

	for (; *link; link = &(*link)->next)
		hazptr_ring_check_(&ring, *link);
	return link;
}

/* What was retired since the last time joins the next sift. */
static bool collect(struct hazptr_domain *d)
{
	struct hazptr_cohort *c;
	bool any = false;

	for (c = d->cohorts; c; c = c->next) {
		/* order RT3: whole heads, unlinked before; pairs with RT2 */
		c->fresh = hazptr_exchange_(&c->retired, NULL, acquire);
		any |= c->fresh || c->line;
		if (c->kind && (c->fresh || c->line))
			c->kind->prepare(c);
	}
	return any;
}

/* Whoever holds one of them in a way of its own: layer 2 sees to that. */
static void settle(struct hazptr_domain *d)
{
	struct hazptr_cohort *c;

	for (c = d->cohorts; c; c = c->next)
		if (c->kind && (c->fresh || c->line))
			c->kind->settle(c);
}

/*
 * The same, into the line at once, for whoever needs a place behind all that
 * was retired so far. With the scan lock. Returns that place.
 */
struct hazptr_head **hazptr_line_end_(struct hazptr_cohort *c)
{
	struct hazptr_head **end = end_of(&c->line);

	/* order RT3: whole heads, unlinked before; pairs with RT2 */
	*end = hazptr_exchange_(&c->retired, NULL, acquire);
	return end_of(end);
}

static void mark(const struct hazptr_cohort *c, struct hazptr_head *head)
{
	struct ring_check ring = { 0 };
	uintptr_t object;

	for (; head; head = head->next) {
		hazptr_ring_check_(&ring, head);
		object = (uintptr_t)head->object;
		if (c->kind && object)
			c->kind->mark(head);
		else if (hazptr_snapshot_has_(object))
			head->object = (void *)(object | MARKED);
	}
}

/* Domains that are scanned together. */
struct customers {
	struct hazptr_domain *const *domains;
	size_t n;
};

/* A round of the snapshot is full: remember what it holds. */
static void mark_domains(const void *lists)
{
	const struct customers *of = lists;
	const struct hazptr_cohort *c;
	size_t i;

	for (i = 0; i < of->n; i++) {
		for (c = of->domains[i]->cohorts; c; c = c->next) {
			mark(c, c->line);
			mark(c, c->fresh);
		}
	}
}

static void make_ready(struct hazptr_cohort *c, struct hazptr_head *head)
{
	if (!c->ready)
		c->ready_end = &c->ready;
	*c->ready_end = head;
	c->ready_end = &head->next;
}

/* One sift: where the next of each kind goes, and how many there were. */
struct sift {
	struct hazptr_cohort *cohort;
	struct hazptr_head **line;
	struct hazptr_head **line_end;
	struct hazptr_head **free_end;
	long kept;
	long freed;
	long ready;
};

/* Of an object that was retired as such. */
static inline enum verdict judge_object(struct hazptr_head *head)
{
	uintptr_t object = (uintptr_t)head->object;

	if (hazptr_unlikely_(object & SEEN))
		hazptr_die_twice_((void *)(object & ~(MARKED | SEEN)));
	head->object = (void *)(object | SEEN);
	if ((object & MARKED) || hazptr_snapshot_has_(object))
		return HELD;
	return head->reclaim ? DUE : DUE_FREE;
}

/* What is kept stays in order; a barrier's marker leaves only as the first. */
static inline enum verdict judge(const struct sift *s, struct hazptr_head *head)
{
	if (hazptr_unlikely_(!head->object))
		return s->line_end == s->line ? DUE : KEPT;
	if (s->cohort->kind)
		return s->cohort->kind->judge(head);
	return judge_object(head);
}

static void sift_list(struct sift *s, struct hazptr_head *head)
{
	struct hazptr_head *next;
	bool is_marker;

	for (; head; head = next) {
		next = head->next;
		is_marker = !head->object;
		switch (judge(s, head)) {
		case HELD:
			s->kept++;
			/* fall through */
		case KEPT:
			*s->line_end = head;
			s->line_end = &head->next;
			break;
		case DUE_FREE:
			*s->free_end = head;
			s->free_end = &head->next;
			/* fall through */
		case DONE:
			s->freed++;
			break;
		case DUE:
			s->ready += !is_marker;
			make_ready(s->cohort, head);
			break;
		}
	}
}

/* A list and what was retired since; what is kept of both stays in it. */
static void sift_cohort(struct sift *s, struct hazptr_cohort *c,
			struct hazptr_head **line, struct hazptr_head *fresh)
{
	struct hazptr_head *head = *line;

	s->cohort = c;
	s->line = s->line_end = line;
	sift_list(s, head);
	sift_list(s, fresh);
	*s->line_end = NULL;
	if (c->ready)
		*c->ready_end = NULL;
	for (head = *line; head && !c->kind; head = head->next)
		head->object =
			(void *)((uintptr_t)head->object & ~(MARKED | SEEN));
}

static void count_sifted(const struct sift *s, struct hazptr_domain *d)
{
	/* order ST1: figures; pairs with ST1 */
	hazptr_fetch_add_(&d->ready, s->ready, relaxed);
	hazptr_fetch_add_(&d->scans, 1, relaxed);
	hazptr_fetch_add_(&d->heavy_fences, 1, relaxed);
	/* order ST4: after retired; pairs with ST4 */
	hazptr_fetch_add_(&d->reclaimed, s->freed, release);
	/* order BG1: after the count of ready; pairs with BG5 */
	hazptr_fetch_sub_(&d->reserved, s->freed + s->ready, seq_cst);
}

/* What is to be freed joins r's list; returns how many left the lines. */
static size_t sift(struct hazptr_record_ *r, struct hazptr_domain *d)
{
	struct sift s = { .free_end = &r->freeing.list };
	struct hazptr_cohort *c;

	while (*s.free_end)
		s.free_end = &(*s.free_end)->next;
	for (c = d->cohorts; c; c = c->next) {
		sift_cohort(&s, c, &c->line, c->fresh);
		c->fresh = NULL;
	}
	*s.free_end = NULL;
	/* order ST1: a figure; pairs with ST1 */
	hazptr_store_(&d->kept, s.kept, relaxed);
	count_sifted(&s, d);
	return (size_t)(s.freed + s.ready);
}

/* free(object): the fields of the head are the library's until then. */
void hazptr_free_all_(struct hazptr_record_ *r)
{
	struct hazptr_head *head;

	hazptr_debug_forget_(r->freeing.list);
	while ((head = r->freeing.list)) {
		r->freeing.list = head->next;
		hazptr_free_(
			(void *)((uintptr_t)head->object & ~(MARKED | SEEN)));
	}
}

/*
 * Scan for n domains, with one heavy fence. Several scan locks are taken in
 * the order of the list of domains. Returns how many objects left the lines.
 */
size_t hazptr_scan_(struct hazptr_record_ *r, struct hazptr_domain *const *d,
		    size_t n)
{
	struct customers customers = { d, n };
	struct snapshot_user user = { mark_domains, &customers };
	size_t i, left = 0;
	bool any = false;

	hazptr_activity_begin_(&r->freeing, n == 1 ? d[0] : NULL);
	for (i = 0; i < n; i++) {
		hazptr_lock_(&d[i]->scan_lock);
		any |= collect(d[i]);
	}
	HAZPTR_TEST_POINT("scan:collected");
	if (any) {
		hazptr_fence_heavy(); /* order HP7: HP3, HP4, HP10, OV3 */
		HAZPTR_TEST_POINT("scan:fenced");
		hazptr_snapshot_lock_();
		hazptr_snapshot_take_(&user);
		for (i = 0; i < n; i++) {
			settle(d[i]);
			left += sift(r, d[i]);
		}
		hazptr_snapshot_unlock_();
	}
	for (i = 0; i < n; i++)
		hazptr_unlock_(&d[i]->scan_lock);
	HAZPTR_TEST_POINT("scan:sifted");
	hazptr_free_all_(r);
	hazptr_activity_end_(&r->freeing);
	hazptr_debug_scanned_(d, n);
	return left;
}

static void mark_own(const void *lists)
{
	const struct hazptr_record_ *r = lists;

	mark(r->own_cohort, r->own);
}

/* What a reader holds goes the long way. */
static void sift_own(struct hazptr_record_ *r)
{
	struct sift s = { .free_end = &r->freeing.list };
	struct hazptr_cohort *c = r->own_cohort;

	sift_cohort(&s, c, &r->own, NULL);
	*s.free_end = NULL;
	if (r->own)
		hazptr_retired_link_(
			c, r->own,
			HAZPTR_CONTAINER(s.line_end, struct hazptr_head, next));
	r->own = NULL;
	count_sifted(&s, c->domain);
}

/*
 * The same for what the thread took out of its lane. Memory goes back to the
 * thread from which it probably came, and nobody waits for another's fence.
 */
void hazptr_scan_own_(struct hazptr_record_ *r)
{
	struct snapshot_user user = { mark_own, r };
	struct hazptr_domain *d = r->own_cohort->domain;

	HAZPTR_TEST_POINT("own:taken");
	hazptr_fence_heavy(); /* order HP7: HP3, HP4, HP10, OV3 */
	hazptr_lock_(&d->scan_lock);
	hazptr_snapshot_lock_();
	hazptr_snapshot_take_(&user);
	sift_own(r);
	hazptr_snapshot_unlock_();
	hazptr_unlock_(&d->scan_lock);
	HAZPTR_TEST_POINT("own:sifted");
	hazptr_free_all_(r);
}
