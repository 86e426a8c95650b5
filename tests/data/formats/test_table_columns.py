"""What a table's columns mean, and how its lines are divided."""

import pytest

from yolojax.data.formats.table_columns import Boxes, is_number, split_cells, understand


def test_lines_are_divided_by_the_sign_that_divides_most():
    assert split_cells(["", "a;b,c;d", "1;2,5;3"]) == (";", [(2, ["a", "b,c", "d"]), (3, ["1", "2,5", "3"])])
    assert split_cells(['a,"b', 'c",d', " ", "e,f,g"])[1] == [(1, ["a", "b\nc", "d"]), (4, ["e", "f", "g"])]
    assert split_cells([]) == (",", [])


@pytest.mark.parametrize(
    "row, expected",
    [
        ("Filename,X Min,Y Min,X Max,Y Max", (0, (1, 2, 3, 4), Boxes.CORNERS, None, None)),
        ("path,filename,class,left,top,right,bottom", (1, (3, 4, 5, 6), Boxes.CORNERS, 2, None)),
        ("image,width,height,label,x1,y1,x2,y2", (0, (4, 5, 6, 7), Boxes.CORNERS, 3, (1, 2))),
        ("image,label,x0,y0,x1,y1", (0, (2, 3, 4, 5), Boxes.CORNERS, 1, None)),
        ("image,label,bbox_x,bbox_y,bbox_w,bbox_h", (0, (2, 3, 4, 5), Boxes.SIZED, 1, None)),
        ("a.JPG,1,2,3,4,dog", (0, (1, 2, 3, 4), Boxes.CORNERS, 5, None)),
        ("a.jpg,,,,,", (0, (1, 2, 3, 4), Boxes.CORNERS, 5, None)),
    ],
)
def test_columns(row, expected):
    columns = understand(row.split(","))
    assert columns is not None
    assert (columns.picture, columns.box, columns.boxes, columns.label, columns.size) == expected


@pytest.mark.parametrize(
    "row", ["a,1,2,3,4,dog", "image,label", "xmin,ymin,xmax,ymax", "a.jpg,1,2,,4,dog", "image,x,y,w,h", "a", ""]
)
def test_rows_of_no_known_form(row):
    assert understand(row.split(",")) is None


@pytest.mark.parametrize("number", ["7", "-7.", "+.5", "7.25e-3", "1E5"])
def test_numbers_however_long_are_told_in_no_time(number):
    assert is_number(number) and not is_number(f"{number}x")
    assert not is_number("9" * 100_000 + "x") and not is_number("." + "9" * 100_000 + "e")
