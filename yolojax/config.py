"""The configuration of a run: one declaration per field, with its default, meaning, unit, range and what it is used with.

A config file (`configs/*.py`) has a `get_config()` that returns a `Config`; any field can be overridden on the command line, as
in `--config.optimizer.learning_rate=2e-4`.
"""

# No `from __future__ import annotations`: ml_collections reads the types of the fields to parse the overrides.
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from yolojax.config_values import describe, differences, flatten, read, to_dict, verify
from yolojax.data.augment import AugmentConfig
from yolojax.fields import (
    Depending,
    Required,
    anchors_per_scale,
    any_value,
    at_least,
    below_one,
    between,
    distinct,
    empty,
    field,
    given,
    greater,
    input_size,
    input_sizes,
    keyword_arguments,
    one_of,
    one_of_or_part,
    own_part,
    own_parts,
    positive,
    positive_numbers,
    rate_drops,
    rates_by_layer,
    regular_expression,
    zero,
)

if TYPE_CHECKING:
    from ml_collections import ConfigDict, FrozenConfigDict

__all__ = [
    "BEST_BY",
    "LOWER_IS_BETTER",
    "AugmentConfig",
    "Config",
    "DataConfig",
    "EvalConfig",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "TrainConfig",
    "checked",
    "differences",
    "flatten",
    "from_dict",
    "help_text",
    "to_dict",
]

LOWER_IS_BETTER = ("loss", "box", "objectness", "classification")
BEST_BY = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large"),
    *("voc_ap50", "voc_ap50_11point", "f1"),
    *LOWER_IS_BETTER,
)
"""Metrics of a validation by which checkpoints can be ranked."""


@dataclasses.dataclass(slots=True)
class ModelConfig:
    """The network and its anchors."""

    name: str = field(
        "yolov3",
        "network; darknet: the network of a Darknet .cfg, as written by yolojax import; package.module:name: your own function "
        "(num_classes, **options) -> Flax module",
        one_of_or_part("yolov3", "yolov3_spp", "yolov3_tiny", "darknet"),
    )
    options: dict[str, Any] = field(
        {}, "keyword arguments of your own network", keyword_arguments, used_with={"name": own_part}
    )
    num_classes: int = field(0, "number of classes; 0: taken from the class names of the data", at_least(0))
    width: float = field(
        1.0,
        "factor on the number of channels of every layer",
        positive,
        used_with={"name": one_of("yolov3", "yolov3_spp", "yolov3_tiny")},
    )
    backbone: str = field(
        "darknet53",
        "backbone of the network; package.module:name: your own function (**options) -> Flax module",
        one_of_or_part("darknet53", "resnet18", "resnet50", "csp_darknet53"),
        used_with={"name": one_of("yolov3", "yolov3_spp")},
    )
    backbone_options: dict[str, Any] = field(
        {},
        'keyword arguments of the backbone, such as {"strides": [4, 8, 16, 32]}',
        keyword_arguments,
        used_with={"name": one_of("yolov3", "yolov3_spp")},
    )
    neck: str = field(
        "fpn",
        "what joins the backbone's features; fpn: as in YOLOv3; package.module:name: your own function (**options) -> Flax "
        "module",
        one_of_or_part("fpn"),
        used_with={"name": one_of("yolov3", "yolov3_spp")},
    )
    neck_options: dict[str, Any] = field(
        {}, "keyword arguments of your own neck", keyword_arguments, used_with={"neck": own_part}
    )
    dtype: str = field(
        "float32",
        "type of the computation; parameters stay float32",
        one_of("float32", "bfloat16"),
        used_with={"name": one_of("yolov3", "yolov3_spp", "yolov3_tiny", "darknet")},
    )
    batch_norm_momentum: float = field(
        0.99,
        "share of the old value that the running batch statistics keep at each step",
        between(0, 1),
        used_with={"name": one_of("yolov3", "yolov3_spp", "yolov3_tiny", "darknet")},
    )
    anchors: tuple[tuple[tuple[float, float], ...], ...] = field(
        (),
        "((width, height), ...) in pixels for each scale; empty: the network's published anchors",
        anchors_per_scale,
    )
    xy_scale: float = field(
        1.0,
        "factor by which the range of a box's centre is stretched about the middle of its cell; 2: centres reach half a cell "
        "into the neighbours, which assign_rule ratio needs; 1: as in YOLOv3",
        positive,
        used_with={"name": one_of("yolov3", "yolov3_spp", "yolov3_tiny")},
    )
    squared_sizes: bool = field(
        False,
        "sizes of boxes are (2 sigmoid(t))^2 anchors, at most 4 of them, instead of e^t anchors as in YOLOv3",
        any_value,
        used_with={"name": one_of("yolov3", "yolov3_spp", "yolov3_tiny")},
    )
    cfg: str = field(
        "",
        "text of the Darknet .cfg, which includes the anchors; written by yolojax import and train --weights",
        any_value,
        used_with={"name": one_of("darknet")},
    )


