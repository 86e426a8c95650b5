"""Which options of a cfg are honoured, which matter to training alone, and which are refused.

Every option of a section is one of these: it shapes the network and is honoured; it matters to Darknet's training alone and
is accepted without effect; it is accepted at the value that changes nothing and refused at any other; or it is unknown and
refused.
"""

from yolojax.darknet.cfg import Section

HONOURED = {
    "net": {"width", "height"},
    "convolutional": {
        "filters", "size", "stride", "stride_x", "stride_y", "pad", "padding", "groups", "dilation", "batch_normalize",
        "activation",
    },
    "maxpool": {"size", "stride", "stride_x", "stride_y", "padding"},
    "avgpool": set(),
    "shortcut": {"from", "activation"},
    "route": {"layers", "groups", "group_id"},
    "upsample": {"stride", "scale"},
    "scale_channels": {"from", "activation"},
    "sam": {"from", "activation"},
    "activation": {"activation"},
    "dropout": {"probability"},
    "yolo": {"mask", "anchors", "num", "classes", "scale_x_y", "new_coords", "nms_kind", "beta_nms"},
}  # fmt: skip
"""The sections that a network can have, and their options that are honoured."""

TRAINING = {
    "net": set(
        "batch subdivisions sequential_subdivisions dynamic_minibatch optimized_memory workspace_size_limit_MB max_batches "
        "max_epochs try_fix_nan weights_reject_freq track augment_speed loss_scale use_cuda_graph cudnn_half "
        "learning_rate learning_rate_min policy burn_in power steps scales seq_scales step scale gamma sgdr_cycle sgdr_mult "
        "batches_per_cycle batches_cycle_mult momentum decay adam B1 B2 eps ema_alpha adversarial_lr attention "
        "max_chart_loss num_sigmas_reject_badlabels equidistant_point badlabels_rejection_percentage "
        "angle saturation exposure hue aspect flip blur gaussian_noise mixup cutmix mosaic mosaic_bound max_crop min_crop "
        "label_smooth_eps resize_step letter_box contrastive contrastive_jit_flip contrastive_color unsupervised "
        "random notruth center clip ratio".split()
    ),
    "convolutional": set("assisted_excitation angle grad_centr".split()),
    "dropout": set("dropblock dropblock_size_rel dropblock_size_abs".split()),
    "shortcut": set("assisted_excitation".split()),
    "route": set("stream wait_stream".split()),
    "yolo": set(
        "jitter resize random ignore_thresh truth_thresh iou_thresh iou_thresh_kind iou_loss iou_normalizer cls_normalizer "
        "obj_normalizer delta_normalizer max_delta label_smooth_eps focal_loss objectness_smooth counters_per_class max "
        "show_details total_loss".split()
    ),
}
"""Options that matter to training alone (letter_box: the caller says the fit)."""

TRAINING_ANYWHERE = set(
    "stopbackward onlyforward dont_update burnin_update train_only_bn learning_rate clip smooth truth".split()
)
"""Of these any section but [net] can have some."""

NEUTRAL = {
    "net": {"channels": ("3",), "time_steps": ("1",)},
    "convolutional": {
        "antialiasing": ("0",), "binary": ("0",), "xnor": ("0",), "bin_output": ("0",), "cbn": ("0",),
        "flipped": ("0",), "dot": ("0",), "sway": ("0",), "rotate": ("0",), "stretch": ("0",), "stretch_sway": ("0",),
    },
    "maxpool": {"maxpool_depth": ("0",), "out_channels": ("1",), "antialiasing": ("0",)},
    "shortcut": {"weights_type": ("none",), "weights_normalizion": ("none",), "weights_normalization": ("none",)},
    "scale_channels": {"scale_wh": ("0",)},
}  # fmt: skip
"""Options that would change what a network finds, with the values at which they do not."""

NEUTRAL_ANYWHERE = {"dontload": ("0",), "dontloadscales": ("0",), "dontsave": ("0",)}
"""Of these, too, any section but [net] can have some."""


def check_section(section: Section) -> None:
    """Refuses a section, or an option of it, that cannot be honoured.

    Raises: InputError, with file, line, section and option.
    """
    name = section.name
    if name not in HONOURED:
        section.fail(f"is a section that yolojax cannot honour; it knows {', '.join(f'[{known}]' for known in HONOURED)}")
    within = name != "net"
    training = TRAINING.get(name, set()) | (TRAINING_ANYWHERE if within else set())
    neutral = {**NEUTRAL.get(name, {}), **(NEUTRAL_ANYWHERE if within else {})}
    for option, (text, _) in section.options.items():
        if option in neutral:
            if text not in neutral[option]:
                only = " or ".join(neutral[option])
                section.fail(f"{option}={text} changes what the network finds and cannot be honoured; only {only} can", option)
        elif option not in HONOURED[name] and option not in training:
            section.fail(f"{option}={text} is no option that yolojax knows; remove it if it matters to training alone", option)
    for option, line in section.repeated:
        if option not in training:
            section.fail(f"{option}= is given again on line {line} with another value; remove one of them", option)
