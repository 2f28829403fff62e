"""What several tests of the page need."""

import pytest

from twofold.page import read_run


@pytest.fixture
def bare(tmp_path):
    """bare(rows of a metrics.csv, file names that exist besides) -> the run."""

    def make(lines, *files, config="method: byol\nepochs: 50\n"):
        (tmp_path / "config.yaml").write_text(config)
        (tmp_path / "metrics.csv").write_text("\n".join(lines))
        for name in files:
            (tmp_path / name).write_bytes(b"")
        return read_run(tmp_path)

    return make
