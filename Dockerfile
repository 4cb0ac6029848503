# The platform's application: every worker, beat and Flower run from this one image; compose.yaml says which is which.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# A new named volume takes the owner and the mode of the directory that it covers.
RUN useradd --uid 10001 --home-dir /app --no-create-home --shell /usr/sbin/nologin monitor \
 && install --directory --owner monitor --group monitor --mode 0700 \
      /var/lib/monitor /var/lib/monitor/spool /var/lib/beat

WORKDIR /app

# Dependencies change seldom: their layer comes before the code's.
COPY requirements/runtime.lock requirements/
RUN pip install --require-hashes --requirement requirements/runtime.lock

COPY pyproject.toml README.md LICENSE beat_schedule.py ./
COPY monitor/ monitor/
COPY workers/ workers/
RUN pip install --no-deps --no-build-isolation --editable .

# The code belongs to root; the one who runs it writes to its volumes alone.
USER monitor
CMD ["celery", "-A", "workers", "worker"]
