"""What the tests of the sweeps share."""

import json

PAGE = "pages/table.py"


def shown(at):
    """What the browser gets for the table."""
    (component,) = [c for c in at.get("bidi_component") if c.proto.id.endswith("-table1")]
    return json.loads(component.proto.json)


def marks(body):
    return [seed["is"] for line in body["rows"] for cell in line["cells"] if cell for seed in cell["seeds"]]
