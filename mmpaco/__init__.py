"""PaCo and GPaCo losses for MMPretrain and MMSegmentation.

Importing this package is cheap on purpose: it loads neither torch nor any
OpenMMLab package, so that build tools may read the version and
:mod:`mmpaco.compat` may judge an environment in which nothing else imports.
"""

__version__ = '0.2.0'

__all__ = ['__version__']
