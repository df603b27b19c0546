#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/hazptr/test.sh HAZPTR CASE SOURCE - one test of the command; exits 0 if
# it passes, 77 if it cannot run here
. "$(dirname "$0")/../../tests/expect.sh"
source=$3
unset HAZPTR_FENCE HAZPTR_FUTEX HAZPTR_FUTEX_WAKE HAZPTR_STATS

test_usage()
{
	version=$(sed -n 's/^project(hazptr VERSION \([0-9.]*\).*/\1/p' \
		"$source/CMakeLists.txt")

	expect 0 "^hazptr $version\$" --version
	expect 0 '^usage: hazptr COMMAND' --help
	expect 0 '^usage: hazptr info' info --help
	expect 2 '^usage: hazptr COMMAND'
	expect 2 'no such command: nothing' nothing
	expect 2 'no such command: $' ''
	expect 2 'no such option: --nothing' --nothing
	expect 2 'takes no argument: --version' --version --json
	expect 2 "hazptr info: unrecognized option '--xml'" info --xml
	expect 2 'info takes no argument: now' info --json now
	expect 2 "option '--json' doesn't allow an argument" info --json=yes
	expect 2 "invalid option -- 'j'" info -j
	expect 2 'info takes no argument: $' info ''
	expect 2 'no such option: --$' -- info
	for all in info --help --version; do
		unwritable 1 $all
	done
}

# What the text says, the object says; and nothing else.
compare='
import json, re, sys
o = json.load(open(sys.argv[2]))
title = {"in use": "in_use", "sizes, in bytes": "sizes"}
text, section = {}, None
for line in open(sys.argv[1]).read().splitlines()[1:]:
    fact = re.fullmatch(r"  (\w+) +(.*?)(?: \((.*)\))?", line)
    if fact:
        text[section][fact[1]] = fact[2]
        if fact[3]:
            text[section][fact[1] + "_note"] = fact[3]
    elif line:
        section = title.get(line, line)
        text[section] = {}
version = open(sys.argv[1]).readline().split()[1]
assert version == o.pop("version"), version
assert list(text) == ["machine", "in_use", "sizes", "limits"], list(text)
said = {s: {k: str(v) for k, v in o[s].items()} for s in o}
assert text == said, (text, said)
assert all(isinstance(v, int) and v > 0 for v in o["sizes"].values())
'

test_info()
{
	expect 0 '^  kernel  *Linux' info
	for section in machine 'in use' 'sizes, in bytes' limits; do
		has "^$section\$"
	done
	has '^  fence  *[a-z]* (.*)$'
	has '^  slots  *per .* (.*)$'
	cp "$tmp/out" "$tmp/text"
	expect 0 '"machine": *{' info --json
	cp "$tmp/out" "$tmp/json"
	python3 -m json.tool "$tmp/json" >/dev/null || fail "bad JSON"
	python3 -c "$compare" "$tmp/text" "$tmp/json" || fail "they differ"

	# All public structs: those whose names do not end in an underscore.
	sed -n 's/^struct \(hazptr_[a-z_]*[a-z]\) {$/\1/p' \
		"$source"/include/hazptr/*.h | sort >"$tmp/structs"
	sed -n '/^sizes/,/^$/s/^  \(hazptr_[a-z_]*\) .*/\1/p' "$tmp/text" |
		sort >"$tmp/sizes"
	[ -s "$tmp/structs" ] || fail "no structs found"
	diff "$tmp/structs" "$tmp/sizes" >&2 || fail "other structs than these"
}

