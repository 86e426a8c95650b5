"""The configurations that come with yolojax, which `--config NAME` finds by their names."""

from pathlib import Path

FOLDER = Path(__file__).parent


def config_names() -> list[str]:
    """Returns the names of the configurations, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def config_path(name: str) -> Path:
    """Returns the file of a configuration.

    Args:
        name: one of `config_names`.
    """
    return FOLDER / f"{name}.py"
