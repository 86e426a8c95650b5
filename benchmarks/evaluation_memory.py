"""Memory and seconds of the numbers of an evaluation, by the number of pictures: 100 detections each, 80 classes.

python benchmarks/evaluation_memory.py 20000

Each line is the largest memory of the process so far; the first is that of the detections themselves. With pycocotools an
evaluation of 20,000 pictures took 9.8 GiB, some 5 kB a detection.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import evaluation
import numpy as np

from yolojax.evaluation import analyse, summarize
from yolojax.evaluation.metrics.coco import each_coco_result
from yolojax.evaluation.report.pictures import pictures_to_show
from yolojax.runtime.files import write_json_entries


def main():
    evaluation.PICTURES = int(sys.argv[1])
    began = time.process_time()

    def say(what):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{what:32}{time.process_time() - began:8.1f} s  {peak:6.2f} GiB at most", flush=True)

    found, truths = evaluation.make_set(np.random.default_rng(0))
    say(f"{evaluation.PICTURES} pictures made")
    names = [f"class {place}" for place in range(evaluation.CLASSES)]
    summary = summarize(found, truths, names)
    say("COCO's and VOC's numbers")
    analyse(summary, found, truths, names)
    say("curves, confusion, errors")
    pictures_to_show(found, truths, range(len(found)), str, 0.5)
    say("pictures of the report")
    with tempfile.TemporaryDirectory() as folder:
        write_json_entries(Path(folder) / "detections.json", each_coco_result(found, range(len(found))))
    say("detections.json")


if __name__ == "__main__":
    main()
