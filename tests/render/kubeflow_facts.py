"""What Kubeflow Pipelines 2.17 asks for, as data: read from its manifests and its code, not from the chart.

The published images have not run here, since no image registry could be reached; these facts are what the chart can be
held against. A build of the same version from its source has run with it (docs/pipelines.md).
"""

from __future__ import annotations

from typing import Any

Rule = tuple[str, str, str]  # API group, resource, verb

_ALL = ("create", "get", "list", "watch", "update", "patch", "delete")


def _rules(group: str, resources: str, verbs: tuple[str, ...]) -> set[Rule]:
    return {(group, resource, verb) for resource in resources.split() for verb in verbs}


# What upstream's Roles grant, by service account.
RIGHTS: dict[str, set[Rule]] = {
    "ml-pipeline": (
        _rules("", "pods pods/log", ("get", "list", "delete"))
        | _rules("argoproj.io", "workflows", _ALL)
        | _rules("kubeflow.org", "scheduledworkflows", ("create", "get", "list", "update", "patch", "delete"))
        | _rules("kubeflow.org", "scheduledworkflows/finalizers", ("update",))
        | _rules("pipelines.kubeflow.org", "pipelines", ("get", "list", "watch"))
        | _rules("authorization.k8s.io", "subjectaccessreviews", ("create",))
        | _rules("authentication.k8s.io", "tokenreviews", ("create",))
        | _rules("", "configmaps", ("get",))
    ),
    "ml-pipeline-persistenceagent": (
        _rules("argoproj.io", "workflows", ("get", "list", "watch"))
        | _rules("kubeflow.org", "scheduledworkflows", ("get", "list", "watch"))
        | _rules("pipelines.kubeflow.org", "scheduledworkflows workflows", ("report",))
        | _rules("pipelines.kubeflow.org", "runs", ("reportMetrics", "readArtifact"))
    ),
    "ml-pipeline-scheduledworkflow": (
        _rules("argoproj.io", "workflows", _ALL)
        | _rules("kubeflow.org", "scheduledworkflows scheduledworkflows/finalizers", _ALL)
        | _rules("pipelines.kubeflow.org", "runs", ("create",))
        | _rules("", "events", ("create", "patch"))
    ),
    "argo": (
        _rules("coordination.k8s.io", "leases", ("create", "get", "update"))
        | _rules("", "pods pods/exec", _ALL)
        | _rules("", "configmaps", ("get", "watch", "list"))
        | _rules("", "persistentvolumeclaims persistentvolumeclaims/finalizers", ("create", "update", "delete", "get"))
        | _rules(
            "argoproj.io",
            "workflows workflows/finalizers workflowtasksets workflowtasksets/finalizers workflowartifactgctasks",
            _ALL,
        )
        | _rules("argoproj.io", "workflowtemplates workflowtemplates/finalizers", ("get", "list", "watch"))
        | _rules("argoproj.io", "workflowtaskresults", ("list", "watch", "deletecollection"))
        | _rules("", "serviceaccounts", ("get", "list"))
        | _rules("", "secrets", ("get",))
        | _rules(
            "argoproj.io",
            "cronworkflows cronworkflows/finalizers",
            ("get", "list", "watch", "update", "patch", "delete"),
        )
        | _rules("", "events", ("create", "patch"))
        | _rules("policy", "poddisruptionbudgets", ("create", "get", "delete"))
    ),
    # The part of upstream's that a single-user install without other operators uses.
    "pipeline-runner": (
        _rules("", "secrets configmaps", ("get",))
        | _rules("", "pods", ("get", "list", "patch"))
        | _rules("argoproj.io", "workflows", ("get",))
        | _rules("argoproj.io", "workflowtaskresults", ("create", "patch"))
    ),
    "ml-pipeline-ui": (
        _rules("", "pods pods/log", ("create", "get", "list"))
        | _rules("", "secrets", ("get", "list"))
        | _rules("kubeflow.org", "viewers", ("create", "get", "list", "watch", "delete"))
        | _rules("argoproj.io", "workflows", ("get", "list"))
    ),
}

# What of it the chart does not grant, and why.
LEFT_OUT: dict[str, dict[str, set[Rule]]] = {
    "ml-pipeline": {
        "pipelines are in the database, not in custom resources": _rules(
            "pipelines.kubeflow.org", "pipelines", ("get", "list", "watch")
        ),
        "asked with several users only, and no Role can grant them: they are in no namespace": (
            _rules("authorization.k8s.io", "subjectaccessreviews", ("create",))
            | _rules("authentication.k8s.io", "tokenreviews", ("create",))
        ),
    },
    "ml-pipeline-ui": {
        "for Tensorboard, whose controller is not installed": (
            _rules("kubeflow.org", "viewers", ("create", "get", "list", "watch", "delete"))
            | _rules("", "pods pods/log", ("create",))
        ),
        "one Secret by its name is enough": _rules("", "secrets", ("list",)),
    },
}

# What the chart grants beside it, and why.
ADDED: dict[str, dict[str, set[Rule]]] = {
    "ml-pipeline-ui": {
        "a pod's events on its page": _rules("", "events", ("list",)),
        "where artifacts are": _rules("", "configmaps", ("get",)),
    },
}

# Rights that are given for these objects only.
NAMED = {
    ("ml-pipeline", "configmaps"): {"kfp-launcher"},
    ("pipeline-runner", "configmaps"): {"kfp-launcher"},
    ("pipeline-runner", "secrets"): {"mlpipeline-minio-artifact"},
    # The only one that Argo's controller reads, and that for pods which no pipeline has.
    ("argo", "secrets"): {"argo-workflows-agent-ca-certificates"},
    ("ml-pipeline-ui", "configmaps"): {"kfp-launcher"},
    ("ml-pipeline-ui", "secrets"): {"mlpipeline-minio-artifact"},
}

