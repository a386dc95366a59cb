"""What is known of an optimizer's step when an iteration has ended."""

from typing import Any


def _wrappers(optim_wrapper: Any) -> list[Any]:
    several = getattr(optim_wrapper, 'optim_wrappers', None)
    return list(several.values()) if several else [optim_wrapper]


def has_stepped(optim_wrapper: Any) -> bool:
    """Whether the optimizer took a step, or only gathered gradients.

    Args:
        optim_wrapper (OptimWrapper | OptimWrapperDict): That of the runner.
    """
    # Other wrappers than mmengine's OptimWrapper may gather by themselves.
    return any(
        wrapper.should_update() if hasattr(wrapper, 'should_update') else True
        for wrapper in _wrappers(optim_wrapper)
    )


def highest_rate(optim_wrapper: Any) -> float:
    """Give the highest learning rate of all groups of parameters.

    Args:
        optim_wrapper (OptimWrapper | OptimWrapperDict): That of the runner.
    """
    return max(
        float(group['lr'])
        for wrapper in _wrappers(optim_wrapper)
        for group in wrapper.param_groups
    )
