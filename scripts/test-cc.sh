#!/bin/sh
# SPDX-License-Identifier: MIT
# test-cc.sh CC: the library without its build: every public header alone, as
# C11 and as C++17, then `cc -std=gnu11 -Iinclude src/*/*.c app.c -pthread`.
set -eu
cc=$1
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
warn='-Wall -Wextra -Wpedantic -Wshadow -Werror'

for header in include/hazptr/*.h; do
	echo "#include <${header#include/}>" > "$dir/alone.c"
	"$cc" -std=c11 $warn -Wmissing-prototypes -Wstrict-prototypes \
		-Iinclude -fsyntax-only "$dir/alone.c"
	"$cc" -std=c++17 $warn -Iinclude -fsyntax-only -x c++ "$dir/alone.c"
done

cat > "$dir/app.c" << 'END'
#include <hazptr/hazptr.h>
#include <stdio.h>
#include <stdlib.h>

struct config {
	int value;
	struct hazptr_head head;
};

static struct config *config;

int main(void)
{
	struct hazptr_guard guard = HAZPTR_GUARD_INIT;
	struct config *old;

	config = calloc(1, sizeof(*config));
	config->value = 42;
	old = hazptr_protect(&guard, &config);
	printf("value %d\n", old->value);
	__atomic_store_n(&config, NULL, __ATOMIC_RELEASE);
	hazptr_retire_free(NULL, old, head);
	hazptr_release(&guard);
	hazptr_barrier(NULL);
	return 0;
}
END
"$cc" -std=gnu11 -Iinclude src/*/*.c "$dir/app.c" -pthread -o "$dir/app"
test "$("$dir/app")" = "value 42"
echo "test-cc.sh: $cc: ok"
