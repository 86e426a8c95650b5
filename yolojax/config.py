"""The configuration of a run: typed fields with their units, to and from JSON, and checks that name the field.

A config file (`configs/*.py`) has a `get_config()` that returns a `Config`; any field is overridden on the command line, as in
`--config.optimizer.learning_rate=2e-4`.
"""

import dataclasses
import json
import sys
import typing

from yolojax.config_checks import ANY_SIZE, CHECKS, NEEDS, USED_WITH
from yolojax.data.augment import AugmentConfig
from yolojax.errors import InputError


def _field(default, doc):
    return dataclasses.field(default=default, metadata={"doc": doc})


@dataclasses.dataclass(slots=True)
class ModelConfig:
    """The network and its anchors."""

    name: str = _field("yolov3", "yolov3, yolov3_spp, yolov3_tiny; darknet: the network of a cfg, as import writes it")
    num_classes: int = _field(0, "number of classes; 0: as many as the data has names")
    width: float = _field(1.0, "factor on the channels of every layer")
    dtype: str = _field("float32", "type of the computation, float32 or bfloat16; parameters stay float32")
    batch_norm_momentum: float = _field(0.99, "share of the old value in the running batch statistics, per step")
    anchors: tuple = _field((), "for each scale ((width, height), ...) in pixels; empty: the network's published ones")
    cfg: str = _field("", "of darknet: the text of its cfg, with the anchors; written by python -m yolojax import")


@dataclasses.dataclass(slots=True)
class DataConfig:
    """Where pictures and boxes come from, and how they are prepared."""

    source: str = _field("auto", "auto: recognise the format of train and val; list: text lists; digits: built-in scenes")
    train: str = _field("", "text list, VOC folder, COCO .json or YOLO data.yaml; DIR:SPLIT: that split instead of train")
    val: str = _field("", "as train, for validation; of a VOC folder or a data.yaml it takes the split val")
    test: str = _field("", "as train, for eval.py --split test; empty: the split test of the VOC folder or data.yaml of val")
    names: str = _field("", "path of the file with one class name a line; empty: the names of the training data")
    class_names: tuple[str, ...] = _field((), "the class names; empty: read from the names file or the training data")
    size: tuple[int, ...] = _field((416, 416), "(height, width) of the network's input in pixels, multiples of 32")
    fit: str = _field("letterbox", "letterbox; darknet_letterbox, darknet_stretch: as Darknet, and a slot found as every class")
    sizes: tuple = _field((), "sizes like it, one of which is drawn for each training step (multi-scale); empty: size alone")
    sampling: str = _field("uniform", "uniform; repeat_factor: rare classes oftener; class_balanced: all classes equally often")
    repeat_threshold: float = _field(0.3, "share of the pictures under which repeat_factor shows those of a class oftener")
    cache_gib: float = _field(0.0, "memory for decoded training pictures, which are then read only once, GiB; 0: none")
    max_boxes: int = _field(150, "boxes there is room for in a picture; of more, the largest are kept")
    on_unreadable: str = _field("stop", "stop: an unreadable picture ends the run; skip: it is counted and left out")
    threads: int = _field(0, "threads that read and augment pictures; 0: one a core, at most 16")
    digits_train: int = _field(1600, "scenes in an epoch of the digits source; each is drawn anew in every epoch")
    digits_val: int = _field(200, "scenes in the validation split of the digits source")
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)


@dataclasses.dataclass(slots=True)
class LossConfig:
    """The loss and which slots answer for a box."""

    name: str = _field("yolo", "yolo: an overlap of the boxes, focal objectness; paper: squared errors of the boxes, BCE")
    box: str = _field("giou", "overlap of the box term of yolo: giou, iou, diou or ciou")
    coord_weight: float = _field(5.0, "weight of the box term of paper")
    noobject_weight: float = _field(0.5, "weight of the objectness of background of paper")
    wh: str = _field("sqrt", "sizes of paper: sqrt, roots of shares of the input; log, logarithms of anchors (Darknet)")
    objectness: str = _field("bce", "objectness of paper at objects: bce, cross entropy; iou, squared error to the IoU")
    class_scores: str = _field("sigmoid", "classes of paper: sigmoid, each by itself; softmax, they exclude each other")
    ignore_iou: float = _field(0.5, "IoU from which an unassigned prediction is not counted as background")
    label_smoothing: float = _field(0.01, "weight of the uniform distribution in the class labels")
    assign_rule: str = _field("threshold", "threshold: every anchor over assign_iou; best: the one of best shape (Darknet)")
    assign_iou: float = _field(0.3, "IoU over which an anchor answers for a box")


