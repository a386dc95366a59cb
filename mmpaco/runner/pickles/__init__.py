"""Reading pickles, and files of ``torch.save``, as data.

``parts`` is what all share, ``machine`` runs one pickle, ``arrays`` and
``data`` are what it may speak of, and ``saved_file`` knows the files.
"""
