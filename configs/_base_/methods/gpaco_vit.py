# GPaCo on a transformer, on balanced data.
_base_ = './gpaco.py'

method = dict(
    model=dict(
        head=dict(
            class_prior=False,
            projector=dict(act_cfg=dict(type='GELU')),
            # The paper names none of them for transformers.
            loss=dict(alpha=0.2, temperature=0.2, label_smoothing=0.1),
        )
    )
)
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]
