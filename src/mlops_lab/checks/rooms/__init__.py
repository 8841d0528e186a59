"""The rooms of a `Lab`: each is bound to the lab's namespace, workspace or platform, and all its calls are async.

A room can be replaced by any object with the same methods, which is how tests run a checker without a cluster. Judging
is the checks' part; a room only looks, sends and changes, and says as `Failure` what is missing of the learner's work.
"""