@dataclasses.dataclass(slots=True)
class DataConfig:
    """Where images and boxes come from, and how they are prepared."""

    source: str = field(
        "auto",
        "auto: the format of train and val is recognised; list: text lists; digits: built-in scenes; package.module:name: your "
        "own function (config, split, **options) -> Source",
        one_of_or_part("auto", "list", "digits"),
    )
    options: dict[str, Any] = field(
        {}, "keyword arguments of your own source", keyword_arguments, used_with={"source": own_part}
    )
    train: str = field(
        "", "text list, VOC folder, COCO .json or YOLO data.yaml; DIR:SPLIT takes that split instead of train", any_value
    )
    val: str = field(
        "",
        "like train, for validation; takes the split val of a VOC folder or data.yaml; empty: that of train, or val_share",
        any_value,
    )
    val_share: float = field(
        0.2,
        "share of the training images that become the validation split where val is empty and train has no split val; chosen "
        "by the content of their files, so that equal ones are on one side and more images move none",
        below_one,
        used_with={"val": empty},
    )
    test: str = field(
        "",
        "like train, for yolojax eval --split test; empty: the split test of the VOC folder or data.yaml of val, or of train",
        any_value,
    )
    names: str = field(
        "",
        "file with one class name per line; empty: the names of the training data",
        any_value,
        required=Required(
            "give the path of a file with one class name per line",
            {"source": one_of("list"), "class_names": empty, "single_class": empty},
        ),
    )
    class_names: tuple[str, ...] = field((), "class names; empty: read from names or the training data", distinct)
    single_class: bool = field(
        False,
        "all classes of the data count as one, in training and evaluation, called object or, if class_names is one name, that",
        any_value,
        used_with={"source": one_of("auto", "list")},
    )
    size: tuple[int, int] = field(
        (416, 416),
        "(height, width) of the network's input in pixels",
        Depending("model.name", one_of_or_part("darknet"), then=input_size(1), otherwise=input_size(32)),
    )
    fit: str = field(
        "letterbox",
        "how images are fitted to the input; darknet_letterbox, darknet_stretch: as in Darknet, with several classes per slot",
        one_of("letterbox", "darknet_letterbox", "darknet_stretch"),
    )
    sizes: tuple[tuple[int, int], ...] = field(
        (),
        "input sizes for multi-scale training, drawn anew at each step; empty: always size",
        Depending("model.name", one_of_or_part("darknet"), then=input_sizes(1), otherwise=input_sizes(32)),
    )
    sampling: str = field(
        "uniform",
        "uniform; repeat_factor: rare classes more often; class_balanced: all classes equally often",
        one_of("uniform", "repeat_factor", "class_balanced"),
        used_with={"source": one_of_or_part("auto", "list")},
    )
    repeat_threshold: float = field(
        0.3,
        "classes in a smaller share of the images than this are shown more often",
        between(0, 1),
        used_with={"sampling": one_of("repeat_factor")},
    )
    cache_gib: float = field(
        0.0,
        "memory in GiB for decoded training images, so that they are read only once; 0: no cache",
        at_least(0),
        used_with={"source": one_of("auto", "list")},
    )
    max_boxes: int = field(150, "boxes per image; if there are more, the largest are kept", at_least(1, 100_000))
    on_unreadable: str = field(
        "stop", "stop: an unreadable image ends the run; skip: it is counted and left out", one_of("stop", "skip")
    )
    stated_sizes: str = field(
        "refuse",
        "images of another size than their annotations state; refuse: the run does not start; ignore: boxes are used as given",
        one_of("refuse", "ignore"),
    )
    threads: int = field(0, "threads that read and augment images; 0: one per core, at most 16", at_least(0, 1024))
    processes: int = field(
        0,
        "processes that make training images, with 100 MB of memory each; worth it from about four cores on, one per core, as "
        "threads share one Python lock; 0: threads",
        at_least(0, 1024),
        needs={"cache_gib": zero},
    )
    digits_train: int = field(1600, "scenes per epoch of the digits source, drawn anew in every epoch", at_least(1, 10**8))
    digits_val: int = field(200, "scenes in the validation split of the digits source", at_least(1, 10**8))
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)


