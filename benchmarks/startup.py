"""Seconds until the variables of YOLOv3 (80 classes) exist: `model.init` eagerly, compiled, and `yolojax.models.initialize`.

python benchmarks/startup.py
"""

import subprocess
import sys

WAYS = {
    "model.init, eager": "model.init(jax.random.key(0), jnp.zeros((1, 416, 416, 3)), train=False)",
    "model.init, compiled": "jax.jit(lambda: model.init(jax.random.key(0), jnp.zeros((1, 416, 416, 3)), train=False))()",
    "initialize": "initialize(model, 0)",
}
PROGRAM = """
import time
import jax, jax.numpy as jnp
from yolojax.models import YOLOv3, initialize
model = YOLOv3(80)
jax.block_until_ready(jnp.zeros(1) + 1)
began = time.perf_counter()
jax.block_until_ready({})
print(time.perf_counter() - began)
"""


def main():
    seconds = {}
    for name, way in WAYS.items():
        # A process each: what one compiles must not help the next.
        done = subprocess.run([sys.executable, "-c", PROGRAM.format(way)], capture_output=True, text=True, check=True)
        seconds[name] = float(done.stdout)
    print(f"{'':24}{'seconds':>8}{'ratio':>8}")
    for name, value in seconds.items():
        print(f"{name:24}{value:8.2f}{value / seconds['initialize']:8.1f}")


if __name__ == "__main__":
    main()
