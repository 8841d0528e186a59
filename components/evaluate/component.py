"""Judge a candidate against the model in service."""

from kfp import dsl

from components.base import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate(
    candidate: dsl.Input[dsl.Model],
    held_out: dsl.Input[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    roc: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
    model_name: str,
    tracking_uri: str,
    margin: float = 0.0,
) -> bool:
    """Judge a candidate against the model in service, on the same held-out rows: AUC, calibration, slices.

    Args:
        candidate: the model that `train` made.
        held_out: flights that it has not seen.
        metrics: the figures of both models and the interval of their difference.
        roc: the candidate's ROC curve.
        report: a page with the verdict, the figures and the slices.
        model_name: the registered model; the version in service has the alias `production`.
        tracking_uri: the MLflow server.
        margin: by how much the AUC must surely be better.

    Returns:
        Is it better: with 95% confidence, not calibrated worse, no slice worse? Why (not) is a tag of its MLflow run.
    """
    from pathlib import Path

    from delays import bundle, compare, page, registry
    from delays.rows import LABEL, read
    from sklearn.metrics import roc_curve

    frame = read(held_out.path)
    ours = bundle.score(bundle.read(Path(candidate.path) / "bundle")[0], frame)
    client = registry.connect(tracking_uri)
    version = registry.by_alias(client, model_name, registry.PRODUCTION)
    theirs = bundle.score(bundle.read(registry.files(client, version))[0], frame) if version else None
    verdict = compare.judge(frame, ours, theirs, margin)
    why = "; ".join(verdict.why)
    run = str(candidate.metadata["run_id"])
    client.set_tag(run, registry.WHY, why[:4000])
    for name, value in verdict.figures.items():
        metrics.log_metric(name, round(value, 6))
        client.log_metric(run, f"held_out_{name}", value)
    if 0 < frame[LABEL].mean() < 1:
        false, true, limits = roc_curve(frame[LABEL].to_numpy(int), ours)
        picked = range(0, len(false), max(len(false) // 100, 1))
        roc.log_roc_curve(
            [float(false[i]) for i in picked],
            [float(true[i]) for i in picked],
            [min(float(limits[i]), 1.0) for i in picked],
        )
    against = f"version {version.version}" if version else "nothing"
    word = "better" if verdict.better else "not better"
    Path(report.path).parent.mkdir(parents=True, exist_ok=True)
    Path(report.path).write_text(
        page.page(
            f"The candidate is {word} than {against}",
            verdict.why,
            page.table(["figure", "value"], verdict.figures.items()),
            page.table(["slice", "rows", "AUC of the candidate", "AUC in service"], verdict.slices),
        )
    )
    print(f"{word} than {against}: {why}")
    return verdict.better
