"""What a teacher does with a class from a machine of the teacher's own: install it, hand out kits, look, end it."""
