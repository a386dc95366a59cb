"""Methods for configs of mmseg."""
