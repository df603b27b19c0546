#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - clients of the library's code, explored with GenMC under RC11
#
# Without genmc (GENMC) on the PATH all variants of a client without fences are
# run with ThreadSanitizer, which knows the orders of C11 but not its fences.
# Of the others the good variants are built and run natively, 100 times each,
# which shows only that they are programs.

set -u

genmc=${GENMC:-genmc}
cc=${CC:-cc}
here=$(cd "$(dirname "$0")" && pwd) || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

passed=0
failed=0

# often TIMES FILE OPTION... - build it and run it; 2: it was not built
often()
{
	times=$1
	file=$2
	shift 2
	"$cc" -std=gnu11 -O2 -Wall -Wextra -pthread -ffunction-sections \
		-Wl,--gc-sections "$@" -o "$work/client" "$here/$file" ||
		return 2
	i=0
	while [ $i -lt "$times" ]; do
		"$work/client" >"$work/out" 2>&1 || return 1
		i=$((i + 1))
	done
}

native()
{
	often 100 "$@"
}

tsan()
{
	often 20 "$@" -fsanitize=thread
}

# explore FILE OPTION... - false when an error was found; 2: it did not run
explore()
{
	file=$1
	shift
	"$genmc" --rc11 --disable-estimation --disable-ipr --disable-sr \
		--disable-load-annotation -- -DGENMC "$@" "$here/$file" \
		>"$work/out" 2>&1
	if grep -q 'No errors were detected' "$work/out"; then
		return 0
	elif grep -q 'Error: ' "$work/out"; then
		return 1
	fi
	sed 's/^/	/' "$work/out"
	return 2
}

# seen TOOL FILE POINTS OPTION... - OK, BAD or FAILED
seen()
{
	tool=$1
	client=$2
	points=$3
	shift 3
	point=$((points > 0))
	while [ "$point" -le "$points" ]; do
		"$tool" "$client" -I"$here" -I"$here/../../include" \
			'-DHAZPTR_ATOMIC_BACKEND="model.h"' \
			-DINTERRUPT="$point" "$@" >&2
		case $? in
		0) ;;
		1) echo BAD && return ;;
		*) echo FAILED && return ;;
		esac
		point=$((point + 1))
	done
	echo OK
}

has_tsan=no
echo 'int main(void) { return 0; }' | "$cc" -fsanitize=thread -xc - \
	-o "$work/probe" 2>/dev/null && "$work/probe" && has_tsan=yes

while read -r file expected points options <&3; do
	case $file in '' | '#'*) continue ;; esac
	if command -v "$genmc" >/dev/null 2>&1; then
		tool=explore
	elif [ "$points" = 0 ] && [ $has_tsan = yes ]; then
		tool=tsan
	elif [ "$expected" = OK ]; then
		tool=native
	else
		continue
	fi
	# shellcheck disable=SC2086 # options are words
	verdict=$(seen "$tool" "$file" "$points" $options)
	if [ "$verdict" = "$expected" ]; then
		result=pass
		passed=$((passed + 1))
	else
		result=FAIL
		failed=$((failed + 1))
	fi
	printf '%s  %-7s expected %-3s  seen %-6s  %s %s\n' "$result" \
		"$tool" "$expected" "$verdict" "$file" "$options"
done 3<"$here/EXPECTED"

[ "$tool" = explore ] || echo "skipped: no genmc on the PATH"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
