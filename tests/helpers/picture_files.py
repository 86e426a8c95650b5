"""Picture files made byte by byte: encoded, turned by EXIF, in CMYK, with thumbnails."""

import struct

import cv2
import numpy as np


def picture(height=48, width=64, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def encoded(image, ending, *parameters):
    return cv2.imencode(ending, image, parameters)[1].tobytes()


def with_segment(jpeg, marker, payload):
    return jpeg[:2] + b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def exif(orientation, order=">"):
    """A TIFF header with nothing but the orientation."""
    mark = {">": b"MM\0*", "<": b"II*\0"}[order]
    return mark + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


UPRIGHT = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, 3),
    7: lambda image: image.swapaxes(0, 1)[::-1, ::-1],
    8: lambda image: np.rot90(image, 1),
}


def cmyk_jpeg(blocks):
    """A JPEG of 8 x 8 blocks side by side, each of one colour: inverted C, M, Y and K, as Photoshop stores them."""
    bits, last = "", [0] * 4
    for block in blocks:
        for component, value in enumerate(block):
            # Only DC: 8 * (value - 128), quantized by 8; its category has 4 bits, the end of the block 1.
            difference, last[component] = value - 128 - last[component], value - 128
            category = abs(difference).bit_length()
            coded = difference if difference > 0 else difference + (1 << category) - 1
            bits += f"{category:04b}" + (f"{coded:0{category}b}" if category else "") + "0"
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    jpeg = b"\xff\xd8"
    for marker, payload in (
        (0xEE, b"Adobe\0\x64\0\0\0\0\0"),
        (0xDB, b"\0" + b"\x08" * 64),
        (0xC0, struct.pack(">BHHB", 8, 8, 8 * len(blocks), 4) + b"".join(bytes([n, 0x11, 0]) for n in range(4))),
        (0xC4, b"\0" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12))),
        (0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0"),
        (0xDA, b"\4" + b"".join(bytes([n, 0]) for n in range(4)) + b"\0\x3f\0"),
    ):
        jpeg += b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload
    return jpeg + scan + b"\xff\xd9"


WHOLE = {
    "baseline": encoded(picture(200, 300), ".jpg"),
    "progressive": encoded(picture(200, 300), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": encoded(picture(200, 300), ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
    "png": encoded(picture(200, 300), ".png"),
    "bmp": encoded(picture(200, 300), ".bmp"),
    "webp": encoded(picture(200, 300), ".webp"),
}


# A thumbnail is a whole JPEG, end marker included, inside a segment of another.
WHOLE["thumbnail"] = with_segment(WHOLE["baseline"], 0xE1, b"Exif\0\0" + encoded(picture(16, 16), ".jpg"))


def without_tables(content):
    """A JPEG whose Huffman tables hold no numbers of codes that can be: its header is right, and it cannot be decoded."""
    place = content.index(b"\xff\xc4")
    return content[: place + 5] + b"\xff" * 16 + content[place + 21 :]
