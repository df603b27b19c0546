#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tests/callgrind/run.sh PROGRAM [MOST] - how many instructions the fast paths
# have; protect and release at most MOST beyond a bare load. Exits 77 where it
# cannot be counted.
#
# Each path is run so often and then more often: the difference is the path's
# alone, without what the program does at its beginning.
set -u
program=$1 most=${2:-}
few=1000 many=11000
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
unset HAZPTR_FENCE HAZPTR_FUTEX HAZPTR_FUTEX_WAKE

skip()
{
	echo "SKIP: $*"
	exit 77
}

command -v valgrind >/dev/null || skip "no valgrind"

# count PATH TIMES: sets `counted` to the whole program's instructions
count()
{
	valgrind --tool=callgrind --callgrind-out-file=/dev/null \
		"$program" "$1" "$2" >"$tmp/out" 2>"$tmp/err"
	status=$?
	[ $status -ne 77 ] || skip "$(cat "$tmp/out") under valgrind"
	counted=$(sed -n 's/^==[0-9]*== Collected : \([0-9]*\).*/\1/p' \
		"$tmp/err")
	if [ $status -ne 0 ] || [ -z "$counted" ]; then
		echo "FAIL: $1: exit $status: $(cat "$tmp/err")" >&2
		exit 1
	fi
}

# path NAME BASE: prints and sets `more`, what a turn of it has beyond BASE,
# which is another turn's instructions; sets `turn` to all of its own
path()
{
	count "$1" $few
	first=$counted
	count "$1" $many
	turn=$(((counted - first + (many - few) / 2) / (many - few)))
	more=$((turn - $2))
}

path empty 0
empty=$turn
path bare "$empty"
bare=$turn
[ "$more" -ge 1 ] || { echo "FAIL: a load that is none" >&2; exit 1; }
echo "bare load and dereference: $more instructions"
path mutex "$empty"
echo "mutex, lock and unlock: $more"
path wake "$empty"
echo "futex_wake, nobody waits: $more"
path guard "$bare"
echo "guard, protect and release: $more beyond the bare load${most:+, at most $most}"
[ "$more" -ge 2 ] || { echo "FAIL: a guard that is none" >&2; exit 1; }
[ "$more" -le "${most:-$more}" ] || { echo "FAIL: more than $most" >&2; exit 1; }
