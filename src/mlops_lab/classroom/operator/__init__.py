"""The class's operator: namespaces for learners on a shared cluster, their walls, accounts and tokens.

It makes the cluster be as the roster and the learners' requests say, again and again, and only ever touches what bears
the class's label. `python -m mlops_lab.classroom.operator` runs it, in the image `classroom:1`; the chart
`charts/classroom` has its rights, and the policies that hold it to them.
"""
