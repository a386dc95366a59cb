# The test view of MAE and of the release of Class-Balanced Loss, from a loaded
# image to its centre of 224 x 224 pixels.
test_bicubic = [
    dict(
        type='ResizeEdge',
        scale=256,
        edge='short',
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='CenterCrop', crop_size=224),
]
