#!/usr/bin/env bash
# Runs a program that was built with ThreadSanitizer. Its runtime of gcc 12 cannot start where the kernel spreads addresses
# further than it expects (vm.mmap_rnd_bits above 28): without that spreading it can. Where the machine does not allow to
# leave it out either, the program is not run, and 77 says so.
set -uo pipefail

without_spreading=()
setarch "$(uname -m)" -R true 2>/dev/null && without_spreading=(setarch "$(uname -m)" -R)
started=$("${without_spreading[@]}" "$1" --gtest_list_tests 2>&1)
if [[ $started == *"unexpected memory mapping"* ]]; then
  echo "ThreadSanitizer cannot start on this machine: $started"
  exit 77
fi
exec "${without_spreading[@]}" "$@"
