"""What the inference chart's values do: the flavour, where a version comes from, the canary's share, autoscaling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.render.charts import CHARTS, Chart, Rendered, found_there, template

CHART = Chart(CHARTS / "inference")


@pytest.fixture
def render(tmp_path: Path) -> Any:
    def made(**values: object) -> dict[str, Rendered]:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"  # renders are cached by name
        file.write_text(yaml.safe_dump(values))
        return {each.name: each for each in CHART.render((file,))}

    return made


def refused(tmp_path: Path, **values: object) -> str:
    file = tmp_path / "refused.yaml"
    file.write_text(yaml.safe_dump(values))
    done = template(CHART.folder, (file,))
    assert done.returncode != 0
    return done.stderr


def server(objects: dict[str, Rendered], name: str = "Deployment model") -> tuple[dict[str, Any], dict[str, str]]:
    """A Deployment's container, and its environment."""
    (container,) = objects[name].containers
    return container, {each["name"]: each["value"] for each in container.get("env", [])}


@pytest.mark.parametrize(
    ("flavour", "image"), [("fastapi", "serving:1"), ("bentoml", "serving-bentoml:1"), ("image", "flight-delay:v1")]
)
def test_the_flavour_chooses_the_image(render: Any, flavour: str, image: str) -> None:
    container, env = server(render(name="model", flavour=flavour, image="flight-delay:v1"))
    assert container["image"] == f"registry.test:5000/lab/{image}"
    assert bool(env) == (flavour != "image")
    assert container["lifecycle"]["preStop"]


def test_an_alias_is_followed_and_a_version_is_pinned(render: Any) -> None:
    _, env = server(render(name="model"))
    assert env["MODEL_ALIAS"] == "production"
    assert "MODEL_VERSION" not in env
    _, env = server(render(name="model", model={"version": "7"}))
    assert env["MODEL_VERSION"] == "7"
    assert "MODEL_ALIAS" not in env


@pytest.mark.parametrize(
    ("replicas", "weight", "split"),
    [(5, 20, (4, 1)), (10, 50, (5, 5)), (2, 1, (1, 1)), (10, 90, (1, 9)), (1, 50, (1, 1)), (3, 0, (3, None))],
)
def test_the_canarys_weight_is_its_share_of_the_pods(
    render: Any, replicas: int, weight: int, split: tuple[int, int | None]
) -> None:
    objects = render(name="model", replicas=replicas, canary={"weight": weight})
    canary = objects.get("Deployment model-canary")
    assert objects["Deployment model"].body["spec"]["replicas"] == split[0]
    assert (canary.body["spec"]["replicas"] if canary else None) == split[1]
    if canary:
        assert server(objects, "Deployment model-canary")[1]["MODEL_ALIAS"] == "candidate"
        wanted = objects["Service model"].body["spec"]["selector"]
        for each in (objects["Deployment model"], canary):
            assert wanted.items() <= each.template["metadata"]["labels"].items()
        assert (
            objects["Deployment model"].body["spec"]["selector"]["matchLabels"]
            != canary.body["spec"]["selector"]["matchLabels"]
        )


def test_the_helm_test_is_no_server(render: Any) -> None:
    objects = render(name="model")
    wanted = objects["Service model"].body["spec"]["selector"]
    assert not wanted.items() <= objects["Pod model-test"].metadata["labels"].items()


@pytest.mark.parametrize(
    ("metric", "source"), [("cpu", {"name": "cpu"}), ("requests", {"name": "http_requests_per_second"})]
)
def test_an_autoscaler_owns_the_number_of_pods(render: Any, metric: str, source: dict[str, str]) -> None:
    objects = render(name="model", autoscaling={"enabled": True, "metric": metric, "target": 40})
    assert "replicas" not in objects["Deployment model"].body["spec"]
    spec = objects["HorizontalPodAutoscaler model"].body["spec"]
    assert spec["scaleTargetRef"]["name"] == "model"
    found = spec["metrics"][0].get("resource") or spec["metrics"][0]["pods"]["metric"]
    assert source.items() <= found.items()
    assert "HorizontalPodAutoscaler model" not in render(name="model")


@pytest.mark.parametrize("scaled", [{"autoscaling": {"enabled": True}, "canary": {"weight": 20}}, {}])
@pytest.mark.parametrize("live", [6, 1, 0, None])
def test_an_upgrade_that_makes_an_autoscaler_leaves_the_pods_that_are_there(
    tmp_path: Path, live: int | None, scaled: dict[str, Any]
) -> None:
    """Without a number Kubernetes takes one, and pods go until the autoscaler has counted."""
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({"name": "model", "replicas": 5, **scaled}))
    there = {} if live is None else {"spec": {"replicas": float(live)}}
    done = found_there(CHART, (file,), tmp_path, "server/deployment.yaml", {("Deployment", "$name"): there})
    assert done.returncode == 0, done.stderr
    found = {each["metadata"]["name"]: each["spec"].get("replicas") for each in yaml.safe_load_all(done.stdout)
             if each and each["kind"] == "Deployment"}  # fmt: skip
    assert found == ({"model": live, "model-canary": 1} if scaled else {"model": 5})


def test_a_deployer_may_do_just_what_it_does(render: Any) -> None:
    assert not any(name.startswith("Role") for name in render(name="model"))
    objects = render(name="model", deployer={"serviceAccount": "pipeline-runner"})
    rules = objects["Role model-deployer"].body["rules"]
    assert rules[0]["resourceNames"] == ["model"]
    assert rules[0]["verbs"] == ["get", "patch"]
    assert rules[1] == {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"flavour": "image"}, "needs an image for the server"),
        ({"flavour": "image", "image": "a:1", "canary": {"weight": 10}}, "needs an image for the canary"),
        ({"flavour": "triton"}, "flavour"),
        ({"canary": {"weight": 100}}, "weight"),
        ({"autoscaling": {"enabled": True, "min": 9}}, "min is larger than"),
        ({"model": {"version": "latest"}}, "version"),
        ({"tracking": {"uri": "mlflow:5000"}}, "uri"),
        ({"model": {"pollSeconds": 60}}, "pollSeconds"),
    ],
)
def test_wrong_values_are_refused_with_their_name(tmp_path: Path, values: dict[str, object], said: str) -> None:
    assert said in refused(tmp_path, **values)
