"""Small VOC annotations."""

CAT = "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>"


def write(path, text=""):
    """Writes a text, and the folders to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def annotation(*objects, filename="wrong.jpg"):
    """An annotation of these objects."""
    return (
        f"<annotation><folder>x</folder><filename>{filename}</filename><path>C:\\x\\y.jpg</path>{''.join(objects)}</annotation>"
    )
