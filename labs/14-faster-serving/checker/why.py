"""The likely reasons for what lab 14 sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlops_lab.kit.probabilities import Likeness, likeness, near

from .client import NOTHING_WHOLE
from .crowd import LATE, MORE, Crowd
from .stage import ANSWER_WITHIN, SAME

OTHER_VALUES: Mapping[Likeness, str] = {
    "no numbers": 'the contract is {"model_version": "v1", "probabilities": [0.31, ...]}, one number for each row',
    "same": "the version stands in metadata.json beside the model",
    "another count": "one probability for each row, whatever their number: ONNX's first dimension can be left open "
    "(None)",
    "classes": "these are classes. The graph has two outputs: the label comes first, the probabilities second",
    "on time": "these are the probabilities of being on time: of the two columns the second one is late",
    "another order": "the values are right and in another order: clients go by the place in the list",
    "another version": "these are the values of v2: without the variable MODEL the model is the one in /model/v1",
    "rounded": "they are nearly right. Where does a number lose digits on its way: a type with fewer bits (float16), "
    "or a round()? Near a threshold it changes decisions, and in a tree it may change the branch",
    "unlike": "the model reads its features in the order of its own file, as float32, categories as shares",
}


UNSEEN_NOT_UP = (
    "the copy has a folder with a model that was made a moment ago, in the form of v1 and v2: its features are in "
    "another order, and some are left out. The evidence has the copy's last lines. What does the program know by the "
    "name of a version or a folder that it could read in the model's own files?"
)
UNSEEN_OTHER_VALUES = (
    "the names of the features and their order, what stands for each code and for what is missing, how many trees "
    "there are and how deep they go: all that is in the folder that MODEL names, and the version in its metadata.json. "
    "A list of them in the program is right for the versions that were there when it was written"
)


READY_TOO_EARLY = (
    "GET /readyz says 200 once the pod can answer, and clients are sent to it from then on: whoever listens before the "
    "model is there answers 503 at /readyz meanwhile, or loads it before it listens"
)
TWO_MEMBERS = (
    "clients were promised these two members, and some refuse what they do not know. How an answer was made (its "
    "batch, its time, whether it was remembered, which codes are new) belongs into logs and metrics"
)
REMEMBERED = (
    "what remembers answers must know a flight by all that a model may read of it, the weather too, each value as it "
    "came: two flights that differ in one field are two flights"
)


def too_late(wrong: Iterable[str]) -> bool | None:
    """Whether answers were not whole in time, or bodies not sent any more: a machine may be starved of CPU."""
    return any(LATE in each or NOTHING_WHOLE in each for each in wrong) or None


def telling(wrong: Sequence[str]) -> str:
    """Of bodies that were answered wrong, in order, the one that says why; empty if there is none.

    It is the first one. But where a flight was wrong before another came that differs from it in one field, the others
    of such pairs say nothing of a memory: then it is the first one that is of no pair.
    """
    early = [each for each in wrong if "of which another differs" in each]
    if not early or "differ" not in wrong[0]:
        return next(iter(wrong), "")
    return next((each for each in wrong if "differ" not in each), early[0])


def why_unusual(wrong: str) -> str:
    """The likely reason for a strange body that was answered wrong, which these words tell."""
    if MORE in wrong:
        return TWO_MEMBERS
    if "that differ" in wrong:
        return REMEMBERED
    if "in chunks" in wrong:
        return (
            "a client that makes its body as it sends it has no Content-Length: it says Transfer-Encoding: chunked, "
            "and servers put the chunks together, be they of one flight or of 1000. What wants a length turns such "
            "clients away"
        )
    if "codes of two" in wrong:
        return (
            "a code is two to four characters, each a capital letter or a digit, in whichever field. That today's "
            "carriers have two, and today's airports three, is no rule of contract.py"
        )
    if "weather as" in wrong:
        return (
            "contract.py has no bounds for the weather: what was never measured here, such as frost of 40 degrees, is "
            "allowed, and is refused by nobody"
        )
    if "fields in another order" in wrong:
        return (
            "the members of a JSON object have no order: contract.py knows a field by its name, and so do clients, who "
            "send them as they come. What takes values by their place makes an hour of a visibility"
        )
    if "as text" in wrong:
        return (
            "contract.py takes text for a number, as pydantic does, in whichever field: clients send it so. '17.0' is "
            "a whole number, too, which Python's int() does not take"
        )
    if "whole numbers with a point" in wrong:
        return (
            "JSON knows one kind of number, and clients whose tables have made floats of the hours send 17.0: to "
            "contract.py that is the whole number 17, as it is to pydantic, and no mistake"
        )
    if "ends of each range" in wrong:
        return (
            "the ends belong to the ranges of contract.py (ge, le): hour 0 and 23, weekday 0 and 6, and 20000 miles. A "
            "distance may be any above 0, also below 1"
        )
    if "true and false" in wrong:
        return "contract.py takes true for 1 and false for 0, as pydantic does where it is not strict"
    if "fraction" in wrong:
        return (
            "a distance is any number. A split of a tree lies between two whole numbers, or on a half, so what is "
            "rounded on its way to the model may come to its other side"
        )
    return (
        "what is strange but allowed must be answered as before. The model's file says what stands for an unknown code "
        "and for what is missing: bundle['defaults'], and not 0. What goes round pandas and scikit-learn must do what "
        "they did"
    )


def why_other_values(given: Sequence[float] | None, wanted: Sequence[float], others: Sequence[float]) -> str:
    """The likely reason for other values than the model's own."""
    return OTHER_VALUES.get(likeness(given, wanted, others, within=SAME), OTHER_VALUES["unlike"])


