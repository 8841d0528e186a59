"""Bring a registered version into service."""

from kfp import dsl

from components.base import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def deploy(
    version: str,
    model_name: str,
    tracking_uri: str,
    url: str = "",
    deployment: str = "",
    within: int = 240,
    bake: int = 30,
) -> str:
    """Bring a registered version into service with no failed request; go back when that does not work out.

    A Deployment that pins its version (MODEL_VERSION) is patched first, and its rollout waited for. Then the alias
    `production` moves to the version, and servers that follow the alias load it. With `url`, every answer there must
    be of the version in the end, for as long as it bakes: so monitoring knows of the change when this step ends, and
    no alert about the version before begins after it.

    Args:
        version: the version to bring into service.
        model_name: the registered model.
        tracking_uri: the MLflow server.
        url: the Service's address, which is asked for its version; empty to ask nobody.
        deployment: `namespace/name` of a Deployment that pins its version; empty when the servers follow the alias.
        within: the limit of each wait, in seconds.
        bake: seconds in which all answers must be of the version; three of Prometheus's scrapes by default.

    Returns:
        The version that was in service before; empty for none.
    """
    from delays import registry, rollout

    client = registry.connect(tracking_uri)
    client.get_model_version(model_name, version)  # an unknown version moves nothing
    old = registry.by_alias(client, model_name, registry.PRODUCTION)
    before = str(old.version) if old else ""
    pinned = rollout.Pinned(deployment) if deployment else None
    was = pinned.change(version, within) if pinned else ""
    moved = False
    try:
        client.set_registered_model_alias(model_name, registry.PRODUCTION, version)
        moved = True
        if url:
            rollout.answers(url, version, within, bake)
    except Exception:
        print(f"version {version} did not come into service: going back to {before or 'none'}")
        try:
            if moved and before:
                client.set_registered_model_alias(model_name, registry.PRODUCTION, before)
            elif moved:
                client.delete_registered_model_alias(model_name, registry.PRODUCTION)
        finally:  # also while MLflow is away
            if pinned and was:
                pinned.change(was, within)
        raise
    print(f"{model_name} version {version} is in service; before: {before or 'none'}")
    return before
