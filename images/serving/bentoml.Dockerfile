# The BentoML flavour; BENTOML_HOME must be writable, so it is in /tmp.
ARG PYTHON
FROM ${PYTHON}
COPY site /app/site
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /app/site
COPY app /app
ENV PYTHONPATH=/app/site:/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 GIT_PYTHON_REFRESH=quiet MLFLOW_DISABLE_TELEMETRY=true \
    MLFLOW_HTTP_REQUEST_TIMEOUT=15 MLFLOW_HTTP_REQUEST_MAX_RETRIES=3 MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR=1 \
    BENTOML_HOME=/tmp/bentoml BENTOML_DO_NOT_TRACK=1
WORKDIR /app
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["python3", "-m", "bentoml", "serve", "serving.bento:FlightDelay", "--host", "0.0.0.0", "--port", "8080"]
