# What lab 03's images run on: Python and nothing else.
ARG PYTHON
FROM ${PYTHON}
ENV PYTHONUNBUFFERED=1
CMD ["python3"]
