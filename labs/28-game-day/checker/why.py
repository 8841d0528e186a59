"""Lab 28's longer explanations."""

from __future__ import annotations

from mlops_lab.kit.next_pods import RESIZED_BY_HAND

RIGHT = (
    "the Job learns from what the feeds give, models.py says how; the version it registers gets the alias "
    "production, and the pods of the service follow the alias. kubectl logs of both says where it ends"
)

DUE = (
    "once a month a share has a new price: spec.schedule has numbers for minute, hour and day (1 to 28, for not each "
    "month has more) and * for the rest, or is @monthly, and spec.suspend is not true (a check that was cut off may "
    "have left it so: apply it again)"
)

NAMED = (
    "whoever reads an answer has to know which version said so: the number in the registry, which production means. "
    "Whoever looks there goes by it, such as a pod that begins"
)

REFUSED = (
    "a feed with one wrong row is not learnt from: no price is missing or a text, none is three times the one "
    "before or less than a third of it, no month and no id comes twice, and a destination is three capital letters. "
    "The Job may fail, and soon: each try again of a Job takes longer to come (backoffLimit)"
)

CANARY = (
    "a version that answers everybody at once harms everybody at once. Deal some of the requests to the version "
    "that another alias means, such as candidate, and move production when it has answered for 20 s"
)

UNREAD = (
    "an alias may mean anything, also what nobody can read: the version that has been read goes on answering, in its "
    "own name. A number is taken over together with what it is the number of, and not before"
)

AGAIN = (
    "a pod that begins answers by the version that production means, which a Job has learnt, and not by what the feeds "
    "give by then: what answers must not depend on the day on which its pod began"
)

PAGE = (
    "element id=forecast has the next month's price with two decimals, element id=recommendations the three "
    "destinations, each once and as a word of its own. A browser shows as a page what has Content-Type text/html; "
    "FastAPI sends a text as JSON, too, where a function has no response_class=HTMLResponse"
)

DEGRADED = (
    "a page whose part is away is better than no page: a question to another service needs a time limit of its "
    "own, below the page's 2 s, and an answer where none came: the element then says `not available`. What the "
    "part said a while ago is not what it says now"
)

LOGS = (
    "the id comes with the request as header X-Request-Id, has to go on with each request that is made for it, "
    "and stands in each service's log in a line that is a JSON object, as request_id: so one search finds what "
    "became of it. Requests come side by side: an id is its request's, and not the program's. print() writes a line's "
    "end by itself, so that the lines of two threads may run into one: write both at once"
)

AIR = (
    "on board there is nobody else to ask: not the ground, not DNS. The model has to be on the edge's own volume, "
    "where the next pod finds it, and a record is taken when it is written there. What waits for the ground (a "
    "name that is not found takes seconds) must not stand in the way of an answer"
)

FOLLOWS = (
    "on the ground the edge has a link, and asks every few seconds for a newer model: 30 s after a release it has it. "
    "That is the version which a Job has made of rows that it has looked at, and not what the bookings give by then"
)

CUT = (
    "what a plane does without a link is seen only while it has none. What keeps strangers' NetworkPolicies away has "
    "to leave this one, policies add up, so that one which allows something allows it in spite of all others, what "
    "answers is the edge's own pod, and no other pod on the ground reads the edge's volume"
)

SMALL = (
    "a box in a plane has half a core and 256 MiB: the limits of all containers of its one pod together, or the pod's "
    "own (spec.template.spec.resources); 0 is no limit; "
    f"{RESIZED_BY_HAND}"
)

LEDGER = (
    "nobody knows whether a message came that was not answered, so it is sent again: the ground has to know by "
    "its id a record that it has, and the edge to keep one until the ground has said so. What is in memory, or "
    "in an emptyDir, goes with the pod, on the ground as well: its pods are killed once while there is no link. A pod "
    "that is killed may go on for a second or two beside the next one, which has to know what it still takes"
)

NOTICED = (
    "what is looked at every minute is noticed after a minute, and an incident that is written down when it is "
    "over is noticed too late. The log is GET /incidents of Service incidents; kind and place are those of "
    "README's table"
)

MENDED = (
    "to be told is half of it. What was changed by hand is known by comparing with what ought to be there: your "
    "own files. Who may change what is a Role's to say: kubectl auth can-i "
    "--as=system:serviceaccount:NAMESPACE:NAME"
)

KEPT = (
    "only the service that a fault is at may fail, and only until it has to be over. Feeds are read by the Job "
    "alone, a version that can't be read takes no request, and what mends one service does not restart the others"
)

TRUE = (
    "one fault is one incident, from its beginning to its end: not one for each look, nor others for what follows "
    "from it. It ends when things are well again, by what is seen and not by what was done, "
    "and until then ended is null"
)