@dataclasses.dataclass(slots=True)
class OptimizerConfig:
    """The optimizer, its learning rate with linear warm-up and decay, and the averaging of parameters."""

    name: str = _field("adam", "adam, adamw (decoupled weight decay) or sgd (with momentum, as Darknet)")
    learning_rate: float = _field(1e-4, "peak learning rate")
    schedule: str = _field("cosine", "after the warm-up: cosine; step: the rate is multiplied at certain steps (Darknet)")
    end_learning_rate: float = _field(1e-6, "learning rate at the end of cosine")
    steps: tuple = _field(((0.8, 0.1), (0.9, 0.1)), "of step: ((share of the run, factor), ...), by default Darknet's")
    warmup_epochs: float = _field(2.0, "epochs of linear warm-up from 0")
    b1: float = _field(0.9, "decay of Adam's first moment")
    b2: float = _field(0.999, "decay of Adam's second moment")
    momentum: float = _field(0.9, "share of the last update in the next one of sgd")
    nesterov: bool = _field(False, "sgd with Nesterov's momentum")
    weight_decay: float = _field(5e-4, "decay of convolution kernels of adamw and sgd, a factor on the learning rate")
    decay_layers: str = _field("", "regular expression of the layers whose kernels decay, as ^(?!head); empty: all")
    layer_rates: tuple = _field((), "((pattern, factor), ...): the rate of layers whose path has a match of the pattern")
    clip_norm: float = _field(0.0, "gradients of a larger global norm are scaled down to it; 0: no clipping")
    line_search_trials: int = _field(0, "rates tried at most in a step, each half the one before, till the loss falls; 0: one")
    ema_decay: float = _field(0.0, "decay per step of the averaged parameters that are evaluated; 0: no averaging")
    ema_warmup_steps: float = _field(0.0, "s: at step n the decay is ema_decay * (1 - exp(-n / s)); 0: the same at all steps")


@dataclasses.dataclass(slots=True)
class TrainConfig:
    """The length of the run and what happens when."""

    epochs: float = _field(30.0, "passes over the training pictures")
    batch_size: int = _field(8, "pictures a step, over all devices")
    accumulate: int = _field(1, "parts in which the pictures of a step go through the network, for less memory")
    remat: bool = _field(False, "activations are computed anew for the gradient: less memory, a third more work")
    log_steps: int = _field(20, "steps between two lines of training metrics")
    eval_epochs: float = _field(1.0, "epochs between two evaluations on the validation split")
    save_best_by: str = _field("ap50", "metric of the validation that ranks checkpoints: ap50, ap, f1, loss (least) ...")
    early_stopping: int = _field(0, "evaluations in a row without a better save_best_by that end the run; 0: no end")
    freeze: str = _field("", "regular expression of layers, as backbone or ^(?!head), that are held to the bit")
    freeze_epochs: float = _field(0.0, "epochs, from the start, that freeze holds for; 0: the whole run")
    checkpoint_steps: int = _field(500, "steps between two checkpoints, besides one after each evaluation")
    max_skipped_steps: int = _field(10, "steps whose loss is not finite that are skipped; one more ends the run; 0: the first")
    keep_memory: bool = _field(True, "on a CPU with glibc: freed buffers are kept for the next step, faster, with more memory")


@dataclasses.dataclass(slots=True)
class EvalConfig:
    """How detections are made for evaluation."""

    batch_size: int = _field(8, "pictures a step, over all devices")
    score_threshold: float = _field(0.001, "detections score more than this")
    iou_threshold: float = _field(0.6, "IoU over which a detection of the same class is suppressed")
    max_candidates: int = _field(1024, "(slot, class) pairs of a picture that enter suppression")
    max_detections: int = _field(300, "detections of a picture that come out")


@dataclasses.dataclass(slots=True)
class Config:
    """Everything that a training run depends on."""

    seed: int = _field(0, "of initial values, order and augmentation")
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    eval: EvalConfig = dataclasses.field(default_factory=EvalConfig)
    init_from: str = _field("", "workdir, one of its checkpoints/STEP or Darknet .weights to start from; what fits is loaded")


