# A view from a loaded image (BGR) to a BGR array of 224 x 224 pixels, that of
# the release of Class-Balanced Loss.
crop_flip_bicubic = [
    dict(
        type='mmpaco.RandomResizedCropToPIL',
        size=224,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        interpolation='bicubic',
        to_rgb=True,
    ),
    dict(type='torchvision/RandomHorizontalFlip', p=0.5),
    dict(type='mmpaco.PILToPlanes', to_bgr=True),
]
