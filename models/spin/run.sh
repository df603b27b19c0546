#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [model ...] - build and run the models, compare with EXPECTED
#
#	models/spin/run.sh		all of them
#	models/spin/run.sh lane		one
#	LONG=1 models/spin/run.sh	the large ones too
#
# One line each: verdict, what was expected, states, seconds, model, options. A
# broken variant in which no error is found is a failure, as is an error in a
# good one. Needs spin (SPIN) and a C compiler (CC); skipped without spin.

set -u

spin=${SPIN:-spin}
cc=${CC:-cc}
here=$(cd "$(dirname "$0")" && pwd) || exit 1

if ! command -v "$spin" >/dev/null 2>&1; then
	echo "skipped: no spin on the PATH"
	exit 0
fi

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

passed=0
failed=0

# explore MODEL OPTION... - leave the output of the search in the file out
explore()
{
	model=$1
	shift
	rm -rf "$work/run"
	mkdir "$work/run" && cd "$work/run" || exit 1
	cp "$here"/*.pml "$here"/*.h .
	"$spin" -a "$@" "$model" >out 2>&1 &&
	"$cc" -O1 -DSAFETY -DCOLLAPSE -DMEMLIM=4096 -o pan pan.c >>out 2>&1 &&
	./pan -m1000000 >out 2>&1
}

# What the search found. Only a complete one without an error is OK.
verdict()
{
	if grep -q 'assertion violated' out; then
		echo BAD
	elif grep -q 'invalid end state (' out; then
		echo STUCK
	elif grep -Eq 'max search depth|not completed|out of memory' out; then
		echo UNSURE
	elif grep -q 'errors: 0$' out; then
		echo OK
	else
		echo FAILED
	fi
}

check()
{
	model=$1
	expected=$2
	shift 2
	explore "$model" "$@"
	seen=$(verdict)
	states=$(awk '/ states, stored/ { print $1 }' out)
	seconds=$(awk '/elapsed time/ { print $4 }' out)
	if [ "$seen" = "$expected" ]; then
		result=pass
		passed=$((passed + 1))
	else
		result=FAIL
		failed=$((failed + 1))
	fi
	printf '%s  expected %-3s  seen %-6s %9s states %7s s  %s %s\n' \
		"$result" "$expected" "$seen" "${states:--}" "${seconds:-0}" \
		"$model" "$*"
	if [ "$seen" = FAILED ]; then
		sed 's/^/	/' out
	fi
}

# wanted MODEL NAME... - is it among the names, or are there none?
wanted()
{
	model=$1
	shift
	[ $# -eq 0 ] && return 0
	for name; do
		[ "${name%.pml}.pml" = "$model" ] && return 0
	done
	return 1
}

while read -r model expected options <&3; do
	case $model in
	'' | '#'*) continue ;;
	+*) [ "${LONG:-0}" = 1 ] || continue ;;
	esac
	model=${model#+}
	wanted "$model" "$@" || continue
	# shellcheck disable=SC2086 # options are words
	check "$model" "$expected" $options
done 3<"$here/EXPECTED"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
