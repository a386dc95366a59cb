_base_ = './randaug_n2-m10_224.py'

randaug = _base_.randaug
randaug[-2].update(num_policies=5)
