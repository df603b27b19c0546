#!/bin/sh
# SPDX-License-Identifier: MIT
# Text: trailing blanks, long lines, words that do not belong into the tree.
# What clang-format would change is counted only: versions disagree.
cd "$(dirname "$0")/.." || exit 1
status=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# report MESSAGE: prints the "file:line:..." lines of stdin as breaches.
report() {
	sed -n "s|^[.]/\\([^:]*:[0-9]*\\):.*|\\1: $1|p" | grep . && status=1
}

text() {
	grep -rnI --exclude-dir=.git --exclude-dir=build \
		--exclude-dir=corpus "$@" .
}

text '[[:blank:]]$' --exclude='*.md' > "$out"
report 'trailing blanks' < "$out"

for f in $(find include src -name '*.[ch]'); do
	expand -t 8 "$f" | awk -v f="$f" \
		'length($0) > 80 { print f ":" NR ": " length($0) " columns" }'
done > "$out"
grep . "$out" && status=1

# Paths of somebody's machine; hosts of package registries. The brackets keep
# this file from finding itself.
text -E -e '(^|[^[:alnum:]_.>}])/(wor[k]|roo[t]|hom[e])/' \
	-e '(pyp[i]|npmj[s]|crate[s]|rubygem[s]|pythonhoste[d]|yarnpk[g])[.](org|com|io)' \
	-e '(proxy[.]gol[a]ng|de[b][.]debian)[.]org' > "$out"
report 'a path or a host that does not belong here' < "$out"

if command -v clang-format > /dev/null; then
	files=$(find include src tests examples bench tools \
		-name '*.[ch]' -o -name '*.cc' -o -name '*.cpp' 2> /dev/null)
	n=0 differ=0
	for f in $files; do
		n=$((n + 1))
		clang-format "$f" | cmp -s - "$f" || differ=$((differ + 1))
	done
	echo "check-style.sh: clang-format would change $differ of $n files"
fi
[ $status = 0 ] && echo "check-style.sh: clean"
exit $status
