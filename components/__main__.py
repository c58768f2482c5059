"""Started by Pulumi's engine: serves the components to programs in any language."""

import importlib
import sys
from pathlib import Path

from pulumi import ComponentResource
from pulumi.provider.experimental import component_provider_host

_FOLDER = Path(__file__).resolve().parent

# The plugin runs from its own folder, where kubernetes/ would hide the package of that name.
sys.path[0] = str(_FOLDER.parent)
package = importlib.import_module(_FOLDER.name)
exported = [getattr(package, name) for name in package.__all__]

if __name__ == "__main__":
    component_provider_host(
        components=[
            one for one in exported if isinstance(one, type) and issubclass(one, ComponentResource)
        ],
        name="kato",
    )
