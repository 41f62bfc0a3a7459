#!/bin/bash
# The whole pipeline as jobs of Slurm, from the top folder of a project: an array of shards for each
# step whose items are trailers, and between them jobs in which DVC lays out what they made.
#
#   scripts/slurm_submit.sh [SHARDS]
#
# Options for sbatch: MMX_SBATCH for all jobs, MMX_SBATCH_FLOW and MMX_SBATCH_EMBED besides for those.
# Finished items are kept: after a failure, run this again.
set -euo pipefail
shards=${1:-32}
mkdir -p build # for the logs, whose folder sbatch does not make
after=

submit() { # options and script -> job id; waits for the jobs in $after
    # shellcheck disable=SC2086 # the variables hold several options
    sbatch --parsable --kill-on-invalid-dep=yes ${after:+--dependency=afterok$after} \
        ${MMX_SBATCH:-} "$@" | cut -d ';' -f 1
}

work() { # step, options -> job id
    local step=$1
    shift
    submit "$@" --array="1-$shards" scripts/slurm_work.sbatch "$step" "$shards"
}

layout() { # stages of DVC; all if none is named
    after=:$(submit --job-name=mmx-dvc --output=build/%x-%j.log \
        --wrap "source .venv/bin/activate && dvc repro $*")
}

layout ingest
after=:$(work scenes)
layout scenes
# shellcheck disable=SC2086
flow=$(work flow ${MMX_SBATCH_FLOW:-})
audio=$(work audio)
after=:$audio:$flow
layout audio flow
embed=:$(work stills)
for stage in $(.venv/bin/dvc stage list --name-only | grep '^embed@'); do
    # shellcheck disable=SC2086
    job=$(work "$stage" ${MMX_SBATCH_EMBED:-})
    embed+=:$job
done
after=$embed
layout
echo "submitted; the last job is ${after#:}"
