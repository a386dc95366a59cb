# What GPaCo puts on a classifier of mmpretrain. A config with this base says
#   data_preprocessor = _base_.method.data_preprocessor
#   model = _base_.method.model
# and mmengine merges both into those of its other bases. Where a system
# differs, the lines after these say so: model.head.loss.alpha = 0.045.
method = dict(
    data_preprocessor=dict(type='mmpaco.MultiViewDataPreprocessor'),
    model=dict(
        type='mmpaco.PaCoClassifier',
        head=dict(
            type='mmpaco.GPaCoHead',
            # In the place of the loss of the network's base. The values are
            # those of most of the papers' systems.
            loss=dict(
                _delete_=True,
                type='mmpaco.PaCoLoss',
                alpha=0.05,
                temperature=0.2,
            ),
        ),
    ),
)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.PaCoQueueHook'),
]
