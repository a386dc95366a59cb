"""The only place where keys enter a queue."""

from typing import Any, Optional

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmpaco.registry import HOOKS

from .distributed import gather_rows
from .embedding_queue import EmbeddingQueue


@HOOKS.register_module()
class PaCoQueueHook(Hook):
    """After a training iteration, append the staged keys of all ranks.

    A forward pass changes no queue, so a recomputed forward (activation
    checkpointing) enqueues nothing twice. The order in the queue is: rank 0
    first, each rank's keys in the order of its batch; so all ranks hold the
    same queue. Works without a queue too, and then does nothing.
    """

    def before_train(self, runner: Runner) -> None:
        """Find the queues of the model.

        Args:
            runner (Runner): The runner.

        Raises:
            ValueError: If the head wants several views of an image and the
                data preprocessor does not make them.
        """
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        self._queues: list[EmbeddingQueue] = [
            m for m in model.modules() if isinstance(m, EmbeddingQueue)
        ]
        made = getattr(model.data_preprocessor, 'num_views', 1)
        for name, module in model.named_modules():
            wanted = getattr(module, 'num_views', made)
            if wanted != made:
                raise ValueError(
                    f'{name} wants {wanted} views of each image, but '
                    f'{type(model.data_preprocessor).__name__} gives {made}; '
                    "use data_preprocessor=dict(type='mmpaco."
                    f"MultiViewDataPreprocessor', num_views={wanted}) and "
                    'the MultiView transform'
                )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[dict[str, Any]] = None,
    ) -> None:
        """Gather the staged keys and append them.

        Args:
            runner (Runner): The runner.
            batch_idx (int): The index of the batch.
            data_batch (dict, optional): The batch.
            outputs (dict, optional): The losses.
        """
        for queue in self._queues:
            queue.append(*gather_rows(*queue.take_staged()))
