# What every version of the service stands on: its Python packages, compiled to bytecode so that a start on one core
# takes seconds (the file system is read-only later, so Python could never keep what it compiles itself).
ARG PYTHON
FROM ${PYTHON}
COPY site /app/site
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /app/site
# One request never takes more than one core, and the image runs with a read-only root.
ENV PYTHONPATH=/app/site:/app PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
WORKDIR /app
