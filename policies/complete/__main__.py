"""Started by Pulumi's engine: ``pulumi preview --policy-pack policies/complete``.

The three packs as one: the engine starts its packs one after another, a process each.
"""

import importlib
import sys
from pathlib import Path

# The pack runs from its own folder; the rules are two folders up.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
importlib.import_module("policies.pulumi_pack").serve("load_balancing", "kubernetes", "security")
