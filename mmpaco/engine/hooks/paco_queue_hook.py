"""The only place where keys enter a queue and a momentum encoder moves."""

from collections.abc import Iterator
from typing import Any, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel

from mmpaco.engine.data_state import (
    data_states,
    leave_out,
    plain_name,
    share_with_averages,
    unwrapped,
)
from mmpaco.engine.distributed import gather_rows
from mmpaco.engine.optimizer_step import has_stepped
from mmpaco.losses.embedding_queue import EmbeddingQueue
from mmpaco.registry import HOOKS


@HOOKS.register_module()
class PaCoQueueHook(Hook):
    """After a training iteration, append the staged keys of all ranks.

    A forward pass changes no queue, so a recomputed forward (activation
    checkpointing) enqueues nothing twice. The order in the queue is: rank 0
    first, each rank's keys in the order of its batch; so all ranks hold the
    same queue. The momentum encoder of PaCo moves here as well, after each
    step of the optimizer, so that it does so once however many iterations
    gather gradients for the step. Works without a queue and without a
    momentum encoder too.

    The keys of a step that a gradient scaler skips enter as well: they are
    embeddings by weights that stay as they were. Where an embedding itself is
    not finite, the head raises.

    A training that starts, with weights of a checkpoint or without
    (``load_from``, ``init_cfg``), starts with an empty queue and without the
    class prior of the checkpoint: they are of the data that it was trained
    on. A run that is resumed goes on with both. It must have the model of its
    checkpoint: mmengine would start a tensor of another shape afresh, with no
    more than a line in the log. An ``EMAHook`` averages neither.

    Args:
        reset_queue (bool): Whether to leave the queue of a checkpoint out,
            and start with an empty one: for a resumed run whose queue has
            another length on purpose. Defaults to False.

    Example:
        >>> from mmpaco.engine.hooks import PaCoQueueHook
        >>> from mmpaco.registry import HOOKS
        >>> hook = HOOKS.build(dict(type='mmpaco.PaCoQueueHook'))
        >>> isinstance(hook, PaCoQueueHook), hook.reset_queue
        (True, False)
    """

    # Before an EMAHook looks at a checkpoint.
    priority = 'VERY_HIGH'

    def __init__(self, reset_queue: bool = False) -> None:
        self.reset_queue = reset_queue

    def after_load_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Check the checkpoint against the model, before it is loaded.

        Args:
            runner (Runner): It holds the model.
            checkpoint (dict): The checkpoint, in which queue and class prior
                become those of the model if it is not resumed, and the queue
                if ``reset_queue``.

        Raises:
            ValueError: If the run is resumed and shapes differ.
        """
        share_with_averages(runner)
        model = unwrapped(runner.model)
        for name, state in data_states(model):
            if not runner._resume or (
                self.reset_queue and isinstance(state, EmbeddingQueue)
            ):
                leave_out(checkpoint, name, state)
        # A checkpoint that is not resumed may be of another model.
        if not runner._resume:
            return
        states = checkpoint.get('state_dict', checkpoint)
        differing = [
            f'{key}: {tuple(states[key].shape)} and {tuple(mine.shape)}'
            for key, mine in _tensors(runner.model)
            if key in states and states[key].shape != mine.shape
        ]
        if differing:
            raise ValueError(
                'the run to be resumed had another model; shapes in its '
                'checkpoint and now: '
                + '; '.join(differing)
                + '. Resume with the config of the checkpoint; to start a '
                "queue of another shape afresh, use dict(type='mmpaco."
                "PaCoQueueHook', reset_queue=True)"
            )

    def before_train(self, runner: Runner) -> None:
        """Find the queues of the model, and empty them if a training starts.

        Args:
            runner (Runner): It holds the model.

        Raises:
            ValueError: If the head wants several views of an image and the
                data preprocessor does not make them.
        """
        share_with_averages(runner)
        model = unwrapped(runner.model)
        self._queues: list[EmbeddingQueue] = []
        for _, state in data_states(model):
            if runner.iter == 0:
                state.forget_loaded()
            if isinstance(state, EmbeddingQueue):
                self._queues.append(state)
                # Of an iteration that was interrupted.
                state.take_staged()
                if self.reset_queue:
                    state.clear()
        # Those with a momentum encoder.
        self._followed: list[Any] = [
            module
            for module in model.modules()
            if getattr(module, 'momentum_encoder', None) is not None
            and hasattr(module, 'end_iteration')
        ]
        for module in self._followed:
            module.end_iteration(False)
        made = getattr(model.data_preprocessor, 'num_views', 1)
        for name, module in model.named_modules():
            # Other packages may give the attribute another meaning.
            if not hasattr(module, 'check_views'):
                continue
            wanted = module.num_views
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
        """Append the staged keys, and move the momentum encoder.

        Args:
            runner (Runner): It holds the model.
            batch_idx (int): The index of the batch.
            data_batch (dict, optional): The batch.
            outputs (dict, optional): The losses.
        """
        for queue in self._queues:
            queue.append(*gather_rows(*queue.take_staged()))
        for model in self._followed:
            model.end_iteration(has_stepped(runner.optim_wrapper))


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Give the tensors of a model that are whole, by their plain names.

    FSDP leaves a process parts of the weights, and refuses others by itself.
    """
    tensors = [*unwrapped(model).named_buffers()]
    if not isinstance(model, FullyShardedDataParallel):
        tensors += unwrapped(model).named_parameters()
    for name, tensor in tensors:
        yield plain_name(name), tensor
