"""Why a rule fires on the normal day or misses a fault, and why a request's line is not found."""

from __future__ import annotations

from .plan import NIGHT, Event
from .tracing import Request

LONELY = (
    "where one request comes in two minutes, one that fails is 100 %. Ask for some traffic as well (`and ... > ...`), "
    "or for more than one scrape's worth: a request is seen in rate(...[w]) for w, so `for` must not be shorter"
)
SHORT = (
    "it was over after 10 s, and somebody was woken. rate(...[1m]) has these ten seconds in it for a minute, so a "
    "`for` shorter than the window does not outlast them; or let a longer window agree with the short one"
)
DISTURBED = {
    "lonely-error": LONELY, "lonely-wait": LONELY, "hiccup": SHORT, "pause": SHORT,
    "deploy": "the pods were replaced, as they are with each release, and no passenger noticed. That one starts, can't "
    "be scraped for 20 s, and says 503 to its probes while it loads its model, is no fault by the task's table; nor is "
    "it one at night, when 0 is divided by 0",
    "nobody": "nobody asked, so nobody was harmed: no passengers are no fault. 0 divided by 0 is NaN, and no alert; "
    "`or vector(0)` and clamp_min make one of it",
    "partner": "422 says that the client's request was wrong: nobody here can mend that, and no passenger is harmed. "
    "It is an answer all the same: less than 5 % of all of them were 5xx, and that is no fault",
    "rush": "the rush hour harms nobody: as ever one answer in 200 fails. A number of errors grows with the traffic, "
    "so no bound on it is right at noon and in the morning: take a share. And CPU and memory that are used are paid "
    "for: alert on what passengers notice, not on what might be a cause of it",
    "failing": "less than 5 % of all answers failed: by the task's table that is no fault, also where all of them are "
    "of one pod: sum over the pods first, then divide. Whoever is woken by it will put the pager in a drawer again",
    "lasting": "less than 5 % of the answers failed, and less than 10 % took longer than 0.5 s: by the task's table "
    "that is no fault, however long it goes on. A lower bound that has to hold for half an hour, or over a window "
    "of hours, makes one of it",
    "sluggish": "less than 10 % of the answers took longer than 0.5 s: by the task's table that is no fault, also "
    "where all of them are of one pod: sum over the pods first, then divide",
    "crawling": "less than 10 % of the answers took longer than 0.5 s, and how much longer is not asked: by the task's "
    "table that is no fault. The slowest of a hundred answers, or an average, says nothing of the others",
    "brisk": 'these answers took less than 0.5 s. The bucket le="0.5" has them, the one before it has not',
    "lost": "two of the three pods answered, and the passengers noticed nothing. That a pod can't be scraped, for "
    "however long, is a cause, perhaps: what the table calls a fault is that none can",
    "alone": "one of the three pods answered, and the passengers noticed nothing: the fault is that no pod can be "
    "scraped. An alert about most pods, or about the second one, is about a cause, perhaps",
    "fewer": "two pods were enough, and the third one was taken away: that there are fewer than before, or than three, "
    "is no fault. The fault is that none can be scraped, or that there is none",
    "blink": "it was over after 10 s: a scrape that fails, or a pod's network for a moment. By the task's text that is "
    "no fault, so the expression has to hold for longer than one evaluation: `for`",
}  # fmt: skip


def disturbed(event: Event | None, at: int) -> str:
    """Why a rule fires at a time of the normal day.

    Args:
        event: what happens then.
    """
    if event and event.kind in DISTURBED:
        return DISTURBED[event.kind]
    if at < NIGHT:
        return (
            "at night there are no requests, and nothing is wrong: 0 divided by 0 is NaN, and no alert. `or vector(0)` "
            "and clamp_min make an outage of it. Pods that start are no fault either: the probes that they answer with "
            "503, and scrapes that fail for 20 s, are not the passengers'"
        )
    return (
        "nothing is wrong at that time. How large is the expression, without its comparison, while all is well? "
        "(promtool query instant, as in the README.) A number grows with the passengers, a share does not"
    )


