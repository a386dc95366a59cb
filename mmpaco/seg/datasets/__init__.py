"""Datasets of street images that mmseg does not have."""

from .camvid import CamVidDataset

__all__ = ['CamVidDataset']