def to_dict(config):
    """Turns a configuration into nested dicts of plain JSON values."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def from_dict(values, cls=Config, where="config"):
    """Builds a configuration from nested dicts, as JSON or ml_collections give them; absent fields keep their defaults.

    Raises:
        InputError: a field that does not exist, a value of the wrong type or a number that is not finite, by its dotted name.
    """
    if not isinstance(values, typing.Mapping):
        raise InputError(f"{where} must be a group of fields, not {values!r}")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    config = cls()
    for name, value in values.items():
        if name not in fields:
            raise InputError(f"{where}.{name} does not exist; the fields of {where} are {', '.join(fields)}")
        setattr(config, name, _convert(value, hints[name], f"{where}.{name}"))
    return config


def _convert(value, hint, where):
    if dataclasses.is_dataclass(hint):
        return from_dict(value, hint, where)
    kind = typing.get_origin(hint) or hint
    if kind is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where} must be a list, not {value!r}")
        of = (typing.get_args(hint) or (None,))[0]
        return tuple(_nested_tuple(v) if of is None else _convert(v, of, f"{where}[{i}]") for i, v in enumerate(value))
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (kind is not bool and isinstance(value, bool)):
        raise InputError(f"{where} must be of type {kind.__name__}, not {value!r}")
    if kind is not float:
        return value
    if not abs(value) <= sys.float_info.max:
        raise InputError(f"{where} must be finite, not {value!r}")
    return float(value)


def _nested_tuple(value):
    return tuple(map(_nested_tuple, value)) if isinstance(value, list | tuple) else value


def flatten(config):
    """The leaves of a configuration by dotted name, {"optimizer.learning_rate": 0.0001, ...}, as plain JSON values."""

    def walk(values, prefix):
        for name, value in values.items():
            if isinstance(value, dict):
                yield from walk(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value

    return dict(walk(to_dict(config), ""))


def differences(old, new):
    """Names the fields in which two configurations differ: ["field: old value -> new value", ...]."""
    old, new = flatten(old), flatten(new)
    return [f"{name}: {json.dumps(old[name])} -> {json.dumps(new[name])}" for name in new if old[name] != new[name]]


def checked(config):
    """A copy of a configuration (a `Config`, an ml_collections ConfigDict or a dict) after a look at every field.

    Raises:
        InputError: an unknown field, a wrong type, a value out of its range, one set where nothing uses it, or two that do not
            go together, by their dotted names.
    """
    if hasattr(config, "to_dict"):
        config = config.to_dict()
    config = from_dict(dataclasses.asdict(config) if isinstance(config, Config) else config)
    for name, check in CHECKS.items():
        value = _value(config, name)
        if config.model.name == "darknet" and name in ("data.size", "data.sizes"):
            check = ANY_SIZE[name]
        problem = check(value)
        if problem:
            raise InputError(f"config.{name} {problem}, not {value!r}")
    for name, (other, check) in USED_WITH.items():
        value, default = _value(config, name), _value(Config(), name)
        chosen = [_value(config, one) for one in other.split(" or ")]
        problems = [check(one) for one in chosen]
        if all(problems) and value != default:
            raise InputError(
                f"config.{name} is {value!r}, which nothing uses: config.{other} {problems[0]} for that, not {chosen[0]!r}; "
                f"set that, or leave this at {default!r}"
            )
    for name, others in NEEDS.items():
        for other, check in others if _value(config, name) != _value(Config(), name) else ():
            problem = check(_value(config, other))
            if problem:
                raise InputError(f"config.{other} {problem} with config.{name}, not {_value(config, other)!r}")
    if config.data.source == "list" and not config.data.class_names and not config.data.names:
        raise InputError("config.data.names is not set: give the path of a file with one class name a line")
    return config


def _value(config, name):
    for part in name.split("."):
        config = getattr(config, part)
    return config


def help_text(config_class=Config, prefix="--config."):
    """Describes every field with its default, one a line, for --help."""
    lines = []
    for field in dataclasses.fields(config_class):
        if isinstance(field.default_factory, type):
            lines += help_text(field.default_factory, f"{prefix}{field.name}.")
        else:
            lines.append(f"  {prefix}{field.name}={field.default!r}  {field.metadata.get('doc', '')}".rstrip())
    return lines
