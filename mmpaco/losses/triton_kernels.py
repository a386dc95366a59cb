"""The kernels of :mod:`mmpaco.losses.contrast_triton`, in Triton.

Rows are in float16, times a scale, with what that loses as low parts. The
block of rows of a program goes over blocks of columns; only those on the
diagonal and the last one compare indices.
"""

import triton
import triton.language as tl

# One argument in a line would hide what the kernels do.
# fmt: off


@triton.jit(do_not_specialize=['num_rows'])
def split_kernel(
    rows, high, low, num_rows, stride_image, stride_row, stride_channel,
    CHANNELS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
    SCALE: tl.constexpr, HAS_LOW: tl.constexpr,
):
    """Rows in float16, times the scale, and what that loses."""
    image = tl.program_id(1).to(tl.int64)
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = tl.arange(0, WIDTH)
    inside = row[:, None] < num_rows
    at = rows + image * stride_image + (
        row[:, None].to(tl.int64) * stride_row
        + channel[None, :] * stride_channel
    )
    keep = inside & (channel[None, :] < CHANNELS)
    value = tl.load(at, mask=keep, other=0.0).to(tl.float32) * SCALE
    rounded = value.to(tl.float16)
    # Channels beyond the last are written as zeros, and need no mask later.
    to = image * num_rows * WIDTH + row[:, None] * WIDTH + channel[None, :]
    tl.store(high + to, rounded, mask=inside)
    if HAS_LOW:
        rest = (value - rounded.to(tl.float32)).to(tl.float16)
        tl.store(low + to, rest, mask=inside)


@triton.jit
def _load(base, row, num_rows, WIDTH: tl.constexpr, MASKED: tl.constexpr):
    channel = tl.arange(0, WIDTH)
    at = base + row[:, None] * WIDTH + channel[None, :]
    if MASKED:
        return tl.load(at, mask=row[:, None] < num_rows, other=0.0)
    return tl.load(at)


@triton.jit
def _similarities(q, q_low, k, k_low, PRODUCTS: tl.constexpr):
    """Of a block of rows and one of columns, times the square of the scale."""
    k = tl.trans(k)
    if PRODUCTS == 3:
        # What rounding lost comes first: on Hopper the sums inside of a
        # product are cut, not rounded, by a share of what is there already.
        s = tl.dot(q_low, k)
        s = tl.dot(q, tl.trans(k_low), s)
        return tl.dot(q, k, s)
    return tl.dot(q, k)


@triton.jit
def _masked(s, row, column, num_columns, OWN: tl.constexpr):
    keep = column[None, :] < num_columns
    if OWN:
        keep = keep & (row[:, None] != column[None, :])
    return tl.where(keep, s, float('-inf'))


@triton.jit
def _sum_blocks(
    total, top, q, q_low, row, k_high, k_low, num_columns, factor, start, stop,
    MASKED: tl.constexpr, OWN: tl.constexpr, SAFE: tl.constexpr,
    PRODUCTS: tl.constexpr, WIDTH: tl.constexpr, COLUMNS: tl.constexpr,
):
    for block in range(start, stop):
        column = block * COLUMNS + tl.arange(0, COLUMNS)
        k = _load(k_high, column, num_columns, WIDTH, MASKED)
        k_rest = k
        if PRODUCTS == 3:
            k_rest = _load(k_low, column, num_columns, WIDTH, MASKED)
        s = _similarities(q, q_low, k, k_rest, PRODUCTS) * factor
        if MASKED:
            s = _masked(s, row, column, num_columns, OWN)
        if SAFE:
            largest = tl.maximum(top, tl.max(s, 1))
            shift = tl.where(largest == float('-inf'), 0.0, largest)
            total = total * tl.exp2(top - shift)
            total += tl.sum(tl.exp2(s - shift[:, None]), 1)
            top = largest
        else:
            total += tl.sum(tl.exp2(s), 1)
    return total, top


