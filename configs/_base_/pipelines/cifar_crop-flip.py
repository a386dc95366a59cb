# A view from an array of CIFAR to one of 32 x 32 pixels: padded, cropped and
# flipped, as in the releases of LDAM-DRW and MiSLAS.
crop_flip = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
