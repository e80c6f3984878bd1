#!/usr/bin/env bash
# scenario.sh NAME: runs one scenario of run.sh in its own directory, on a cluster without jobs and with all nodes up.
set -Eeuo pipefail
. "$HERE/common.sh"
trap 'echo "FAILED: line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND"' ERR
cd "$WORK/$1"
tidy
PS4='+ $SECONDS s: '
. "$HERE/scenarios/$1.sh"
tidy
