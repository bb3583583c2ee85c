# Saved folders behind an address, as an unprivileged user, from an image that is only read:
#   docker build -t selftime .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -p 8000:8000 -e SELFTIME_API_KEY -v "$PWD/speakers:/models/speakers:ro" selftime /models/speakers
FROM python:3.12-slim
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN pip install --no-cache-dir ".[serve]" && rm -rf /src/*
WORKDIR /models
ENV PYTHONDONTWRITEBYTECODE=1 NUMBA_CACHE_DIR=/tmp/numba HOME=/tmp
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=5)"]
ENTRYPOINT ["selftime", "serve", "--host", "0.0.0.0"]
