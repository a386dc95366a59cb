"""Methods for configs of mmpretrain."""
