/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/counts.c - hazptr_ref and hazptr_rcuref, against wide integers
 *
 * The model counts in 64 bits and knows where "too many" begins: there the
 * count stays, and nothing is ever the last one again.
 */
#include "fuzz.h"

#include <hazptr/hazptr.h>

#define TOO_MANY ((uint64_t)1 << 31)

struct object {
	struct hazptr_ref ref;
};

static struct {
	struct object object;
	struct object *source;
	struct hazptr_rcuref rcuref;
	uint64_t refs, rcurefs; /* TOO_MANY + 1: for ever */
} m;

static uint64_t one_more(uint64_t n, uint64_t most)
{
	return n >= most ? most + 1 : n + 1;
}

static uint64_t one_less(uint64_t n, uint64_t most)
{
	return n > most ? n : n - 1;
}

/* Near zero, near the limit, or anything. */
static uint32_t take_start(struct input *in)
{
	uint32_t near = take(in);

	switch (take_below(in, 3)) {
	case 0:
		return near;
	case 1:
		return (uint32_t)(TOO_MANY - 128) + near;
	default:
		return take_word(in);
	}
}

/* One that is too many is so at 2^31 - 1 more gets. */
static void call_ref(struct input *in)
{
	uint64_t most = TOO_MANY - 1;

	switch (take_below(in, 6)) {
	case 0:
		hazptr_ref_init(&m.object.ref, take_start(in));
		m.refs = m.object.ref.count;
		m.refs = m.refs > most ? most + 1 : m.refs;
		break;
	case 1:
		if (m.refs)
			hazptr_ref_get(&m.object.ref);
		m.refs = m.refs ? one_more(m.refs, most) : 0;
		break;
	case 2:
		must(hazptr_ref_get_unless_zero(&m.object.ref) == !!m.refs);
		m.refs = m.refs ? one_more(m.refs, most) : 0;
		break;
	case 3:
		must(hazptr_ref_lookup(&m.source, ref) ==
		     (m.refs ? m.source : NULL));
		m.refs = m.refs ? one_more(m.refs, most) : 0;
		break;
	default:
		if (m.refs)
			must(hazptr_ref_put(&m.object.ref) == (m.refs == 1));
		m.refs = m.refs ? one_less(m.refs, most) : 0;
	}
	if (m.refs > most)
		must(hazptr_ref_read(&m.object.ref) > most);
	else
		must(hazptr_ref_read(&m.object.ref) == m.refs);
}

static void call_rcuref(struct input *in)
{
	uint32_t start;

	switch (take_below(in, 5)) {
	case 0:
		start = take_start(in);
		start = start && start <= TOO_MANY ? start : 1;
		hazptr_rcuref_init(&m.rcuref, start);
		m.rcurefs = start;
		break;
	case 1:
	case 2:
		must(hazptr_rcuref_get(&m.rcuref) == !!m.rcurefs);
		m.rcurefs = m.rcurefs ? one_more(m.rcurefs, TOO_MANY) : 0;
		break;
	default:
		if (!m.rcurefs)
			break;
		must(hazptr_rcuref_put(&m.rcuref) == (m.rcurefs == 1));
		m.rcurefs = one_less(m.rcurefs, TOO_MANY);
	}
	must(hazptr_rcuref_is_dead(&m.rcuref) == !m.rcurefs);
	if (m.rcurefs > TOO_MANY)
		must(hazptr_rcuref_read(&m.rcuref) > TOO_MANY);
	else
		must(hazptr_rcuref_read(&m.rcuref) == m.rcurefs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };

	m.source = &m.object;
	hazptr_ref_init(&m.object.ref, 1);
	hazptr_rcuref_init(&m.rcuref, 1);
	m.refs = m.rcurefs = 1;
	while (has_more(&in)) {
		if (take(&in) & 1)
			call_rcuref(&in);
		else
			call_ref(&in);
	}
	return 0;
}
