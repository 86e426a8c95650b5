"""Matplotlib, imported only here, so that it loads whatever MPLBACKEND says.

Figures are made without pyplot and drawn by Agg or as SVG, so none of matplotlib's window systems is ever used.
"""

import os

from yolojax.errors import InputError

# Matplotlib looks at MPLBACKEND when it is loaded, and refuses to load if that names a module that is not installed. Notebooks
# set it for every program that they start.
_chosen = os.environ.pop("MPLBACKEND", None)
try:
    import matplotlib
    from matplotlib.colors import LinearSegmentedColormap, to_rgb
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import Normal, Stroke
except (ImportError, OSError, ValueError) as error:  # it reads its settings when it is loaded
    remedy = "pip install --force-reinstall matplotlib"
    if not isinstance(error, ImportError):
        remedy = "mend or remove its settings, matplotlibrc in the current folder, in $MATPLOTLIBRC or in ~/.config/matplotlib"
    raise InputError(
        f"matplotlib, which draws the report's plots, cannot be loaded ({' '.join(str(error).split())}); {remedy}"
    ) from error
finally:
    if _chosen is not None:
        os.environ["MPLBACKEND"] = _chosen
if _chosen:
    # Other users of matplotlib in this process get the backend that they would have had.
    try:
        matplotlib.rcParams["backend"] = _chosen
    except ValueError:
        matplotlib.rcParams["backend"] = "agg"

__all__ = ["Figure", "Line2D", "LinearSegmentedColormap", "Normal", "Stroke", "matplotlib", "to_rgb"]
