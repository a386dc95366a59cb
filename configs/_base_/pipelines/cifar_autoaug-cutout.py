# A view from an array of CIFAR to one of 32 x 32 pixels, both RGB.


def op(name, prob, index=0):
    """Give an operation of the CIFAR-10 policy, with a level of 0 to 9."""
    level = index / 9
    magnitude, sign, interpolation = {
        'AutoContrast': (None, 0, 'nearest'),
        'Equalize': (None, 0, 'nearest'),
        'Invert': (None, 0, 'nearest'),
        'Brightness': (0.9 * level, 0.5, 'nearest'),
        'Color': (0.9 * level, 0.5, 'nearest'),
        'Contrast': (0.9 * level, 0.5, 'nearest'),
        'Sharpness': (0.9 * level, 0.5, 'nearest'),
        'Posterize': (round(8 - 4 * level), 0, 'nearest'),
        # The first value that is not below the threshold.
        'Solarize': (256 - 256 * index // 9, 0, 'nearest'),
        # In one direction only, as in the release.
        'Rotate': (30 * level, 0, 'nearest'),
        'ShearX': (0.3 * level, 0.5, 'bicubic'),
        'ShearY': (0.3 * level, 0.5, 'bicubic'),
        'TranslateX': (150 / 331 * level, 0.5, 'nearest'),
        'TranslateY': (150 / 331 * level, 0.5, 'nearest'),
    }[name]
    return dict(
        type='mmpaco.PillowOp',
        op=name,
        magnitude=magnitude,
        prob=prob,
        random_negative_prob=sign,
        interpolation=interpolation,
    )


autoaug_cutout = [
    dict(type='NumpyToPIL'),
    dict(type='torchvision/RandomCrop', size=32, padding=4),
    dict(type='torchvision/RandomHorizontalFlip', p=0.5),
    dict(
        type='AutoAugment',
        policies=[
            [op('Invert', 0.1), op('Contrast', 0.2, 6)],
            [op('Rotate', 0.7, 2), op('TranslateX', 0.3, 9)],
            [op('Sharpness', 0.8, 1), op('Sharpness', 0.9, 3)],
            [op('ShearY', 0.5, 8), op('TranslateY', 0.7, 9)],
            [op('AutoContrast', 0.5), op('Equalize', 0.9)],
            [op('ShearY', 0.2, 7), op('Posterize', 0.3, 7)],
            [op('Color', 0.4, 3), op('Brightness', 0.6, 7)],
            [op('Sharpness', 0.3, 9), op('Brightness', 0.7, 9)],
            [op('Equalize', 0.6), op('Equalize', 0.5)],
            [op('Contrast', 0.6, 7), op('Sharpness', 0.6, 5)],
            [op('Color', 0.7, 7), op('TranslateX', 0.5, 8)],
            [op('Equalize', 0.3), op('AutoContrast', 0.4)],
            [op('TranslateY', 0.4, 3), op('Sharpness', 0.2, 6)],
            [op('Brightness', 0.9, 6), op('Color', 0.2, 8)],
            [op('Solarize', 0.5, 2), op('Invert', 0.0)],
            [op('Equalize', 0.2), op('AutoContrast', 0.6)],
            [op('Equalize', 0.2), op('Equalize', 0.6)],
            [op('Color', 0.9, 9), op('Equalize', 0.6)],
            [op('AutoContrast', 0.8), op('Solarize', 0.2, 8)],
            [op('Brightness', 0.1, 3), op('Color', 0.7, 0)],
            [op('Solarize', 0.4, 5), op('AutoContrast', 0.9)],
            [op('TranslateY', 0.9, 9), op('TranslateY', 0.7, 9)],
            [op('AutoContrast', 0.9), op('Solarize', 0.8, 3)],
            [op('Equalize', 0.8), op('Invert', 0.1)],
            [op('TranslateY', 0.7, 9), op('AutoContrast', 0.9)],
        ],
        hparams=dict(pad_val=128),
    ),
    dict(type='PILToNumpy'),
    dict(type='mmpaco.Cutout', length=16),
]
