#!/bin/sh
# SPDX-License-Identifier: MIT
#
# devices/test.sh DEVICES CASE - one test of the program; exits 0 if it passes
. "$(dirname "$0")/../../tests/expect.sh"

test_usage()
{
	expect 0 'usage: devices' --help
	expect 2 'unrecognized option' --no-such-option
	expect 2 'requires an argument' --threads
	for bad in 0 1001 1.5 x ''; do
		expect 2 "threads cannot be $bad" --threads "$bad"
		expect 2 "rounds cannot be $bad" --rounds "$bad"
	done
	expect 2 '--seconds cannot be 0' --seconds 0
	expect 2 '--seconds cannot be nan' --seconds nan
	expect 2 '--seconds cannot be 1s' --seconds 1s
	expect 2 '--seed cannot be -1' --seed -1
	for huge in 1001 4294967297 -4294967295 1e999 99999999999999999999; do
		expect 2 "threads cannot be $huge" --threads "$huge"
	done
	expect 2 '--seconds cannot be inf' --seconds inf
	expect 2 '--seed cannot be 18446744073709551616' \
		--seed 18446744073709551616
	expect 2 'what is lp0' lp0
}

# Rows end in the four checks; liburcu may be missing, and then says so.
test_run()
{
	good=' 0 *0 *0 *0$'

	expect 0 'all freed' --seconds .9 --rounds 3 --threads 3 --seed 7
	has '^round 3 of 3, million look-ups/s: mutex .* hazptr '
	has "^mutex .* 1\.00 .*$good"
	has "^hazptr .*$good"
	has "^liburcu .*$good\|^liburcu .*not built: "
	expect 0 '"ok": true' --seconds .3 --rounds 1 --json
	has '"name": "hazptr"'
	has '"never_freed": 0 }'
	expect 0 'all freed' --seconds .3 --rounds 1 --threads 40
	expect 0 'all freed' --seconds .3 --rounds 1 --threads 1
	unwritable 2 --seconds .3 --rounds 1
}

# A check that cannot fail is no check: this run must be caught, if it lives.
test_careless()
{
	"$program" --careless --seconds 1.2 --rounds 1 --threads 3 \
		>"$tmp/out" 2>&1
	got=$?
	[ "$got" -ne 0 ] || fail "use after free was not found"
	[ "$got" -ne 1 ] || has FAILED
}

case $2 in
usage) test_usage ;;
run) test_run ;;
careless) test_careless ;;
*) echo "test.sh: no case $2" >&2; exit 2 ;;
esac
exit $failed
