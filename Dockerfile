# The application alone; compose.yaml puts nginx and PostgreSQL around it. Nothing secret is in it: settings come from
# the environment of the container.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --uid 10001 --create-home --home-dir /state --shell /usr/sbin/nologin carburoam

WORKDIR /app
COPY requirements.lock ./
RUN python -m pip install -r requirements.lock
# Its owner is root: the program can't change itself. What may go in is named in .dockerignore.
COPY . ./
RUN python -m compileall -q .

# pid.txt, lastjob.txt, outputs/, and the database where no other one is named.
ENV CARBUROAM_STATE_DIR=/state
VOLUME /state

USER 10001
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501"]