test_fence()
{
	for mode in full marker; do
		HAZPTR_FENCE=$mode
		export HAZPTR_FENCE
		expect 0 "^  fence  *$mode (HAZPTR_FENCE says so)\$" info
		has '^  membarrier  *not asked (HAZPTR_FENCE forbids'
		has '^  slots  *per thread (the fence is not membarrier)$'
	done
	HAZPTR_FENCE=nothing
	expect 0 'HAZPTR_FENCE: nothing: unknown value ignored' info
	has '^  fence  *[a-z]* (the kernel '
	unset HAZPTR_FENCE
	GLIBC_TUNABLES=glibc.pthread.rseq=0 "$program" info >"$tmp/out"
	has '^  slots  *per thread ('
	HAZPTR_FUTEX=count HAZPTR_FUTEX_WAKE=asymmetric "$program" info \
		>"$tmp/out"
	has '^  futex_table  *count (HAZPTR_FUTEX says so)$'
	has '^  futex_wake  *asymmetric (HAZPTR_FUTEX_WAKE says so)$'
}

# Neither a build tree nor, at first, an installation of it.
test_nobench()
{
	mkdir -p "$tmp/bin" && cp "$program" "$tmp/bin/hazptr" || exit 1
	program=$tmp/bin/hazptr
	expect 1 'bench: cannot run .*/hazptr-bench: No such file' bench W1
	has 'HAZPTR_BUILD_BENCH=ON'
	there=$(sed -n 's/.*cannot run \(.*\): No such.*/\1/p' "$tmp/out")
	mkdir -p "${there%/*}"
	printf '#!/bin/sh\nprintf "<%%s>" "$@"\nexit 3\n' >"$there"
	chmod +x "$there"
	expect 3 '^<W1 W2><--peers><>$' bench 'W1 W2' --peers ''
}

# A small run; $* are more options.
run()
{
	"$program" bench W1 --rounds 1 --seconds 0.01 --threads 1 "$@" \
		>"$tmp/out" 2>"$tmp/err"
	got=$?
	[ $got -eq 0 ] || fail "bench $*: exit $got: $(cat "$tmp/err")"
}

test_bench()
{
	expect 0 '^usage: hazptr-bench' bench --help
	expect 2 'no such workload: W99' bench W99
	expect 2 '--peers: no such peer: nobody' bench --peers nobody
	expect 2 '--peers: no such peer: urcu-no' bench --peers ck,urcu-no
	for bad in 0 102 -1 -18446744073709551615 18446744073709551617 1x \
		' 1' ''; do
		expect 2 "--rounds: from 1 to .*: $bad\$" bench --rounds "$bad"
	done
	for bad in 0 65 1,,2 1, ,1 1,2,3,4,5,6,7,8,9 x ''; do
		expect 2 "--threads: up to 8 .*: $bad\$" bench --threads "$bad"
	done
	for bad in 0 nan inf 3601 1s ''; do
		expect 2 "--seconds: from .*: $bad\$" bench --seconds "$bad"
	done
	expect 2 'no such workload: $' bench --only ''
	expect 2 '--peers: no such peer: $' bench --peers ck,
	expect 2 "option '--json' requires an argument" bench --json
	expect 2 "unrecognized option '--xml'" bench --xml
	expect 1 ': Is a directory' bench W1 --json "$tmp"
	expect 1 "$tmp/no/file: No such file" bench W1 --json "$tmp/no/file"

	run --json "$tmp/json"
	has '^W1  '
	has '  hazptr, fresh guard  '
	has '^The threads had a processor for '
	python3 -m json.tool "$tmp/json" >/dev/null || fail "bad JSON"
	python3 -c '
import json, sys
o = json.load(open(sys.argv[1]))
rows = {r["row"]: r for t in o["tables"] for r in t["rows"]}
assert [t["name"] for t in o["tables"]] == ["W1"], o["tables"]
assert all(t["targets"] for t in o["tables"])
r = rows["hazptr, fresh guard"]
assert r["median"] > 0 and r["ratio"] > 0 and len(r["samples"]) == 1, r
for kind in "peer", "weaker":
    peers = [r for r in rows.values() if "median" in r and r["kind"] == kind]
    if peers:
        best = min(peers, key=lambda r: r["median"])
        assert r["best_" + kind] == best["row"], (r, best)
        assert best[kind + "_ratio"] == 1, best
    assert "best_" + kind not in rows["bare load and dereference"]
weaker = ("liburcu-", "ck_epoch", "shared count")
for r in rows.values():
    assert (r["kind"] == "weaker") == r["scheme"].startswith(weaker), r
' "$tmp/json" || fail "JSON: $(cat "$tmp/json")"

	unwritable 1 bench W1 --rounds 1 --seconds 0.01 --threads 1

	run --peers ck
	has '  ck_hp '
	has '  bare load and dereference '
	has '  hazptr, fresh guard '
	! grep -q 'liburcu-memb,\|libcds HP' "$tmp/out" ||
		fail "more peers than ck: $(cat "$tmp/out")"

	for name in urcu-qsbr liburcu-qsbr qsbr; do
		run --peers "$name"
		has '  liburcu-qsbr '
		! grep -q '^  liburcu-m\|^  liburcu-bp' "$tmp/out" ||
			fail "more flavours than qsbr: $(cat "$tmp/out")"
	done
}

