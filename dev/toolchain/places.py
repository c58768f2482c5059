"""Where the set-up keeps things: one cache for every clone, one state folder for this one."""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".state"
BIN = STATE / "bin"
LOGS = STATE / "logs"
VENV = ROOT / "venv"
RECIPES = Path(__file__).resolve().parent / "go"


def cache() -> Path:
    """The cache of built tools, shared by every clone of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "kato-load-balancing"


def fingerprint(*paths: Path) -> str:
    """A short hash of the files' names and contents: a changed recipe is another cache entry."""
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            digest.update(str(file.relative_to(path.parent)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
