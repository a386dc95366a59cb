"""What a training step of either side needs beside its losses.

This room imports mmengine and the losses, never mmpretrain or mmseg.
"""
