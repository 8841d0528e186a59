"""MLflow as checks look at it: experiments, runs, logged models and the registry, by the REST API's own objects.

https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

from typing import Any

from mlops_lab.measure.services.port_forwards import PortForwards
from mlops_lab.measure.services.rest import RefusedRequest, Rest

_MANY = 1000


class Tracking:
    """The cluster's MLflow server; what it returns are the REST API's objects as plain dicts."""

    def __init__(self, forwards: PortForwards) -> None:
        self._rest = Rest(forwards, "mlflow", "/api/2.0/mlflow")

    def ask(self, method: str, path: str, body: Any = None, **query: str | int) -> dict[str, Any]:
        """Any question of the REST API below `/api/2.0/mlflow`; raises as `Rest.ask`."""
        return self._rest.ask(method, path, body, query)

    def find(self, method: str, path: str, body: Any = None, **query: str | int) -> dict[str, Any] | None:
        """As `ask`; None if MLflow answers that there is none."""
        try:
            return self.ask(method, path, body, **query)
        except RefusedRequest as refused:
            if refused.status == 404 or "RESOURCE_DOES_NOT_EXIST" in refused.body:
                return None
            # For an alias that is not set of an existing model, MLflow's answer is not 404.
            if "INVALID_PARAMETER_VALUE" in refused.body and "alias" in refused.body:
                return None
            raise

    def experiment(self, name: str) -> dict[str, Any] | None:
        """An experiment that is not deleted, by its name."""
        found = self.find("GET", "experiments/get-by-name", experiment_name=name)
        experiment = (found or {}).get("experiment")
        return experiment if experiment and experiment.get("lifecycle_stage") != "deleted" else None

    def runs(self, experiment: str, where: str = "") -> list[dict[str, Any]]:
        """The runs of an experiment by its name, newest first; none where there is no such experiment.

        Args:
            where: a filter in MLflow's search syntax, such as `attributes.status = 'FINISHED'`.
        """
        found = self.experiment(experiment)
        if found is None:
            return []
        body = {
            "experiment_ids": [found["experiment_id"]], "filter": where, "max_results": _MANY,
            "order_by": ["attributes.start_time DESC"],
        }  # fmt: skip
        return list(self.ask("POST", "runs/search", body).get("runs", []))

    def logged_models(self, experiment: str) -> list[dict[str, Any]]:
        """The logged models of an experiment by its name, newest first."""
        found = self.experiment(experiment)
        if found is None:
            return []
        body = {"experiment_ids": [found["experiment_id"]], "max_results": 50,
                "order_by": [{"field_name": "creation_time", "ascending": False}]}  # fmt: skip
        return list(self.ask("POST", "logged-models/search", body).get("models", []))

    def versions(self, model: str) -> list[dict[str, Any]]:
        """The versions of a registered model, newest first."""
        answer = self.ask("GET", "model-versions/search", filter=f"name='{model}'", max_results=_MANY)
        found = list(answer.get("model_versions", []))
        return sorted(found, key=lambda each: -int(each["version"]))

    def by_alias(self, model: str, alias: str) -> dict[str, Any] | None:
        """The version that an alias means; None when there is no such model or alias."""
        found = self.find("GET", "registered-models/alias", name=model, alias=alias)
        return (found or {}).get("model_version")

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Make an alias mean a version."""
        self.ask("POST", "registered-models/alias", {"name": model, "alias": alias, "version": version})

    def names(self) -> list[str]:
        """Every experiment and registered model that is not deleted, as `experiment NAME` and `model NAME`."""
        experiments = self.ask("POST", "experiments/search", {"max_results": _MANY}).get("experiments", [])
        models = self.ask("GET", "registered-models/search", max_results=_MANY).get("registered_models", [])
        return sorted(
            [f"experiment {each['name']}" for each in experiments] + [f"model {each['name']}" for each in models]
        )

    def remove(self, kind: str, name: str) -> None:
        """Remove an `experiment` or a `model`. MLflow keeps a removed experiment's name, so it is renamed first."""
        if kind == "model":
            self.ask("DELETE", "registered-models/delete", {"name": name})
        elif found := self.experiment(name):
            number = found["experiment_id"]
            self.ask("POST", "experiments/update", {"experiment_id": number, "new_name": f"removed/{number}/{name}"})
            self.ask("POST", "experiments/delete", {"experiment_id": number})
