#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - litmus tests: by check.py everywhere, by herd7 where it is
#
#	models/litmus/run.sh [SHAPE...]

set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
export PYTHONDONTWRITEBYTECODE=1

python3 "$here/litmus.py" check "$@"
checked=$?
python3 "$here/litmus.py" herd7 "$@" && [ $checked -eq 0 ]
