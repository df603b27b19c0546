#!/bin/sh
# SPDX-License-Identifier: MIT
#
# workqueue/test.sh WORKQUEUE CASE SOURCE - one test of the program, on the
# documents in SOURCE; exits 0 if it passes
. "$(dirname "$0")/../../tests/expect.sh"
source=$3

test_usage()
{
	expect 0 'usage: workqueue' --help
	expect 2 'unrecognized option' --no-such-option
	expect 2 'requires an argument' -j
	expect 2 'no files' -j 2
	for bad in 0 257 1.5 x -1 ''; do
		expect 2 "j cannot be $bad" -j "$bad" "$source/README.md"
		expect 2 "rounds cannot be $bad" --rounds "$bad" "$tmp"
	done
	expect 2 'piece cannot be 1k' --piece 1k "$tmp"
	for huge in 1073741825 4294967297 18446744073709551617; do
		expect 2 "piece cannot be $huge" --piece $huge "$tmp"
		expect 2 "times cannot be $huge" --times $huge "$tmp"
	done
	expect 2 'cannot read /no/such/file: No such file' /no/such/file
	expect 2 "cannot read $tmp: Is a directory" "$source/README.md" "$tmp"
}

# The words are what wc(1) counts in the C locale.
test_run()
{
	: >"$tmp/empty"
	printf 'no newline' >"$tmp/short"
	set -- "$tmp/empty" "$tmp/short" "$source/README.md" "$source"/docs/*.md

	expect 0 'counted what one thread does' -j 3 --rounds 2 --times 9 "$@"
	for file; do
		words=$(LC_ALL=C wc -w <"$file")
		has "^ *$((words)) $file\$"
	done
	has '^pthread .* 1\.00$'
	has '^hazptr .* M '
	expect 0 'counted what' -j 1 --rounds 1 --times 1 --piece 64 "$@"
	expect 0 'counted what' -j 40 --rounds 1 --times 1 --piece 16 "$@"
	expect 0 '2 words, 1 jobs' --rounds 1 --piece 100000 "$tmp/short"
	expect 0 '0 words, 0 jobs' --rounds 1 "$tmp/empty"
	expect 0 '"ok": true' -j 2 --rounds 1 --times 2 --json "$@"
	has '"name": "hazptr", "jobs_per_second": '
	unwritable 2 --rounds 1 --times 1 "$tmp/short"
}

case $2 in
usage) test_usage ;;
run) test_run ;;
*) echo "test.sh: no case $2" >&2; exit 2 ;;
esac
exit $failed
