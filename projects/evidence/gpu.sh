#!/usr/bin/env bash
# A grid of runs on a machine with a GPU, for a limited time:
#
#     bash projects/evidence/gpu.sh OUT [SECONDS [GRID [OPTION...]]]
#
# OUT       a folder; what comes back in it is state.tar and log.txt
# SECONDS   after which trainings are stopped, and state.tar written (540)
# GRID      as evidence.py takes it, with its options (cifar100_lt_200e)
# STATE     the state.tar of an earlier call, to go on from there
# DATA      a zip of data/cifar100_lt, if that folder is not there
# PYTHON    of an environment with torch (python3)
# WHEELS    a folder of wheels that it lacks; nothing comes from a network
#
# Unpacked in a checkout, state.tar adds the records of what is finished, from
# which evidence.py GRID --report writes the page. It goes on with what is in
# work_dirs/evidence*, so leave the work directory to the grid.
set -u
out=${1:?give a folder for what comes back}
limit=${2:-540}
grid=${3:-cifar100_lt_200e}
python=${PYTHON:-python3}
if ! command -v "$python" > /dev/null; then
    echo "PYTHON: there is no $python" >&2
    exit 2
fi
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
for name in STATE DATA WHEELS; do
    if [ -n "${!name:-}" ]; then
        [ -e "${!name}" ] || { echo "$name: there is no ${!name}" >&2; exit 2; }
        export $name="$(realpath "${!name}")"
    fi
done
# All are below the folder of the caller. An environment's python is a link,
# which tells where the environment is.
case $python in */*) python=$(realpath -s "$python") ;; esac
[ -f "$grid" ] && grid=$(realpath "$grid")
cd "$(dirname "$0")/../.." || exit 2
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
export PYTHONPATH=$temporary/site:$PWD${PYTHONPATH:+:$PYTHONPATH}
if [ -n "${WHEELS:-}" ]; then
    "$python" -m pip install --disable-pip-version-check -q --no-index \
        --no-deps --no-compile --target "$temporary/site" "$WHEELS"/*.whl ||
        exit
fi
[ -n "${STATE:-}" ] && { tar -xf "$STATE" || exit; }
if [ -n "${DATA:-}" ] && [ ! -d data/cifar100_lt ]; then
    "$python" -m zipfile -e "$DATA" data/cifar100_lt || exit
fi

# Its trainings end with it, at their last checkpoint.
timeout -s TERM -k 20 "$limit" "$python" -u projects/evidence/evidence.py \
    "$grid" "${@:4}" 2>&1 | tee -a "$out/log.txt"
status=${PIPESTATUS[0]}
case $status in
    124 | 137) echo "Stopped after $limit s; STATE=state.tar goes on." ;;
esac

# Of the checkpoints of a run two are enough: the last may be half written.
{
    find projects/evidence/records -name '*.json'
    for run in work_dirs/evidence*/*/; do
        ls "$run"run.json "$run"metrics.json "$run"last_checkpoint 2> /dev/null
        ls "$run"log.txt "$run"*/vis_data/scalars.json 2> /dev/null
        ls -t "$run"*.pth 2> /dev/null | head -n 2
    done
} > "$temporary/files"
# It may be what STATE named, and all that there is of a run.
tar -cf "$out/state.part" -T "$temporary/files" &&
    mv "$out/state.part" "$out/state.tar"
du -h "$out/state.tar"
[ "$status" -eq 0 ]
