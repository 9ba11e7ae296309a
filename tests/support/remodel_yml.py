"""A remodel.yml that is right in every part, to be written into a folder."""

from __future__ import annotations

from pathlib import Path

GOOD = """\
project:
  path: .
  python: .venv/bin/python
  settings: config.settings.local
  package: ../django-cast
  install: [flit, install, -s]
local: {database: python_podcast, site: {hostname: localhost, port: 8000}}
source: production
targets:
  staging:
    ssh: deploy@staging.example.org
    database: python_podcast
    site: {hostname: staging.example.org, port: 443}
    playbook: [ansible-playbook, restore_database.yml, --limit, staging]
    playbook_path: deploy
  production:
    ssh: deploy@example.org
    database: python_podcast
    site: {hostname: example.org, port: 443}
    before: [[systemctl, stop, podcast]]
    after: [[systemctl, start, podcast]]
conversion:
  from: cast.Blog
  to: cast.Podcast
  pages: [{slug: show}]
  prefix: new_
  move: [itunes_artwork, itunes_categories, keywords, explicit]
"""


def write(folder: Path, text: str = GOOD) -> Path:
    path = folder / "remodel.yml"
    path.write_text(text)
    return path
