"""The validation curve of a run on MNIST detection beside the last numbers of the TensorFlow tutorial, as Markdown tables.

python benchmarks/mnist_table.py runs/mnist

The tutorial, pylessons.com/YOLOv3-TF2-mnist, trains YOLOv3 from COCO's weights on 1,000 pictures for 30 epochs.
"""

import argparse
import json
from pathlib import Path

TERMS = ("box", "objectness", "classification", "loss")
TUTORIAL = {"box": 2.48, "objectness": 0.63, "classification": 4.27, "loss": 7.38}
EPOCHS = (1, 2, 3, 5, 8, 10, 15, 20, 25, 28, 29, 30)


def read_run(workdir: Path) -> tuple[list[dict], dict]:
    """(the lines of the validation, the configuration) of a run."""
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["split"] == "val"], json.loads((workdir / "config.json").read_text())


def row(name: object, line: dict) -> str:
    ap50 = f"{line['ap50']:.3f}" if line.get("ap50") is not None else "-"
    return f"| {name} | {' | '.join(f'{line[term]:.2f}' for term in TERMS)} | {ap50} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdir", type=Path)
    lines, config = read_run(parser.parse_args().workdir)
    if not lines:
        raise SystemExit("metrics.jsonl has no line of a validation yet")
    epochs, steps_an_epoch = config["train"]["epochs"], 1000 / config["train"]["batch_size"]
    head = "| box | objectness | classification | total | AP50 |\n|---|---|---|---|---|---|"
    print(f"| validation after epoch {head}")
    for line in lines:
        epoch = round(line["step"] / steps_an_epoch)
        if epoch in EPOCHS or line is lines[-1]:
            print(row(epoch, line))
    ended = lines[-1]["step"] >= epochs * steps_an_epoch
    print(f"\n| {'last' if ended else 'so far'} {head}")
    print(row("the tutorial", TUTORIAL))
    print(row("this run, the last", lines[-1]))
    print(row("this run, the least total", min(lines, key=lambda line: line["loss"])))


if __name__ == "__main__":
    main()
