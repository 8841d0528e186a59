"""The bill of materials of an image as a CycloneDX 1.6 document, and as a table for people."""

from __future__ import annotations

import json
from importlib import metadata

from cyclonedx.contrib.license.exceptions import InvalidSpdxLicenseException
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.contrib.this.builders import this_component
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.license import License
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from mlops_lab.images.sbom.content import Content
from mlops_lab.images.sbom.package import Package


def document(name: str, content: Content, facts: dict[str, str]) -> str:
    """The document as JSON.

    Args:
        name: the image's name:tag, as the catalog has it.
        facts: what else tells this image from others, such as its ID; they become properties `mlops-lab:KEY`.
    """
    repository, _, tag = name.rpartition(":")
    image = Component(
        type=ComponentType.CONTAINER,
        name=repository,
        version=tag,
        bom_ref=name,
        properties=[Property(name=f"mlops-lab:{key}", value=value) for key, value in facts.items()],
    )
    parts = [_component(package) for package in content.packages]
    if system := content.system:
        parts.append(
            Component(
                type=ComponentType.OPERATING_SYSTEM,
                name=system.get("ID", "linux"),
                version=system.get("VERSION_ID"),
                bom_ref=f"os:{system.get('ID', 'linux')}",
                description=system.get("PRETTY_NAME"),
            )
        )
    bom = Bom(components=parts)
    bom.metadata.component = image
    bom.metadata.tools.components.add(this_component())
    bom.metadata.tools.components.add(
        Component(type=ComponentType.APPLICATION, name="mlops-lab", version=metadata.version("mlops-lab"))
    )
    bom.register_dependency(image, parts)
    whole = json.loads(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    for part in whole.get("components", ()):  # the library leaves places in no order of theirs
        part.get("evidence", {}).get("occurrences", []).sort(key=lambda place: place["location"])
    return json.dumps(whole, indent=2)


def table(content: Content) -> str:
    """One line for each package: its kind, name, version and licences."""
    rows = [
        (each.kind, each.full_name, each.version, ", ".join(each.licences) or "unknown") for each in content.packages
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    )


def _component(package: Package) -> Component:
    url = PackageURL(
        type=package.kind,
        namespace=package.namespace or None,
        name=package.name,
        version=package.version,
        qualifiers=dict(package.qualifiers),
    )
    return Component(
        type=ComponentType.LIBRARY,
        name=package.full_name,
        version=package.version,
        bom_ref=str(url),
        purl=url,
        licenses=_licences(package.licences),
        evidence=ComponentEvidence(occurrences=[Occurrence(location=place) for place in package.places]),
        properties=[Property(name="mlops-lab:source-package", value=package.source)] if package.source else [],
    )


def _licences(stated: tuple[str, ...]) -> list[License]:
    """CycloneDX takes one expression, or any number of SPDX identifiers and names, but not both."""
    factory = LicenseFactory()
    if len(stated) == 1:
        return [factory.make_from_string(stated[0])]
    found: list[License] = []
    for each in stated:
        try:
            found.append(factory.make_with_id(each))
        except InvalidSpdxLicenseException:
            found.append(factory.make_with_name(each))
    return found