# Names that are compiled in, or that one part passes to another: Service -> its ports.
SERVICES = {
    "ml-pipeline": {8888, 8887},
    "metadata-grpc-service": {8080},
    "metadata-envoy-service": {9090},
    "mysql": {3306},
    "seaweedfs": {9000},
    "ml-pipeline-ui": {80},
}

# Component -> what a request to it ends at: the port of its container.
LISTENS = {
    "api-server": {8888, 8887},
    "scheduled-workflow": {9090},
    "workflow-controller": {9090, 6060},
    "metadata": {8080},
    "metadata-envoy": {9090},
    "mysql": {3306},
    "seaweedfs": {8333},
    "ui": {3000},
}

# Who has to reach whom: client, server, port of the server's container. `workflow` are drivers, launchers and the
# executor; `client` is a pod of a namespace that may talk to the API; `monitoring` is one that collects metrics.
TALKS = {
    ("client", "api-server", 8888),
    ("client", "ui", 3000),
    ("api-server", "mysql", 3306),
    ("api-server", "seaweedfs", 8333),
    ("metadata", "mysql", 3306),
    ("persistence-agent", "api-server", 8888),
    ("persistence-agent", "api-server", 8887),
    ("scheduled-workflow", "api-server", 8887),
    ("workflow", "api-server", 8887),
    ("workflow", "metadata", 8080),
    ("workflow", "seaweedfs", 8333),
    ("ui", "api-server", 8888),
    ("ui", "seaweedfs", 8333),
    ("ui", "metadata-envoy", 9090),
    ("metadata-envoy", "metadata", 8080),
    ("test", "api-server", 8888),
    ("monitoring", "api-server", 8888),
    ("monitoring", "scheduled-workflow", 9090),
    ("monitoring", "workflow-controller", 9090),
}

# What steps, which run anybody's code, and other namespaces must not reach.
SILENCE = {
    ("workflow", "mysql", 3306),
    ("workflow", "metadata-envoy", 9090),
    ("client", "mysql", 3306),
    ("client", "seaweedfs", 8333),
    ("client", "metadata", 8080),
    ("client", "api-server", 8887),
    ("client", "workflow", 8080),
    ("stranger", "api-server", 8888),
    ("stranger", "ui", 3000),
    ("stranger", "seaweedfs", 8333),
    ("test", "mysql", 3306),
}

# Variables without which the API server falls back to other names than the chart's: name -> value, with the test's
# namespace and images.
API_SERVER = {
    "DBCONFIG_MYSQLCONFIG_HOST": "mysql",
    "DBCONFIG_MYSQLCONFIG_PORT": "3306",
    "DBCONFIG_MYSQLCONFIG_DBNAME": "mlpipeline",
    "OBJECTSTORECONFIG_HOST": "seaweedfs.mlops-lab-test",
    "OBJECTSTORECONFIG_PORT": "9000",
    "OBJECTSTORECONFIG_SECURE": "false",
    "OBJECTSTORECONFIG_BUCKETNAME": "mlpipeline",
    "ML_PIPELINE_SERVICE_NAME": "ml-pipeline",
    "METADATA_SERVICE_NAME": "metadata-grpc-service",
    # It does not start without them, although nothing is there.
    "ML_PIPELINE_VISUALIZATIONSERVER_SERVICE_HOST": "127.0.0.1",
    "ML_PIPELINE_VISUALIZATIONSERVER_SERVICE_PORT": "8888",
    "PUBLISH_LOGS": "true",
    "DEFAULT_SECURITY_CONTEXT_RUN_AS_NON_ROOT": "true",
}

# Argo's controller lists and watches these, in its own namespace: plural -> has a status of its own.
ARGO = {
    "workflows": False,
    "workflowtemplates": False,
    "cronworkflows": False,
    "workflowtasksets": True,
    "workflowtaskresults": False,
    "workflowartifactgctasks": True,
}


_SECCOMP = {"seccompProfile": {"type": "RuntimeDefault"}}
_SHUT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, **_SECCOMP}


def pods_of_a_run(executor: dict[str, Any], user: int | None, non_root: bool | None) -> list[dict[str, Any]]:
    """A driver's and a step's pod, as the API server's compiler and Argo's controller put them together.

    Args:
        executor: the securityContext of Argo's own containers.
        user: what the API server is told as steps' user, if anything.
        non_root: the same for runAsNonRoot.
    """
    own = {key: value for key, value in (("runAsUser", user), ("runAsNonRoot", non_root)) if value is not None}
    argo = [{"name": name, "image": "argoexec", "securityContext": executor} for name in ("init", "wait")]
    launcher = {"name": "kfp-launcher", "image": "launcher", "securityContext": {**_SHUT, "runAsNonRoot": True}}
    driver = {"name": "main", "image": "driver", "securityContext": {**_SHUT, "runAsNonRoot": True}}
    step = {"name": "main", "image": "step", "securityContext": {**_SHUT, **own}}
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"workflows.argoproj.io/workflow": "run"}},
            "spec": {"securityContext": shared, "initContainers": before, "containers": [argo[1], main]},
        }
        for name, shared, before, main in (
            ("driver", {**_SECCOMP, "runAsNonRoot": True}, argo[:1], driver),
            ("step", _SECCOMP, [argo[0], launcher], step),
        )
    ]
