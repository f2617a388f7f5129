# Nola in a container: nothing but Python, the pinned requirements and the code, run by a user without rights.

FROM python:3.11-slim-bookworm AS build
# requirements-postgres.txt too, for DATABASE_URL
ARG REQUIREMENTS=requirements.txt
COPY requirements.txt requirements-postgres.txt ./
# a venv without pip: what builds stays in this stage
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --requirement requirements.txt --requirement "$REQUIREMENTS"

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin nola \
    && install -d -o nola -g nola -m 700 /app/data/db \
    && install -d -o nola -g nola /app/data /app/data/checkpoints /app/data/backups
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 NOLA_HOST=0.0.0.0 NOLA_DATA_DIR=/app/data
# ./nola looks there for its Python
RUN python -m compileall -q /app && touch /venv/.installed /venv/.installed-postgres && ln -s /venv .venv
USER nola
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["python", "manage.py", "serve"]
