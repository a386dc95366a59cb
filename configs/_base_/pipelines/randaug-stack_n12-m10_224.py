_base_ = './randaug-stack_n2-m10_224.py'

randaug_stack = _base_.randaug_stack
randaug_stack[-2].update(num_policies=12)
