"""What ML Metadata knows of a run of Kubeflow Pipelines: its steps, what each read and made, and what came of it.

Runs in a pod of the checker's, and asks Kubeflow's pages, which hand questions on to ML Metadata and hold the keys of
the object store. They speak gRPC-Web; of its messages here are those fields that are needed, with the numbers of
`ml_metadata/proto/metadata_store.proto`. The last line printed is a JSON object.

Every step has an execution in the context that bears the run's id. Drivers and launchers write it before their pods
end, so that a run that has ended has all of it.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

T = TypeVar("T")

CONTEXT = "system.PipelineRun"
STATES = ("", "NEW", "RUNNING", "SUCCEEDED", "FAILED", "CACHED", "SKIPPED")  # by ML Metadata's number of them
INPUT, OUTPUT = 3, 4  # types of events
LOGS = "executor-logs"  # an output that the engine adds to each step
AT_ONCE = 100  # executions of a page
ANSWERS_WITHIN, PATIENCE = 20.0, 30.0  # s for an answer, and until the network knows a new pod
NOT_FOUND = 5  # of gRPC's codes
LINES = 30  # of a step's output
CUT_OFF = "its pod was ended before it could tell: for its memory, or with the run"
# Lines of a step's output that are not the step's: klog's of the launcher, and Argo's.
NOT_THE_STEPS = re.compile(r"[IWEF]\d{4} \d\d:|time=\S+ level=\w+ .*argo=true")

MESSAGES = {
    "Value": "int64 int_value 1, double double_value 2, string string_value 3, bool bool_value 6",
    "Property": "string key 1, Value value 2",  # a map's entry
    "Context": "int64 id 1",
    "Execution": "int64 id 1, int32 last_known_state 3, repeated Property custom_properties 5",
    "Artifact": "int64 id 1, int64 type_id 2, string uri 3, repeated Property custom_properties 5",
    "ArtifactType": "int64 id 1, string name 2",
    "Step": "string key 2",
    "Path": "repeated Step steps 1",
    "Event": "int64 artifact_id 1, int64 execution_id 2, Path path 3, int32 type 4",
    "Options": "int32 max_result_size 1, string next_page_token 3",
    "GetContextByTypeAndNameRequest": "string type_name 1, string context_name 2",
    "GetContextByTypeAndNameResponse": "Context context 1",
    "GetExecutionsByContextRequest": "int64 context_id 1, Options options 2",
    "GetExecutionsByContextResponse": "repeated Execution executions 1, string next_page_token 2",
    "GetEventsByExecutionIDsRequest": "repeated int64 execution_ids 1",
    "GetEventsByExecutionIDsResponse": "repeated Event events 1",
    "GetArtifactsByIDRequest": "repeated int64 artifact_ids 1",
    "GetArtifactsByIDResponse": "repeated Artifact artifacts 1",
    "GetArtifactTypesRequest": "",
    "GetArtifactTypesResponse": "repeated ArtifactType artifact_types 1",
}
_KINDS = {"double": 1, "int64": 3, "int32": 5, "bool": 8, "string": 9}  # FieldDescriptorProto.Type


def _classes() -> dict[str, Any]:
    """The messages' classes by name."""
    file = descriptor_pb2.FileDescriptorProto(name="checker.proto", package="checker", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in filter(None, fields.split(", ")):
            *repeated, kind, field, number = text.split()
            made = message.field.add(name=field, number=int(number), label=3 if repeated else 1)
            made.type = _KINDS.get(kind, 11)
            if kind not in _KINDS:
                made.type_name = f".checker.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"checker.{name}")) for name in MESSAGES}


CLASSES = _classes()


def patient(ask: Callable[[], T]) -> T:
    """What a question brings, asked again for a while where the network or a server behind another is not ready."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except urllib.error.HTTPError as refused:
            if refused.code not in (502, 503, 504) or time.monotonic() > end:
                raise
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.5)


def get(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
    """One request; with a call's status where its answer has no more than that."""
    request = urllib.request.Request(url, body, headers or {})
    with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN) as answer:
        whole: bytes = answer.read()
        status = answer.headers.get("grpc-status")
    return whole if whole or status is None else _frame(0x80, f"grpc-status: {status}".encode())


