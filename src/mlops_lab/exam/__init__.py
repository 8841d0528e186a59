"""Exams: tasks drawn to a sitting, the clock, what stands on the cluster meanwhile, grading and the sheet of scores."""
