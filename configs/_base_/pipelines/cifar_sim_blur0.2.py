_base_ = './cifar_sim.py'

cifar_sim = _base_.cifar_sim
cifar_sim[-1].update(prob=0.2)
