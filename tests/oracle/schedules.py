"""Learning rates, step by step as the papers and Darknet have them."""

import math


def literal_rate(step, peak, end, warmup, total):
    if step >= total and not (step == total == warmup):
        return end
    if step < warmup:
        return peak * step / warmup
    if total == warmup:
        return peak
    return end + 0.5 * (peak - end) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def literal_darknet_rate(step, rate, steps, scales, burn_in):
    """get_current_rate of Darknet's network.c with policy=steps, except that the burn-in is linear here."""
    if step < burn_in:
        return rate * step / burn_in
    for first, scale in zip(steps, scales, strict=True):
        if first > step:
            return rate
        rate *= scale
    return rate