@dataclasses.dataclass(slots=True)
class LossConfig:
    """The loss, and which slots are responsible for a box."""

    name: str = field(
        "yolo",
        "yolo: overlap of the boxes and focal objectness; paper: squared errors of the boxes and cross entropy; iou_aware: "
        "complete IoU of the boxes, which objectness learns, by means, for assign_rule ratio; "
        "package.module:name: your own function (raw, targets, grid, **options) -> terms, (B,) each",
        one_of_or_part("yolo", "paper", "iou_aware"),
    )
    options: dict[str, Any] = field({}, "keyword arguments of your own loss", keyword_arguments, used_with={"name": own_part})
    box: str = field(
        "giou", "overlap in the box term", one_of("giou", "iou", "diou", "ciou"), used_with={"name": one_of("yolo")}
    )
    coord_weight: float = field(5.0, "weight of the box term", at_least(0), used_with={"name": one_of("paper")})
    noobject_weight: float = field(
        0.5, "weight of the objectness of the background", at_least(0), used_with={"name": one_of("paper")}
    )
    wh: str = field(
        "sqrt",
        "how box sizes are compared; sqrt: roots of shares of the input; log: logarithms of ratios to the anchor (Darknet)",
        one_of("sqrt", "log"),
        used_with={"name": one_of("paper")},
    )
    objectness: str = field(
        "bce",
        "objectness where there are objects; bce: binary cross entropy; iou: squared error to the IoU",
        one_of("bce", "iou"),
        used_with={"name": one_of("paper")},
    )
    class_scores: str = field(
        "sigmoid",
        "sigmoid: classes are independent; softmax: classes exclude each other",
        one_of("sigmoid", "softmax"),
        used_with={"name": one_of_or_part("paper")},
    )
    reduction: str = field(
        "sum",
        "errors of the slots; sum: added, and the images averaged; mean: averaged on each scale over the batch, as in PyTorch",
        one_of("sum", "mean"),
        used_with={"name": one_of("paper")},
    )
    ignore_iou: float = field(
        0.5,
        "unassigned predictions with at least this IoU to a box do not count as background",
        between(0, 1),
        used_with={"name": one_of("yolo", "paper")},
    )
    label_smoothing: float = field(
        0.01,
        "weight of the uniform distribution in the class labels",
        between(0, 1),
        used_with={"name": one_of("yolo", "paper")},
    )
    class_weights: tuple[float, ...] = field(
        (),
        "factors on the classification error of the boxes of each class, in their order; empty: all 1",
        positive_numbers,
        used_with={"name": one_of("yolo", "paper", "iou_aware")},
    )
    box_weight: float = field(
        0.05, "weight of the box term, for three scales", at_least(0), used_with={"name": one_of("iou_aware")}
    )
    objectness_weight: float = field(
        1.0, "weight of the objectness, for three scales at 640 x 640", at_least(0), used_with={"name": one_of("iou_aware")}
    )
    classification_weight: float = field(
        0.5,
        "weight of the classification, for three scales and 80 classes",
        at_least(0),
        used_with={"name": one_of("iou_aware")},
    )
    scale_weights: tuple[float, ...] = field(
        (),
        "weights of the scales, fine to coarse, in the objectness; empty: 4, 1, 0.4 for three scales, 4, 1 for two",
        positive_numbers,
        used_with={"name": one_of("iou_aware")},
    )
    assign_rule: str = field(
        "threshold",
        "anchors responsible for a box; threshold: all with an IoU over assign_iou; best: the best one only (Darknet); "
        "ratio: all with sides within a factor of assign_ratio, in the box's cell and its two nearer neighbours; "
        "package.module:name: your own function (boxes_xyxy, classes, grid, *, max_boxes, **options) -> Targets",
        one_of_or_part("threshold", "best", "ratio"),
    )
    assign_options: dict[str, Any] = field(
        {}, "keyword arguments of your own assign_rule", keyword_arguments, used_with={"assign_rule": own_part}
    )
    assign_iou: float = field(
        0.3,
        "anchors with an IoU over this are responsible for a box",
        between(0, 1),
        used_with={"assign_rule": one_of("threshold")},
    )
    assign_ratio: float = field(
        4.0,
        "anchors are responsible for a box if width and height differ from the box's by less than this factor; squared_sizes "
        "reach a factor of 4",
        greater(1),
        used_with={"assign_rule": one_of("ratio")},
    )