@triton.jit
def _segments(
    first, last, row_start, num_columns,
    OWN: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):
    """Where the blocks of columns begin and end that need a mask."""
    whole = num_columns // COLUMNS
    end = tl.minimum(tl.maximum(whole, first), last)
    if OWN:
        begin_own = tl.minimum(tl.maximum(row_start // COLUMNS, first), end)
        end_own = tl.minimum(
            tl.maximum(tl.cdiv(row_start + ROWS, COLUMNS), begin_own), end
        )
    else:
        begin_own = end
        end_own = end
    return begin_own, end_own, end


@triton.jit(
    do_not_specialize=['num_columns', 'stride_total', 'per_part', 'first_slot']
)
def sums_kernel(
    q_high, q_low, k_high, k_low, totals, tops, num_rows, num_columns, factor,
    per_part, first_slot, stride_q, stride_k, stride_total,
    OWN: tl.constexpr, SAFE: tl.constexpr, PRODUCTS: tl.constexpr,
    WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):
    """Sums of the exponentials of a block of rows and part of the columns."""
    part = tl.program_id(1)
    image = tl.program_id(2).to(tl.int64)
    q_high += image * stride_q
    q_low += image * stride_q
    k_high += image * stride_k
    k_low += image * stride_k
    row_start = tl.program_id(0) * ROWS
    row = row_start + tl.arange(0, ROWS)
    q = _load(q_high, row, num_rows, WIDTH, True)
    q_rest = q
    if PRODUCTS == 3:
        q_rest = _load(q_low, row, num_rows, WIDTH, True)

    first = part * per_part
    last = tl.minimum(first + per_part, tl.cdiv(num_columns, COLUMNS))
    last = tl.maximum(first, last)
    begin_own, end_own, end = _segments(
        first, last, row_start, num_columns, OWN, ROWS, COLUMNS
    )
    total = tl.zeros([ROWS], tl.float32)
    top = tl.full([ROWS], float('-inf'), tl.float32)
    total, top = _sum_blocks(
        total, top, q, q_rest, row, k_high, k_low, num_columns, factor, first,
        begin_own, False, OWN, SAFE, PRODUCTS, WIDTH, COLUMNS,
    )
    if OWN:
        total, top = _sum_blocks(
            total, top, q, q_rest, row, k_high, k_low, num_columns, factor,
            begin_own, end_own, True, OWN, SAFE, PRODUCTS, WIDTH, COLUMNS,
        )
        total, top = _sum_blocks(
            total, top, q, q_rest, row, k_high, k_low, num_columns, factor,
            end_own, end, False, OWN, SAFE, PRODUCTS, WIDTH, COLUMNS,
        )
    total, top = _sum_blocks(
        total, top, q, q_rest, row, k_high, k_low, num_columns, factor, end,
        last, True, OWN, SAFE, PRODUCTS, WIDTH, COLUMNS,
    )
    to = image * stride_total + (first_slot + part) * num_rows + row
    tl.store(totals + to, total, mask=row < num_rows)
    if SAFE:
        tl.store(tops + to, top, mask=row < num_rows)


@triton.jit(do_not_specialize=['slots'])
def finish_kernel(
    totals, tops, log2_z, num_rows, slots, SAFE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The logarithm to the base 2 of the sum of all parts."""
    image = tl.program_id(1).to(tl.int64)
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    keep = row < num_rows
    at = image * slots * num_rows + row
    top = tl.full([BLOCK], float('-inf'), tl.float32)
    if SAFE:
        for slot in range(slots):
            top = tl.maximum(
                top,
                tl.load(
                    tops + at + slot * num_rows, mask=keep,
                    other=float('-inf'),
                ),
            )
    shift = tl.where(top == float('-inf'), 0.0, top)
    total = tl.zeros([BLOCK], tl.float32)
    for slot in range(slots):
        value = tl.load(totals + at + slot * num_rows, mask=keep, other=0.0)
        if SAFE:
            mine = tl.load(
                tops + at + slot * num_rows, mask=keep, other=float('-inf')
            )
            value = value * tl.exp2(mine - shift)
        total += value
    found = tl.log2(total) + shift if SAFE else tl.log2(total)
    found = tl.where(total > 0, found, float('-inf'))
    tl.store(log2_z + image * num_rows + row, found, mask=keep)


@triton.jit(do_not_specialize=['count'])
def weights_kernel(
    grad, log2_z, weight, back, count, largest, scale, temperature,
    SAFE: tl.constexpr, BLOCK: tl.constexpr,
):
    """Weights of rows, brought into the range of float16, in one program.

    The largest weight of a pair is twice the largest gradient, divided by
    the temperature; a power of two brings it to ``largest``.
    """
    at = tl.arange(0, BLOCK)
    most = tl.zeros([BLOCK], tl.float32)
    for start in range(0, count, BLOCK):
        keep = start + at < count
        g = tl.load(grad + start + at, mask=keep, other=0.0).to(tl.float32)
        most = tl.maximum(most, tl.abs(g))
    bound = tl.maximum(tl.max(most, 0), 1e-30)
    power = tl.exp2(tl.floor(tl.log2(largest * temperature / bound)))
    for start in range(0, count, BLOCK):
        keep = start + at < count
        g = tl.load(grad + start + at, mask=keep, other=0.0).to(tl.float32)
        log = tl.load(log2_z + start + at, mask=keep, other=float('-inf'))
        found = g * (power / temperature)
        if not SAFE:
            found = found * tl.exp2(-log)
        # An anchor without contrasts has no gradient.
        found = tl.where(log == float('-inf'), 0.0, found)
        tl.store(weight + start + at, found, mask=keep)
    tl.store(back, 1.0 / (power * scale))


@triton.jit
def _gradient_blocks(
    out, q, q_low, row, row_weight, row_log, k_high, k_low, weights, logs,
    num_columns, factor, start, stop,
    MASKED: tl.constexpr, OWN: tl.constexpr, SAFE: tl.constexpr,
    BY_ROW: tl.constexpr, BY_COLUMN: tl.constexpr, PRODUCTS: tl.constexpr,
    WIDTH: tl.constexpr, COLUMNS: tl.constexpr,
):
    for block in range(start, stop):
        column = block * COLUMNS + tl.arange(0, COLUMNS)
        k = _load(k_high, column, num_columns, WIDTH, MASKED)
        k_rest = k
        if PRODUCTS == 3:
            k_rest = _load(k_low, column, num_columns, WIDTH, MASKED)
        s = _similarities(q, q_low, k, k_rest, PRODUCTS) * factor
        if MASKED:
            s = _masked(s, row, column, num_columns, OWN)
        if BY_COLUMN:
            if MASKED:
                inside = column < num_columns
                of_column = tl.load(weights + column, mask=inside, other=0.0)
            else:
                of_column = tl.load(weights + column)
        if SAFE:
            w = tl.zeros_like(s)
            if BY_ROW:
                w += row_weight[:, None] * tl.exp2(s - row_log[:, None])
            if BY_COLUMN:
                if MASKED:
                    log = tl.load(logs + column, mask=inside, other=0.0)
                else:
                    log = tl.load(logs + column)
                w += of_column[None, :] * tl.exp2(s - log[None, :])
        else:
            if BY_ROW and BY_COLUMN:
                w = tl.exp2(s) * (row_weight[:, None] + of_column[None, :])
            elif BY_ROW:
                w = tl.exp2(s) * row_weight[:, None]
            else:
                w = tl.exp2(s) * of_column[None, :]
        w_high = w.to(tl.float16)
        if PRODUCTS == 3:
            w_low = (w - w_high.to(tl.float32)).to(tl.float16)
            # Sums of blocks are rounded, which those inside of a product,
            # on Hopper, are not: over many blocks that adds up.
            part = tl.dot(w_low, k)
            part = tl.dot(w_high, k_rest, part)
            part = tl.dot(w_high, k, part)
            out += part
        else:
            out = tl.dot(w_high, k, out)
    return out


@triton.jit(do_not_specialize=['num_columns', 'per_part', 'first_slot'])
def gradient_kernel(
    q_high, q_low, k_high, k_low, row_weights, row_logs, column_weights,
    column_logs, outs, num_rows, num_columns, factor, per_part, first_slot,
    stride_q, stride_k, stride_row, stride_column, stride_out,
    OWN: tl.constexpr, SAFE: tl.constexpr, BY_ROW: tl.constexpr,
    BY_COLUMN: tl.constexpr, PRODUCTS: tl.constexpr, WIDTH: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):
    """Sums of the columns, weighted by the gradient of their pairs."""
    part = tl.program_id(1)
    image = tl.program_id(2).to(tl.int64)
    q_high += image * stride_q
    q_low += image * stride_q
    k_high += image * stride_k
    k_low += image * stride_k
    row_weights += image * stride_row
    row_logs += image * stride_row
    column_weights += image * stride_column
    column_logs += image * stride_column
    row_start = tl.program_id(0) * ROWS
    row = row_start + tl.arange(0, ROWS)
    q = _load(q_high, row, num_rows, WIDTH, True)
    q_rest = q
    if PRODUCTS == 3:
        q_rest = _load(q_low, row, num_rows, WIDTH, True)
    row_weight = tl.zeros([ROWS], tl.float32)
    row_log = row_weight
    if BY_ROW:
        row_weight = tl.load(row_weights + row, mask=row < num_rows, other=0.0)
        if SAFE:
            row_log = tl.load(row_logs + row, mask=row < num_rows, other=0.0)
            row_log = tl.where(row_log == float('-inf'), 0.0, row_log)

    first = part * per_part
    last = tl.minimum(first + per_part, tl.cdiv(num_columns, COLUMNS))
    last = tl.maximum(first, last)
    begin_own, end_own, end = _segments(
        first, last, row_start, num_columns, OWN, ROWS, COLUMNS
    )
    out = tl.zeros([ROWS, WIDTH], tl.float32)
    out = _gradient_blocks(
        out, q, q_rest, row, row_weight, row_log, k_high, k_low,
        column_weights, column_logs, num_columns, factor, first, begin_own,
        False, OWN, SAFE, BY_ROW, BY_COLUMN, PRODUCTS, WIDTH, COLUMNS,
    )
    if OWN:
        out = _gradient_blocks(
            out, q, q_rest, row, row_weight, row_log, k_high, k_low,
            column_weights, column_logs, num_columns, factor, begin_own,
            end_own, True, OWN, SAFE, BY_ROW, BY_COLUMN, PRODUCTS, WIDTH,
            COLUMNS,
        )
        out = _gradient_blocks(
            out, q, q_rest, row, row_weight, row_log, k_high, k_low,
            column_weights, column_logs, num_columns, factor, end_own, end,
            False, OWN, SAFE, BY_ROW, BY_COLUMN, PRODUCTS, WIDTH, COLUMNS,
        )
    out = _gradient_blocks(
        out, q, q_rest, row, row_weight, row_log, k_high, k_low,
        column_weights, column_logs, num_columns, factor, end, last, True,
        OWN, SAFE, BY_ROW, BY_COLUMN, PRODUCTS, WIDTH, COLUMNS,
    )
    channel = tl.arange(0, WIDTH)
    to = image * stride_out + (first_slot + part).to(tl.int64) * (
        num_rows * WIDTH
    )
    to = to + row[:, None] * WIDTH + channel[None, :]
    tl.store(outs + to, out, mask=row[:, None] < num_rows)


@triton.jit(do_not_specialize=['slots'])
def collect_kernel(
    outs, back, grad, num_rows, slots,
    CHANNELS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
):
    """The gradient: the sum of all parts, scaled back."""
    image = tl.program_id(1).to(tl.int64)
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = tl.arange(0, WIDTH)
    keep = row[:, None] < num_rows
    at = image * slots * num_rows * WIDTH + (
        row[:, None] * WIDTH + channel[None, :]
    )
    total = tl.zeros([BLOCK, WIDTH], tl.float32)
    for slot in range(slots):
        skip = tl.cast(slot, tl.int64) * num_rows * WIDTH
        total += tl.load(outs + at + skip, mask=keep, other=0.0)
    total = total * tl.load(back)
    to = image * num_rows * CHANNELS + (
        row[:, None] * CHANNELS + channel[None, :]
    )
    tl.store(grad + to, total, mask=keep & (channel[None, :] < CHANNELS))
