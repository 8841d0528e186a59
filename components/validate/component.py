"""Refuse rows that no model should learn from."""

from kfp import dsl

from components.base import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def validate(
    rows: dsl.Input[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    model_name: str = "",
    tracking_uri: str = "",
) -> int:
    """Refuse rows that no model should learn from; the task fails with every reason.

    Form: columns, types, ranges, missing values, copies, a field that tells the label. Labels: signs of tampering (see
    `delays/checking.py`), some of them against what the model in service knows of its own training rows.

    Args:
        rows: flights with labels, as `prepare` writes them.
        metrics: the statistics that were looked at.
        report: a page with the findings.
        model_name: the registered model whose reference counts; empty for none.
        tracking_uri: the MLflow server.

    Returns:
        How many rows are fit for use.
    """
    from pathlib import Path

    from delays import bundle, checking, page, registry
    from delays.rows import read

    frame = read(rows.path)
    found = checking.form(frame)
    seen: dict[str, float] = {"rows": float(len(frame))}
    if not found:
        known = {}
        if model_name and tracking_uri:
            client = registry.connect(tracking_uri)
            version = registry.by_alias(client, model_name, registry.PRODUCTION)
            known = bundle.read(registry.files(client, version))[1] if version else {}
        found, figures = checking.labels(frame, known.get("late"))
        seen.update(figures)
    for name, value in seen.items():
        metrics.log_metric(name, round(value, 6))
    figures_table = page.table(["statistic", "value"], seen.items())
    findings = page.table(["finding"], [[each] for each in found], range(len(found))) if found else ""
    Path(report.path).parent.mkdir(parents=True, exist_ok=True)
    Path(report.path).write_text(
        page.page("Validation", [f"{len(found)} findings in {len(frame)} rows"], findings, figures_table)
    )
    if found:
        raise ValueError("these rows are refused:\n- " + "\n- ".join(found))
    return len(frame)
