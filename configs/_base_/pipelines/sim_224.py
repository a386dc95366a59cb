# A view from a loaded image (BGR) to a BGR array of 224 x 224 pixels. The
# paper does not mention the grayscale.
sim = [
    dict(
        type='mmpaco.RandomResizedCropToPIL',
        size=224,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        interpolation='bilinear',
        to_rgb=True,
    ),
    dict(
        type='torchvision/ColorJitter',
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        hue=0,
    ),
    dict(type='torchvision/RandomGrayscale', p=0.2),
    # Pillow's blur with a radius that is uniform in the range.
    dict(
        type='mmpaco.GaussianBlur',
        magnitude_range=(0.1, 2.0),
        magnitude_std='inf',
        prob=0.5,
    ),
    dict(type='mmpaco.PILToPlanes', to_bgr=True),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
