# A small image that runs as nobody: docker build -t tams-graphql . (see deploy/compose.yaml)
# With the SDKs of VAST DB and S3: --build-arg LOCK=requirements-cluster.lock (400 MB more)
FROM python:3.13-slim AS build
ARG LOCK=requirements.lock
WORKDIR /src
COPY requirements.lock requirements-cluster.lock ./
RUN python -m venv /opt/tams \
    && /opt/tams/bin/pip install --no-cache-dir --require-hashes -r $LOCK
COPY pyproject.toml README.md LICENSE ./
COPY tams_graphql tams_graphql
COPY rest_compat rest_compat
RUN /opt/tams/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim AS base
RUN useradd --system --uid 10001 --home-dir /data tams && install -d -o tams /data
COPY --from=build /opt/tams /opt/tams
ENV PATH=/opt/tams/bin:$PATH PYTHONUNBUFFERED=1 TAMS_DATA=/data
USER tams
VOLUME /data

# Of tests/, for trying the VAST engine without a cluster; never part of the server's image.
FROM base AS vast-emulator
WORKDIR /opt/emulator
COPY tests/__init__.py tests/__init__.py
COPY tests/vast_emulator tests/vast_emulator
EXPOSE 9090
HEALTHCHECK --interval=2s --timeout=3s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9090/_emulator/health')"]
ENTRYPOINT ["python", "-m", "tests.vast_emulator"]
CMD ["--host", "0.0.0.0", "--data", "/data"]

FROM base
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["tams"]
CMD ["serve"]
