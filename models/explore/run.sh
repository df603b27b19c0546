#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [CLIENT...] - build the clients, explore, compare with EXPECTED
#
#	models/explore/run.sh		all of them; then labels and pairs
#	models/explore/run.sh protect	one
#	LONG=1 models/explore/run.sh	the large ones too
#
# One line each: verdict, what was expected, what the search did, client,
# options. A broken variant in which no error is found is a failure, as is an
# error in a good one; the schedule of that is printed.

set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(cd "$here/../.." && pwd) || exit 1
out=${OUT:-$root/build/explore}
if [ "$(uname -s)" != Linux ] || ! command -v gcc >/dev/null 2>&1; then
	echo "skipped: needs gcc on Linux"
	exit 0
fi

make -s -j"${JOBS:-2}" -C "$here" OUT="$out" all || exit 1
rm -rf "$out/cover"
mkdir -p "$out/cover"
passed=0
failed=0
row=0

# outcomes PROGRAM OPTION... - what came out, without the counts
outcomes()
{
	"$@" --option outcomes --outcomes | sed -n 's/^ *[0-9]*  //p' | sort
}

# explore CLIENT OPTION... - sets seen, leaves the output in the file out
explore()
{
	client=$1
	shift
	"$out/$client" "$@" --cover "$out/cover/$row" >"$out/out" 2>&1
	status=$?
	case $status in
	0 | 3) seen=SOME ;;
	1) seen=BAD ;;
	*) seen=FAILED ;;
	esac
	if [ $status -eq 0 ] && grep -q '^complete: ' "$out/out"; then
		seen=OK
	fi
	what=$(tail -n 1 "$out/out")
}

compare()
{
	client=$1
	shift
	outcomes "$out/$client" "$@" >"$out/out"
	outcomes "$out/$client" "$@" --all >"$out/out.all"
	what="$(wc -l <"$out/out") outcomes"
	seen=DIFFER
	if [ -s "$out/out" ] && cmp -s "$out/out" "$out/out.all"; then
		seen=SAME
	fi
}

wanted()
{
	[ -z "$clients" ] && return 0
	case " $clients " in *" $1 "*) return 0 ;; esac
	return 1
}

clients="$*"
while read -r client expected options <&3; do
	case $client in
	'' | '#'*) continue ;;
	+*)
		[ "${LONG:-0}" = 1 ] || continue
		client=${client#+}
		;;
	esac
	wanted "$client" || continue
	row=$((row + 1))
	# shellcheck disable=SC2086 # options are words
	if [ "$expected" = SAME ]; then
		compare "$client" $options
	else
		explore "$client" $options
	fi
	if [ "$seen" = "$expected" ]; then
		result=pass
		passed=$((passed + 1))
	else
		result=FAIL
		failed=$((failed + 1))
		[ "$seen" = BAD ] && cat "$out/out"
	fi
	[ "$seen" = BAD ] && rm -f "$out/cover/$row"
	printf '%s  %-4s  %-4s  %s %s\n             %s\n' "$result" \
		"$expected" "$seen" "$client" "$options" "$what"
done 3<"$here/EXPECTED"

echo "$passed passed, $failed failed"
if [ -z "$clients" ]; then
	python3 "$here/report.py" "$out/cover" || failed=$((failed + 1))
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
