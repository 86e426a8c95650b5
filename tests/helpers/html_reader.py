"""What a browser would show of a page."""

import re
from html.parser import HTMLParser


class Reader(HTMLParser):
    """What a browser would show of a page, and what it would load."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.headings, self.loaded, self.tags, self.ids, self.references = [], [], [], [], [], []
        self._open = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self._open += [tag] if tag not in ("meta", "img") else []
        self.ids += [attributes["id"]] if "id" in attributes else []
        for key in ("src", "href", "xlink:href", "data", "action", "srcset"):
            value = attributes.get(key, "")
            (self.references if value.startswith("#") else self.loaded).extend([value] if value else [])
        self.references += re.findall(r"url\(([^)]+)\)", " ".join(filter(None, attributes.values())))
        if tag == "th":
            self.headings.append("")

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" not in self._open:
            self.texts.append(data)
        if "th" in self._open:
            self.headings[-1] += data

    @property
    def text(self):
        return " ".join(self.texts)
