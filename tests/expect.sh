# SPDX-License-Identifier: MIT
# tests/expect.sh - sourced by the tests of programs: "$1" is the program. What
# it printed last is in $tmp/out; `exit $failed` at the end.
set -u

program=$1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

fail()
{
	echo "FAIL: $*" >&2
	failed=1
}

# expect STATUS TEXT ARGS...: the exit status, and a text in what is printed
expect()
{
	status=$1 text=$2
	shift 2
	"$program" "$@" >"$tmp/out" 2>&1
	got=$?
	[ "$got" -eq "$status" ] ||
		fail "${program##*/} $*: exit $got, not $status"
	has "$text"
}

# has PATTERN: in what was printed
has()
{
	grep -q -e "$1" "$tmp/out" || fail "no '$1' in: $(cat "$tmp/out")"
}

# unwritable STATUS ARGS...: the result goes to a full disk, and it says so
unwritable()
{
	status=$1
	shift
	"$program" "$@" 2>"$tmp/out" >/dev/full
	got=$?
	[ "$got" -eq "$status" ] ||
		fail "${program##*/} $*, full disk: exit $got, not $status"
	has 'standard output: No space left'
}
