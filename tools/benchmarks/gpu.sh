#!/usr/bin/env bash
# All that is to be known of a card, in ten minutes:
#
#     bash tools/benchmarks/gpu.sh [OUT [STEP...]]
#
# OUT       the folder of the results (work_dirs/gpu)
# STEP      only these, to run again what failed
# PYTHON    an environment with torch, Triton and pytest (python3)
# WHEELS    a folder of wheels that it lacks; nothing comes from a network
# DEVICE    cpu tries the script in small; its figures have no meaning (cuda)
#
# A step that fails, or runs out of its time, stops no other. What it wrote
# until then is in OUT/STEP.log, and figures in OUT/*.jsonl.
set -u
cd "$(dirname "$0")/../.." || exit 2
out=${1:-${OUT:-work_dirs/gpu}}
chosen=" ${*:2} "
python=${PYTHON:-python3}
device=${DEVICE:-cuda}
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
[ "$#" -lt 2 ] && rm -f "$out"/*.log "$out"/*.jsonl "$out"/summary.txt
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
export PYTHONPATH=$temporary/site:$PWD${PYTHONPATH:+:$PYTHONPATH}
export TRITON_CACHE_DIR=$temporary/triton MPLCONFIGDIR=$temporary
export KINETO_LOG_LEVEL=99
# Seconds after which nothing is begun that would not end in ten minutes.
most=585
failed=0
names=()

note() {
    echo "$1" | tee -a "$out/steps.log"
}

# step NAME SECONDS COMMAND...
step() {
    local name=$1 limit=$2 left=$((most - SECONDS)) start=$SECONDS status
    shift 2
    case $chosen in *" $name "* | '  ') ;; *) return ;; esac
    names+=("$name")
    [ "$limit" -gt "$left" ] && limit=$left
    if [ "$limit" -lt 10 ]; then
        failed=$((failed + 1))
        note "$name: left out, no time"
        return
    fi
    timeout -k 5 "$limit" "$@" > "$out/$name.log" 2>&1
    status=$?
    [ "$status" -ne 0 ] && failed=$((failed + 1))
    [ "$status" -eq 124 ] && status='124, out of time'
    note "$name: status $status, $((SECONDS - start)) s"
}

tests() {
    step "$1" "$2" make --no-print-directory test-cuda PYTHON="$python" \
        PYTEST_ARGS="-q -W ignore $3"
}

run=("$python" -W ignore)
here=tools/benchmarks
if [ "$device" = cpu ]; then
    export TRITON_INTERPRET=1
    rows=(--rows 32) few=(--repeats 1) loss=(--sizes 32 --classes 7)
    precisions=(float32) pixels=(--size 64 64) views=(--size 32 32)
    seg=2 cls=2
    # Without a compiler, which takes longer than all else here.
    bfloat16=optim_wrapper.type=mmpaco.BFloat16OptimWrapper
    parts=(--iters 1 --cfg-options train_dataloader.batch_size=4)
    parts+=(--against-options "$bfloat16")
else
    rows=() few=(--repeats 20) loss=()
    precisions=(float32 bfloat16) pixels=(--size 512 512)
    views=(--size 224 224)
    seg=4 cls=128
    parts=(--iters 30 --warm-ups 10 --workers 8)
    parts+=(--against projects/evidence/cifar100_lt/reduced.py)
fi

# model NAME SECONDS CONFIG BASELINE IMAGES OPTIONS...
model() {
    local name=$1 seconds=$2 config=$3 baseline=$4 images=$5
    shift 5
    local repeats=10
    [ "$device" = cpu ] && repeats=1
    step "$name" "$seconds" "${run[@]}" $here/train_step.py \
        "configs/baselines/$baseline.py" "configs/gpaco/$config.py" \
        --batch "$images" --repeats $repeats --device "$device" \
        --precisions "${precisions[@]}" --out "$out/train_step.jsonl" "$@"
}

if [ -n "${WHEELS:-}" ]; then
    step install 60 "$python" -m pip install --disable-pip-version-check \
        --no-index --no-deps --no-compile --target "$temporary/site" \
        "$WHEELS"/*.whl
fi
step card 45 "${run[@]}" $here/gpu_steps.py card --device "$device" \
    ${rows[@]+"${rows[@]}"} "${few[@]}"
step kernels 60 "${run[@]}" $here/gpu_steps.py kernels --device "$device" \
    ${rows[@]+"${rows[@]}"}
if [ "$device" = cpu ]; then
    echo 'tests: left out, they need a card'
else
    tests test_contrast 60 tests/losses/test_contrast_cuda.py
    tests test_losses 60 tests/losses/test_losses_cuda.py
    tests test_heads 90 "tests/engine/test_engine_cuda.py \
        tests/cls/test_cls_cuda.py tests/cls/test_ranks_cuda.py \
        tests/seg/test_seg_cuda.py"
fi
step loss 120 "${run[@]}" $here/loss.py --table device --device "$device" \
    ${loss[@]+"${loss[@]}"} "${few[@]}" --out "$out"
step positives 25 "${run[@]}" $here/gpu_steps.py positives \
    --device "$device" ${rows[@]+"${rows[@]}"} "${few[@]}"
model deeplabv3plus 70 deeplabv3plus_r50_cityscapes \
    deeplabv3plus_r50_cityscapes $seg "${pixels[@]}"
model upernet 75 upernet_swin-t_ade20k upernet_swin-t_ade20k $seg \
    "${pixels[@]}"
model resnet 75 resnet50_imagenet-lt cross-entropy_resnet50_imagenet-lt \
    $cls "${views[@]}"
step parts 100 "${run[@]}" $here/train_parts.py \
    configs/gpaco/resnet32_cifar100-lt-if100.py --noise 32 32 \
    "${parts[@]}" --out "$out/train_parts.jsonl"
step trace 45 "${run[@]}" $here/gpu_steps.py trace \
    configs/gpaco/deeplabv3plus_r50_cityscapes.py --batch $seg \
    "${pixels[@]}" --device "$device" --out "$out/trace.json"

for name in "${@:2}"; do
    case " ${names[*]-} " in
        *" $name "*) ;;
        *)
            failed=$((failed + 1))
            names+=("$name")
            note "$name: no such step on this device"
            ;;
    esac
done

# Tables last: the end of the output is what is sure to be seen.
{
    for name in "${names[@]}"; do
        case $name in
            loss | deeplabv3plus | upernet | resnet) most_lines=0 ;;
            card | parts | positives | trace) most_lines=30 ;;
            *) most_lines=6 ;;
        esac
        told=$(grep "^$name: " "$out/steps.log" | tail -n 1)
        echo "== $told"
        case $told in *"status 0,"*) ;; *) most_lines=15 ;; esac
        [ -f "$out/$name.log" ] && tail -n $most_lines "$out/$name.log" |
            cut -c 1-160
    done
    "${run[@]}" $here/gpu_steps.py tables "$out"
    echo "$failed of ${#names[@]} steps failed; results are in $out"
} > "$out/summary.txt" 2>&1
cat "$out/summary.txt"
[ "$failed" -eq 0 ]
