#!/bin/sh
# Compiles the reader into the package, or into the folder named: rustc alone, no crates.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec rustc --edition 2021 --crate-type cdylib -C opt-level=3 -C panic=unwind \
    -o "${1:-$here/weather_log}/libweather_log.so" "$here/src/lib.rs"
