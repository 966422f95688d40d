from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicus_mfa.core.policy import MigrationRules
from practicus_mfa.core.sharding import MOST_SHARDS, ROWS_PER_SHARD, Share, shard_count


@pytest.mark.parametrize(
    ("rows", "rules", "expected"),
    [
        pytest.param(0, {}, 1, id="an empty table is one part"),
        pytest.param(3_999, {}, 1, id="less than a page for each of two is not cut"),
        pytest.param(4_000, {}, 2, id="a part for each worker"),
        pytest.param(100_000, {}, 2, id="as much as two workers take in one turn"),
        pytest.param(100_001, {}, 4, id="a second turn for both"),
        pytest.param(1_000_000, {"parallelism": 3}, 21, id="a multiple of the workers"),
        pytest.param(10**9, {"parallelism": 3}, 510, id="as many as make sense"),
        pytest.param(10**9, {"parallelism": 10_000}, MOST_SHARDS, id="no more than make sense"),
        pytest.param(1_000_000, {"shards": 7}, 7, id="what the policy says"),
        pytest.param(5, {"shards": 7}, 5, id="no part without a row"),
        pytest.param(0, {"shards": 7}, 1, id="at least one part"),
        pytest.param(9_999, {"batch_size": 5_000}, 1, id="larger pages, fewer parts"),
    ],
)
def test_how_many_parts(rows: int, rules: dict[str, int], expected: int) -> None:
    assert shard_count(rows, MigrationRules(**rules), one_writer=False) == expected  # type: ignore[arg-type]


def test_where_there_is_one_writer_there_is_one_part_unless_the_policy_says_so() -> None:
    assert shard_count(10**6, MigrationRules(), one_writer=True) == 1
    assert shard_count(10**6, MigrationRules(shards=4), one_writer=True) == 4


@given(st.integers(0, 10**8), st.integers(1, 64))
def test_workers_end_together_and_parts_are_worth_it(rows: int, workers: int) -> None:
    parts = shard_count(rows, MigrationRules(parallelism=workers), one_writer=False)
    assert parts == 1 or parts == min(rows, parts // workers * workers)
    assert parts <= MOST_SHARDS
    assert parts <= max(workers, rows // ROWS_PER_SHARD + workers)


@given(st.integers(1, 20), st.integers(0, 100))
def test_every_part_is_taken_by_exactly_one_worker(workers: int, shards: int) -> None:
    for shard in range(shards):
        assert sum(Share(index, workers).takes(shard) for index in range(workers)) == 1


@pytest.mark.parametrize(("index", "of"), [(-1, 2), (2, 2), (0, 0)])
def test_a_worker_that_there_can_not_be_is_refused(index: int, of: int) -> None:
    with pytest.raises(ValueError, match=f"^there is no worker {index} of {of}: they are counted from 0"):
        Share(index, of)
