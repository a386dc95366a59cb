_base_ = './randaug-stack_n2-m10_224.py'

# The level ends at 10: twelve means nearly always 10.
randaug_stack = _base_.randaug_stack
randaug_stack[-2].update(num_policies=3, magnitude_level=12)
