#!/bin/sh
# SPDX-License-Identifier: MIT
# test-install.sh BUILD CC: what a user finds after `make install`: a program
# built by pkg-config against the shared library, one against the static one,
# and one by find_package().
set -eu
build=$1 cc=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

cmake --install "$build" --prefix "$dir/usr" > "$dir/log"
pc=$(find "$dir/usr" -name hazptr.pc)
lib=${pc%/pkgconfig/*}
export PKG_CONFIG_PATH="${pc%/*}" LD_LIBRARY_PATH="$lib"
cat > "$dir/app.c" << 'END'
#include <hazptr/hazptr.h>

int main(void)
{
	hazptr_fence_heavy();
	hazptr_barrier(0);
	return 0;
}
END

set -x
"$cc" "$dir/app.c" -o "$dir/app" $(pkg-config --define-prefix --cflags --libs hazptr)
"$dir/app"
ldd "$dir/app" | grep -q 'libhazptr[.]so[.]0 '
"$cc" "$dir/app.c" -o "$dir/static" "$lib/libhazptr.a" \
	$(pkg-config --define-prefix --cflags hazptr) -pthread
"$dir/static"

# The command, where there was json-c; the bench is not installed with it.
if [ -e "$build/tools/hazptr/hazptr" ]; then
	"$dir/usr/bin/hazptr" info > "$dir/log"
	grep -q '^  fence ' "$dir/log"
	[ -e "$build/bench/hazptr-bench" ] ||
		! "$dir/usr/bin/hazptr" bench W1 2> "$dir/log"
	[ ! -e "$build/bench/hazptr-bench" ] ||
		"$dir/usr/bin/hazptr" bench --help > "$dir/log"
fi

cat > "$dir/CMakeLists.txt" << 'END'
cmake_minimum_required(VERSION 3.22)
project(consumer LANGUAGES C)
find_package(hazptr 0.1 REQUIRED)
add_executable(one app.c)
target_link_libraries(one hazptr::hazptr)
add_executable(two app.c)
target_link_libraries(two hazptr::hazptr_static)
END
cmake -S "$dir" -B "$dir/build" -DCMAKE_PREFIX_PATH="$dir/usr" \
	-DCMAKE_C_COMPILER="$cc" > "$dir/log"
cmake --build "$dir/build" > "$dir/log"
"$dir/build/one"
"$dir/build/two"
