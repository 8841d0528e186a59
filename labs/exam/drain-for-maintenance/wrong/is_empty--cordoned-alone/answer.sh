kubectl cordon "$(ssh exam-worker hostname)"
