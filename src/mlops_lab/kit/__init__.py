"""What several labs' checkers do: one module for each act, built on the rooms of `checks`.

A function belongs here once a second checker needs it. It knows no lab: names, limits and what to say of a failure come
as arguments. Whatever it changes, it puts back.
"""
