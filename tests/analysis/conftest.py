import pytest


@pytest.fixture
def trained(tiny_config):
    """Config and checkpoint of a classifier by class means."""
    # Here, since mmpretrain may be missing.
    from support.class_means import write_class_means

    return write_class_means(tiny_config())
