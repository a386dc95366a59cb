"""What a model holds of the data that it is trained on."""

from typing import Any

from torch import nn


class DataState(nn.Module):
    """Base of the queue and the class prior: buffers, loaded all or none.

    In a state dict, those of another shape count as missing: the pointer of
    another queue would show rows that were never appended.
    """

    def forget_loaded(self) -> None:
        """Drop what came with a checkpoint, since another training starts."""
        raise NotImplementedError

    def _keeps_own(self) -> bool:
        """Whether a state dict is to be passed by."""
        return False

    def _was_loaded(self) -> None:
        """Take notice of buffers that have changed."""
        raise NotImplementedError

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        if self._keeps_own():
            return
        for name, mine in self.named_buffers():
            theirs = state_dict.get(prefix + name)
            if theirs is not None and theirs.shape != mine.shape:
                missing_keys.append(
                    f'{prefix}{name} of shape {tuple(mine.shape)} (the '
                    f'checkpoint has {tuple(theirs.shape)}; nothing of it is '
                    'loaded)'
                )
                return
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )
        self._was_loaded()