@dataclasses.dataclass(slots=True)
class OptimizerConfig:
    """The optimizer, its learning rate with linear warm-up and decay, and the averaging of parameters."""

    name: str = field(
        "adam",
        "adam, adamw (decoupled weight decay), sgd (with momentum, as in Darknet) or rmsprop (with momentum, as in PyTorch); "
        "package.module:name: your own function (schedule, **options) -> optax transformation",
        one_of_or_part("adam", "adamw", "sgd", "rmsprop"),
    )
    options: dict[str, Any] = field(
        {}, "keyword arguments of your own optimizer", keyword_arguments, used_with={"name": own_part}
    )
    learning_rate: float = field(1e-4, "peak learning rate", positive, used_with={"schedule": one_of("cosine", "step")})
    schedule: str = field(
        "cosine",
        "learning rate after the warm-up; cosine: decays along a cosine; step: is multiplied at certain steps (Darknet); "
        "package.module:name: your own function (steps_per_epoch, total_steps, **options) -> (step -> rate)",
        one_of_or_part("cosine", "step"),
    )
    schedule_options: dict[str, Any] = field(
        {}, "keyword arguments of your own schedule", keyword_arguments, used_with={"schedule": own_part}
    )
    end_learning_rate: float = field(
        1e-6, "learning rate at the end of the run", at_least(0), used_with={"schedule": one_of("cosine")}
    )
    steps: tuple[tuple[float, float], ...] = field(
        ((0.8, 0.1), (0.9, 0.1)),
        "((share of the run, factor on the learning rate), ...); the default is Darknet's",
        rate_drops,
        used_with={"schedule": one_of("step")},
    )
    warmup_epochs: float = field(
        2.0, "epochs of linear warm-up from 0", at_least(0), used_with={"schedule": one_of("cosine", "step")}
    )
    b1: float = field(0.9, "decay of Adam's first moment", below_one, used_with={"name": one_of("adam", "adamw")})
    b2: float = field(0.999, "decay of Adam's second moment", below_one, used_with={"name": one_of("adam", "adamw")})
    momentum: float = field(
        0.9, "share of the last update in the next one", below_one, used_with={"name": one_of("sgd", "rmsprop")}
    )
    nesterov: bool = field(False, "use Nesterov's momentum", any_value, used_with={"name": one_of("sgd")})
    rms_decay: float = field(
        0.9, "decay of RMSProp's mean of the squared gradient", below_one, used_with={"name": one_of("rmsprop")}
    )
    rms_eps: float = field(
        1e-8, "added to the root of that mean, which gradients are divided by", positive, used_with={"name": one_of("rmsprop")}
    )
    weight_decay: float = field(
        5e-4,
        "weight decay of convolution kernels, multiplied by the learning rate",
        between(0, 1),
        used_with={"name": one_of("adamw", "sgd", "rmsprop")},
    )
    decay_layers: str = field(
        "",
        "regular expression of the layers whose kernels decay, such as ^(?!head); empty: all",
        regular_expression,
        used_with={"name": one_of("adamw", "sgd", "rmsprop")},
    )
    layer_rates: tuple[tuple[str, float], ...] = field(
        (), "((regular expression, factor), ...) for layers with a learning rate of their own", rates_by_layer
    )
    clip_norm: float = field(0.0, "gradients with a larger global norm are scaled down to it; 0: no clipping", at_least(0))
    line_search_trials: int = field(
        0,
        "learning rates to try per step, each half the one before, until the loss falls; 0: no search",
        at_least(0),
        # The loss falls along the negative gradient alone: with any of these the update need not point downhill.
        needs={"name": one_of("sgd"), "momentum": zero, "weight_decay": zero},
    )
    ema_decay: float = field(
        0.0, "decay per step of the averaged parameters, which are the ones evaluated; 0: no averaging", below_one
    )
    ema_warmup_steps: float = field(
        0.0,
        "s: at step n the decay is ema_decay * (1 - exp(-n / s)); 0: the same at all steps",
        at_least(0),
        used_with={"ema_decay": positive},
    )


