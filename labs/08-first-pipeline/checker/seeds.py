"""Whether a Model was made with its run's seed: which of the classifiers in it have to have that."""

from __future__ import annotations

from mlops_lab.checks import Observation

from .run import Plain, Run

# These give each copy of the classifier in them a random_state that they draw with their own.
HAND_ON = ("AdaBoostClassifier", "BaggingClassifier")
# Whose random_state draws candidates or a split, and is not that of the classifier in them.
SEARCHES = ("HalvingGridSearchCV", "HalvingRandomSearchCV", "RandomizedSearchCV", "TunedThresholdClassifierCV")


def has_seed(made: Plain, run: Run) -> Observation:
    """The run's seed is the `random_state` of its Model's classifier; of one made of several, of each that has one.

    One to which another hands on a `random_state` of its own is not looked at.

    Args:
        made: as for `with_random_state`.
    """
    wanted, found = str(run.arguments["seed"]), with_random_state(made)
    givers = [path for path, each in found.items() if str(each.get("kind")) in HAND_ON]
    own = [
        each for path, each in found.items() if not any(path.startswith(giver) and path != giver for giver in givers)
    ]
    right = [each for each in own if _state(each) == wanted]
    seen = ", ".join(f"{path}random_state"[-100:] + f" {_state(each)}" for path, each in found.items())
    seen = (seen or str(made.get("error", "a classifier without one")))[:300]
    expected = f"random_state {wanted}, the run's seed, in the classifier, or in each that it is made of"
    return Observation(bool(right) and len(right) == len(own), expected, seen)


def with_random_state(made: Plain) -> dict[str, Plain]:
    """The classifiers in a Model that have a `random_state`, by their paths; whatever else may have been told is none.

    Args:
        made: what `sandbox.estimator.params` gives of it, or anything.
    """
    told = made.get("classifiers") if "error" not in made else None
    found = {}
    for each in told if isinstance(told, list) else []:
        params = each.get("params") if isinstance(each, dict) else None
        if isinstance(params, dict) and "random_state" in params and str(each.get("kind")) not in SEARCHES:
            found[str(each.get("path", ""))] = each
    return found


def _state(classifier: Plain) -> str:
    return str(classifier["params"]["random_state"])
