# One image for all of it: the operator, the workers of its Jobs, and the command line.
#
#   docker build --tag practicus-mfa .
#
# Where packages come through a mirror, hand pip's own configuration to the build; no layer keeps it:
#   docker build --secret id=pip,src=pip.conf --tag practicus-mfa .

FROM python:3.13-slim AS base
# Modules are compiled when the image is made: a Job's pod can't keep the result, and would compile on every start.
# The official image comes without its standard library's.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x '/(ensurepip|idlelib|site-packages|test|tkinter|turtledemo)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

FROM base AS dependencies
WORKDIR /build
COPY requirements/build.txt requirements/run.txt ./
# pip and what builds the package stay in an environment of their own: the product's holds neither.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv tools \
 && tools/bin/pip install --no-cache-dir --require-hashes -r build.txt \
 && python3 -m venv --without-pip /opt/practicus-mfa \
 && tools/bin/pip --python /opt/practicus-mfa/bin/python install \
      --no-cache-dir --no-compile --only-binary :all: --require-hashes -r run.txt
# Not the half of the Kubernetes library that nothing here imports.
RUN /opt/practicus-mfa/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x '/kubernetes/aio/' /opt/practicus-mfa/lib

FROM dependencies AS build
COPY . source
# Beside the environment at first: what changes with every release becomes a layer of its own, and a small one.
RUN tools/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir wheels ./source \
 && tools/bin/pip --python /opt/practicus-mfa/bin/python install \
      --no-cache-dir --no-compile --no-deps --no-index --prefix /build/product wheels/*.whl \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -s /build/product -p /opt/practicus-mfa /build/product/lib \
 && cp -R product/. /opt/practicus-mfa \
 && tools/bin/pip --python /opt/practicus-mfa/bin/python check

FROM base
# libpq wants to know the name of whoever runs it.
RUN groupadd --gid 10001 practicus-mfa \
 && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /nonexistent \
      --shell /usr/sbin/nologin practicus-mfa
COPY --from=dependencies /opt/practicus-mfa /opt/practicus-mfa
COPY --from=build /build/product /opt/practicus-mfa
ENV PATH="/opt/practicus-mfa/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="practicus-mfa" \
      org.opencontainers.image.description="Multi-factor authentication for a platform on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# By number: Kubernetes can't tell of a name that it is not root (runAsNonRoot).
USER 10001:10001
ENTRYPOINT ["practicus-mfa"]