# Each peer can do what its rows say: none is missing, each has a figure.
test_peers()
{
	expect 0 '^W4k  sorted list of 1,000 nodes' \
		bench W1 W1c W2 W2f W3 W3p W4 W4k W5 W6 \
		--rounds 1 --seconds 0.001 --threads 1,2 --json "$tmp/json"
	python3 -c '
import collections, json, sys
o = json.load(open(sys.argv[1]))
flavours = ["liburcu-" + f for f in ("memb", "qsbr", "mb", "bp")]
seen = collections.Counter()
for t in o["tables"]:
    there = {r["scheme"] for r in t["rows"]}
    assert there >= set(flavours), (t["name"], there)
    for r in t["rows"]:
        if r["scheme"] in flavours:
            if "missing" in r:
                print("SKIP: no liburcu")
                sys.exit(77)
            assert r["median"] > 0 or t["name"] == "W5", r
            seen[t["name"], r["threads"], "defer" in r["row"]] += 1
assert seen["W1", 1, False] >= 4 and seen["W1", 2, False] >= 4, seen
for name in "W2f", "W3", "W3p":
    assert seen[name, 1, False] == seen[name, 1, True] == 4, (name, seen)
assert seen["W4", 2, False] == seen["W4k", 2, False] == 4, seen
w4, w4k = ({r["row"]: r for t in o["tables"] if t["name"] == name
            for r in t["rows"]} for name in ("W4", "W4k"))
assert list(w4) == list(w4k), (list(w4), list(w4k))
bare = "unprotected, the same code"
assert w4k[bare]["median"] > 3 * w4[bare]["median"], "not longer"
' "$tmp/json"
	got=$?
	[ $got -ne 77 ] || exit 77
	[ $got -eq 0 ] || fail "the figures are not those of all peers"
}

# The name of the directory is nobody's command.
test_plot()
{
	mkdir "$tmp/empty"
	(PATH=$tmp/empty; exec "$program" bench W1 --plot "$tmp/none") \
		>"$tmp/out" 2>&1
	got=$?
	[ $got -eq 1 ] || fail "no gnuplot: exit $got, not 1"
	has 'cannot run gnuplot: No such file'
	if ! command -v gnuplot >/dev/null; then
		echo "SKIP: no gnuplot"
		exit $((failed ? 1 : 77))
	fi
	cd "$tmp" || exit 1
	for dir in '$(touch caught)' "a'; touch caught; '" "a\`touch caught\`" \
		"a'; system('touch caught'); '" 'a b'; do
		run --plot "$dir"
		[ -s "$dir/W1-1.png" ] || fail "nothing in $dir"
	done
	for suffix in dat svg png; do
		[ -s "$dir/W1-1.$suffix" ] || fail "no W1-1.$suffix"
	done
	grep -q '^"hazptr, fresh guard" [0-9.]* [0-9.]* [0-9.]* ' \
		"$dir/W1-1.dat" || fail "no data of ours"
	grep -q 'hazptr, fresh guard' "$dir/W1-1.svg" || fail "no bar of ours"
	[ -z "$(find "$tmp" -name caught)" ] || fail "a shell has seen the name"
	expect 1 'Not a directory' bench W1 --plot "$dir/W1-1.dat"
}

