import subprocess
import sys


def test_batches_need_neither_jax_nor_opencv():
    program = (
        "import sys; from yolojax.data.batch import Batch, ValBatch; from yolojax.data import pipeline; "
        "assert pipeline.Batch is Batch and pipeline.ValBatch is ValBatch and 'jax' not in sys.modules; "
        "images, targets = Batch(1, 2); images, targets, aspects = ValBatch(1, 2, 3); print(images, targets, aspects)"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert outcome.stdout.split() == ["1", "2", "3"]
