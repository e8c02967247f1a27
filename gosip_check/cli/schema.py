"""`schema`: the JSON Schema of a report, made from the records and the probes' own facts."""

from typing import Any

import click

from gosip_check.cli.commands import example
from gosip_check.cli.exits import EXIT_READY


@click.command(epilog=example("schema"))
def schema() -> int:
    """Print the JSON Schema (2020-12) of a report."""
    import json

    click.echo(json.dumps(report_schema(), indent=2))
    return EXIT_READY


def report_schema() -> dict[str, Any]:
    """The schema of `Report`; a measurement's facts are those of its probe, or null."""
    import msgspec

    from gosip_check.probes import PROBES
    from gosip_check.records import Report

    (root,), definitions = msgspec.json.schema_components([Report], ref_template="#/$defs/{name}")
    # Facts records share their class name, so each is made on its own and its definitions carry the probe's name.
    rules = []
    for probe in PROBES.values():
        (facts,), own = msgspec.json.schema_components([probe.facts], ref_template=f"#/$defs/{probe.name}.{{name}}")
        definitions.update({f"{probe.name}.{name}": definition for name, definition in own.items()})
        rules.append(
            {
                "if": {"properties": {"probe": {"const": probe.name}}},
                "then": {"properties": {"facts": {"anyOf": [{"type": "null"}, facts]}}},
            }
        )
    definitions["Measurement"]["allOf"] = rules
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "gosip-check report"}
    return {**head, **root, "$defs": definitions}
