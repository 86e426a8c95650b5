"""`[net]`: the section of the input and of Darknet's training, first in every cfg. It is not a layer."""

from yolojax.darknet.cfg import Section
from yolojax.darknet.sections.base import options


class Net:
    """The first section of a cfg.

    Attributes:
        cfg_name: "net".
        options: the options that it accepts; letter_box is without effect, because the caller says how pictures are fitted.
    """

    cfg_name = "net"
    options = options(
        honoured="width height",
        training="batch subdivisions sequential_subdivisions dynamic_minibatch optimized_memory workspace_size_limit_MB "
        "max_batches max_epochs try_fix_nan weights_reject_freq track augment_speed loss_scale use_cuda_graph cudnn_half "
        "learning_rate learning_rate_min policy burn_in power steps scales seq_scales step scale gamma sgdr_cycle sgdr_mult "
        "batches_per_cycle batches_cycle_mult momentum decay adam B1 B2 eps ema_alpha adversarial_lr attention "
        "max_chart_loss num_sigmas_reject_badlabels equidistant_point badlabels_rejection_percentage "
        "angle saturation exposure hue aspect flip blur gaussian_noise mixup cutmix mosaic mosaic_bound max_crop min_crop "
        "label_smooth_eps resize_step letter_box contrastive contrastive_jit_flip contrastive_color unsupervised "
        "random notruth center clip ratio",
        neutral={"channels": ("3",), "time_steps": ("1",)},
    )

    @staticmethod
    def read_size(section: Section) -> tuple[int, int]:
        """The (height, width) of the network's input in pixels.

        Raises:
            InputError: one is missing or is not a whole number from 1.
        """
        return section.whole("height", minimum=1), section.whole("width", minimum=1)
