#!/usr/bin/env bash
# Every benchmark: mmx and what a user would use instead, timed in the same run on this machine.
# FLOW_VIDEOS=folder measures flow on your own footage instead of the generated sample's.
set -euo pipefail
cd "$(dirname "$0")/.."
sample=build/bench/sample
[ -d "$sample" ] || mmx sample "$sample" --n 12
python -m benchmarks.flow --videos "${FLOW_VIDEOS:-$sample/videos}"
python benchmarks/embed.py
python benchmarks/train.py
python -m benchmarks.incremental
python -m benchmarks.explorer