@dataclasses.dataclass(slots=True)
class TrainConfig:
    """The length of the run and what happens when."""

    epochs: float = field(30.0, "passes over the training images", positive)
    batch_size: int = field(8, "images per step, over all devices", at_least(1, 2**16))
    accumulate: int = field(1, "parts in which the images of a step go through the network, to save memory", at_least(1))
    remat: bool = field(False, "recompute activations for the gradient: less memory, a third more work", any_value)
    log_steps: int = field(20, "steps between two lines of training metrics", at_least(1))
    eval_epochs: float = field(1.0, "epochs between two evaluations on the validation split", positive)
    save_best_by: str = field(
        "ap50", "validation metric that ranks checkpoints; losses are better if lower, the others if higher", one_of(*BEST_BY)
    )
    early_stopping: int = field(
        0, "the run ends after this many evaluations in a row without a better save_best_by; 0: never", at_least(0)
    )
    freeze: str = field(
        "", "regular expression of layers that do not change, such as backbone or ^(?!head); empty: none", regular_expression
    )
    freeze_epochs: float = field(
        0.0, "epochs from the start for which freeze applies; 0: the whole run", at_least(0), used_with={"freeze": given}
    )
    checkpoint_steps: int = field(500, "steps between two checkpoints, besides the one after each evaluation", at_least(1))
    keep_every: float = field(
        0.0, "epochs between two checkpoints that are never deleted; 0: only the last two and the best are kept", at_least(0)
    )
    max_skipped_steps: int = field(
        10, "steps with a non-finite loss that are skipped before the run ends; 0: the first ends it", at_least(0)
    )
    callbacks: tuple[str, ...] = field(
        (), "your own functions of an Event (start, log, eval, checkpoint, end), package.module:name", own_parts
    )
    keep_memory: bool = field(
        True, "on a CPU with glibc: keep freed buffers for the next step; faster, but takes more memory", any_value
    )


@dataclasses.dataclass(slots=True)
class EvalConfig:
    """How detections are made for evaluation."""

    batch_size: int = field(8, "images per step, over all devices", at_least(1, 2**16))
    score_threshold: float = field(0.001, "detections have a higher score than this", between(0, 1))
    iou_threshold: float = field(0.6, "detections with a higher IoU to a better one of their class are dropped", between(0, 1))
    max_candidates: int = field(1024, "(slot, class) pairs per image that enter non-maximum suppression", at_least(1, 10**6))
    max_detections: int = field(300, "detections per image", at_least(1, 10**6))


@dataclasses.dataclass(slots=True)
class Config:
    """Everything that a training run depends on."""

    seed: int = field(0, "seed of initial values, order and augmentation", at_least(0))
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    eval: EvalConfig = dataclasses.field(default_factory=EvalConfig)
    init_from: str = field(
        "", "workdir, one of its checkpoints/STEP or Darknet .weights to start from; what fits is loaded", any_value
    )
    init_heads: str = field(
        "anew",
        "heads of init_from that are for other classes; anew: not used; adapt: boxes, objectness and the classes of the same "
        "names are kept",
        one_of("anew", "adapt"),
        used_with={"init_from": given},
    )
    init_network: bool = field(
        False,
        "the network too is that of init_from, with its anchors, input size and fit; it takes the place of model",
        any_value,
        used_with={"init_from": given},
    )
    init_cfg: str = field(
        "",
        "with init_network: the Darknet .cfg of the .weights in init_from; empty: the one of its name beside it",
        any_value,
        used_with={"init_from": given},
    )


def from_dict(values: Mapping[str, Any]) -> Config:
    """Builds a configuration from nested dicts, as JSON gives them; absent fields keep their defaults. See `read`."""
    return read(Config, values)


def checked(config: "Config | Mapping[str, Any] | ConfigDict | FrozenConfigDict") -> Config:
    """Returns a copy of a configuration in which every field has been checked.

    Args:
        config: a `Config`, a dict, or an ml_collections ConfigDict.

    Raises:
        InputError: an unknown field, a wrong type, or values that the fields' declarations do not allow; see `verify`.
    """
    values: Any = config
    if isinstance(config, Config):
        values = dataclasses.asdict(config)
    elif hasattr(config, "to_dict"):
        values = values.to_dict()
    result = read(Config, values)
    verify(result)
    return result


def help_text() -> list[str]:
    """Describes every field with its default, its range and what it is used with, one line each, for --help."""
    return describe(Config())
