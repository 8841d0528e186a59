"""How handed-in work is graded: submissions by turns, a sandbox for each, and the programs in it in a third place.

`dispatcher` takes submissions from the class's server and makes what one needs: a sandbox, an account with rights in
it alone, and a Job that waits for its turn by Kueue. `grading` is that Job's program. `apart` is where learners' own
programs run: in pods that hold nothing.
"""
