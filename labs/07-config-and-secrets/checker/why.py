"""Why a key was not served or not refused, and why a change did not reach the server; with words for several checks."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping

from mlops_lab.checks import Lab
from mlops_lab.kube.client import Object

HASHED = (
    "Kustomize's generators put a hash behind a name, unless disableNameSuffixHash is set in the generator's options"
)
NO_SECRET = (
    "the vault writes the key into this Secret, by this name; you make the first one (kubectl create secret generic "
    f"--help, or a secretGenerator in kustomization.yaml). {HASHED}"
)
IMMUTABLE = (
    "`immutable: true` protects against changes, and can't be taken back: the API server refuses each change, so the "
    "object must be deleted and made anew. It suits objects whose name changes with their content"
)
BURNT = (
    "that key is in the repository's history and in the logs of months: whoever wants it has it. Partners get another "
    "one, and the old one has to go from the server, as a fallback too"
)
PLAIN = "base64 is only how the API writes a Secret down: a mounted file, or a variable, has the key as it is."


def why_not_let_in(statuses: Collection[int], stored: str) -> str:
    """What usually explains that the Secret's key is not served.

    Args:
        statuses: of requests with it.
        stored: the Secret's entry, in base64.
    """
    if 401 in statuses or 403 in statuses:
        entry = base64.b64decode(stored)
        line = "The entry ends with a line end, as echo and editors make it: is that left out of the comparison? "
        return (
            "the server compares with something else than the Secret's key. "
            + (line if entry != entry.strip() else "")
            + f"{PLAIN} Compare what the server reads with kubectl get secret api-key -o 'jsonpath={{.data.key}}' | "
            "base64 -d"
        )
    if 0 in statuses:
        return (
            "no answer: nobody listens where the Service sends to, or the server hangs. The Service's targetPort must "
            "be the port that the server listens on: kubectl get endpointslices, kubectl logs deploy/model"
        )
    return (
        "kubectl logs deploy/model has the exception behind a status 500. A file that can't be read? With mode 0400 a "
        "Secret's file is its owner's, which is root, and the server is another user; securityContext.fsGroup gives it "
        f"to a group. An error in decoding? {PLAIN}"
    )


def why_let_in(wrong: Mapping[str, int]) -> str:
    """What usually explains that other keys are not refused.

    Args:
        wrong: their statuses, by what each key is.
    """
    let_in = [what for what, status in wrong.items() if 200 <= status < 300]
    if not let_in:
        return (
            "that is neither served nor refused. 422 is FastAPI's answer where a header that the function needs is "
            "missing: a default value leaves the decision to you. Behind a 500 is an exception, and kubectl logs "
            "deploy/model has it: what does the comparison do with None, or with text that is not ASCII (which "
            "hmac.compare_digest takes as bytes alone)?"
        )
    if any(what in wrong for what in ("no key", "an empty key")):
        return (
            "who has no key must be refused like who has a wrong one. Look at what the comparison does with a header "
            "that is missing or empty: each text begins with the empty one, and `if key and ...` lets whoever has none "
            "through"
        )
    if "the key that was in the source" in wrong:
        return BURNT
    if any(what.startswith("what stands in") for what in let_in):
        return (
            "a second key is let in: one for tests, for a colleague, or the one before. Whoever reads it where it "
            "stands has it, and the vault never changes it. The entry `key` of the Secret is the only one"
        )
    if all(what.startswith("the longer key") for what in let_in):
        return (
            "the Secret had a key of 72 characters or more then, and what differs from it at its end alone was let in. "
            "Something cuts keys before they are compared: a slice, a buffer or a column of 64 characters, or bcrypt, "
            "which looks at the first 72 bytes. Compare all of what was sent with the whole key"
        )
    if all(what.endswith("in other case") for what in let_in):
        return (
            "keys are compared without their case, as names are. In a key `a` and `A` are two characters: compare what "
            "was sent with what is in the Secret, both as they are, without lower(), upper() or casefold()"
        )
    return (
        "only the whole key is the key: compare for equality, and as hmac.compare_digest does, which takes as long for "
        "a key that is nearly right. Where a part is enough, it can be found bit by bit"
    )


async def why_not_served(lab: Lab, name: str) -> str:
    """What explains that the key that a Secret was changed to is not served."""
    why = await why_not_followed(lab, "Secret", name)
    return (
        f"{why}{'' if why.endswith('?') else '.'} And does it ask for a form of keys, such as letters and digits "
        "alone? Those of the vault are 16 printable characters or more, whichever"
    )


async def why_not_followed(lab: Lab, kind: str, name: str) -> str:
    """What in the pods explains that a change of a Secret or ConfigMap does not reach the server."""
    reference, source, volume = (
        ("secretKeyRef", "secretRef", ("secret", "secretName"))
        if kind == "Secret"
        else ("configMapKeyRef", "configMapRef", ("configMap", "name"))
    )
    env = parts = mounted = False
    for pod in await lab.objects.pods_of("model"):
        spec = pod["spec"]
        volumes = {each["name"] for each in spec.get("volumes") or [] if name in sources(each, *volume)}
        for each in spec["containers"]:
            refers = [((one.get("valueFrom") or {}).get(reference) or {}).get("name") for one in each.get("env") or []]
            refers += [(one.get(source) or {}).get("name") for one in each.get("envFrom") or []]
            mounts = [one for one in each.get("volumeMounts") or [] if one["name"] in volumes]
            env, mounted = env or name in refers, mounted or bool(mounts)
            parts = parts or any(one.get("subPath") for one in mounts)
    if parts:
        return (
            f"the {kind} is mounted with subPath. That is a file from when the container started, and is never brought "
            "up to date; a volume that is mounted as a whole folder is"
        )
    if mounted:
        return (
            f"the {kind} is mounted, and the kubelet brings its files up to date (ls -l in the mounted folder shows "
            "when), so the server goes by what it has read before. When does it read: once, or when it needs to know?"
        )
    if env:
        return (
            f"the {kind} is in environment variables. A process gets its environment when it starts, and nobody can "
            "change it after that; files of a mounted volume are brought up to date"
        )
    return (
        f"nothing in the pods refers to {kind} {name}: so the server goes by what is in its program or somewhere else. "
        "kubectl get deployment model -o yaml shows volumes and environment"
    )


def sources(volume: Object, kind: str, field: str) -> list[str]:
    """The names of the Secrets (`secret`) or ConfigMaps (`configMap`) that a volume of a pod shows."""
    projected = [each.get(kind) or {} for each in (volume.get("projected") or {}).get("sources") or []]
    return [str((volume.get(kind) or {}).get(field)), *(str(each.get("name")) for each in projected)]
