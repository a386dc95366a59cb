"""The kernels of the contrast: values, choice, and what compilers make."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from support.processes import environment

from mmpaco.losses import kernels

pytestmark = pytest.mark.skipif(
    find_spec('triton') is None or kernels._torch_version() < (2, 4),
    reason='the kernels are for torch 2.4 and more, with Triton',
)
SCRIPT = Path(__file__).with_name('interpreted_kernels.py')


def test_kernels_are_the_dense_form_in_the_interpreter():
    """Every element is written; three products are as exact as float32."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', SCRIPT],
        env=environment(SCRIPT.parents[1], TRITON_INTERPRET='1'),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2 * 9 * 2
    for line in lines:
        *_, temperature, _ = line['shape']
        bound = {3: 5e-6, 1: 5e-3}[line['products']] * max(
            1, 0.07 / temperature
        )
        assert line['out'] < bound, line
        assert max(line['gradients']) < bound, line


def test_the_host_takes_no_kernels():
    assert kernels.kernels_for(torch.randn(4, 8)) is None


def test_tf32_that_the_user_allows_needs_one_product():
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision('highest')
        assert kernels.num_products(under_autocast=False) == 3
        assert kernels.num_products(under_autocast=True) == 1
        torch.set_float32_matmul_precision('high')
        assert kernels.num_products(under_autocast=False) == 1
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_kernel_that_does_not_compile_warns_once(monkeypatch, caplog):
    """And the tiles take over."""
    monkeypatch.setattr(kernels, '_FAILED', [])
    from mmpaco.losses import contrast_triton

    def fail(device):
        raise RuntimeError('no C compiler')

    monkeypatch.setattr(contrast_triton, 'try_out', fail)
    rows = torch.randn(4, 8)
    assert kernels._compiled_for(rows) is None
    assert 'no C compiler' in caplog.text
    assert kernels.SWITCH in caplog.text
    assert kernels._FAILED


COMPILE = """
import pathlib
import re
import subprocess
import sys
import tempfile
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from mmpaco.losses import contrast_triton as t
from mmpaco.losses import triton_launch


def spills(made):
    folder = pathlib.Path(triton.__file__).parent / 'backends/nvidia/bin'
    with tempfile.NamedTemporaryFile(suffix='.cubin') as file:
        file.write(made.asm['cubin'])
        file.flush()
        told = subprocess.run(
            [folder / 'cuobjdump', '-res-usage', file.name],
            capture_output=True, text=True, check=True).stdout
    return int(re.search('LOCAL:([0-9]+)', told)[1])


capability = int(sys.argv[1])
most_shared = {80: 99, 90: 227}[capability] * 1024
f16, f32 = '*fp16', '*fp32'
table = {80: triton_launch.AMPERE, 90: triton_launch.HOPPER}[capability]
for (products, width), (sums, gradient) in table.items():
    for own in (True, False):
        for kernel, blocks, types, more in (
            (t.sums_kernel, sums,
             [f16] * 4 + [f32] * 2 + ['i32'] * 2 + ['fp32'] + ['i32'] * 5,
             {}),
            (t.gradient_kernel, gradient,
             [f16] * 4 + [f32] * 5 + ['i32'] * 2 + ['fp32'] + ['i32'] * 7,
             dict(BY_ROW=True, BY_COLUMN=own)),
        ):
            constants = dict(
                OWN=own, SAFE=False, PRODUCTS=products, WIDTH=width,
                ROWS=blocks.rows, COLUMNS=blocks.columns, **more)
            names = kernel.arg_names
            signature = dict(zip(names, types))
            signature.update({name: 'constexpr' for name in constants})
            aligned = {
                (i,): [['tt.divisibility', 16]]
                for i, name in enumerate(names)
                if signature[name].startswith('*') or name in (
                    'num_rows', 'stride_q', 'stride_k', 'stride_out')}
            made = triton.compile(
                ASTSource(kernel, signature, constants, aligned),
                target=GPUTarget('cuda', capability, 32),
                options=dict(num_warps=blocks.warps, num_stages=blocks.stages))
            assert made.metadata.shared <= most_shared, (
                products, width, kernel, made.metadata.shared)
            spilled = spills(made)
            assert not spilled, (products, width, kernel, spilled)
            print(products, width, own, kernel.fn.__name__, spilled,
                  made.metadata.shared)
"""


@pytest.mark.slow
@pytest.mark.parametrize('capability', (80, 90))
def test_kernels_compile_ahead_of_time_and_fit_the_card(capability):
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', COMPILE, str(capability)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.splitlines()) == 6 * 4
