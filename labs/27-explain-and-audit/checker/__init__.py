"""Lab 27: the checker is developer, risk officer, customer and examiner of a bank that it makes up.

Its models have learnt from drawn loans. Right scores, Shapley values and reasons it computes itself, by the definition;
the trail's digests, too. What it hands in, approves and decides stays in the learner's trail, which only grows.
"""

from __future__ import annotations

import time

from mlops_lab.checks import Lab, Observation, check, equal_to, expect, observe
from mlops_lab.kit.deployments import exists
from mlops_lab.kit.drawn import drawn

from . import approvals, audits, events, records
from .erasure import OTHERS, erased
from .expected import both_sides, picked, right, unexplained, unreasonable, wrong_in, wrong_moment
from .scenario import EDGE, LARGE, SHELVED, SMALL, all_right, given_image, models, now, replaced, served, shelved, up

APPLICANTS = 8


@check(points=1, owns="credit", domains=("ckad/deployment",))
async def decides(lab: Lab) -> None:
    """The model that was approved last decides: score, probability and approval are what it says of an application.

    The checker hands in two models that it has trained, whose versions differ behind the last dot alone, has one of
    them approved, and asks about 8 people, of whom some are as near to the model's threshold as can be, on both sides.
    By a third model, which is approved then, somebody is exactly at the threshold, and so not below it. The pods of
    Deployment `credit` run workbench:1 and nothing else.
    """
    await exists(lab, "credit")
    await up(lab, "kubectl get pods and kubectl logs deployment/credit say what holds the pod up")
    expect(await given_image(lab)).because(
        "the checker takes the program's files from ConfigMaps and puts them into the same image beside a comment: "
        "kubectl get deployment credit -o yaml shows which images there are"
    )
    await shelved(lab)
    wrong, ids, draw = [], set(), drawn(lab, "applicants")
    for number, count in ((0, APPLICANTS), (EDGE, 1)):
        credit, model = await served(lab, number)
        for each in both_sides(draw, model, APPLICANTS, now())[:count]:
            began = time.time()
            made = await credit.decide(each)
            ids.add(made.id)
            said = wrong_moment(made.at, began)  # else it has no age to compute from
            if said := said or wrong_in(made.said, model, right(model, each, made.at, explains=False)):
                wrong.append(said)
    expect(
        all_right(wrong, APPLICANTS + 1, "decisions as the approved model makes them", "decisions as it makes them")
    ).because(
        "score = bank.score(model, bank.features(application, at)), probability = 1 / (1 + exp(-score)): the higher, "
        "the more likely the loan is lost. It is approved while that is below the model's threshold, and not at it"
    )
    expect(observe("different ids", len(ids), equal_to(APPLICANTS + 1))).because("each decision has an id of its own")


@check(points=2, needs=decides, owns="credit")
async def explains(lab: Lab) -> None:
    """`contributions` are the score's Shapley values, `base` the worth of nobody, and together they are the score.

    The checker computes them by the definition: all 256 coalitions against all rows of the model's background, of which
    there are more than a hundred here.
    """
    credit, model = await served(lab, LARGE)
    wrong = []
    people = picked(drawn(lab, "explained"), model, 6, now(), test=lambda one: True)
    for each in people:
        made = await credit.decide(each)
        if said := unexplained(made.said, right(model, each, made.at)):
            wrong.append(said)
    expect(all_right(wrong, len(people), "explanations by Shapley values", "explained")).because(
        "a feature's contribution is what it adds to the score, as a mean over all orders in which features may become "
        "known; what is not known yet is taken from the background, row by row, and the scores are averaged. Adding "
        "one feature alone, or taking one away, misses what features do together; a mean row is nobody's row; and "
        "scaling to the right sum changes values that may have been right. The score is what is explained, not the "
        "probability"
    )


