"""What checks look with, by what is measured. It measures; judging is the checks' part."""
