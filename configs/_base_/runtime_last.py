_base_ = './default_runtime_mmpretrain.py'

# mmengine removes the oldest checkpoint before it writes the new one: of one
# alone, nothing would be left if the run was killed there.
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
