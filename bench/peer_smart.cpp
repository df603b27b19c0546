/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_smart.cpp - std::atomic<std::shared_ptr>, boost::atomic_shared_ptr
 *
 * The same loops for both. Objects by make_shared, so that an object and its
 * counts are one allocation, and that one has the size of everybody else's.
 */
#include "bench.h"

#include <memory>
#include <version>

#ifdef BENCH_BOOST
#include <boost/smart_ptr/atomic_shared_ptr.hpp>
#include <boost/smart_ptr/make_shared.hpp>
#include <boost/version.hpp>
#endif

#define STRING_(x) #x
#define STRING(x) STRING_(x)

namespace
{

/* What stands beside the counts, which make_shared adds. */
template <std::size_t counts> struct object {
	object() : value(1)
	{
	}

	uint64_t value;
	char room[BENCH_OBJECT - 8 - counts];
};

template <class Pointer> struct loops {
	struct alignas(128) place {
		typename Pointer::atomic current;
	};
	static place hot;

	static void replace()
	{
		hot.current.store(Pointer::make());
	}

	static uint64_t load(struct bench_task *t)
	{
		uint64_t n;

		BENCH_LOOP(t, n) {
			typename Pointer::shared sp = hot.current.load();

			bench_use(sp->value);
		}
		return n;
	}

	static uint64_t store(struct bench_task *t)
	{
		uint64_t n;

		BENCH_LOOP(t, n)
			replace();
		return n;
	}

	static void begin(enum bench_job)
	{
		replace();
	}

	static uint64_t end(enum bench_job)
	{
		hot.current.store(typename Pointer::shared());
		return 0;
	}

	static bench_scheme scheme(const char *name, const char *version)
	{
		bench_scheme s = {};

		s.name = name;
		s.version = version;
		s.begin = begin;
		s.end = end;
		s.replace = replace;
		s.body[BENCH_LOAD] = load;
		s.body[BENCH_STORE] = store;
		return s;
	}
};

template <class Pointer> typename loops<Pointer>::place loops<Pointer>::hot;

struct standard {
	using object = ::object<16>;
	using shared = std::shared_ptr<object>;
	using atomic = std::atomic<shared>;

	static shared make()
	{
		return std::make_shared<object>();
	}
};

#ifdef BENCH_BOOST
struct boosted {
	using object = ::object<32>;
	using shared = boost::shared_ptr<object>;
	using atomic = boost::atomic_shared_ptr<object>;

	static shared make()
	{
		return boost::make_shared<object>();
	}
};
#endif

} // namespace

const struct bench_scheme bench_std = loops<standard>::scheme(
	"libstdc++", STRING(_GLIBCXX_RELEASE) " (" STRING(__GLIBCXX__) ")");

#ifdef BENCH_BOOST
const struct bench_scheme bench_boost =
	loops<boosted>::scheme("Boost", BOOST_LIB_VERSION);
#endif
