"""Brings the pages that lie outside docs/ onto the site, and makes links between them and docs/ work there."""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
PAGES |= {f"benchmarks/results/{path.name}": f"results/{path.name}" for path in (ROOT / "benchmarks" / "results").glob("*.md")}
SOURCES = {page: source for source, page in PAGES.items()}


def on_files(files, config):
    """Adds the pages to the files of the site."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Rewrites links, which are relative to the file in the repository, so that they are relative to the page on the site."""
    here = page.file.src_uri
    folder = posixpath.dirname(SOURCES.get(here, f"docs/{here}"))

    def rewrite(match):
        path, hash_, anchor = match[1].partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return match[0]
        target = posixpath.normpath(posixpath.join(folder, path))
        on_site = PAGES.get(target) or target.removeprefix("docs/")
        return f"]({posixpath.relpath(on_site, posixpath.dirname(here) or '.')}{hash_}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", rewrite, markdown)
