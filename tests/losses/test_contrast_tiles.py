"""How similarities are cut, on a host and on a device."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from mmpaco.losses.contrast_tiles import Tiles

BUDGETS = {'cpu': 2**19, 'meta': 2**22}


def cut(num_rows, device, elements=None):
    features = torch.empty(num_rows, 2, device=device)
    return Tiles.of(features, 0.07, elements)


def covered(tiles, num_rows):
    """What the tiles on and above the diagonal hold."""
    return sum(
        (rows.stop - rows.start) * (columns.stop - columns.start)
        for rows in tiles.of_rows(0, num_rows)
        for columns in tiles.of_columns(rows.start, num_rows)
    )


@given(st.integers(1, 20_000))
def test_tiles_of_a_device_are_whole_blocks_of_its_products(num_rows):
    """Of 128 x 128, but where there are fewer rows than that of a tile."""
    tiles = cut(num_rows, 'meta')
    assert tiles.rows % 128 == 0 or tiles.rows == num_rows
    assert tiles.columns % 128 == 0


@given(
    st.integers(1, 20_000),
    st.sampled_from(list(BUDGETS)),
    st.one_of(st.none(), st.integers(1, 2**23)),
)
def test_no_tile_is_larger_than_it_may_be(num_rows, device, elements):
    tiles = cut(num_rows, device, elements)
    budget = BUDGETS[device] if elements is None else elements
    assert tiles.rows >= 1 and tiles.columns >= 1
    assert tiles.rows <= num_rows
    assert tiles.rows * tiles.columns <= budget
    # Whole blocks leave less than a sixth of it unused.
    if num_rows >= 1408:
        assert tiles.rows * tiles.columns > budget * 5 // 6 or elements


@given(st.integers(1, 20_000), st.sampled_from(list(BUDGETS)))
def test_tiles_hold_each_pair_above_the_diagonal(num_rows, device):
    tiles = cut(num_rows, device)
    whole, rest = divmod(num_rows, tiles.rows)
    twice = sum(x * x for x in [tiles.rows] * whole + [rest])
    assert covered(tiles, num_rows) == (num_rows**2 + twice) // 2


def test_a_large_tile_fills_a_card_of_132_multiprocessors():
    """In 1.92 waves of blocks; 1448 x 2896 took a third one."""
    tiles = cut(8192, 'meta')
    assert (tiles.rows, tiles.columns) == (1408, 2944)
    assert 1.9 < tiles.rows // 128 * (tiles.columns // 128) / 132 <= 2
