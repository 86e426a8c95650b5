"""Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391, section 3): where a detector looks to find a class.

python examples/grad_cam.py runs/digits scene.png 7 # writes scene_7.png: the picture, and the heat map over it
"""

import sys
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from yolojax import decode, load_run
from yolojax.data.images import read_image, write_image
from yolojax.draw import side_by_side


def feature_map(model, variables, images, layer, nudge=None):
    """The output of the layer at a path such as "detect16", and the heads; `nudge` (B, h, w, K) is added to that output."""
    kept = []

    def intercept(call, args, kwargs, context):
        out = call(*args, **kwargs)
        if context.method_name == "__call__" and "/".join(context.module.path) == layer:
            out = out if nudge is None else out + nudge
            kept.append(out)
        return out

    with nn.intercept_methods(intercept):
        raw = model.apply(variables, images, train=False)
    if not kept:
        raise ValueError(f"the network has no layer {layer!r}")
    return kept[0], raw


def heat_map(run, image, class_id, layer):
    """How much each cell of a layer's output speaks for a class: (h, w), 0 to 1; `image` is the network's input (H, W, 3)."""
    images = jnp.asarray(image)[None]

    def score(nudge):
        features, raw = feature_map(run.model, run.variables, images, layer, nudge)
        slots = decode(raw, run.grid)
        scores = jax.nn.log_sigmoid(slots.objectness_logits) + jax.nn.log_sigmoid(slots.class_logits[..., class_id])
        return jax.nn.logsumexp(scores), features  # y^c: the class anywhere in the picture, sure slots above all

    shape = jax.eval_shape(lambda: feature_map(run.model, run.variables, images, layer)[0])
    (_, features), gradient = jax.jit(jax.value_and_grad(score, has_aux=True))(jnp.zeros(shape.shape))
    weights = gradient.mean((1, 2), keepdims=True)  # equation 1
    heat = jax.nn.relu((weights * features).sum(-1))[0]  # equation 2
    return np.asarray(heat / jnp.maximum(heat.max(), 1e-12))


def main(workdir, path, name, layer="detect16"):
    run = load_run(workdir)
    image, _ = run.recipe.fit_image(read_image(path))
    heat = heat_map(run, image, run.config.data.class_names.index(name), layer)
    over = np.asarray(jax.image.resize(heat, run.grid.size, "linear"))[..., None]
    shown = (image * (1 - 0.6 * over) + np.array([255, 40, 0]) * 0.6 * over).astype(np.uint8)
    out = Path(path).with_name(f"{Path(path).stem}_{name}.png")
    write_image(out, side_by_side([image, shown], ["input", name]))
    print(out)
    return heat


if __name__ == "__main__":
    main(*sys.argv[1:])
