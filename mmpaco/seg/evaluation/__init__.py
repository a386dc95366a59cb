"""Metrics of segmentation."""

from .rare_iou_metric import RareIoUMetric

__all__ = ['RareIoUMetric']
