# A view from a loaded image (BGR) to a BGR array of 224 x 224 pixels.
crop_flip = [
    dict(
        type='mmpaco.RandomResizedCropToPIL',
        size=224,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        interpolation='bilinear',
        to_rgb=True,
    ),
    dict(type='torchvision/RandomHorizontalFlip', p=0.5),
    dict(type='mmpaco.PILToPlanes', to_bgr=True),
]
