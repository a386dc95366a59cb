# A view from a loaded image (BGR) to a BGR array of 224 x 224 pixels, that of
# the releases of Decoupling, MiSLAS and RIDE.
jitter = [
    dict(
        type='mmpaco.RandomResizedCropToPIL',
        size=224,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        interpolation='bilinear',
        to_rgb=True,
    ),
    dict(type='torchvision/RandomHorizontalFlip', p=0.5),
    dict(
        type='torchvision/ColorJitter',
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        hue=0,
    ),
    dict(type='mmpaco.PILToPlanes', to_bgr=True),
]