def missed(name: str, soonest: int | None, other: bool, before: bool) -> str:
    """Why a rule misses a fault."""
    if before:
        return (
            "an alert that fires while nothing is wrong says nothing when something is: what always fires, or every "
            "few minutes, is there for each fault"
        )
    if soonest is not None and name == "slow":
        return (
            "after two minutes nearly all answers are slow, for seconds, which many a rule sees. Before that more than "
            "one in ten takes 0.8 s: either window and `for` together are too long, or an average hides it, or the "
            'bucket is not le="0.5"'
        )
    if soonest is not None:
        return (
            "the window must have filled, and then `for` counts from there: both together have to be shorter than the "
            "two minutes, with some seconds to spare for scrape, evaluation and group_wait. A group of rules with an "
            "`interval` of its own, or a longer evaluation_interval, is looked at that much later"
        )
    if other:
        return (
            "an alert fires, but its labels say something else: severity is critical or warning, as the README's table "
            "has it, and service is model; routes go by them"
        )
    if name == "errors-all":
        return (
            "a series is there once it has counted something. Where all that a release answers fails, from its first "
            "answer on, no series has another status: 1 - sum(the others) / sum(all) is empty then, and so is what is "
            "compared with it. Count what failed, or add `or vector(0)` to the sum that may be empty"
        )
    if name in ("errors-few", "slow-few"):
        return (
            "with few passengers most requests are probes and scrapes: /readyz, /healthz and /metrics are counted too, "
            "and are always good. Take route /predict on both sides of the division; one request a second is enough to "
            "judge, and a fault at night is one, too"
        )
    if name == "slow":
        return (
            "an average hides it: 17 in 20 answers within 12 ms, and 3 in 20 after 0.8 s, are 0.13 s on average. Take "
            'a quantile, or the share of answers above the bucket le="0.5": what is above le="1.0" are fewer. '
            "And passengers wait whoever else is away: one of the pods could not be scraped at that time"
        )
    if name == "gone":
        return (
            "pods that are gone are no targets any more: there is no series `up` that could be 0, and a rule about "
            "series that are not there finds nothing. absent() is for that; or sum(up) or vector(0)"
        )
    if name == "hanging":
        return (
            "absent(up) is about series that are not there; here two are, and say 0. Ask for one that is 1: how many "
            "say 0 depends on how many there are"
        )
    return (
        "5 % of the passengers' requests and more: sum the failed, of all statuses and pods together, and all of them, "
        "route /predict, and divide. Failed "
        "is whatever begins with a 5: a gateway or a pod that is overloaded answers 502, 503 or 504, "
        "and 507, 511, 520 or 599 are in use as well. A list of them is never whole, nor is a block such as 50x. And "
        "it is a fault whoever else is away: one of the pods could not be scraped at that time, as on the evening of a "
        "normal day"
    )


PAGES_TOO = (
    "whoever is woken because answers are slow will put the pager in a drawer again: by the task's table that is a "
    "warning, which can wait for the morning, however many are slow, and for how long. And a critical alert silences "
    "the warning about it"
)
BARE = (
    "each alert has a summary and a runbook_url, the warning as well: who reads it in the morning has to know what is "
    "wrong, and what to do. Both are annotations of the rule"
)

ENDLESS = (
    "it has to end by itself, and soon: each log is read once. kubectl logs --follow never ends. Where it does end, if "
    "you call it, the machine may be too slow at present: there is a minute for what takes a second or two. Then try "
    "again when less runs on it"
)
HALF = (
    "of a request that fails the model logs two lines, what was wrong and how it ended, and a gateway may log several, "
    "too: print all lines that have the request's id, not the first one, nor those of one event alone"
)


def untraced(service: str, request: Request) -> str:
    """Why a line is not there."""
    if not request.lines and any(request.id in line for line in request.printed):
        return (
            "it prints the id, but no line that is a JSON object with request_id and service: text has to be taken "
            "apart by everyone who wants to know something. One JSON object for each line of the log; the model's lack "
            "only `service`"
        )
    if service == "model":
        return (
            "the model logs the id that comes with the request, in the header X-Request-ID, and makes one of its own "
            "where none comes: does the gateway hand it on? It has three pods, each with a log of its own; with a "
            "selector kubectl logs shows the last 10 lines of each unless --tail says more, and deployment/model is "
            "one of the pods. A few hundred lines are soon written: --tail=-1 are all"
        )
    return (
        "the line must be in the gateway's log (kubectl logs deployment/gateway --tail=5), as JSON with request_id; "
        "with a selector kubectl logs shows the last 10 lines only, unless --tail says more. A few hundred lines are "
        "soon written: --tail=-1 are all"
    )
