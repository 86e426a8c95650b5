"""What the bytes of PNG and JPEG files say before they are decoded: the picture's size, and whether a JPEG is complete."""

import struct
from typing import NamedTuple

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
END_OF_JPEG = b"\xff\xd9"
_START_OF_SCAN = 0xDA
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ORIENTATION = 0x0112
_BITS_PER_SAMPLE, _SAMPLE_FORMAT = 0x0102, 0x0153


class TiffSamples(NamedTuple):
    """How a TIFF stores a value.

    Attributes:
        bits: bits of a value.
        signed: whether values may be negative whole numbers.
        fractions: whether values are floating-point numbers.
    """

    bits: int
    signed: bool
    fractions: bool


def stored_size(content: bytes) -> tuple[int, int] | None:
    """Read the size of a picture from its header; a JPEG's is upright, a PNG's is as stored.

    Args:
        content: the file, or its beginning.

    Returns:
        (height, width) in pixels; None for other formats and for damaged headers.
    """
    try:
        if content.startswith(PNG):
            return _png_size(content)
        return _jpeg_header(content)[0] if content.startswith(JPEG) else None
    except (struct.error, IndexError):
        return None


def jpeg_frame(content: bytes) -> tuple[tuple[int, int], bool] | None:
    """Read what a JPEG says of its picture before it is decoded.

    Args:
        content: the file.

    Returns:
        (height, width) in pixels, upright, and whether it is stored so, neither turned nor mirrored by its EXIF orientation;
        None for other formats and for damaged headers.
    """
    try:
        size, orientation = _jpeg_header(content) if content.startswith(JPEG) else (None, 1)
    except (struct.error, IndexError):
        return None
    return (size, orientation == 1) if size and all(size) else None


def tiff_samples(content: bytes) -> TiffSamples | None:
    """How the values of a TIFF are stored, by its first picture; None for other formats and for damaged headers."""
    if content[:4] not in (b"II*\0", b"MM\0*"):
        return None
    try:
        bits, kind = _tiff_tag(content, _BITS_PER_SAMPLE, 1), _tiff_tag(content, _SAMPLE_FORMAT, 1)
    except struct.error:
        return None
    return TiffSamples(bits, kind == 2, kind == 3)


def is_cut_jpeg(content: bytes) -> bool:
    """Whether a file begins as a JPEG and never reaches its end; OpenCV 4.10 fills the missing part with grey."""
    if not content.startswith(JPEG):
        return False
    # Skip the segments by their lengths (one may hold a whole JPEG as a thumbnail) up to the start of the first scan.
    # From there on a marker's bytes occur only as that marker: coded data stuffs a zero after each 0xff.
    position = 2
    while (position := content.find(b"\xff", position)) >= 0 and (marker := content[position + 1 : position + 2]) != b"\xda":
        position += 1 if marker == b"\xff" else 2 + max(2, int.from_bytes(content[position + 2 : position + 4], "big"))
    return position < 0 or content.rfind(END_OF_JPEG, position) < 0


def _png_size(head: bytes) -> tuple[int, int] | None:
    if head[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", head, 16)
    return height, width


def _jpeg_header(head: bytes) -> tuple[tuple[int, int] | None, int]:
    """(height, width), upright, and the EXIF orientation, 1 to 8; None where there is no frame header.

    None as well with several EXIF segments, or one behind the frame header: readers differ in which they obey.
    """
    position, orientation, has_exif, size = 2, 1, False, None
    while position + 4 <= len(head) and head[position] == 0xFF and head[position + 1] != _START_OF_SCAN:
        marker = head[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        (length,) = struct.unpack_from(">H", head, position + 2)
        if marker == 0xE1 and head[position + 4 : position + 10] == b"Exif\0\0":
            if has_exif or size:
                return None, orientation
            has_exif = True
            orientation = _orientation(head[position + 10 : position + 2 + length])
        if marker in _FRAME_HEADERS and not size:
            height, width = struct.unpack_from(">HH", head, position + 5)
            size = (width, height) if 5 <= orientation <= 8 else (height, width)
        position += 2 + length
    return size, orientation


def _orientation(tiff: bytes) -> int:
    """The EXIF orientation, 1 to 8, of a TIFF header; from 5 on, height and width are swapped."""
    return _tiff_tag(tiff, _ORIENTATION, 1, inline=True) if tiff[2:4] in (b"*\0", b"\0*") else 1


def _tiff_tag(tiff: bytes, wanted: int, default: int, *, inline: bool = False) -> int:
    """The first value of a tag of 16-bit numbers in a TIFF header, or the default; `inline` as if it had just one value."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return default
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    (entries,) = struct.unpack_from(order + "H", tiff, directory)
    for entry in range(entries):
        tag, _, count, value, second = struct.unpack_from(order + "HHIHH", tiff, directory + 2 + 12 * entry)
        if tag != wanted:
            continue
        if count <= 2 or inline:
            return value
        # More values than fit into the entry: it says where they are.
        (place,) = struct.unpack(order + "I", struct.pack(order + "HH", value, second))
        return struct.unpack_from(order + "H", tiff, place)[0]
    return default
