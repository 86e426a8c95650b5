"""What an exported file says about itself."""

from typing import Any

from yolojax.runs.exported import KIND, VERSION
from yolojax.runs.workdir import Run


def describe(run: Run) -> dict[str, Any]:
    """The network of a run and its recipe as plain JSON values; anchors are in pixels of the input."""
    return {
        "format": KIND,
        "version": VERSION,
        **run.recipe.to_dict(),
        "network": run.config.model.name,
        "step": run.step,
    }
