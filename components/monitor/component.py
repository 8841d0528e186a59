"""Say whether flights have drifted away from what the model in service was trained on."""

from kfp import dsl

from components.base import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def monitor(
    rows: dsl.Input[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    model_name: str,
    tracking_uri: str,
    threshold: float = 0.2,
) -> str:
    """Say whether flights have drifted away from what the model in service was trained on, and by which feature.

    Every watched feature gets its population stability index. Rows whose label is known by now are scored, and ADWIN
    looks for a change in the model's error, in the order of time.

    Args:
        rows: recent flights, as `prepare` writes them; a label may be empty.
        metrics: the largest PSI, each feature's, the changes of the error, and how long the comparison took.
        report: a page with all of it.
        model_name: the registered model; the version in service has the alias `production`.
        tracking_uri: the MLflow server.
        threshold: a PSI above it is a drift.

    Returns:
        What drifted, most first, with commas between: features, and `error` when its level changed; empty for nothing.
    """
    import time
    from pathlib import Path

    from delays import bundle, drift, page, registry
    from delays.rows import DAY, LABEL, read

    client = registry.connect(tracking_uri)
    version = registry.by_alias(client, model_name, registry.PRODUCTION)
    if version is None:
        raise ValueError(f"{model_name} has no version with the alias {registry.PRODUCTION}: nothing to compare with")
    model, known = bundle.read(registry.files(client, version))
    if not known:
        raise ValueError(f"version {version.version} of {model_name} keeps no reference of its training rows")
    frame = read(rows.path)
    began = time.perf_counter()
    found = drift.psi(frame, known)
    took = time.perf_counter() - began
    labelled = frame[frame[LABEL].notna()]
    changed: list[str] = []
    if len(labelled):
        errors = drift.surprise(labelled, bundle.score(model, labelled))
        places = drift.changes(known["surprise"], errors["surprise"].tolist())
        changed = [f"{errors[DAY].iloc[place]}, {int(errors['hour'].iloc[place])}:00" for place in places]
    features = [name for name, value in found.items() if value > threshold]
    metrics.log_metric("psi", round(max(found.values()), 6))
    metrics.log_metric("psi_seconds", round(took, 4))
    metrics.log_metric("error_changes", len(changed))
    for name, value in found.items():
        metrics.log_metric(f"psi_{name}", round(value, 6))
    said = [
        f"{len(frame)} flights against the {known['rows']} that version {version.version} was trained on.",
        f"Drifted: {', '.join(features)}" if features else f"No feature has a PSI above {threshold:g}.",
        f"The error's level changed at: {'; '.join(changed)}"
        if changed
        else f"No change in the error of {len(labelled)} flights.",
    ]
    Path(report.path).parent.mkdir(parents=True, exist_ok=True)
    Path(report.path).write_text(
        page.page("Drift", said, page.table(["feature", "PSI"], found.items(), range(len(features))))
    )
    print(" ".join(said))
    return ",".join([*features, *(["error"] if changed else [])])
