"""Explanations."""

from __future__ import annotations

ALWAYS_THE_SAME = (
    "a judge that says the same whatever it sees, or tosses a coin, is right about the half of the candidates that it"
    " was lucky with. Does look() use what it is given, of both models?"
)
GOOD_ONES = (
    "a test that errs once in twenty looks errs far more often in 36: whoever looks again and again until a "
    "difference is significant finds one. Compute beforehand how many answers are needed and test once, or use limits"
    " that hold for all looks together (alpha spending, a sequential test, a confidence sequence); and there are "
    "three tests, not one. Judge the candidate by what the stable model does at the same time, not by fixed limits or"
    " by what was before: an incident is nobody's candidate. And one that differs because it is better is a good one"
)
BAD_ONES = (
    "not significant is not the same as not worse: with few answers nothing is significant. How many of the "
    "candidate's does it take to see 5 points more errors nearly always? And each thing by itself: errors that come "
    "at once make the mean latency better, some very slow answers leave the median as it was, and probabilities can "
    "be right on average and wrong for each flight (log loss and Brier score see that)"
)
UNKNOWN = (
    "these candidates are no worse in errors and seconds, and of their predictions nothing is known, not even when the "
    "time is over: outcomes come late, or what hands them on is broken. What has not been looked at is not promoted"
)
LOST = (
    "what the model of a user answers is what the user gets, and no other model is asked instead: a failure that is "
    "hidden is not counted either. Its status is kept (500 is not 503), and its body, be it JSON or plain text; where "
    "it gives no answer, yours is due, with a status of 500 or more. The evidence has what was sent and what came back"
)
STAYS = (
    "GET /canary says what goes on, and each pod has to do so within 10 s: without a canary all users have the stable"
    " model, after `promoted` all the candidate, after `taken back` all the stable one again. Do all your pods learn "
    "of it, and from where?"
)
ONE_LEFT = (
    "an autoscaler sets spec.replicas, whatever the manifest says: in a quiet hour its minReplicas is what is left, "
    "and that is 1 where it is not set"
)
EACH_POD = (
    "each pod behind Service model does all of the interface, asked by its own address: a canary that begins at one of "
    "them goes on at all of them within 10 s, `candidate: null` at any of them ends it, and outcomes come late, also "
    "when it is over. Kept connections and chance decide which pod hears of it"
)
ANEW = (
    "a canary that begins takes the place of any other, also of one that is still running: that one was a mistake, or "
    "nobody wants it any more"
)
TOO_SOON = (
    "no outcomes had come, and a fifth of the candidate's answers failed, or more. How good its predictions are nobody "
    "knows then, so nothing is decided in the first two minutes: neither by errors alone, when enough answers for that "
    "have come, nor because outcomes are late, nor after so many looks"
)
FORGOT = (
    "the verdict has to outlive the pods as the canary does: all users have the candidate that was promoted, and keep "
    "it when all pods were deleted and made anew. What a judge keeps to itself ends with its pod"
)
FORGOT_BAD = (
    "`taken back` has to outlive the pods as `promoted` does: where it was only written down that the canary runs, it "
    "goes on when all pods were deleted and made anew, and a tenth of the users get the bad model again"
)
BEGINS_AGAIN = (
    "a model that was taken back is mended, and tried once more, and behind the name of one that was promoted a newer "
    "one comes: each PUT /canary with a candidate begins a canary, with a Judge() of its own, also where the names are "
    "those of one that is over"
)
SHARE = (
    "one user in ten, by the name in X-User: a hash of it that is spread evenly, and the tenth of its range. Each "
    "request is of another user here, so of users and of requests it is the same share. "
    "Just before this canary another one was begun, with both models the other way round. Many of the candidate's "
    "answers fail here, and no outcomes come: by that nothing is decided for two minutes"
)
MOVED_AT_PODS = (
    "which model a user has must follow from the name alone, the same in every process: a counter, a random number or"
    " a memory of one pod gives another one at the next. Python's own hash() of a text differs from process to "
    "process. An answer that failed is no reason to send its user elsewhere"
)
MOVED_AT_RESTART = (
    "the pods were all deleted at once, and the new ones know what they find: the canary that goes on has to be "
    "somewhere that outlives them (a ConfigMap, a PersistentVolumeClaim), and whatever goes into the hash too. A pod "
    "that no controller makes anew is gone, and its memory with it"
)
NOT_PROMOTED = (
    "this candidate was as good as the stable model in all three. judge.py alone is right about such ones; so what "
    "reaches it here, or what is asked beside it, is something else. Does each answer and each outcome count for the "
    "model that its user has? Here what became of a flight is told at another pod than the one that answered. Where "
    "the candidate fails with status 502, 503 or 504, the stable model breaks the connection, as often: each of these "
    "is an answer that failed, and one with status 422 is not. This canary took the place of one whose candidate "
    "failed each time: that is no matter of this one, which has a Judge() of its own"
)
MISSED = (
    "a canary is over within three minutes of PUT /canary: with 150 requests a second 15 of the candidate's come each"
    " second. What does yours still wait for? Who looks when nobody asks, and who goes on with a canary that began "
    "before all pods were replaced? While the good candidate is tried the checker does not ask for GET /canary before "
    "all requests come to one model"
)
HARMED = "until the verdict a bad candidate harms a tenth of the users, and no others: it gets no more than its share"
OUTCOMES = "outcomes come to Service model, whichever pod that is: in a body with up to 200 of them"
BAD_LIVE = {
    "errors": (
        "of this candidate's answers 9 to 14 % have status 502, 503 or 504, of the stable model's 1 %. An answer with "
        "a status of 500 or more is one that failed, as well as one that never came"
    ),
    "latency": (
        "this candidate takes twice as long for each answer, or ten times as long for every seventh. Measure from the"
        " request to the end of the model's answer, in each pod, and let the judge see the numbers of all of them"
    ),
    "predictions": (
        "this candidate's probabilities are far from what became true. Each outcome names a user, and the model that "
        "it counts for is the one that this user has: the same rule as for the user's requests"
    ),
}
