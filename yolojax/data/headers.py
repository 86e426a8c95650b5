"""The sizes of pictures as the headers of PNG and JPEG files state them."""

import struct

PNG = b"\x89PNG\r\n\x1a\n"
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ORIENTATION = 0x0112


def png_size(head):
    """(height, width) of a PNG as it is stored, or None for what is something else."""
    if not head.startswith(PNG) or head[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", head, 16)
    return height, width


def jpeg_size(head):
    """(height, width) of a JPEG, upright, or None where its segments cannot be followed."""
    position, turned = 2, False
    while head[position] == 0xFF:
        marker = head[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        (length,) = struct.unpack_from(">H", head, position + 2)
        if marker == 0xE1 and head[position + 4 : position + 10] == b"Exif\0\0":
            turned = 5 <= _orientation(head[position + 10 : position + 2 + length]) <= 8
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", head, position + 5)
            return (width, height) if turned else (height, width)
        position += 2 + length
    return None


def _orientation(tiff):
    """The EXIF orientation, 1 to 8, of a TIFF header; from 5 on, height and width change places."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    (entries,) = struct.unpack_from(order + "H", tiff, directory)
    for entry in range(entries):
        tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * entry)
        if tag == _ORIENTATION:
            return value
    return 1
