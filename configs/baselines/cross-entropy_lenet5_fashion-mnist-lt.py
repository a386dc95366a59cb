_base_ = [
    '../_base_/default_runtime_mmpretrain.py',
    '../_base_/models/lenet5.py',
    '../_base_/datasets/fashion-mnist-lt.py',
    '../_base_/schedules/fashion-mnist-lt_30e.py',
]

# mmengine removes the oldest checkpoint before it writes the new one: of one
# alone, nothing would be left if the run was killed there.
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=2))
