"""The third place: pods for learners' programs, with no token, no secrets, no way out, and bounds on all they use.

Files go in, and what comes back is data: what a program printed, how it ended, and files. Each call has a pod of its
own, so nothing that a program leaves behind meets the next one.
"""
