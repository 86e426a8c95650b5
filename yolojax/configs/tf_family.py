"""The values of the TensorFlow YOLOv3 family, for your own data, each with the setting of its programs that it stands for.

yolojax train --workdir runs/mine --config tf_family --config.data.train=train.txt --config.data.val=test.txt

A text list also needs its class names: --config.data.names=classes.names. docs/coming_from.md compares the values with those of
two programs of the family, which differ from each other. All but the last two are the defaults of `Config()`. `--config
tf_family:yolov3_tiny` trains the small network, which a CPU can do.
"""

from yolojax.config import Config


def get_config(network: str = "yolov3") -> Config:
    config = Config()
    config.model.name = network  # yolov3_tiny: TRAIN_YOLO_TINY
    config.model.anchors = ()  # YOLO_ANCHORS: the published ones, in pixels
    config.model.batch_norm_momentum = 0.99  # that of Keras
    config.data.train = ""  # TRAIN_ANNOT_PATH
    config.data.val = ""  # TEST_ANNOT_PATH
    config.data.names = ""  # TRAIN_CLASSES
    config.data.size = (416, 416)  # TRAIN_INPUT_SIZE: height, width in pixels
    config.data.sizes = ()  # TRAIN_INPUT_SIZE where it is a list: ((320, 320), (352, 352), ...)
    config.data.max_boxes = 150  # max_bbox_per_scale
    config.data.augment.flip_probability = 0.5  # TRAIN_DATA_AUG: random_horizontal_flip
    config.data.augment.crop_probability = 0.5  # TRAIN_DATA_AUG: random_crop
    config.data.augment.translate_probability = 0.5  # TRAIN_DATA_AUG: random_translate
    config.loss.name = "yolo"  # compute_loss
    config.loss.box = "giou"  # giou_loss
    config.loss.ignore_iou = 0.5  # IOU_LOSS_THRESH
    config.loss.label_smoothing = 0.01  # deta in preprocess_true_boxes
    config.loss.assign_rule = "threshold"  # preprocess_true_boxes
    config.loss.assign_iou = 0.3  # iou_mask in preprocess_true_boxes
    config.optimizer.name = "adam"  # with Keras's decays of the moments, which are the defaults here
    config.optimizer.schedule = "cosine"
    config.optimizer.learning_rate = 1e-4  # TRAIN_LR_INIT
    config.optimizer.end_learning_rate = 1e-6  # TRAIN_LR_END
    config.optimizer.warmup_epochs = 2.0  # TRAIN_WARMUP_EPOCHS
    config.train.batch_size = 8  # TRAIN_BATCH_SIZE: images per step, over all devices
    config.train.epochs = 30.0  # TRAIN_EPOCHS
    config.data.augment.hsv_probability = 0.0  # TRAIN_DATA_AUG does not vary colours
    config.eval.iou_threshold = 0.45  # TEST_IOU_THRESHOLD; its score threshold of 0.3 is that of yolojax detect
    return config
