"""What an exported file says about itself."""

from yolojax.data.darknet_fit import multi_label
from yolojax.nms import distance_power
from yolojax.runs.exported import KIND, VERSION


def describe(run):
    """What is to be known about the network of a run, as plain JSON values; anchors are in pixels of the input."""
    return {
        "format": KIND,
        "version": VERSION,
        "names": list(run.config.data.class_names),
        "size": list(run.grid.size),
        "strides": list(run.grid.strides),
        "anchors": [[list(anchor) for anchor in scale] for scale in run.grid.anchors],
        "xy_scales": list(run.grid.xy_scales),
        "squared_sizes": run.grid.squared_sizes,
        "distance_power": distance_power(run.model),
        "network": run.config.model.name,
        "step": run.step,
        "class_scores": run.config.loss.class_scores,
        "fit": run.config.data.fit,
        "multi_label": multi_label(run.config.data.fit),
    }
