"""A copy of a pod whose model takes long to load: does it say meanwhile that it is ready?"""

from __future__ import annotations

import time

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.copies import copied
from mlops_lab.kube.client import Object

from .keys import answered, read_keys

COPY = "checker-copy-that-loads"
LOADS = 25  # s that the model's file takes at least
ANSWER_WITHIN = 5  # s for one answer
NOT_YET = 503
WHAT = "GET /readyz of a copy that still loads"
# A pickle that takes its time, and is none in the end: https://docs.python.org/3/library/pickletools.html
SLOW = f"ctime\nsleep\n(I{LOADS}\ntR?cut short on its way\n"


async def not_ready_yet(lab: Lab) -> Observation:
    """Whether GET /readyz of a pod says 503 while its model is loading; one that does not listen yet says as much.

    A server that is ready and predicts has a model from somewhere else, and is right.
    """
    expected = "a pod whose model is still loading answers GET /readyz with 503, if at all"
    file = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": COPY}, "data": {"model.joblib": SLOW}}
    volume = {"name": COPY, "configMap": {"name": COPY}}
    # The copy is made after this, so until then plus LOADS no server can have loaded that file.
    end, last = time.monotonic() + LOADS, "it does not listen yet"
    async with copied(lab, COPY, change=with_slow_model, volumes=[volume], beside=[file]) as copy:
        async for answer in copy.answers("/readyz", within=4 * LOADS, answer_within=ANSWER_WITHIN):
            if time.monotonic() > end:
                break
            if answer.status == 200:
                key, body = (await lab.once(read_keys)).current, lab.traffic.hidden_rows(1).body
                predicted = await answered(lab, body, key, service=COPY)
                if predicted.status == 200:
                    return Observation(True, expected, "it is ready, and predicts", what=WHAT)
                seen = f"status 200, and POST /predict: {predicted.status or 'no answer'}"
                return Observation(False, expected, seen)
            if answer.status:
                last = f"status {answer.status}"
                if answer.status != NOT_YET:
                    return Observation(False, expected, last)
                break
    return Observation(True, expected, "the program ended" if copy.ended else last, what=WHAT)


def with_slow_model(container: Object) -> None:
    """Lay the slow file over the model's, in one container."""
    slow = {"name": COPY, "mountPath": "/model/v1/model.joblib", "subPath": "model.joblib", "readOnly": True}
    container["volumeMounts"].append(slow)