def _frame(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(4, "big") + content


def frames(whole: bytes) -> Iterator[tuple[int, bytes]]:
    """The parts of an answer in gRPC-Web's form: 0 before a message, 0x80 before the trailers.

    Raises:
        OSError: the last part is not whole.
    """
    while whole:
        end = 5 + int.from_bytes(whole[1:5], "big")
        if len(whole) < end:
            raise OSError("an answer of ML Metadata is cut off")
        yield whole[0], whole[5:end]
        whole = whole[end:]


class Store:
    """ML Metadata behind the pages' address."""

    def __init__(self, pages: str) -> None:
        self._pages = pages

    def call(self, method: str, **given: Any) -> Any:
        """The answer to a call; an empty one if what was asked for is not there.

        Raises:
            OSError: nobody answers, or with an error.
        """
        url, kind = f"{self._pages}/ml_metadata.MetadataStoreService/{method}", "application/grpc-web+proto"
        headers = {"Content-Type": kind, "Accept": kind, "X-Grpc-Web": "1"}
        question = _frame(0, CLASSES[f"{method}Request"](**given).SerializeToString())

        def once() -> Any:
            answer, said = CLASSES[f"{method}Response"](), b""
            for flag, content in frames(get(url, question, headers)):
                if flag & 0x80:
                    said = content
                else:
                    answer.MergeFromString(content)
            status = re.search(rb"grpc-status:\s*(\d+)", said, re.IGNORECASE)
            if status is None or int(status[1]) not in (0, NOT_FOUND):
                raise OSError(f"{method}: {said.decode(errors='replace').strip() or 'the answer has no end'}")
            return answer

        return patient(once)

    def executions(self, run: str) -> list[Any]:
        """A run's executions, the oldest first; none where no driver has begun."""
        context = self.call("GetContextByTypeAndName", type_name=CONTEXT, context_name=run).context.id
        found: list[Any] = []
        token = ""
        while context:
            options = CLASSES["Options"](max_result_size=AT_ONCE, **({"next_page_token": token} if token else {}))
            page = self.call("GetExecutionsByContext", context_id=context, options=options)
            found += page.executions
            token = page.next_page_token
            if not token:
                break
        return sorted(found, key=lambda each: each.id)


def properties(entries: Any) -> dict[str, Any]:
    """A map of values as a dict; those of other kinds, such as structures, are left out."""
    found = {each.key: [value for _, value in each.value.ListFields()] for each in entries}
    return {key: values[0] for key, values in found.items() if values}


def content_url(pages: str, uri: str) -> str:
    """Where the pages give an artifact's content as it is; empty for one that is not in their store."""
    scheme, _, place = uri.partition("://")
    return f"{pages}/artifacts/minio/{urllib.parse.quote(place)}" if scheme == "minio" else ""


def log(endpoint: str, run: str, pod: str) -> list[str]:
    """The last lines that a step's own program printed; none where they are gone."""
    try:
        whole = get(f"{endpoint}/apis/v1alpha1/runs/{run}/nodes/{pod}/log").decode(errors="replace")
    except OSError:
        return []
    lines = [line for line in whole.splitlines() if line.strip() and not NOT_THE_STEPS.match(line)]
    return [] if any('"error_message"' in line for line in lines[-1:]) else lines[-LINES:]


def record(pages: str, endpoint: str, run: str) -> dict[str, Any]:
    """A run's steps by their display name, and its artifacts by id; of steps with one name the last.

    Raises:
        OSError: ML Metadata does not answer.
    """
    store = Store(pages)
    known = [(each, properties(each.custom_properties)) for each in store.executions(run)]
    of = {each.id: told for each, told in known if told.get("task_name")}  # the run itself has no task's name
    steps: dict[int, dict[str, Any]] = {}
    for each, told in known:
        if each.id in of:
            state = STATES[each.last_known_state]
            steps[each.id] = {
                "name": told.get("display_name") or told["task_name"], "state": state.replace("CACHED", "SUCCEEDED"),
                "cached": state == "CACHED", "inputs": {}, "outputs": {},
                "error": CUT_OFF if state == "RUNNING" else "", "log": [],
            }  # fmt: skip
    names: dict[int, str] = {}
    for event in store.call("GetEventsByExecutionIDs", execution_ids=list(of)).events if of else []:
        name = event.path.steps[0].key if event.path.steps else ""
        if event.type in (INPUT, OUTPUT) and name != LOGS:
            side = steps[event.execution_id]["outputs" if event.type == OUTPUT else "inputs"]
            side.setdefault(name, []).append(str(event.artifact_id))
            if event.type == OUTPUT:
                names[event.artifact_id] = name
    types = {each.id: each.name for each in store.call("GetArtifactTypes").artifact_types} if names else {}
    artifacts = {}
    for each in store.call("GetArtifactsByID", artifact_ids=list(names)).artifacts if names else []:
        artifacts[str(each.id)] = {
            "name": names[each.id], "type": types.get(each.type_id, ""), "url": content_url(pages, each.uri),
            "metadata": properties(each.custom_properties),
        }  # fmt: skip
    failed = [each for each in of if steps[each]["state"] in ("FAILED", "RUNNING") and of[each].get("pod_name")]
    for each in failed[:1]:
        steps[each]["log"] = log(endpoint, run, str(of[each]["pod_name"]))
    return {"steps": list(steps.values()), "artifacts": artifacts}


def main() -> None:
    """Tell of the run that the environment names."""
    print(json.dumps(record(os.environ["KFP_PAGES"], os.environ["KFP_ENDPOINT"], os.environ["KFP_RUN"])))


if __name__ == "__main__":
    main()
