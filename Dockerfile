# The same lock as everywhere else. Two stages, so that no compiler and no cache is in the image.
ARG PYTHON_IMAGE=python:3.12-slim
FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
COPY requirements.lock ./
RUN /venv/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY quality_platform quality_platform
RUN /venv/bin/pip install --no-deps .

FROM ${PYTHON_IMAGE}
RUN useradd --create-home --uid 10001 platform && mkdir /data && chown platform /data
WORKDIR /app
COPY --from=build /venv /venv
COPY runner.yaml workspace.yaml ./
COPY contracts contracts
COPY features features
COPY demo demo
COPY dagster.yaml /data/dagster/dagster.yaml
RUN chown -R platform /data
ENV PATH=/venv/bin:$PATH \
    QUALITY_PLATFORM_HOME=/data \
    DAGSTER_HOME=/data/dagster \
    SODA_CORE_TELEMETRY_ENABLED=false \
    GX_ANALYTICS_ENABLED=false
USER platform
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/server_info')"]
# The daemon is a second container of the same image: dagster-daemon run
CMD ["dagster-webserver", "--host", "0.0.0.0", "--port", "3000", "--workspace", "workspace.yaml"]
