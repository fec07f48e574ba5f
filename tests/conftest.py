"""What holds for all tests, and what several test files share."""

import os
import tarfile

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # a busy machine is no mistake
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def kern_edition(tmp_path_factory):
    """The folder of the unpacked kern edition."""
    if "ESSEN_KERN" not in os.environ:
        pytest.skip("ESSEN_KERN does not name the archive of the kern edition (tar.gz)")
    folder = tmp_path_factory.mktemp("kern")
    with tarfile.open(os.environ["ESSEN_KERN"]) as archive:
        archive.extractall(folder, filter="data")
    return folder
