"""`lab desk`: one page on 127.0.0.1 where a learner works: texts, a terminal, live verdicts, hints, progress.

A *place* is what a page shows of one piece of work, a lab or a task of an exam: its text, the folder that its terminal
begins in, its verdicts and hints. Labs are in `labs`; an exam is whatever keeps to `sitting.Sitting`. The server knows
places alone. Nothing is measured or decided here: verdicts are those of `learner.watch`, records `learner.records`'.
"""
