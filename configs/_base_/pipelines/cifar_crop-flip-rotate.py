# A view from an array of CIFAR to one of 32 x 32 pixels: padded, cropped,
# flipped and turned, as in the release of RIDE.
crop_flip_rotate = [
    dict(type='NumpyToPIL'),
    dict(type='torchvision/RandomCrop', size=32, padding=4),
    dict(type='torchvision/RandomHorizontalFlip', p=0.5),
    dict(type='torchvision/RandomRotation', degrees=15),
    dict(type='PILToNumpy'),
]