@check(points=1, needs=explains, owns="credit")
async def gives_reasons(lab: Lab) -> None:
    """`reasons` are the features that speak loudest for what was decided, in order, in the words of the model's file.

    Half of the people are approved and half declined; by one of the models most features speak too quietly to be a
    reason, so there are fewer than three.
    """
    wrong, asked, few = [], 0, 0
    for number in (3, SMALL):
        credit, model = await served(lab, number)
        people = picked(drawn(lab, f"reasons {number}"), model, 6, now())
        for each in people:
            made = await credit.decide(each)
            wanted = right(model, each, made.at)
            asked, few = asked + 1, few + (len(wanted.reasons) < 3)
            if said := unreasonable(made.said, model, wanted):
                wrong.append(said)
    expect(
        all_right(wrong, asked, "the right reasons, in words", f"with the right reasons, {few} with fewer than 3")
    ).because(
        "who is declined is told what spoke against it, and not what spoke for it, however loud. The words are the "
        "model's own: words[feature]['raises'] where the contribution is above 0, ['lowers'] where it is below"
    )


@check(points=1, needs=decides, owns="credit", domains=("ckad/environment-configuration-and-security",))
async def records_approvals(lab: Lab) -> None:
    """Who handed a model in and who approved it stands in the trail; nobody else can, and nothing decides before that.

    The checker tries without a token, with one of nobody's, as developer and privacy officer, as the officer who handed
    the model in, with another one's name in the body, with another file under a version that is taken, and with one
    that differs by its spaces alone, and goes back to an older model.
    """
    expect(await lab.once(approvals.told)).because(
        "`by` is the name of whose token it was; `sha256` is of the file's bytes as they came, so that in a year "
        "nobody can say that it was another file. A request that was refused is no approval"
    )


@check(points=1, needs=decides, owns="credit", domains=("cka/storage",))
async def keeps_a_trail(lab: Lab) -> None:
    """Each event leaves one line, chained to the one before: one by one, 24 at once, and after the pod was deleted.

    The checker keeps its copies: what was a line once is there in every later copy, byte for byte. The line of a
    decision has the digest of its record. After the pod was deleted the model decides that was approved last, and not
    the newest; who handed a model in may still not approve it; no other file gets its version, and the next decision
    has an id that no line had before.
    """
    story = await events.told(lab)
    expect(story.single).because(
        "one line for each model, approval and decision, with the fields of the README's table; a decision's sha256 is "
        "of the bytes that GET /decisions/ID gives. A line stands there before its request is answered"
    )
    expect(story.many).because(
        "when many come at once, two must not both take the same line for the last one: what reads the last line and "
        "what writes the next has to be one step, for all threads and processes"
    )
    if not lab.thorough(keeps_a_trail):
        return
    expect(await events.paged(lab, story)).because(
        "the first line has number 1, and an answer has a hundred lines from the one that was asked for on"
    )
    last = await events.last_words(lab, story)
    await replaced(lab)
    expect(await events.after(lab, story, last)).because(
        "a pod that goes takes with it what is only in its memory, in its own files, or in an emptyDir. What has been "
        "answered is on the volume of PersistentVolumeClaim credit, an approval as well: the model that was approved "
        "last decides, and not the one that was handed in last. Which versions are taken, and which ids, is known to "
        "the next pod, too"
    )


@check(points=1, needs=keeps_a_trail, owns="credit")
async def finds_tampering(lab: Lab) -> None:
    """POST /audits finds what was done to a copy, and finds nothing where nothing was done.

    Copies of a trail that the checker makes up, and of yours: a line changed, by a letter or a space; the first, the
    last or another one left out, moved, doubled or slipped in; all lines after a change written anew to fit; a head of
    a line that is not there.
    """
    cases = await audits.cases(lab)
    wrong = await audits.asked(lab, cases)
    expect(all_right(wrong, len(cases), "the truth about each copy", "copies judged right")).because(
        "two rules make a copy whole: each line's previous is the digest of the line before, as bytes, and line n's "
        "digest is that of the head. The first finds who changed something, the second who wrote everything anew, or "
        "left out the end. The answer comes from the copy alone: the examiners also bring another bank's"
    )


