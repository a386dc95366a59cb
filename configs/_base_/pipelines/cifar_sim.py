# A view from an array of CIFAR to one of 32 x 32 pixels, both RGB.
cifar_sim = [
    dict(type='NumpyToPIL'),
    dict(
        type='torchvision/RandomResizedCrop',
        size=32,
        scale=(0.2, 1.0),
        ratio=(3 / 4, 4 / 3),
        interpolation='bilinear',
    ),
    dict(type='torchvision/RandomHorizontalFlip', p=0.5),
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='torchvision/ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1,
            )
        ],
        prob=0.8,
    ),
    dict(type='torchvision/RandomGrayscale', p=0.2),
    dict(type='PILToNumpy'),
    # Pillow's blur with a radius that is uniform in the range.
    dict(
        type='GaussianBlur',
        magnitude_range=(0.1, 2.0),
        magnitude_std='inf',
        prob=0.5,
    ),
]
