# One image for every part: webserver, daemon, code server, runs and steps. docs/deploy.md.
ARG PYTHON_IMAGE=python:3.12-slim
FROM ${PYTHON_IMAGE} AS build
# Bytecode is made here: nobody can write it later, and every step is a new process.
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# pip stays outside: what runs installs nothing.
RUN python -m venv --without-pip /venv
# The same versions as everywhere else, and the clients of Kubernetes and of secret providers.
COPY requirements-image.lock ./
RUN python -m pip --python /venv/bin/python install --require-hashes -r requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY quality_platform quality_platform
# Without what nothing runs, a tenth of all: tests of libraries, headers, a type checker.
RUN python -m pip --python /venv/bin/python install --no-deps . \
    && cd /venv/lib/python3*/site-packages \
    && for library in pandas pyarrow scipy dask; do \
        find "$library" -type d -name tests -prune -exec rm -r {} +; done \
    && rm -r pyarrow/include \
    && python -m pip --python /venv/bin/python uninstall --yes mypy

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="quality-platform" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --create-home --uid 10001 platform && install -d -o platform -g platform /data
WORKDIR /app
COPY --from=build /venv /venv
COPY deploy/entrypoint.sh /usr/local/bin/quality-platform-entrypoint
COPY deploy/workspace.yaml deploy/
COPY runner.yaml workspace.yaml dagster.yaml ./
COPY contracts contracts
COPY features features
COPY demo demo
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    QUALITY_PLATFORM_HOME=/data \
    DAGSTER_HOME=/data/dagster \
    SODA_CORE_TELEMETRY_ENABLED=false \
    GX_ANALYTICS_ENABLED=false
USER platform
VOLUME /data
EXPOSE 3000 4000
# Of the webserver; deploy/compose.yaml has those of the daemon and the code server.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/server_info')"]
ENTRYPOINT ["quality-platform-entrypoint"]
# Other parts are other commands: dagster-daemon run; dagster code-server start ...
CMD ["dagster-webserver", "--host", "0.0.0.0", "--port", "3000", "--workspace", "workspace.yaml"]