# A clean run of one second with all faults.
test_torture()
{
	for mode in full marker membarrier; do
		expect 0 '^clean: [0-9]* operations, seed 7$' torture \
			--seconds 1 --fence $mode --seed 7 --progress
		has '^hazptr: torture: --seed 7 --threads [0-9]* --seconds 1 '
		has '^ *[1-9][0-9]* s  [0-9]* operations, '
		[ $mode = membarrier ] || has " --fence $mode --faults "
	done
	for part in guards contexts retire refs shared futex locks; do
		has "^$part  *[1-9]"
	done
	has '^  stop  *[1-9]'
	has '^  allocation refused  *[1-9]'
	has '^one  '
}

# What is asked for is done, and nothing else.
test_torture_parts()
{
	"$program" torture --seconds 0.5 --threads 3 --workload refs,locks \
		--faults affinity,signals --json >"$tmp/json" 2>"$tmp/err" ||
		fail "exit $?: $(cat "$tmp/err")"
	python3 -c '
import json, sys
o = json.load(open(sys.argv[1]))
assert o["result"] == "clean" and o["threads"] == 3, o
assert o["faults"] == ["signals", "affinity"], o["faults"]
assert list(o["workloads"]) == ["refs", "locks"], list(o["workloads"])
assert all(sum(w.values()) for w in o["workloads"].values()), o
assert o["operations"] == sum(n for w in o["workloads"].values()
                              for n in w.values()), o
d = o["disturbances"]
assert d["signal"] and d["move to a processor"], d
assert not d["fork"] and not d["stop"] and not d["allocation refused"], d
for d in o["domains"].values():
    assert d["retired"] == d["reclaimed"], d
' "$tmp/json" || fail "JSON: $(cat "$tmp/json")"
	expect 0 '^clean: ' torture --seconds 0.3 --faults none --threads 1
	has '^  signal  *0$'
	HAZPTR_FUTEX=count HAZPTR_FUTEX_WAKE=asymmetric
	export HAZPTR_FUTEX HAZPTR_FUTEX_WAKE
	expect 0 '^clean: ' torture --seconds 0.5 --workload futex,locks
}

test_torture_usage()
{
	expect 0 '^usage: hazptr torture' torture --help
	expect 2 '--faults: no such fault: rain' torture --faults fork,rain
	expect 2 '--workload: no such workload: $' torture --workload ''
	expect 2 '--workload: no such workload: none' torture --workload none
	expect 2 '--fence: no such mode: none' torture --fence none
	for bad in 1025 -1 ' -18446744073709551615' 18446744073709551617 x ''; do
		expect 2 '--threads: 0 to 1024' torture --threads "$bad"
	done
	for bad in nan inf -1 1e8 ''; do
		expect 2 "--seconds: not a .*: $bad\$" torture --seconds "$bad"
	done
	expect 2 "option '--seed' requires an argument" torture --seed
	expect 2 '--seconds: not a positive number: 0' torture --seconds 0
	expect 2 'no such number: 1x' torture --seed 1x
	expect 2 "unrecognized option '--break'" torture --break
	expect 2 'torture takes no argument: now' torture --json now
}

case $2 in
usage | info | fence | nobench | bench | peers | plot) "test_$2" ;;
torture | torture_parts | torture_usage) "test_$2" ;;
*) echo "test.sh: no case $2" >&2; exit 2 ;;
esac
exit $failed