def why_not_v2(what: str, given: Sequence[float] | None, v1: Sequence[float]) -> str:
    """The likely reason for what the copy answered."""
    if given is not None and near(given, v1, SAME):
        return (
            "these are v1's values: what the service reads, makes or knows at its start must come from the folder that "
            "MODEL names, or the next version of the model is a change of the program"
        )
    if "64 bits" in what:
        return (
            "scikit-learn makes a float32 of each value before it compares it with a split, which is a float64. "
            "Whoever leaves the value a float64 finds it on the split, where its float32 is above, and the flight goes "
            "down the other branch: np.float32 first, then the trees"
        )
    if "split" in what:
        return (
            "scikit-learn makes a float32 of the value and compares it with a split that is a float64. With the split "
            "as a float32, too, it may be rounded up to the value, and the flight goes down the other branch. skl2onnx "
            "rounds the splits down when its input is float32; whoever takes the trees apart by hand keeps float64"
        )
    if "that differ" in what:
        return REMEMBERED
    return (
        "v2 also reads the weather, and what stands for weather that is missing is in bundle['defaults']. The "
        "features, their order, categories and defaults are in each model's own file"
    )


def why_wrong_in_a_crowd(seen: Crowd) -> str:
    """The likely reason for what a crowd saw."""
    if seen.get("restarted", 0) > 0:
        return "kubectl describe pod says why a container ended; OOMKilled is more memory than its limit"
    if any(MORE in each for each in seen["problems"]):
        return TWO_MEMBERS
    if seen["mixed"]:
        return (
            f"{seen['mixed']} clients got the right values for somebody else's flights. In a batch each request has "
            "its place: who comes first is first in the array and gets the first part of the result, as many "
            "values as it "
            "had rows. And what two requests share (a buffer, say) belongs to one of them from when it is filled until "
            "the model has read it: with every `await` in between another one may fill it"
        )
    if seen["refused_good"]:
        return (
            "clients were turned away. 16 at once are no overload for a service that needs a millisecond for each: let "
            "them wait for their turn. A limit belongs where memory or patience ends. (Behind a 500 is an exception, "
            "in kubectl logs deployment/model: what do two share that ask the same at once?)"
        )
    if seen["none"] and seen["alike"] == seen["none"]:
        return (
            "each client that got no answer had asked the same as another one at that moment. Where requests that wait "
            "are kept by what they ask, as in a dict, the second takes the place of the first, and nobody answers that "
            "one any more: give each request a place of its own"
        )
    if seen["none"] or seen["ended"] < seen["planned"]:
        return (
            "clients waited for an answer that did not come: does something wait for a batch to be full, or has the "
            "loop that serves the batches ended? kubectl logs deployment/model"
        )
    return (
        "alone they were right. What do requests share that are under way at the same time? And a request may have "
        "1000 flights: together with others they are more than that"
    )


def why_no_answer(status: int) -> str:
    """The likely reason for another status than 200 for a good body."""
    if status == 0:
        return f"an answer must be whole {ANSWER_WITHIN} s after the request: kubectl logs deployment/model"
    if 300 <= status < 400:
        return "a redirect is no answer: the path is /predict, and a route named /predict/ is another one"
    return "kubectl logs deployment/model shows the exception behind a 500; the body keeps the contract"


def why_not_yet(status: int) -> str:
    """The likely reason for another status than 200 from a pod that has said that it is ready."""
    return f"{READY_TOO_EARLY}. Else {why_no_answer(status)}"
