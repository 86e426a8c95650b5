"""A small hand-made evaluation: two images, four classes."""

A, B, C = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]
NAMES = ["cat", "dog", "unicorn", "ghost"]
# cat: two truths in two images, one detected; dog: one truth, detected, and a second that does not count;
# unicorn: neither; ghost: only a detection.
FOUND = [([A, B, C], [0.9, 0.8, 0.7], [0, 1, 3]), ([], [], [])]
TRUTHS = [([A, B, C], [0, 1, 1], [False, False, True]), ([A], [0], [False])]
