"""The files of a Darknet network that is none of ours."""

from tests.helpers.cfgs import FACE, random_variables
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.network import build_network
from yolojax.darknet.weights import write_weights
from yolojax.models import abstract_variables


def write_face(folder):
    """Writes the network FACE with random variables; returns the paths of its cfg and its weights."""
    model, _ = build_network(parse_cfg(FACE))
    (folder / "face.cfg").write_text(FACE)
    write_weights(folder / "face.weights", model, random_variables(abstract_variables(model)))
    return folder / "face.cfg", folder / "face.weights"
