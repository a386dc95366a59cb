#!/usr/bin/env bash
# Test in a Slurm job: a task per GPU, or over gloo on nodes without a GPU.
set -euo pipefail

if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT" \
        '[options of the stock test tool]' >&2
    echo 'environment: GPUS (8, the tasks) GPUS_PER_NODE (at most 8)' \
        'CPUS_PER_TASK (5) SRUN_ARGS MASTER_PORT PYTHON' \
        'GRES (gpu:GPUS_PER_NODE; empty where no GPU is to be asked for)' >&2
    exit 2
fi
PARTITION=$1
JOB_NAME=$2
CONFIG=$3
CHECKPOINT=$4
shift 4
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
GRES=${GRES-gpu:$GPUS_PER_NODE}

# SRUN_ARGS is a list of words.
# shellcheck disable=SC2086
exec srun --partition="$PARTITION" --job-name="$JOB_NAME" \
    ${GRES:+--gres="$GRES"} \
    --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/test.py" "$CONFIG" \
    "$CHECKPOINT" --launcher slurm "$@"
