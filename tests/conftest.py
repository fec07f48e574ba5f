"""What several test files share."""

import os
import tarfile

import pytest


@pytest.fixture(scope="session")
def kern_edition(tmp_path_factory):
    """The folder of the unpacked kern edition."""
    if "ESSEN_KERN" not in os.environ:
        pytest.skip("ESSEN_KERN does not name the archive of the kern edition (tar.gz)")
    folder = tmp_path_factory.mktemp("kern")
    with tarfile.open(os.environ["ESSEN_KERN"]) as archive:
        archive.extractall(folder, filter="data")
    return folder
