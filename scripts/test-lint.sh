#!/bin/bash
# SPDX-License-Identifier: MIT
# A lint that cannot fail is none: check-order.py on a small tree that is right,
# and on what must not pass.
set -u
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
failed=0 cases=0

mkdir -p "$tree"/{scripts,include/hazptr,src/core,src/port,docs}
cp "$here"/{lint.py,check-order.py} "$tree"/scripts
cp "$here"/../include/hazptr/atomic.h "$tree"/include/hazptr

# The tree that is right: table on stdin, or this one; $1 is added to its code.
fixture() {
	rm -rf "$tree"/src/*/* "$tree"/include/hazptr/more.*
	cat > "$tree"/src/core/a.c <<-'END'
		void write(void)
		{
			/* order AA1: all before; pairs with AA2 */
			hazptr_store_(&x, 1, release);
			y = hazptr_load_(&z, relaxed); /* private: our own */
		}

		/* order AA3: a figure; pairs with AA1 */
		int look(void) { return hazptr_load_(&x, relaxed); }

		int read(void)
		{
			hazptr_load_(&x, acquire); /* order AA2: AA1 */
		}
	END
	cat > "$tree"/src/port/p.c <<-'END'
		/* order AA2: as a load; pairs with AA1 */
		void pause(void)
		{
			__asm__ __volatile__("pause");
		}
	END
	printf '%s\n' "${1-}" > "$tree"/src/core/b.c
}

table() {
	cat > "$tree"/docs/ordering.md <<-'END'
		| label | where | pairs with | without it |
		|---|---|---|---|
		| AA1 | `a.c`: store; release | AA2 | stale |
		| AA2 | `a.c`: load; acquire | AA1, UU1 | stale |
		| AA3 | `a.c`: load; relaxed | AA1 | nothing |
		| UU1 | user: a store | AA2 | stale |
	END
}

# run EXPECTED_STATUS TEXT WHAT
run() {
	local out status
	cases=$((cases + 1))
	out=$("$tree"/scripts/check-order.py 2>&1)
	status=$?
	if [ $status != "$1" ] || ! grep -q -e "$2" <<< "$out"; then
		echo "FAIL: $3: exit $status, and:"
		echo "$out"
		failed=1
	fi
}

# code TEXT CODE: this code in a file of the core must be a breach
code() {
	fixture "$2"
	run 1 "src/core/b.c:[0-9]*: .*$1" "$2"
}

# row TEXT SED: the table, changed by this, must be a breach
row() {
	fixture
	table
	sed -i "$2" "$tree"/docs/ordering.md
	run 1 "$1" "table: $2"
	table
}

table
fixture
run 0 '5 atomic sites, 3 labels, 4 rows, 1 private' 'what is right'

# Each kind of access, without a label.
for call in 'load_(&x, relaxed)' 'store_(&x, 1, release)' \
	'exchange_(&x, 1, acquire)' 'fetch_add_(&x, 1, relaxed)' \
	'fetch_sub_(&x, 1, relaxed)' 'fetch_or_(&x, 1, relaxed)' \
	'fetch_and_(&x, 1, relaxed)' 'fetch_xor_(&x, 1, relaxed)' \
	'cas_(&x, &y, 1, acquire, relaxed)' 'fence_(seq_cst)' \
	'compiler_fence_()'; do
	code 'without an order label' "void f(void) { hazptr_$call; }"
done
code 'without an order label' 'void f(void) { (hazptr_load_)(&x, relaxed); }'
code 'without an order label' '#define LOAD hazptr_load_'
code 'without an order label' 'void f(void)
{
	/* order AA1: of another statement; pairs with AA2 */
	y = 1;
	hazptr_load_(&x, acquire);
}'
code 'without an order label' 'void f(void)
{
	/* order AA1 and no colon; AA2 */
	hazptr_load_(&x, acquire);
}'
code 'without an order label' 'void f(void)
{
	s = "/* order AA1: all; AA2 */", hazptr_load_(&x, acquire);
}'
code 'without an order label' 'void f(void) { /* private: */
	hazptr_load_(&x, acquire); }'

# What goes round the door.
for access in '__atomic_load_n(&x, 0)' '__sync_synchronize()' \
	'__c11_atomic_load(&x, 0)' 'atomic_load(&x)' \
	'atomic_thread_fence(0)' '*(volatile int *)&x' \
	'*(__volatile__ int *)&x' 'asm("mfence")' '__asm("mfence")' \
	'__asm__ __volatile__("mfence")' '__builtin_ia32_mfence()' \
	'_mm_mfence()' '__dmb(11)'; do
	code "outside include/hazptr/atomic.h" "void f(void) { $access; }"
done
code 'outside' '_Atomic int x;'
code 'outside' 'static volatile int x;'
code 'outside' '#include <stdatomic.h>'
code 'outside' '#include <atomic>'

fixture
printf 'void f(void)\n{\n\t__asm__ __volatile__("mfence");\n}\n' \
	> "$tree"/src/port/q.c
run 1 'src/port/q.c:3: .*without an order label' 'assembly in the port layer'
fixture
echo 'x = hazptr_load_(&y, relaxed);' > "$tree"/src/core/more.inc
run 1 'src/core/more.inc:1: neither' 'code in a file that is not looked at'

# Labels and the table.
code 'BB1 has no row' '/* order BB1: all; pairs with AA1 */
void f(void) { hazptr_load_(&x, acquire); }'
code 'ZZ9 has no row' '/* order AA1: all; pairs with AA2, ZZ9 */
void f(void) { hazptr_load_(&x, acquire); }'
code 'no partner of AA1' '/* order AA1: all before it */
void f(void) { hazptr_load_(&x, acquire); }'
code 'no partner of AA1' '/* order AA1: all; pairs with AA3 */
void f(void) { hazptr_load_(&x, acquire); }'
row 'AA2 has no row' '/^| AA2/d'
row 'AA1 has no row' '/^| [AU]/d'
row 'AA4 is used nowhere' '$a| AA4 | `a.c` | AA1 | stale |'
row 'AA1 has no partner' 's/| AA2 | stale/| | stale/'
row 'partner ZZ9 has no row' 's/| AA1, UU1 |/| AA1, UU1, ZZ9 |/'
row 'AA1 does not name AA2' '/^| AA1/s/AA2/UU1/'
row 'UU1 does not name AA2' '/^| UU1/s/AA2/AA1/'
row 'AA2 has two rows' '$a| AA2 | `a.c` | AA1 | stale |'
row 'AA1 does not say what goes wrong' '/^| AA1/s/stale//'
fixture
rm "$tree"/docs/ordering.md
run 1 'docs/ordering.md:1: missing' 'no table'

[ $failed = 0 ] && echo "check-order.py: $cases cases"
exit $failed
