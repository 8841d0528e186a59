"""A class: its roster, what learners hand in, signed records of their results, certificates, and what checks tell.

What a learner's machine needs stands here and imports nothing that only a class's server has.
"""
