# The checkpoint of the best epoch on the list to validate is kept.
_base_ = './runtime_last.py'

default_hooks = dict(checkpoint=dict(save_best='shot/all', rule='greater'))
