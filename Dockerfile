# A small image that runs as nobody: docker build -t tams-graphql . (see deploy/compose.yaml)
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/tams \
    && /opt/tams/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY tams_graphql tams_graphql
COPY rest_compat rest_compat
RUN /opt/tams/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data tams && install -d -o tams /data
COPY --from=build /opt/tams /opt/tams
ENV PATH=/opt/tams/bin:$PATH PYTHONUNBUFFERED=1 TAMS_DATA=/data
USER tams
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["tams"]
CMD ["serve"]
