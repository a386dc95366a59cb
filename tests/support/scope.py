"""The scope in which types without a scope are looked up."""

import uuid

from mmengine.registry import DefaultScope


def enter_scope(name):
    """Look types up in a package from now on, as a config's would be.

    By another name each time: a name that is known changes nothing.
    """
    DefaultScope.get_instance(uuid.uuid4().hex, scope_name=name)
