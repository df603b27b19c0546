#!/bin/sh
# SPDX-License-Identifier: MIT
#
# geoip/test.sh GEOIP CASE - one test of the program; exits 0 when it passes
. "$(dirname "$0")/../../tests/expect.sh"
sample=$(dirname "$0")

# has TEXT: what is expected here is no pattern
has()
{
	grep -qF -e "$1" "$tmp/out" || fail "no '$1' in: $(cat "$tmp/out")"
}

# bad CONTENT WHERE WHAT: such a file is refused, for this reason
bad()
{
	printf '%b' "$1" >"$tmp/bad"
	expect 2 "$tmp/bad:$2: $3" "$tmp/bad" --query 192.0.2.1
}

# The answers are read off the sample by eye.
test_query()
{
	v4=$sample/sample4.txt v6=$sample/sample6.txt

	expect 0 HU "$v4" "$v6" --query 192.0.2.12
	expect 0 HU "$v4" --query 192.0.2.13
	expect 0 AR "$v4" --query 192.0.2.14
	expect 0 HU "$v4" --query ::ffff:192.0.2.13
	expect 0 NL "$v4" "$v6" --query 2001:db8::
	expect 0 NL "$v6" --query 2001:db8:0:1fff:ffff:ffff:ffff:ffff
	expect 0 UA "$v6" --query 2001:db8:0:2000::
	expect 1 '??' "$v4" --query 192.0.2.68
	expect 1 '??' "$v4" --query 8.8.8.8
	expect 1 '??' "$v4" --query 2001:db8::
	expect 1 '??' "$v6" --query ::
}

test_usage()
{
	expect 0 'usage: geoip' --help
	for bad in 1.2.3 1.2.3.256 2001:db8 12345 x ''; do
		expect 2 "'$bad' is not an address" --query "$bad"
	done
	expect 2 'unrecognized option' --no-such-option
	expect 2 '--threads cannot be 0' --threads 0
	expect 2 '--threads cannot be x' --threads x
	expect 2 '--rounds cannot be 1.5' --rounds 1.5
	expect 2 '--seconds cannot be -1' --seconds -1
	expect 2 '--reloads cannot be nan' --reloads nan
	expect 2 '--seed cannot be -1' --seed -1
	for huge in 1001 4294967297 1e999 99999999999999999999; do
		expect 2 "--threads cannot be $huge" --threads "$huge"
	done
	expect 2 'requires an argument' --query
	unwritable 2 "$sample/sample4.txt" --query 192.0.2.12
	expect 2 "$tmp/none: No such file" "$tmp/none"
	expect 2 "$tmp: Is a directory" "$tmp"
}

test_files()
{
	long=$(printf '%0200d' 1)

	bad '1,2,DE\n9,3,FR\n' 2 'the range ends before it starts'
	bad '1,5,DE\n5,9,FR\n' 2 'the range overlaps the previous one'
	bad '7,8,DE\n1,2,FR\n' 2 'the range stands below the previous one'
	bad '1,2x,DE\n' 1 "'2x' is not an IPv4 address as a decimal number"
	bad '1,4294967296,DE\n' 1 "'4294967296' is not an IPv4 address"
	bad '1,::2,DE\n' 1 "'::2' is not an IPv4 address"
	bad '::1,2,DE\n' 1 "'2' is not an IPv6 address"
	bad '::1,1:::2,DE\n' 1 "'1:::2' is not an IPv6 address"
	bad '::1,::,DE\n' 1 'the range ends before it starts'
	bad '::1,::9,DE\n::9,::a,FR\n' 2 'the range overlaps the previous one'
	bad '# ok\n\n1,2,DEU\n' 3 "'DEU' is not a country: two letters"
	bad '1,2,D1\n' 1 "'D1' is not a country"
	bad '1,2,\n' 1 "'' is not a country"
	bad '1,2\n' 1 'not of the form start,end,country'
	bad "1,2,DE\n1,$long,DE\n" 2 'the line is too long'
	bad '# nothing\n' 1 'the file ends without a single range'
	bad '' 1 'the file ends without a single range'
	bad '1,2,DE\n3,4,F' 2 "'F' is not a country"

	printf '# CRLF, no newline at the end\r\n\r\n1,2,DE\r\n3,3,??' \
		>"$tmp/good"
	expect 0 DE "$tmp/good" --query 0.0.0.2
	expect 1 '??' "$tmp/good" --query 0.0.0.3
}

run_sample()
{
	expect "$@" "$sample/sample4.txt" "$sample/sample6.txt" --rounds 1
}

# As many reloads as the machine can make: then the schemes are tested best.
flat_out=1000000

test_run()
{
	run_sample 0 'all answers right' --seconds 1.2 --seed 7 \
		--reloads $flat_out
	for scheme in hazptr thread-shared counted rwlock refcount; do
		grep -q "^$scheme .* 0 *0$" "$tmp/out" ||
			fail "no $scheme in: $(cat "$tmp/out")"
	done
	run_sample 0 '"ok": true' --seconds .6 --threads 3 --json \
		--reloads $flat_out
	grep -qF '"name": "thread-shared"' "$tmp/out" || fail "no JSON of it"
	run_sample 0 'all answers right' --seconds .3 --reloads 0
	run_sample 0 'all answers right' --seconds .6 --reloads 20
}

# The file goes bad, then other, then good again, under a running service.
test_reload()
{
	cp "$sample/sample4.txt" "$tmp/table" && : >"$tmp/out" || exit 1
	"$program" "$tmp/table" --seconds 2 --rounds 1 --reloads 100 >"$tmp/out" 2>&1 &
	pid=$!
	await "loaded $tmp/table"
	sleep .1
	replace "$(cat "$sample/sample4.txt"; echo 12,11,DE)"
	await 'table:302: the range ends before it starts; the old table'
	replace 1,2,DE
	await 'not those that the answers were taken from; the old table'
	replace "$(cat "$sample/sample4.txt")"
	wait "$pid" || fail "exit $?"
	await 'reloads failed'
	await 'all answers right'
}

# await TEXT: until the program has printed it; it must before its end
await()
{
	while kill -0 "$pid" 2>/dev/null && ! grep -qF "$1" "$tmp/out"; do
		sleep .05
	done
	grep -qF "$1" "$tmp/out" || fail "no '$1' in: $(cat "$tmp/out")"
}

replace()
{
	printf '%s\n' "$1" >"$tmp/new" && mv "$tmp/new" "$tmp/table"
}

# A check that cannot fail is no check: this run must be caught, if it lives.
test_careless()
{
	"$program" "$sample/sample4.txt" --careless --rounds 1 --seconds 2 \
		--reloads $flat_out >"$tmp/out" 2>&1
	got=$?
	[ "$got" -ne 0 ] || fail "use after free was not found"
	[ "$got" -ne 1 ] || grep -q FAILED "$tmp/out" || fail "$(cat "$tmp/out")"
}

case $2 in
query) test_query ;;
usage) test_usage ;;
files) test_files ;;
run) test_run ;;
reload) test_reload ;;
careless) test_careless ;;
*) echo "test.sh: no case $2" >&2; exit 2 ;;
esac
exit $failed