@check(points=2, needs=keeps_a_trail, owns="credit")
async def replays(lab: Lab) -> None:
    """POST /replays with a record gives the same answer, byte for byte, whatever has changed since; or refuses.

    Records are as the README says, also of an application that has fields beside those that the bank reads. They are
    replayed while another model decides, and once more after the pod was deleted. Then records that never were: another
    id, another income, another day, another model, also one that nobody has approved. Copies of the pod with empty
    volumes: one with the same files gives the same answers; the others, one for each of six `.py` files at most, which
    has a comment more there, are other programs, and refuse. What is decided there has ids that nothing else has.
    """
    credit, model, other, kept = await records.prepared(lab)
    # A trail may have lines of its owner's for whoever reads it, but none for replays.
    lines = [await credit.length(), await credit.length()]
    expect(await records.same(credit, kept, "while another model decides")).because(records.SAME)
    draw, unused = drawn(lab, "records"), (await lab.once(models))[SHELVED]
    never = [each for one in kept for each in records.changed(draw, one, model, other, unused)]
    wrong = [*await records.under_another_id(credit, draw, kept), *await records.would_be(credit, never)]
    expect(
        all_right(
            wrong, len(kept) + len(never), "what would have been decided", "computed from records that never were"
        )
    ).because(
        "a replay computes: by the record's model, its application, and its day. Whoever looks the answer up by the "
        "id, or takes today for the day, shows what was said and not that it follows"
    )
    await records.refuses(credit, kept[0].fields, draw)
    left = await credit.length() - lines[1] - (lines[1] - lines[0])
    expect(observe("lines that replays left in the trail", left, equal_to(0))).because("a question is no event")
    if not lab.thorough(replays):
        return
    await replaced(lab)
    expect(await records.same(credit, kept, "after the pod was replaced")).because(records.SAME)
    elsewhere, other_files, ids = await records.by_others(lab, kept, model)
    expect(elsewhere).because(f"{records.SAME}. The code is that of the files, wherever and whenever they run")
    expect(other_files).because(
        "code stands for the program's files, whatever else is the same: a digest of all of them, made when the "
        "program starts, since each has its part in what is decided. A number that somebody has to think of is "
        "forgotten some day"
    )
    expect(ids).because(
        "a number that follows from what is on the volume, such as that of the next line, begins anew on another one. "
        "An id that is drawn, as by uuid.uuid4, needs to know of no other pod"
    )


@check(points=1, needs=keeps_a_trail, owns="credit", domains=("ckad/environment-configuration-and-security",))
async def erases(lab: Lab) -> None:
    """Once a person is erased, nothing of them is left anywhere; the trail's lines stand as they stood, others stay.

    The checker looks for name, number and salts in the trail, the pod's log, its volumes and /tmp. The person had also
    applied with something missing or impossible, by JSON cut short, and before the pod was replaced. A copy of a record
    is replayed after the erasure, which is asked for twice. Then the same person applies again with the same data, is
    erased again, and the pod is replaced. Before all that somebody is erased whose number theirs begins with, and their
    records stay.
    """
    story = await erased(lab, thorough=lab.thorough(erases))
    seen: tuple[tuple[Observation, str], ...] = (
        (story.secret, "what stands in a line stands there for ever: not who it was, and not the salt"),
        (
            story.salts,
            "whoever knows a customer's data can try: digest after digest, until one fits. A salt that is drawn makes "
            "that hopeless, one that is computed from what the trail says does not. secrets.token_hex",
        ),
        (
            story.gone,
            "deleted is not gone: a database may keep the bytes in free pages or in its write-ahead log, a flag hides "
            "a row and keeps it, and a log has what was printed, also of an application that could not be judged",
        ),
        (story.home, records.SAME),
        (story.lines, "the chain holds digests, so nothing of it has to go"),
        (
            story.recorded,
            "examiners will ask why a record is not there: who erased it stands in the trail, by the name of whose "
            "token it was, whatever else the request says",
        ),
        (story.kept, OTHERS),
        (story.others, records.SAME),
        (
            story.unknown,
            "a pseudonym that is computed from a person, such as a digest of the number, by whatever key is still "
            "there, is the person: whoever comes back is recognised. So is a probability to the last digit",
        ),
        (story.unnamed, "a line of an erasure stays for ever as well, so it says which decision, and not whose"),
    )
    for observation, why in seen:
        expect(observation).because(why)
