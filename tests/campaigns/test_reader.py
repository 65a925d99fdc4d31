"""Two thousand mutated silos: rows in = stored + rejected, and nothing raised but one line."""

import pytest

from data.sources.test_reader import check_mutated


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_two_thousand_mutated_files_lose_no_row(tmp_path, block):
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check_mutated(folder, seed)
