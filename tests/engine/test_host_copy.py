"""Reading a tensor of a device late."""

import copy
import pickle

import torch

from mmpaco.engine.host_copy import HostCopy


class Unpicklable:
    """As an event of CUDA."""

    def __reduce_ex__(self, protocol):
        raise TypeError('cannot pickle')

    def query(self):
        return True

    def synchronize(self):
        pass


def test_a_copy_in_a_model_is_copied_and_pickled_without_its_event():
    made = HostCopy(torch.arange(3))
    made._event = Unpicklable()
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert other.is_there()
        assert other.read().tolist() == [0, 1, 2]
