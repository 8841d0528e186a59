"""`Requests`: one request to the API server each. Objects go in and come out as plain dicts in the API's own form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mlops_lab.kube.errors import NotFound, Refused, translated
from mlops_lab.kube.execs import ExecStream, open_exec
from mlops_lab.kube.objects import Object, Objects

FIELD_MANAGER = "mlops-lab"
_CONFLICT = 409


class Requests:
    """A connection to a cluster; `client.Kube` adds what waits.

    All methods block, are bounded in time and may be called from many threads. They raise the errors of
    `mlops_lab.kube.errors`, which carry the object's kind and name.

    Attributes:
        kubeconfig: the file with its context; None where KUBECONFIG names several.
    """

    def __init__(
        self, api_client: Any, context: str, kubeconfig: Path | None, discovery: Path, timeout: float = 10.0
    ) -> None:
        self.api_client = api_client
        self.context = context
        self.kubeconfig = kubeconfig
        self.timeout = timeout  # s, of every single request
        self._discovery = discovery
        self._dynamic: Any = None

    def version(self) -> str:
        """The API server's version, such as `v1.30.1`; also the quickest way to see whether it answers."""
        from kubernetes.client import VersionApi

        with translated("the API server's version"):
            return str(VersionApi(self.api_client).get_code(_request_timeout=min(5, self.timeout)).git_version)

    def get(self, kind: str, name: str, namespace: str | None = None, api_version: str | None = None) -> Object:
        """One object; `api_version` is needed where the kind is not one of Kubernetes' own."""
        with translated(f"{kind} {name}"):
            return self._plain(self._resource(kind, api_version).get(name=name, namespace=namespace, serialize=False))

    def find(self, kind: str, name: str, namespace: str | None = None, api_version: str | None = None) -> Object | None:
        """One object, or None if there is none of that name."""
        try:
            return self.get(kind, name, namespace, api_version)
        except NotFound:
            return None

    def list(
        self,
        kind: str,
        namespace: str | None = None,
        selector: str = "",
        api_version: str | None = None,
        fields: str = "",
    ) -> Objects:
        """All objects of a kind; `selector` is a label selector, `fields` a field selector."""
        with translated(f"{kind} list"):
            found = self._resource(kind, api_version).get(
                namespace=namespace, label_selector=selector or None, field_selector=fields or None, serialize=False
            )
            return items_of(self._plain(found))

    def raw(self, path: str, what: str) -> Object:
        """The answer to GET of an API path: for metrics APIs, whose objects can't be listed by kind.

        Args:
            path: with the query, such as `/apis/metrics.k8s.io/v1beta1/nodes`.
            what: names it in errors, such as `the nodes' metrics`.
        """
        with translated(what):
            answer = self.api_client.call_api(
                path, "GET", header_params={"Accept": "application/json"}, auth_settings=["BearerToken"],
                response_type="object", _return_http_data_only=True, _request_timeout=self.timeout,
            )  # fmt: skip
            return dict(answer)

    def text(self, path: str, what: str) -> str:
        """The answer to GET of an API path that is not JSON, such as a kubelet's metrics; arguments as in `raw`."""
        with translated(what):
            answer = self.api_client.call_api(
                path, "GET", header_params={"Accept": "text/plain"}, auth_settings=["BearerToken"],
                response_type="str", _return_http_data_only=True, _request_timeout=self.timeout,
            )  # fmt: skip
            return str(answer)

    def apply(self, objects: Iterable[Object], namespace: str | None = None, dry_run: bool = False) -> None:
        """Server-side apply in the given order, taking over fields that others set.

        Args:
            namespace: for namespaced objects that name none.
            dry_run: let the API server validate and admit, but store nothing.
        """
        for item in objects:
            with translated(f"{item['kind']} {item['metadata']['name']}"):
                resource = self._resource(item["kind"], item["apiVersion"])
                where = (item["metadata"].get("namespace") or namespace or "default") if resource.namespaced else None
                resource.server_side_apply(
                    body=item,
                    name=item["metadata"]["name"],
                    namespace=where,
                    field_manager=FIELD_MANAGER,
                    force_conflicts=True,
                    **({"dry_run": "All"} if dry_run else {}),
                )

    def create(self, item: Object) -> Object | None:
        """Create an object that is in no namespace; returns it as it is then, or None where there is one already."""
        try:
            with translated(f"{item['kind']} {item['metadata']['name']}"):
                resource = self._resource(item["kind"], item["apiVersion"])
                return self._plain(resource.create(body=item, field_manager=FIELD_MANAGER, serialize=False))
        except Refused as answer:
            if answer.status == _CONFLICT:
                return None
            raise

    def patch(
        self,
        kind: str,
        name: str,
        patch: Object,
        namespace: str | None = None,
        api_version: str | None = None,
    ) -> Object:
        """Merge-patch an object (RFC 7386) and return it."""
        with translated(f"{kind} {name}"):
            done = self._resource(kind, api_version).patch(
                name=name, namespace=namespace, body=patch, content_type="application/merge-patch+json", serialize=False
            )
            return self._plain(done)

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        api_version: str | None = None,
        grace: int | None = None,
    ) -> None:
        """Delete an object, if it exists. `grace` in seconds, None for the object's own."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace  # type: ignore[assignment]
        try:
            with translated(f"{kind} {name}"):
                self._resource(kind, api_version).delete(name=name, namespace=namespace, body=body)
        except NotFound:
            return

    def evict(self, pod: str, namespace: str, *, dry_run: bool = False) -> None:
        """Create an Eviction of a pod, which deletes it unless a disruption budget refuses.

        Args:
            dry_run: let the API server decide, but evict nothing.
        """
        from kubernetes.client import CoreV1Api

        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        with translated(f"eviction of pod {pod}"):
            CoreV1Api(self.api_client).create_namespaced_pod_eviction(
                pod, namespace, body, _preload_content=False, _request_timeout=self.timeout,
                **({"dry_run": "All"} if dry_run else {}),
            )  # fmt: skip

    def logs(
        self,
        pod: str,
        namespace: str,
        container: str | None = None,
        tail: int | None = 50,
        previous: bool = False,
        limit: int | None = None,
    ) -> str:
        """The last `tail` lines that a container wrote, or all with None; of these the first `limit` bytes."""
        from kubernetes.client import CoreV1Api

        with translated(f"logs of pod {pod}"):
            # Not as the client reads it: a log that is JSON would come back as Python's print of what it holds.
            answer = CoreV1Api(self.api_client).read_namespaced_pod_log(
                pod, namespace, container=container, tail_lines=tail, previous=previous, limit_bytes=limit,
                _preload_content=False,
            )  # fmt: skip
            return bytes(answer.data).decode(errors="replace")

    def events(self, name: str, namespace: str, kind: str | None = None) -> Objects:
        """The events about an object, oldest first."""
        fields = f"involvedObject.name={name}" + (f",involvedObject.kind={kind}" if kind else "")
        found = self.list("Event", namespace, api_version="v1", fields=fields)
        return sorted(found, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")

    def exec(self, pod: str, namespace: str, command: Sequence[str], container: str | None = None) -> ExecStream:
        """Start a command in a container; use the result as a context manager."""
        return open_exec(self.api_client.configuration, pod, namespace, command, container)

    def _resource(self, kind: str, api_version: str | None) -> Any:
        from kubernetes.dynamic import DynamicClient

        if self._dynamic is None:
            self._dynamic = DynamicClient(self.api_client, cache_file=str(self._discovery))
        api_version = api_version or _API_VERSIONS.get(kind)
        wanted = {"kind": kind}
        if api_version:  # the prefix keeps the client from reading what other groups serve
            wanted |= {"api_version": api_version, "prefix": "apis" if "/" in api_version else "api"}
        return self._dynamic.resources.get(**wanted)

    @staticmethod
    def _plain(answer: Any) -> Object:
        # The client's own objects take more time to make than the API server takes to answer.
        return dict(json.loads(answer.data))


def items_of(found: Object) -> Objects:
    """The objects of a list, each with its kind, which the API server leaves out there."""
    own = {"apiVersion": found["apiVersion"], "kind": str(found["kind"]).removesuffix("List")}
    return [own | item for item in found["items"] or []]


# Kubernetes' own kinds, where no apiVersion is given: any other group may have one of the same name.
_API_VERSIONS = {
    kind: version
    for version, kinds in {
        "v1": "ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod "
        "PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
        "admissionregistration.k8s.io/v1": "MutatingWebhookConfiguration ValidatingAdmissionPolicy "
        "ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration",
        "apiextensions.k8s.io/v1": "CustomResourceDefinition",
        "apiregistration.k8s.io/v1": "APIService",
        "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
        "autoscaling/v2": "HorizontalPodAutoscaler",
        "batch/v1": "CronJob Job",
        "certificates.k8s.io/v1": "CertificateSigningRequest",
        "coordination.k8s.io/v1": "Lease",
        "discovery.k8s.io/v1": "EndpointSlice",
        "networking.k8s.io/v1": "Ingress IngressClass NetworkPolicy",
        "node.k8s.io/v1": "RuntimeClass",
        "policy/v1": "PodDisruptionBudget",
        "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
        "scheduling.k8s.io/v1": "PriorityClass",
        "storage.k8s.io/v1": "CSIDriver CSINode StorageClass VolumeAttachment",
    }.items()
    for kind in kinds.split()
}
