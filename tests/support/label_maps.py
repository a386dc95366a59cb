"""Files that a label map may come in, and the ids that went into them."""

import struct
import zlib

import numpy as np
from PIL import Image

IDS = np.array([[0, 1, 1, 0], [1, 1, 0, 0]] * 4, np.uint8)
GREY, PALETTE = 0, 3
RAMP = np.arange(48, dtype=np.uint8)


def grey(path):
    Image.fromarray(IDS).save(path)


def palette(path):
    image = Image.fromarray(IDS)
    image.putpalette(RAMP.tolist())
    image.save(path)


def rgb(path):
    Image.fromarray(np.dstack([IDS] * 3)).save(path)


def rgba(path):
    Image.fromarray(np.dstack([IDS] * 3 + [IDS + 254])).save(path)


def grey_alpha(path):
    Image.fromarray(np.dstack([IDS, IDS + 254]), 'LA').save(path)


def one_bit(path):
    write_png(path, IDS, 1, GREY)


def two_bits(path):
    write_png(path, IDS, 2, GREY)


def four_bits(path):
    write_png(path, IDS, 4, GREY)


def small_palette(path):
    write_png(path, IDS, 2, PALETTE)


def sixteen_bits(path):
    Image.fromarray(IDS.astype(np.uint16)).save(path)


def large_ids(path):
    """Of which a byte keeps 0 and 1."""
    Image.fromarray(IDS.astype(np.uint16) * 257).save(path)


def jpeg(path):
    Image.fromarray(IDS).save(path, 'JPEG')


def half(path):
    grey(path)
    path.write_bytes(path.read_bytes()[:50])


def text(path):
    path.write_text('no image')


RIGHT = (grey, palette, one_bit, small_palette, sixteen_bits)
WRONG = {
    rgb: 'expected one channel of class ids',
    rgba: 'expected one channel of class ids',
    grey_alpha: 'expected one channel of class ids',
    two_bits: 'grey values of 2 bits',
    four_bits: 'grey values of 4 bits',
    large_ids: 'holds values such as 257',
    jpeg: 'JPEG',
    half: 'cut off|truncated|cannot',
    text: 'cannot',
}


def write_png(path, values, bits, colours):
    """Write a PNG of less than 8 bits, as Pillow does not."""

    def chunk(name, content):
        body = name + content
        return (
            struct.pack('>I', len(content))
            + body
            + struct.pack('>I', zlib.crc32(body))
        )

    height, width = values.shape
    digits = (values[..., None] >> np.arange(bits)[::-1]) & 1
    rows = np.packbits(digits.reshape(height, -1), axis=1)
    header = struct.pack('>IIBBBBB', width, height, bits, colours, 0, 0, 0)
    lines = b''.join(b'\0' + row.tobytes() for row in rows)
    path.write_bytes(
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', header)
        + (chunk(b'PLTE', RAMP.tobytes()) if colours == PALETTE else b'')
        + chunk(b'IDAT', zlib.compress(lines))
        + chunk(b'IEND', b'')
    )


def photo(path, size, orientation=None):
    """Write a JPEG of a height and width, and its EXIF orientation."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(noise).save(path, exif=exif)
