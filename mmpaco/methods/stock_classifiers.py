"""What a method needs to know of a classifier's config, or why it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from mmengine.config import Config

from .base import Refusal
from .training_data import leaf_datasets, split_pipeline, type_name

__all__ = ['Classifier', 'classifier_of']

_SELF_SUPERVISED = {
    *('BEiT', 'BYOL', 'BarlowTwins', 'CAE', 'DenseCL', 'EVA', 'MAE', 'MFF'),
    *('MILAN', 'MaskFeat', 'MixMIM', 'MoCo', 'MoCoV3', 'SimCLR', 'SimMIM'),
    *('SimSiam', 'SparK', 'SwAV', 'iTPN'),
}
_MULTIMODAL = ('Blip', 'CLIP', 'ChineseCLIP', 'Flamingo', 'Llava', 'MiniGPT4')
_MULTI_LABEL_HEADS = ('MultiLabel', 'CSRA', 'MultiTask')
_MULTI_LABEL_SETS = ('VOC', 'MultiLabelDataset', 'MultiTaskDataset')
# mmpretrain raises in training while they have a second classifier.
_DISTILLED = ('LeViTClsHead', 'EfficientFormerClsHead')
# Their backbones give maps, which another neck or head would have to pool.
_MAP_BACKBONES = (
    *('CSPDarkNet', 'CSPResNe', 'DenseNet', 'EfficientNet', 'HRNet'),
    *('MobileNet', 'MobileOne', 'RegNet', 'RepVGG', 'Res2Net', 'ResNe'),
    *('SEResNe', 'ShuffleNet', 'VAN'),
)


class Classifier(NamedTuple):
    """A single-label classifier that is trained.

    Args:
        head (dict): The config of its head.
        num_classes (int): The class count C.
        head_changes (dict): What a head must change to be trained.
        mixing (tuple[str, ...]): What mixes labels in training, or makes them
            one-hot: ``'train_cfg'``, ``'batch_augments'``, ``'to_onehot'``.
        preprocessor (tuple[str, ...]): Keys of its data preprocessor.
        label_smoothing (float): Of its loss.
        notes (tuple[str, ...]): Decisions that were taken already.
    """

    head: dict[str, Any]
    num_classes: int
    head_changes: dict[str, Any]
    mixing: tuple[str, ...]
    preprocessor: tuple[str, ...]
    label_smoothing: float
    notes: tuple[str, ...]


def classifier_of(cfg: Config) -> Classifier:
    """Look at a config of mmpretrain.

    Args:
        cfg (Config): The config.

    Returns:
        Classifier: What it trains.

    Raises:
        Refusal: If it trains no single-label classifier on labelled images,
            or one that has a method already.
    """
    model = cfg.get('model') or {}
    _check_model(model)
    head = model['head'].to_dict()
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if not dataset:
        raise Refusal(
            'the config has no training set (train_dataloader.dataset); '
            'give one that trains'
        )
    mixing = _mixing(cfg)
    leaves = list(leaf_datasets(dataset))
    _check_labels(head, leaves, bool(mixing))
    notes: list[str] = []
    changes: dict[str, Any] = {}
    name = type_name(head)
    if name in _DISTILLED and head.get('distillation', True):
        changes = dict(distillation=False)
        notes.append(
            f'The second classifier of {name}, for distillation, is left '
            'out: mmpretrain does not train it.'
        )
    if name.startswith('MultiLabel'):
        # For mixed labels of one class each.
        changes = dict(_delete_=True, type='LinearClsHead')
        changes.update(
            {x: head[x] for x in ('num_classes', 'in_channels') if x in head}
        )
        head = {k: v for k, v in changes.items() if k != '_delete_'}
        notes.append(
            f'The images have one class each, so {name}, which was there for '
            'mixed labels, gives way to LinearClsHead.'
        )
    prep = (
        ('model', 'data_preprocessor')
        if model.get('data_preprocessor')
        else ('data_preprocessor',)
    )
    _check_preprocessor(_get(cfg, prep))
    return Classifier(
        head,
        _num_classes(cfg, head, prep),
        changes,
        mixing,
        prep,
        float((head.get('loss') or {}).get('label_smooth_val') or 0),
        tuple(notes),
    )


def check_head(classifier: Classifier, cfg: Config) -> None:
    """Refuse a classifier that is not in the head.

    Args:
        classifier (Classifier): The classifier.
        cfg (Config): Its config.

    Raises:
        Refusal: If its head has no layer that classifies.
    """
    name = type_name(classifier.head)
    if name in ('ClsHead', 'TimmClsHead') or 'num_classes' not in (
        classifier.head
    ):
        backbone = type_name(cfg.model.get('backbone'))
        raise Refusal(
            f'the classifier is inside the backbone ({backbone}), and {name} '
            'has no linear layer, which the method trains or whose rows are '
            'its centers; use a head that ends with one, such as '
            'LinearClsHead on pooled features, or balanced-softmax'
        )


def check_linear(classifier: Classifier, cfg: Config) -> None:
    """Refuse a classifier whose last layer cannot hold the centers.

    Args:
        classifier (Classifier): The classifier.
        cfg (Config): Its config.

    Raises:
        Refusal: If its head has no linear classifier.
    """
    check_head(classifier, cfg)
    name = type_name(classifier.head)
    if name in ('ArcFaceClsHead', 'MarginHead'):
        raise Refusal(
            f'{name} has no linear classifier, whose rows would be the '
            'centers, but one of normed weights; use LinearClsHead'
        )
    leaves = leaf_datasets(cfg.train_dataloader.dataset)
    steps = [x for leaf in leaves for x in leaf.get('pipeline') or ()]
    if any(type_name(step) == 'MultiView' for step in steps):
        raise Refusal(
            'the training pipeline makes several views already (MultiView); '
            'give the config without them'
        )
    for leaf in leaf_datasets(cfg.train_dataloader.dataset):
        split_pipeline(list(leaf.get('pipeline') or ()))


def check_stock_linear(
    classifier: Classifier, what: str, instead: str
) -> None:
    """Refuse a classifier that is no ``LinearClsHead``.

    Args:
        classifier (Classifier): The classifier.
        what (str): What a method does with one, before 'of a LinearClsHead'.
        instead (str): What can be used instead.

    Raises:
        Refusal: If it is none.
    """
    kind = type_name(classifier.head)
    if kind != 'LinearClsHead':
        raise Refusal(
            f'the head is {kind}, and {what} of a LinearClsHead; use one, '
            f'or {instead}'
        )


def missing_pooling(cfg: Config) -> bool:
    """Tell whether a backbone gives maps that nothing pools."""
    model = cfg.model
    name = type_name(model.get('backbone'))
    return not model.get('neck') and name.startswith(_MAP_BACKBONES)


def _check_model(model: Mapping[str, Any]) -> None:
    if not model:
        raise Refusal('the config has no model; give one to train with')
    name = type_name(model)
    head, loss = model.get('head'), None
    if isinstance(head, Mapping):
        loss = head.get('loss')
    for part in (model, head, loss):
        kind = str(part.get('type')) if isinstance(part, Mapping) else ''
        if kind.startswith('mmpaco.'):
            raise Refusal(
                f'the config has a method already ({kind}); give the config '
                'that it was made of'
            )
    if name in _SELF_SUPERVISED:
        raise Refusal(
            f'{name} is self-supervised and trains no classifier; give the '
            'config that fine-tunes it (in benchmarks/ of the same folder)'
        )
    if name.endswith('Retriever'):
        raise Refusal(
            f'{name} is for retrieval and not for classes; give the config '
            'of an ImageClassifier'
        )
    if name.startswith(_MULTIMODAL) or name in ('OFA', 'Otter', 'RAMNormal'):
        raise Refusal(
            f'{name} is multimodal and not a classifier of images alone; '
            'give the config of an ImageClassifier'
        )
    if name != 'ImageClassifier':
        raise Refusal(
            f'model.type is {name or None}, and methods are for an '
            'ImageClassifier, with backbone, neck and head'
        )
    if not isinstance(head, Mapping):
        raise Refusal(
            'the model has no head; give a config that trains a classifier, '
            'such as one of the same backbone with LinearClsHead'
        )
    if type_name(head) == 'LeViTClsHead' and head.get('deploy'):
        raise Refusal(
            'mmpretrain cannot build LeViTClsHead with deploy=True; give the '
            'config that trains (not in deploy/)'
        )
    if type_name(head) == 'DeiTClsHead':
        raise Refusal(
            'DeiTClsHead has a second classifier, for distillation, which '
            'mmpretrain does not train; give the config without it (not '
            'distilled)'
        )


def _check_labels(
    head: Mapping[str, Any], leaves: list[Any], is_mixed: bool
) -> None:
    name = type_name(head)
    sets = [type_name(leaf) for leaf in leaves]
    several = next((x for x in sets if x.startswith(_MULTI_LABEL_SETS)), None)
    if several or (
        name.startswith(_MULTI_LABEL_HEADS)
        and not (name == 'MultiLabelLinearClsHead' and is_mixed)
    ):
        raise Refusal(
            f'{several or name} is for several labels of an image '
            '(multi-label), and methods are for one; use a set of one label '
            'each and LinearClsHead'
        )
    if any(leaf.get('with_label') is False for leaf in leaves):
        raise Refusal(
            'the training set has no labels (with_label=False); methods '
            'learn from labels: set with_label=True'
        )


def _check_preprocessor(prep: Any) -> None:
    name = type_name(prep)
    if name not in ('', 'ClsDataPreprocessor'):
        raise Refusal(
            f'the data preprocessor is {name}, and methods are for '
            'ClsDataPreprocessor, in whose place they put their own'
        )


def _mixing(cfg: Config) -> tuple[str, ...]:
    """Tell what mixes labels, or makes them one-hot."""
    prep = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
    train_cfg = cfg.model.get('train_cfg') or {}
    found = ['train_cfg'] if train_cfg.get('augments') else []
    return (
        *found,
        *(x for x in ('batch_augments', 'to_onehot') if (prep or {}).get(x)),
    )


def _num_classes(
    cfg: Config, head: Mapping[str, Any], prep: tuple[str, ...]
) -> int:
    backbone = cfg.model.get('backbone') or {}
    for part in (head, backbone, _get(cfg, prep) or {}):
        found: Optional[int] = part.get('num_classes')
        if found and found > 0:
            return int(found)
    raise Refusal(
        'the config does not say how many classes there are; set '
        'model.head.num_classes'
    )


def _get(cfg: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        cfg = (cfg or {}).get(key)
    return cfg
