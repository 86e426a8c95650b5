"""The table of a configuration."""

import json
import re

from yolojax.config import Config, flatten, to_dict
from yolojax.evaluation.report.configuration import config_leaves, config_table


def test_every_field_is_there_by_its_dotted_name():
    values = json.loads(json.dumps(to_dict(Config())))
    leaves = dict(config_leaves(values))
    assert leaves.keys() == flatten(Config()).keys()
    assert leaves["data.augment.hue"] == Config().data.augment.hue and leaves["seed"] == Config().seed


def test_values_are_json_and_cannot_become_html():
    table = config_table({"a": {"<b>": "<script>"}, "names": ["猫", None], "on": True})
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td></tr>', table)
    assert rows == [
        ("a.&lt;b&gt;", "&quot;&lt;script&gt;&quot;"),
        ("names", "[&quot;猫&quot;, null]"),
        ("on", "true"),
    ]
